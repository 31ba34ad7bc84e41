/** Runs loads whose rows come over HTTP, each in a thread of its own, and lets others watch them. The ledger in the database is the only truth of what they did. */
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { unpackError } from '../../load/lane/news.ts';
import type { LoadReport, Progress } from '../../load/options.ts';
import type { LoadCommand, LoadNews, LoadOrder } from './load-news.ts';

/** Each holds a thread and a batch of 6 MiB, and all of them take turns to write: more would only wait. */
const maxLoads = 4;
/** Bytes that may lie between the socket and the load. */
const maxAheadBytes = 4 * 2 ** 20;

export type LoadEvent =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'done'; readonly report: LoadReport }
  | { readonly kind: 'failed'; readonly error: SluiceError };

export interface LoadDesk {
  /**
   * Loads the rows of a body. The body ending early stops the load, which can be resumed by its label.
   * @throws SLUICE_TARGET_BUSY with too many loads, what `load` throws, and what the body throws
   */
  run(order: LoadOrder, body: AsyncIterable<Buffer>): Promise<LoadReport>;
  /** Tells of a load that runs here, by id or label, until it has ended; undefined when none does. The answer ends the watch. */
  watch(name: string, listener: (event: LoadEvent) => void): (() => void) | undefined;
  readonly count: number;
  /** Stops all loads, and waits for them. */
  close(): Promise<void>;
}

interface Running {
  readonly worker: Worker;
  readonly label: string | undefined;
  readonly listeners: Set<(event: LoadEvent) => void>;
  readonly ended: Promise<LoadReport>;
  load: string | undefined;
  aheadBytes: number;
  /** Lets the body be read on. */
  proceed: (() => void) | undefined;
  hasEnded: boolean;
}

export function openLoadDesk(): LoadDesk {
  const running = new Set<Running>();
  let isClosed = false;
  return {
    run: async (order, body) => {
      if (isClosed) throw new SluiceError('SLUICE_CLOSED', 'The server is stopping.');
      if (running.size >= maxLoads) {
        throw new SluiceError('SLUICE_TARGET_BUSY', `${maxLoads} loads are running already.`, { hint: 'Try again when one has ended.' });
      }
      const one = start(order);
      running.add(one);
      try {
        return await feed(one, body);
      } finally {
        running.delete(one);
      }
    },
    watch: (name, listener) => {
      const found = [...running].find((one) => one.load === name || one.label === name);
      found?.listeners.add(listener);
      return found === undefined ? undefined : () => found.listeners.delete(listener);
    },
    get count() {
      return running.size;
    },
    close: async () => {
      isClosed = true;
      for (const one of running) send(one, { kind: 'stop' });
      await Promise.allSettled([...running].map(({ ended }) => ended));
    },
  };
}

function threadFile(): URL {
  // The published package holds compiled files; the repository runs from source.
  return new URL(import.meta.url.endsWith('.ts') ? './http-load-thread.ts' : './http-load-thread.js', import.meta.url);
}

function start(order: LoadOrder): Running {
  const worker = new Worker(threadFile(), { workerData: order, name: 'sluice http load' });
  const { promise: ended, resolve, reject } = Promise.withResolvers<LoadReport>();
  const one: Running = {
    worker,
    label: order.label,
    listeners: new Set(),
    ended,
    load: undefined,
    aheadBytes: 0,
    proceed: undefined,
    hasEnded: false,
  };
  const fail = (error: SluiceError): void => {
    tell(one, { kind: 'failed', error });
    reject(error);
  };
  worker.on('message', (news: LoadNews) => {
    if (news.kind === 'taken') {
      one.aheadBytes -= news.bytes;
      one.proceed?.();
    } else if (news.kind === 'progress') {
      one.load = news.progress.load === '' ? one.load : news.progress.load;
      tell(one, news);
    } else if (news.kind === 'done') {
      one.load = news.report.load;
      tell(one, news);
      resolve(news.report);
    } else fail(unpackError(news.error));
  });
  worker.on('error', (cause) => fail(new SluiceError('SLUICE_LANE_DIED', 'The thread of the load failed.', { cause })));
  worker.on('exit', () => {
    reject(new SluiceError('SLUICE_LANE_DIED', 'The thread of the load ended before the load did.'));
    one.hasEnded = true;
    one.proceed?.();
  });
  // Whoever feeds it hears of a failure after the body; until then it is nobody's.
  ended.catch(() => undefined);
  return one;
}

function tell(one: Running, event: LoadEvent): void {
  if (event.kind !== 'progress') {
    one.hasEnded = true;
    one.proceed?.();
  }
  for (const listener of one.listeners) listener(event);
}

function send(one: Running, command: LoadCommand): void {
  if (command.kind === 'piece') one.worker.postMessage(command, [command.bytes.buffer]);
  else one.worker.postMessage(command);
}

async function feed(one: Running, body: AsyncIterable<Buffer>): Promise<LoadReport> {
  try {
    for await (const piece of body) {
      // A load that has failed takes no more rows; what it failed with is the answer.
      if (one.hasEnded) return await one.ended;
      // A copy, which the thread then owns: the socket's memory holds other requests too.
      send(one, { kind: 'piece', bytes: new Uint8Array(piece) });
      one.aheadBytes += piece.length;
      await waitForRoom(one);
    }
    send(one, { kind: 'end' });
  } catch (error) {
    send(one, { kind: 'stop' });
    await Promise.allSettled([one.ended]);
    throw error;
  }
  return one.ended;
}

async function waitForRoom(one: Running): Promise<void> {
  while (one.aheadBytes > maxAheadBytes && !one.hasEnded) {
    await new Promise<void>((resolve) => (one.proceed = resolve));
    one.proceed = undefined;
  }
}
