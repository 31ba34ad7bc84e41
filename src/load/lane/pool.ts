/** Runs shards on lanes: worker threads for files, the caller's own thread for streams and rows in memory. A lane that dies fails the load, never the ledger. */
import { setImmediate as turnEventLoop } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { SluiceError, type ErrorCode } from '../../errors.ts';
import type { Source } from '../../source/source.ts';
import type { Claim } from '../../target/driver.ts';
import type { Flow } from './flow.ts';
import { laneDied, unpackError, type LaneAnswer, type LaneCommand, type LaneNews, type LaneOpening } from './news.ts';
import { openLane } from './open.ts';
import { endThread, type ThreadStock } from './threads.ts';
import type { RunPlan } from '../plan/run-plan.ts';
import type { ShardEnd } from '../shard/shard.ts';
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
  readonly threads: ThreadStock;
  readonly flow: Flow;
  readonly tell: (lane: number, news: LaneNews) => void;
}

export interface LanePool {
  readonly lanes: readonly PoolLane[];
  readonly turns: Turns;
  close(): Promise<void>;
}

/** Opens the lanes; who opens them closes them. */
export async function openLanePool(request: PoolRequest): Promise<LanePool> {
  const turns = openTurns({ policy: request.plan.turns });
  const lanes: PoolLane[] = [];
  try {
    for (let index = 0; index < request.lanes; index++) {
      lanes.push(request.usesThreads ? openThread(request, turns, index) : await openLocal(request, turns, index));
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

interface Pending {
  resolve(end: ShardEnd): void;
  reject(error: unknown): void;
}

function openThread(request: PoolRequest, turns: Turns, index: number): PoolLane {
  const worker = request.threads.take();
  const send = (command: LaneCommand): void => worker.postMessage(command);
  const pending = new Map<number, Pending>();
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    for (const waiting of pending.values()) waiting.reject(failure);
    pending.clear();
  };
  worker.on('message', (answer: LaneAnswer) => {
    if (answer.kind === 'news') request.tell(index, answer.news);
    else if (answer.kind === 'ended') settle(pending, answer.place)?.resolve(answer.end);
    else if (answer.kind === 'failed') {
      const error = unpackError(answer.error);
      if (answer.place === undefined) fail(error);
      else settle(pending, answer.place)?.reject(error);
    }
  });
  worker.on('error', (error: Error) => fail(laneDied(`Lane ${String(index)} died: ${error.message}`, error)));
  worker.on('exit', () => fail(laneDied(`Lane ${String(index)} ended early.`)));
  const reader = request.plan.readsAhead === true ? startReader(request, fail) : undefined;
  const opening: LaneOpening = {
    load: request.load,
    target: request.target,
    plan: request.plan,
    source: request.source.descriptor,
    lockTimeoutMs: request.lockTimeoutMs,
    turnBuffer: turns.buffer,
    flow: request.flow.share,
    reader: reader?.port,
  };
  worker.postMessage({ kind: 'open', opening } satisfies LaneCommand, reader === undefined ? [] : [reader.port]);
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
    close: async () => {
      await endThread(worker);
      await reader?.close();
    },
  };
}

/** A thread that reads for a lane. */
interface Reader {
  /** The lane's end of the way to it. */
  readonly port: MessagePort;
  close(): Promise<void>;
}

/** What goes wrong with the source is told to the lane; only the end of the thread itself is told here. */
function startReader({ plan, source, threads }: PoolRequest, fail: (error: unknown) => void): Reader {
  const worker = threads.take();
  const { port1, port2 } = new MessageChannel();
  worker.on('error', (cause: Error) => fail(laneDied(`The thread that reads for a lane died: ${cause.message}`, cause)));
  const serving = { plan, source: source.descriptor, port: port2 };
  worker.postMessage({ kind: 'serve', serving } satisfies LaneCommand, [port2]);
  return { port: port1, close: () => endThread(worker) };
}

function settle(pending: Map<number, Pending>, place: number): Pending | undefined {
  const waiting = pending.get(place);
  pending.delete(place);
  return waiting;
}
