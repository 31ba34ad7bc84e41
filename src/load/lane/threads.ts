/** Worker threads for lanes. They are started while the load is still planned, and load their code meanwhile: that takes as long as the plan does. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { LaneCommand } from './news.ts';

/** What a thread is started with: enough to load the code that it will need. */
export interface ThreadStart {
  readonly target: string;
}

/** Threads that nobody has taken yet. */
export interface ThreadStock {
  /** A started thread, or a new one when there are none left. Who takes it ends it, by {@link endThread}. */
  take(): Worker;
  /** Ends those that were not taken. */
  close(): Promise<void>;
}

/** How long a thread may take to close its connection before it is ended. */
const closeTimeoutMs = 10_000;

/** More lanes than these get their threads when they are opened: the plan may well want fewer. */
const maxStarted = 4;

/**
 * The young generation of a lane's heap, in MB: rows live only until their batch is committed, so a small one keeps memory flat.
 * Measured on 10⁷ CSV rows: 8 is as fast as 16 and 32 and takes 75 MB less than 32; 4 halves the speed.
 */
const youngGenerationMb = 8;

/** Starts threads for so many lanes, or for as many as there are cores; none where `lanes` is 0. */
export function stockThreads(target: string, lanes: number = availableParallelism()): ThreadStock {
  let count = 0;
  const start = (): Worker => startThread({ target }, count++);
  const idle = Array.from({ length: Math.min(lanes, maxStarted) }, start);
  return {
    take: () => {
      // A thread that died is told apart by its id; whoever waited for its end would wait for ever.
      const taken = idle.splice(0, 1 + idle.findIndex(({ threadId }) => threadId !== -1));
      return taken.at(-1) ?? start();
    },
    close: async () => {
      await Promise.all(idle.splice(0).map(endThread));
    },
  };
}

/** A thread inherits the flags of its process; one that speaks of the caller's own script (`--input-type`) would keep it from starting. */
function chooseFlags(): { readonly execArgv?: string[] } {
  const isForScript = process.execArgv.some((flag) => flag.startsWith('--input-type'));
  return isForScript ? { execArgv: process.execArgv.filter((flag) => flag.includes('warning')) } : {};
}

function threadFile(): URL {
  // The published package holds compiled files; the repository runs from source.
  return new URL(import.meta.url.endsWith('.ts') ? './lane-thread.ts' : './lane-thread.js', import.meta.url);
}

function startThread(workerData: ThreadStart, index: number): Worker {
  const worker = new Worker(threadFile(), {
    workerData,
    ...chooseFlags(),
    name: `sluice lane ${String(index)}`,
    resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
  });
  // One that dies before it is taken is found dead by whoever takes it; without a listener the error would end the process.
  worker.on('error', () => undefined);
  return worker;
}

/** Lets the thread close what it has open; ends it when that takes too long. */
export async function endThread(worker: Worker): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  if (worker.threadId === -1) return;
  const timer = setTimeout(() => void worker.terminate(), closeTimeoutMs);
  worker.postMessage({ kind: 'close' } satisfies LaneCommand);
  await ended;
  clearTimeout(timer);
}
