/** The thread on which `sluice batch` runs its statements: one that never ends holds this thread, and the process still hears signals and keeps the time. */
import { parentPort, workerData } from 'node:worker_threads';
import type { FileAnswer } from '../batch/options.ts';
import { SluiceError } from '../errors.ts';
import { beatMs, type BatchCommand, type BatchNews, type BatchStart } from './batch-news.ts';
import { toSluiceError } from './failure.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';

const { options, isJson, maxShown } = workerData as BatchStart;
const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'The thread of a batch was started as a program.');

const controller = new AbortController();
let goOn: (() => void) | undefined;
let shown = 0;

function tell(news: BatchNews): void {
  port?.postMessage(news);
}

/** Only what will be shown is sent over; JSON is written here, and the next unit waits until the process has handed it on. */
async function tellAnswers(answers: readonly FileAnswer[]): Promise<void> {
  const errors = answers.filter((answer) => answer.status === 'error');
  const failures = errors.slice(0, Math.max(0, maxShown - shown)).map(({ index, line, error }) => ({ index, line, ...error }));
  shown += failures.length;
  const givesRows = answers.some((answer) => answer.status === 'applied' && answer.rows !== undefined);
  const lines = isJson ? answers.map(toJsonLine) : [];
  const isTaken = isJson ? new Promise<void>((resolve) => (goOn = resolve)) : undefined;
  tell({ kind: 'answers', failures, failed: errors.length, givesRows, lines });
  await isTaken;
}

port.on('message', (command: BatchCommand) => {
  if (command.kind === 'stop') controller.abort();
  else if (command.kind === 'taken') goOn?.();
  else process.stdin.destroy(new Error(command.message));
});
const beat = setInterval(() => tell({ kind: 'beat' }), beatMs);
try {
  const { batchFile } = await openLibrary();
  const report = await batchFile({
    ...options,
    signal: controller.signal,
    onAnswers: tellAnswers,
    onProgress: (progress) => tell({ kind: 'progress', progress }),
  });
  tell({ kind: 'report', report });
} catch (thrown) {
  const { code, message, hint, problems, stack, cause } = toSluiceError(thrown);
  const origin = cause instanceof Error ? cause.stack : undefined;
  tell({
    kind: 'failure',
    code,
    message,
    hint,
    problems,
    trace: [stack, origin].filter((text) => text !== undefined).join('\ncaused by '),
  });
} finally {
  clearInterval(beat);
  port.close();
}
