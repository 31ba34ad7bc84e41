/**
 * Runs a batch on a thread of its own and watches it. SQLite in Node can't be interrupted: a statement that goes on beyond its time, or after an interrupt, is cut
 * off with the whole process. What was not committed then is undone by the database itself, and the ledger knows where to go on.
 */
import { Worker } from 'node:worker_threads';
import type { BatchProgress, BatchReport } from '../batch/options.ts';
import { SluiceError } from '../errors.ts';
import { formatCount } from './quantity.ts';
import type { BatchCommand, BatchNews, BatchStart } from './batch-news.ts';

/** The library's own default, which holds where no --timeout was given. */
const defaultTimeoutMs = 300_000;

/** So much later than the unit itself would find out that it is over time. */
const graceMs = 1_000;

/** How long a statement may go on after an interrupt. Whoever sent it by SIGTERM sends SIGKILL after 10 s (containers) or 90 s (systemd). */
const stopMs = 5_000;

const watchMs = 100;

export interface RunRequest extends BatchStart {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BatchProgress) => void;
  /** The next unit waits for it where there are lines. */
  readonly onAnswers: (answers: Extract<BatchNews, { readonly kind: 'answers' }>) => Promise<void>;
  /** Ends the process: a statement can't be waited for. */
  readonly onStuck: (error: SluiceError) => void;
}

/** Runs it to its end. @throws what the batch throws */
export async function runBatchThread(request: RunRequest): Promise<BatchReport> {
  const { options, isJson, maxShown, signal } = request;
  const file = new URL(import.meta.url.endsWith('.ts') ? './batch-thread.ts' : './batch-thread.js', import.meta.url);
  const workerData: BatchStart = { options, isJson, maxShown };
  const worker = new Worker(file, { workerData, name: 'sluice batch', stdin: options.from === '-' });
  const send = (command: BatchCommand): void => worker.postMessage(command);
  if (options.from === '-') feedInput(worker, send);
  const stop = (): void => send({ kind: 'stop' });
  signal.addEventListener('abort', stop);
  const watch = watchSilence(request);
  try {
    return await readNews({ worker, send, request, heard: watch.heard });
  } finally {
    watch.end();
    signal.removeEventListener('abort', stop);
  }
}

function feedInput(worker: Worker, send: (command: BatchCommand) => void): void {
  const { stdin } = worker;
  if (stdin === null) return;
  process.stdin.on('error', ({ message }) => send({ kind: 'unreadable', message }));
  // The thread has read enough, or is gone.
  stdin.on('error', () => process.stdin.unpipe(stdin));
  process.stdin.pipe(stdin);
}

interface Reading {
  readonly worker: Worker;
  readonly send: (command: BatchCommand) => void;
  readonly request: RunRequest;
  readonly heard: (news: BatchNews) => void;
}

function readNews({ worker, send, request, heard }: Reading): Promise<BatchReport> {
  return new Promise((resolve, reject) => {
    worker.on('message', (news: BatchNews) => {
      heard(news);
      if (news.kind === 'progress') request.onProgress(news.progress);
      else if (news.kind === 'answers') request.onAnswers(news).then(() => send({ kind: 'taken' }), reject);
      else if (news.kind === 'report') resolve(news.report);
      else if (news.kind === 'failure') reject(toError(news));
    });
    worker.on('error', (cause) => reject(died(cause)));
    worker.on('exit', () => reject(died(undefined)));
  });
}

/** The error as it was thrown on the thread, with where that was. */
function toError({ code, message, hint, problems, trace }: Extract<BatchNews, { readonly kind: 'failure' }>): SluiceError {
  const cause = new Error(message);
  cause.stack = trace;
  return new SluiceError(code, message, { problems, cause, ...(hint === undefined ? {} : { hint }) });
}

function died(cause: unknown): SluiceError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new SluiceError('SLUICE_LANE_DIED', `The thread that ran the statements ended by itself${why}.`, {
    cause,
    hint: 'Run the same command again: it goes on where it stopped. Smaller units (--unit) take less memory.',
  });
}

interface Watch {
  readonly heard: (news: BatchNews) => void;
  readonly end: () => void;
}

/** Tells once when the thread has been silent for longer than a statement may take. */
function watchSilence({ options, signal, onStuck }: RunRequest): Watch {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  let progress: BatchProgress | undefined;
  let heardMs: number | undefined;
  let stoppedMs = Infinity;
  let lookedMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    // This process did not run itself for a while: what the thread said meanwhile is still to be read.
    if (nowMs - lookedMs > 10 * watchMs) heardMs &&= nowMs;
    lookedMs = nowMs;
    if (signal.aborted) stoppedMs = Math.min(stoppedMs, nowMs);
    if (heardMs === undefined) return;
    const isOver = nowMs - heardMs > timeoutMs + graceMs;
    if (!isOver && nowMs - Math.max(heardMs, stoppedMs) < stopMs) return;
    clearInterval(timer);
    onStuck(describeStuck(isOver ? timeoutMs : undefined, progress));
  }, watchMs);
  return {
    heard: (news) => {
      heardMs = performance.now();
      if (news.kind === 'progress') ({ progress } = news);
    },
    end: () => clearInterval(timer),
  };
}

function describeStuck(timeoutMs: number | undefined, progress: BatchProgress | undefined): SluiceError {
  const where = progress === undefined ? '' : ` in the unit that begins with statement ${formatCount(progress.counts.read)}`;
  const undone = 'what it had not committed is undone by the database itself';
  const goOn = progress === undefined ? 'Run the same command again.' : `Go on with: ${progress.resume}`;
  if (timeoutMs === undefined) {
    return new SluiceError(
      'SLUICE_CANCELLED',
      `A statement${where} did not end within ${formatCount(stopMs)} ms of the interrupt and was cut off; ${undone}.`,
      {
        hint: goOn,
      },
    );
  }
  return new SluiceError(
    'SLUICE_TARGET_TIMEOUT',
    `A statement${where} took longer than ${formatCount(timeoutMs)} ms and was cut off; ${undone}.`,
    {
      hint: `Mend the statement, or allow it more time with --timeout. ${goOn}`,
    },
  );
}
