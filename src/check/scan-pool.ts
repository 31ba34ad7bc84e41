/** Scans shards over lanes: threads where the source can be opened again in one, else the caller's. The first failure ends it. */
import { rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../errors.ts';
import { unpackError } from '../load/lane/news.ts';
import type { Source, SourceDescriptor } from '../source/source.ts';
import { nameRecordFile } from './key-records.ts';
import { createScanner, type LaneFindings, type ScanPlan, type ScanRequest, type ShardFindings } from './scan.ts';
import type { ScanAnswer, ScanCommand, ScanStart } from './scan-messages.ts';

/** As for a load's lanes: rows live only until their batch is counted. */
const youngGenerationMb = 8;

interface ScanLane {
  scan(request: ScanRequest): Promise<ShardFindings>;
  end(): Promise<LaneFindings>;
  /** Ends it whatever it does. */
  drop(): Promise<void>;
}

export interface PoolRequest {
  readonly source: Source;
  /** How threads open the source; undefined: one lane, on the caller's thread. */
  readonly descriptor: SourceDescriptor | undefined;
  readonly lanes: number;
  readonly plan: Omit<ScanPlan, 'records'>;
  readonly records: {
    readonly seed: ScanPlan['records']['seed'];
    readonly maxBytes: number;
    readonly folder: string;
    readonly run: string;
  };
  readonly signal: AbortSignal;
}

export interface ScanPool {
  readonly lanes: number;
  /** Scans all of them, each lane one at a time; `tell` hears of each in the order of their ends. Ends early, without an error, when the signal is aborted. */
  scanAll(requests: AsyncIterable<ScanRequest> | Iterable<ScanRequest>, tell: (findings: ShardFindings) => void): Promise<void>;
  end(): Promise<readonly LaneFindings[]>;
  /** Ends the lanes, and deletes their temporary files however they ended. */
  drop(): Promise<void>;
}

export function openScanPool(request: PoolRequest): ScanPool {
  const { descriptor, records, signal } = request;
  const count = descriptor === undefined ? 1 : request.lanes;
  const planOf = (lane: number): ScanPlan => ({
    ...request.plan,
    records: { seed: records.seed, maxBytes: records.maxBytes / count, file: nameRecordFile(records.folder, records.run, lane) },
  });
  const lanes = Array.from({ length: count }, (_, lane) =>
    descriptor === undefined
      ? openOwnLane(request.source, planOf(lane), signal)
      : openThread({ source: descriptor, plan: planOf(lane) }, signal),
  );
  return {
    lanes: count,
    scanAll: async (requests, tell) => {
      const next = shareIterator(requests);
      const failures: unknown[] = [];
      await Promise.all(
        lanes.map(async (lane) => {
          try {
            for (let item = await next(); item !== undefined && failures.length === 0 && !signal.aborted; item = await next()) {
              tell(await lane.scan(item));
            }
          } catch (error) {
            failures.push(error);
          }
        }),
      );
      if (failures.length > 0) throw failures[0];
    },
    end: () => Promise.all(lanes.map((lane) => lane.end())),
    drop: async () => {
      await Promise.all(lanes.map((lane) => lane.drop()));
      for (let lane = 0; lane < count; lane++) rmSync(nameRecordFile(records.folder, records.run, lane), { force: true });
    },
  };
}

/** One iterator for several askers, served one after another. */
function shareIterator(requests: AsyncIterable<ScanRequest> | Iterable<ScanRequest>): () => Promise<ScanRequest | undefined> {
  const iterator = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const asked = last.then(async () => {
      const result = await iterator.next();
      return result.done === true ? undefined : result.value;
    });
    last = asked.catch(() => undefined);
    return asked;
  };
}

function openOwnLane(source: Source, plan: ScanPlan, signal: AbortSignal): ScanLane {
  const scanner = createScanner(source, plan);
  return {
    scan: (request) => scanner.scan(request, signal),
    end: () => Promise.resolve(scanner.end()),
    drop: () => Promise.resolve(scanner.close()),
  };
}

function openThread(start: ScanStart, signal: AbortSignal): ScanLane {
  const file = new URL(import.meta.url.endsWith('.ts') ? './check-thread.ts' : './check-thread.js', import.meta.url);
  const worker = new Worker(file, {
    workerData: start,
    name: 'sluice check',
    resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
  });
  const ask = createAsking(worker);
  const stop = (): void => worker.postMessage({ kind: 'stop' } satisfies ScanCommand);
  signal.addEventListener('abort', stop);
  return {
    scan: async (request) => {
      const answer = await ask({ kind: 'scan', request });
      if (answer.kind !== 'scanned') throw new SluiceError('SLUICE_INTERNAL', `A checking thread answered ${answer.kind}.`);
      return answer.findings;
    },
    end: async () => {
      const answer = await ask({ kind: 'end' });
      if (answer.kind !== 'ended') throw new SluiceError('SLUICE_INTERNAL', `A checking thread answered ${answer.kind}.`);
      return answer.findings;
    },
    drop: async () => {
      signal.removeEventListener('abort', stop);
      await worker.terminate();
    },
  };
}

/** One question at a time; a thread that dies answers with its end. */
function createAsking(worker: Worker): (command: ScanCommand) => Promise<Exclude<ScanAnswer, { kind: 'failed' }>> {
  let settle: { resolve: (answer: Exclude<ScanAnswer, { kind: 'failed' }>) => void; reject: (error: unknown) => void } | undefined;
  let death: unknown;
  const fail = (error: unknown): void => {
    death = error;
    settle?.reject(error);
  };
  worker.on('message', (answer: ScanAnswer) => {
    if (answer.kind === 'failed') settle?.reject(unpackError(answer.error));
    else settle?.resolve(answer);
  });
  worker.on('error', (cause: Error) => fail(new SluiceError('SLUICE_LANE_DIED', `A checking thread died: ${cause.message}`, { cause })));
  worker.on('exit', (code) => fail(new SluiceError('SLUICE_LANE_DIED', `A checking thread ended with ${String(code)}.`)));
  return (command) =>
    new Promise((resolve, reject) => {
      if (death !== undefined) {
        reject(death);
        return;
      }
      settle = { resolve, reject };
      worker.postMessage(command);
    });
}
