/** Scans shards over lanes: threads where the source can be opened again in one, else the caller's. The first failure ends it. */
import { rmSync } from 'node:fs';
import { SluiceError } from '../errors.ts';
import { openAskedThread } from '../load/lane/asked-thread.ts';
import { shareWork } from '../load/lane/shared-work.ts';
import type { Source, SourceDescriptor } from '../source/source.ts';
import { nameRecordFile } from './key-records.ts';
import { createScanner, type LaneFindings, type ScanPlan, type ScanRequest, type ShardFindings } from './scan.ts';
import type { ScanAnswer, ScanQuestion, ScanStart } from './scan-messages.ts';

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
    scanAll: (requests, tell) => shareWork(lanes, { items: requests, signal }, async (lane, item) => tell(await lane.scan(item))),
    end: () => Promise.all(lanes.map((lane) => lane.end())),
    drop: async () => {
      await Promise.all(lanes.map((lane) => lane.drop()));
      for (let lane = 0; lane < count; lane++) rmSync(nameRecordFile(records.folder, records.run, lane), { force: true });
    },
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
  const thread = openAskedThread<ScanQuestion, ScanAnswer>({
    // The published package holds compiled files; the repository runs from source.
    file: new URL(import.meta.url.endsWith('.ts') ? './check-thread.ts' : './check-thread.js', import.meta.url),
    workerData: start,
    verb: 'check',
    maxYoungGenerationSizeMb: youngGenerationMb,
  });
  signal.addEventListener('abort', thread.stop);
  return {
    scan: async (request) => {
      const answer = await thread.ask({ kind: 'scan', request });
      if (answer.kind !== 'scanned') throw new SluiceError('SLUICE_INTERNAL', `A checking thread answered ${answer.kind}.`);
      return answer.findings;
    },
    end: async () => {
      const answer = await thread.ask({ kind: 'end' });
      if (answer.kind !== 'ended') throw new SluiceError('SLUICE_INTERNAL', `A checking thread answered ${answer.kind}.`);
      return answer.findings;
    },
    drop: async () => {
      signal.removeEventListener('abort', thread.stop);
      await thread.close();
    },
  };
}
