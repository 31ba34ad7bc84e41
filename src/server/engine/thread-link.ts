/** The engine's end of one of its threads: asks with numbers, and what comes back for each; a thread that dies fails all that wait for it. */
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import type { ThreadStart } from './engine-news.ts';

/** What came from a thread for one number. */
type Listener<Tell> = { readonly tell: (message: Tell) => void; readonly fail: (error: Error) => void };

/** A running thread. */
export interface ThreadLink<Ask, Tell> {
  /** Asks and waits for the one answer. */
  ask(message: Ask, moved?: readonly ArrayBuffer[]): Promise<Tell>;
  /** Asks for an answer of several messages: the listener stays until {@link forget}. */
  open(message: Ask, listener: Listener<Tell>, moved?: readonly ArrayBuffer[]): number;
  /** Says something about an open answer. */
  say(id: number, message: Ask): void;
  forget(id: number): void;
  /** Answers that are waited for. */
  readonly load: () => number;
  /** After its last answer. false: it runs a statement without an end, which keeps even the process from ending. */
  ended(timeoutMs: number): Promise<boolean>;
}

/** A thread inherits the flags of its process; one that speaks of the caller's own script (`--input-type`) would keep it from starting. */
function chooseFlags(): { readonly execArgv?: string[] } {
  const isForScript = process.execArgv.some((flag) => flag.startsWith('--input-type'));
  return isForScript ? { execArgv: process.execArgv.filter((flag) => flag.includes('warning')) } : {};
}

function findWriter(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './writer-thread.ts' : './writer-thread.js', import.meta.url);
}

function findReader(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './reader-thread.ts' : './reader-thread.js', import.meta.url);
}

/** Short-lived strings are most of what these threads make; a small young generation keeps the memory of a busy server flat. */
const resourceLimits = { maxYoungGenerationSizeMb: 16 };

async function waitForEnd(worker: Worker, exited: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const isEnded = await Promise.race([exited.then(() => true), late]);
  clearTimeout(timer);
  if (isEnded) return true;
  // A statement that runs can't be stopped; the thread ends when the statement does, and nobody waits for that.
  void worker.terminate();
  worker.unref();
  return false;
}

/** Starts a thread with the file of this name beside this one. */
export function startThread<Ask extends { readonly kind: string }, Tell>(
  name: 'writer' | 'reader',
  start: ThreadStart,
  onNews?: (message: Tell) => void,
): ThreadLink<Ask, Tell> {
  const file = name === 'writer' ? findWriter() : findReader();
  const worker = new Worker(file, { workerData: start, name: `sluice ${name}`, resourceLimits, ...chooseFlags() });
  const listeners = new Map<number, Listener<Tell>>();
  let lastId = 0;
  let fault: Error | undefined;
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));

  function die(error: Error): void {
    fault ??= error;
    for (const { fail } of listeners.values()) fail(fault);
    listeners.clear();
  }
  function take(message: Tell & { readonly id: number }): void {
    if (message.id === 0) onNews?.(message);
    else listeners.get(message.id)?.tell(message);
  }
  worker.on('message', (message: (Tell & { readonly id: number }) | readonly (Tell & { readonly id: number })[]) => {
    if (Array.isArray(message)) for (const each of message as readonly (Tell & { readonly id: number })[]) take(each);
    else take(message as Tell & { readonly id: number });
  });
  worker.on('error', (error) => die(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', () => die(new SluiceError('SLUICE_CLOSED', `The ${name} thread of the database has ended.`)));

  function open(message: Ask, listener: Listener<Tell>, moved: readonly ArrayBuffer[] = []): number {
    const id = ++lastId;
    if (fault !== undefined) listener.fail(fault);
    else {
      listeners.set(id, listener);
      worker.postMessage({ ...message, id }, [...moved]);
    }
    return id;
  }
  return {
    open,
    ask: (message, moved) =>
      new Promise((resolve, reject) => {
        const id = open(message, { tell: (answer) => (listeners.delete(id), resolve(answer)), fail: reject }, moved);
      }),
    say: (id, message) => worker.postMessage({ ...message, id }),
    forget: (id) => void listeners.delete(id),
    load: () => listeners.size,
    ended: (timeoutMs) => waitForEnd(worker, exited, timeoutMs),
  };
}
