/** Runs shards on lanes: worker threads for files, the caller's own thread for streams and rows in memory. A lane that dies fails the load, never the ledger. */
import { setImmediate as turnEventLoop } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SluiceError, type ErrorCode } from '../errors.ts';
import type { Source } from '../source/source.ts';
import type { Claim } from '../target/driver.ts';
import { unpackError, type LaneAnswer, type LaneCommand, type LaneNews } from './lane-news.ts';
import { openLane } from './lane-open.ts';
import type { LaneThreadData } from './lane-thread.ts';
import type { RunPlan } from './run-plan.ts';
import type { ShardEnd } from './shard.ts';
import { openTurns, type Turns } from './turn.ts';

/** A lane as the pool sees it. */
export interface PoolLane {
  run(claim: Claim, place: number): Promise<ShardEnd>;
  stop(code: ErrorCode): void;
  abort(): void;
  close(): Promise<void>;
}

export interface PoolRequest {
  readonly load: string;
  readonly target: string;
  readonly plan: RunPlan;
  readonly lockTimeoutMs: number | undefined;
  readonly source: Source;
  /** Lanes to open; worker threads when more than one or when `usesThreads`. */
  readonly lanes: number;
  readonly usesThreads: boolean;
  readonly tell: (lane: number, news: LaneNews) => void;
}

export interface LanePool {
  readonly lanes: readonly PoolLane[];
  readonly turns: Turns;
  close(): Promise<void>;
}

/** How long a thread may take to close its connection before it is ended. */
const closeTimeoutMs = 10_000;

/**
 * The young generation of a lane's heap, in MB: rows live only until their batch is committed, so a small one keeps memory flat.
 * Measured on 10⁷ CSV rows: 8 is as fast as 16 and 32 and takes 75 MB less than 32; 4 halves the speed.
 */
const youngGenerationMb = 8;

/** Opens the lanes; who opens them closes them. */
export async function openLanePool(request: PoolRequest): Promise<LanePool> {
  const turns = openTurns({ policy: request.plan.turns });
  const lanes: PoolLane[] = [];
  try {
    for (let index = 0; index < request.lanes; index++) {
      lanes.push(request.usesThreads ? startThread(request, turns, index) : await openLocal(request, turns, index));
    }
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane.close()));
    throw error;
  }
  return {
    lanes,
    turns,
    close: async () => {
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}

async function openLocal(request: PoolRequest, turns: Turns, index: number): Promise<PoolLane> {
  const stopping = new AbortController();
  const aborting = new AbortController();
  const lane = await openLane({
    ...request,
    turns,
    stopping: stopping.signal,
    aborting: aborting.signal,
    tell: (news) => request.tell(index, news),
    // Lets timers and signals run: a lane on this thread would otherwise hold it until the input ends.
    breathe: async () => {
      await turnEventLoop();
    },
  });
  return {
    run: (claim, place) => lane.run(claim, place),
    stop: (code) => stopping.abort(new SluiceError(code, 'The load was stopped.')),
    abort: () => {
      stopping.abort();
      aborting.abort();
    },
    close: () => lane.close(),
  };
}

/** A thread inherits the flags of its process; one that speaks of the caller's own script (`--input-type`) would keep it from starting. */
function chooseFlags(): { readonly execArgv?: string[] } {
  const isForScript = process.execArgv.some((flag) => flag.startsWith('--input-type'));
  return isForScript ? { execArgv: process.execArgv.filter((flag) => flag.includes('warning')) } : {};
}

interface Pending {
  resolve(end: ShardEnd): void;
  reject(error: unknown): void;
}

function threadFile(): URL {
  // The published package holds compiled files; the repository runs from source.
  return new URL(import.meta.url.endsWith('.ts') ? './lane-thread.ts' : './lane-thread.js', import.meta.url);
}

function startThread(request: PoolRequest, turns: Turns, index: number): PoolLane {
  const data: LaneThreadData = {
    load: request.load,
    target: request.target,
    plan: request.plan,
    source: request.source.descriptor,
    lockTimeoutMs: request.lockTimeoutMs,
    turnBuffer: turns.buffer,
  };
  const worker = new Worker(threadFile(), {
    workerData: data,
    ...chooseFlags(),
    name: `sluice lane ${String(index)}`,
    resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
  });
  const pending = new Map<number, Pending>();
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    for (const waiting of pending.values()) waiting.reject(failure);
    pending.clear();
  };
  const send = (command: LaneCommand): void => worker.postMessage(command);
  worker.on('message', (answer: LaneAnswer) => {
    if (answer.kind === 'news') request.tell(index, answer.news);
    else if (answer.kind === 'ended') settle(pending, answer.place)?.resolve(answer.end);
    else if (answer.kind === 'failed') {
      const error = unpackError(answer.error);
      if (answer.place === undefined) fail(error);
      else settle(pending, answer.place)?.reject(error);
    }
  });
  worker.on('error', (error: Error) =>
    fail(
      new SluiceError('SLUICE_LANE_DIED', `Lane ${String(index)} died: ${error.message}`, {
        cause: error,
        hint: 'Resume the load; what was committed stays.',
      }),
    ),
  );
  worker.on('exit', () =>
    fail(new SluiceError('SLUICE_LANE_DIED', `Lane ${String(index)} ended early.`, { hint: 'Resume the load; what was committed stays.' })),
  );
  return {
    run: (claim, place) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        pending.set(place, { resolve, reject });
        send({ kind: 'run', claim, place });
      }),
    stop: (code) => send({ kind: 'stop', code }),
    abort: () => send({ kind: 'abort' }),
    close: () => closeThread(worker, send),
  };
}

function settle(pending: Map<number, Pending>, place: number): Pending | undefined {
  const waiting = pending.get(place);
  pending.delete(place);
  return waiting;
}

async function closeThread(worker: Worker, send: (command: LaneCommand) => void): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  if (worker.threadId === -1) return;
  const timer = setTimeout(() => void worker.terminate(), closeTimeoutMs);
  send({ kind: 'close' });
  await ended;
  clearTimeout(timer);
}
