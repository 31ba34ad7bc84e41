/** `sluice batch`: statements of a file or stdin, and what became of each. Answers go to stdout, everything else to stderr. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchProgress, BatchReport } from '../batch/options.ts';
import { errorExitCodes } from '../errors.ts';
import { runBatchThread, type RunRequest } from './batch-run.ts';
import { layoutBatchSummary, layoutFailed } from './batch-summary.ts';
import { readBatchRequest } from './batch-request.ts';
import { printFailure } from './failure.ts';
import { endAtOnce } from './forced-end.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { formatBytes, formatCount, formatRate, formatShare } from './quantity.ts';
import { writeAll, type Output } from './terminal.ts';
import { cutText } from './text-width.ts';

const doneWithErrors = 3;

/** Lines on failed statements before the rest is only counted: half a screen. */
const maxShown = 10;

/** How long output that nobody reads may keep a process that has to end. */
const lastWordsMs = 1_000;

/** The line of progress is redrawn this often at most, as that of a load. */
const frameMs = 125;

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the batch throws. */
export async function runBatch(invocation: Invocation): Promise<number> {
  const { options, isJson } = readBatchRequest(invocation);
  const { terminal } = invocation;
  const { stderr, stdout } = terminal;
  if (options.from === '-' && process.stdin.isTTY) {
    invocation.ready();
    stderr.write('reading statements from the terminal; Ctrl-D ends them\n');
  }
  const screen = createScreen(stderr, isJson);
  let hidesRows = false;
  const watch = watchInterrupts(screen.interrupted, () => {
    screen.end();
    endAtOnce(errorExitCodes.SLUICE_CANCELLED);
  });
  try {
    const report = await runBatchThread({
      options,
      isJson,
      maxShown,
      signal: watch.signal,
      onAnswers: async (answers) => {
        screen.tellFailed(answers);
        hidesRows ||= !isJson && answers.givesRows;
        await writeAll(stdout, answers.lines);
      },
      onProgress: (progress) => {
        invocation.ready();
        screen.show(progress);
      },
      onStuck: (error) => {
        screen.end();
        const exitCode = printFailure(error, terminal, isJson);
        void Promise.race([Promise.all([stdout.flush(), stderr.flush()]), sleep(lastWordsMs)]).finally(() => endAtOnce(exitCode));
      },
    });
    invocation.ready();
    screen.end();
    const notes = hidesRows ? [...report.notes, 'some statements gave rows back: --json prints them'] : report.notes;
    stderr.write(
      isJson ? toJsonLine({ event: 'summary', ...report }) : `${layoutBatchSummary({ ...report, notes }, stderr.colors).join('\n')}\n`,
    );
    return findBatchExitCode(report);
  } finally {
    screen.end();
    watch.release();
  }
}

/** 0 all applied or not applied · 3 some failed or were undone · 4 stopped by the error limit · 7 the counts don't add up · 130 interrupted. */
export function findBatchExitCode({ state, counts, isBalanced }: BatchReport): number {
  if (state === 'cancelled') return errorExitCodes.SLUICE_CANCELLED;
  if (state === 'error_limit') return errorExitCodes.SLUICE_REJECT_LIMIT;
  if (!isBalanced) return errorExitCodes.SLUICE_VERIFY_MISMATCH;
  return counts.errors + counts.rolledBack + counts.notAttempted + counts.unknown > 0 ? doneWithErrors : 0;
}

interface Screen {
  readonly show: (progress: BatchProgress) => void;
  readonly tellFailed: (answers: Parameters<RunRequest['onAnswers']>[0]) => void;
  readonly interrupted: () => void;
  /** Takes away what is redrawn. Safe to call again. */
  readonly end: () => void;
}

/** Failed statements as lines that stay; on a terminal a line of progress under them. */
function createScreen(stderr: Output, isJson: boolean): Screen {
  let resume: string | undefined;
  let isDrawn = false;
  let drawnMs = 0;
  let failed = 0;
  const erase = (): void => {
    if (isDrawn) stderr.write('\r\x1b[2K');
    isDrawn = false;
  };
  const say = (text: string): void => {
    erase();
    if (!isJson) stderr.write(`${text}\n`);
  };
  return {
    show: (progress) => {
      if (resume === undefined) say(`batch ${progress.batch}; if it stops, go on with: ${progress.resume}`);
      resume = progress.resume;
      if (isJson || !stderr.isTerminal || performance.now() - drawnMs < frameMs) return;
      erase();
      stderr.write(stderr.colors.dim(cutText(layoutProgress(progress), (stderr.width() ?? 80) - 1)));
      isDrawn = true;
      drawnMs = performance.now();
    },
    tellFailed: (answers) => {
      failed += answers.failed;
      for (const failure of answers.failures) say(layoutFailed(failure, stderr.colors));
    },
    interrupted: () =>
      say(`finishing the unit in flight; press Ctrl-C again to stop at once${resume === undefined ? '' : `; go on with: ${resume}`}`),
    end: () => {
      erase();
      if (failed > maxShown) say(`  and ${formatCount(failed - maxShown)} more`);
      failed = 0;
    },
  };
}

function layoutProgress({ counts, bytes, totalBytes, statementsPerSecond }: BatchProgress): string {
  const share = totalBytes ? ` of ${formatBytes(totalBytes)} (${formatShare(bytes / totalBytes)})` : '';
  const failed = counts.errors + counts.rolledBack + counts.notAttempted;
  return `${formatCount(counts.read)} statements, ${formatCount(failed)} failed or undone · ${formatBytes(bytes)}${share} · ${formatRate(statementsPerSecond)}/s`;
}
