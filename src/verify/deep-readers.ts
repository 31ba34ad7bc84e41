/** Readers of a source side by side, in threads of their own where the source can be opened there. Shards are handed out as readers come free. */
import { availableParallelism } from 'node:os';
import { SluiceError } from '../errors.ts';
import { openAskedThread } from '../load/lane/asked-thread.ts';
import { shareWork } from '../load/lane/shared-work.ts';
import { minThreadBytes } from '../load/plan/lane-size.ts';
import type { Source } from '../source/source.ts';
import { findDriver } from '../target/registry.ts';
import type { DeepFindings, DeepShard, DeepTask, DeepThreadStart } from './deep-contract.ts';
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
  try {
    await shareWork(readers, { items: request.shards.entries(), signal }, async (reader, [at, shard]) => {
      try {
        request.onShard(await reader.compare(shard, signal), at);
      } catch (error) {
        // The others need not end what they have in hand.
        failing.abort();
        throw error;
      }
    });
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

/** A reader in a thread of its own. It is asked for one shard at a time; a stop is not waited for, as it only reads. */
function openThread(workerData: DeepThreadStart): DeepReader {
  const thread = openAskedThread<DeepShard, DeepFindings>({
    // The published package holds compiled files; the repository runs from source.
    file: new URL(import.meta.url.endsWith('.ts') ? './deep-thread.ts' : './deep-thread.js', import.meta.url),
    workerData,
    verb: 'verify',
  });
  return {
    compare: async (shard, signal) => {
      const stopped = Promise.withResolvers<never>();
      const stop = (): void => stopped.reject(new SluiceError('SLUICE_CANCELLED', 'The verification was stopped.'));
      signal?.addEventListener('abort', stop, { once: true });
      return Promise.race([thread.ask(shard), stopped.promise]).finally(() => signal?.removeEventListener('abort', stop));
    },
    close: thread.close,
  };
}
