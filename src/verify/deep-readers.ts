/** Readers of a source side by side, in threads of their own where the source can be opened there. Shards are handed out as readers come free. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../errors.ts';
import { unpackError } from '../load/lane/news.ts';
import { minThreadBytes } from '../load/lane/threads.ts';
import type { Source } from '../source/source.ts';
import { findDriver } from '../target/registry.ts';
import type { DeepAnswer, DeepCommand, DeepFindings, DeepShard, DeepTask, DeepThreadStart } from './deep-contract.ts';
import { openDeepReader, type DeepReader } from './deep-shard.ts';

/** As many as a load has lanes at most on a target with one writer; past the cores of the machine more readers only take memory. */
const maxReaders = 4;

export interface ReadRequest {
  readonly task: DeepTask;
  readonly source: Source;
  readonly shards: readonly DeepShard[];
  /** Readers; by the cores of the machine when undefined. */
  readonly lanes: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Told of each shard that is done. */
  readonly onShard: (findings: DeepFindings, at: number) => void;
}

/** Compares all shards. The first failure ends it. */
export async function readShardsDeep(request: ReadRequest): Promise<void> {
  const readers = await openReaders(request);
  const failing = new AbortController();
  const signal = request.signal === undefined ? failing.signal : AbortSignal.any([request.signal, failing.signal]);
  let next = 0;
  const work = async (reader: DeepReader): Promise<void> => {
    for (let at = next++; at < request.shards.length && !signal.aborted; at = next++) {
      const shard = request.shards[at];
      if (shard !== undefined) request.onShard(await reader.compare(shard, signal), at);
    }
  };
  try {
    await Promise.all(readers.map(work));
  } finally {
    failing.abort();
    await Promise.all(readers.map((reader) => reader.close()));
  }
  if (request.signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', 'The verification was stopped.');
}

async function openReaders({ task, source, shards, lanes }: ReadRequest): Promise<readonly DeepReader[]> {
  const { capabilities } = await findDriver(task.target);
  const { descriptor } = source;
  const isSmall = (source.byteCount ?? 0) < minThreadBytes;
  const isAlone = descriptor === undefined || source.hasOneReader === true || capabilities.usesThreads === false || isSmall;
  const count = Math.min(shards.length, lanes ?? Math.min(availableParallelism(), maxReaders));
  if (isAlone || count < 2) return [await openDeepReader(task, source)];
  return Array.from({ length: count }, () => openThread({ task, source: descriptor }));
}

/** A reader in a thread of its own. It is asked for one shard at a time. */
function openThread(workerData: DeepThreadStart): DeepReader {
  // The published package holds compiled files; the repository runs from source.
  const file = new URL(import.meta.url.endsWith('.ts') ? './deep-thread.ts' : './deep-thread.js', import.meta.url);
  const worker = new Worker(file, { workerData, name: 'sluice verify' });
  let pending: PromiseWithResolvers<DeepFindings> | undefined;
  const fail = (error: unknown): void => pending?.reject(error);
  worker.on('message', (answer: DeepAnswer) => {
    if (answer.kind === 'found') pending?.resolve(answer.findings);
    else fail(unpackError(answer.error));
  });
  worker.on('error', fail);
  worker.on('exit', () =>
    fail(
      new SluiceError('SLUICE_LANE_DIED', 'A thread of the verification ended by itself.', {
        hint: 'Verify again; with --lanes 1 in this thread alone.',
      }),
    ),
  );
  return {
    compare: async (shard, signal) => {
      pending = Promise.withResolvers<DeepFindings>();
      const stop = (): void => fail(new SluiceError('SLUICE_CANCELLED', 'The verification was stopped.'));
      signal?.addEventListener('abort', stop, { once: true });
      worker.postMessage({ kind: 'compare', shard } satisfies DeepCommand);
      return pending.promise.finally(() => signal?.removeEventListener('abort', stop));
    },
    // It only reads: there is nothing that must be put right before it ends.
    close: async () => {
      await worker.terminate();
    },
  };
}
