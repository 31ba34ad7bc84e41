/** What `load`, `resume` and `retry` share: progress, interrupts, the summary, the report file and the exit code. */
import type { LoadReport, Progress } from '../load/options.ts';
import { openEventLog } from './event-log.ts';
import type { EventLog } from './event-log.ts';
import { findExitCode } from './exit-code.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { layoutSummary } from './load-summary.ts';
import { resolveProgressWay, startProgressDisplay } from './progress-display.ts';
import type { ProgressDisplay } from './progress-display.ts';
import { checkFilePath, writeReportFile } from './report-file.ts';
import type { OutputOptions } from './request.ts';
import { writeResumeCommand } from '../load/control/command-text.ts';

/** What a running load is given to be watched and stopped by. */
interface LoadHooks {
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

interface RunningLoad {
  readonly invocation: Pick<Invocation, 'terminal' | 'ready' | 'values' | 'secrets' | 'command'>;
  readonly output: OutputOptions;
  /** URL of the database, for the command that resumes. */
  readonly target: string;
  readonly start: (hooks: LoadHooks) => Promise<LoadReport>;
}

/** Runs a load to its end and tells of it. Returns the exit code. @throws what the load throws. */
export async function runWatched(running: RunningLoad): Promise<number> {
  const { invocation, output } = running;
  const { terminal } = invocation;
  checkFilePath(output.report, '--report');
  const log = await openEventLog(invocation);
  invocation.ready();
  const report = await watchReported(running, log);
  if (output.isJson) terminal.stdout.write(toJsonLine({ event: 'summary', ...report }));
  else terminal.stderr.write(`${layoutSummary(report, terminal.stderr.colors).join('\n')}\n`);
  await writeReportFile(report, output, running.target);
  return findExitCode(report);
}

/** A load that failed has a report as well: its file is written before the failure is told. */
async function watchReported(running: RunningLoad, log: EventLog): Promise<LoadReport> {
  try {
    const report = await watchLoad(running, log);
    log.ended(report);
    return report;
  } catch (error) {
    log.failed(error);
    const { findFailureReport } = await openLibrary();
    const report = findFailureReport(error);
    if (report !== undefined) await writeReportFile(report, running.output, running.target);
    throw error;
  } finally {
    log.close();
  }
}

/** The display goes first in the end: whatever is printed next must not be redrawn over. */
async function watchLoad(running: RunningLoad, log: EventLog): Promise<LoadReport> {
  const display = startProgressDisplay(running.invocation.terminal, running.output);
  const teller = createTeller(running, display);
  const watch = watchInterrupts(teller.interrupted, display.end);
  const onProgress = (progress: Progress): void => {
    teller.progressed(progress);
    log.progressed(progress);
  };
  try {
    return await running.start({ onProgress, signal: watch.signal });
  } finally {
    display.end();
    watch.release();
  }
}

interface Teller {
  readonly progressed: (progress: Progress) => void;
  readonly interrupted: () => void;
}

/** Says once where the load stands in the ledger, and at an interrupt how to go on with it. */
function createTeller({ invocation, output, target }: RunningLoad, display: ProgressDisplay): Teller {
  const { stdout, stderr } = invocation.terminal;
  const showsEvents = resolveProgressWay(output, stderr.isTerminal) === 'json';
  let resume: string | undefined;
  const tell = (event: Readonly<Record<string, unknown>>, text: string): void => {
    // Whoever asked for JSON gets every event there, however progress is shown.
    if (output.isJson && !showsEvents) stdout.write(toJsonLine(event));
    display.note(text, event);
  };
  return {
    progressed: (progress) => {
      if (resume === undefined && progress.load !== '' && progress.phase !== 'plan' && progress.phase !== 'done') {
        resume = writeResumeCommand(target, progress.load);
        tell({ event: 'started', schema: 1, load: progress.load, resume }, `load ${progress.load}; if it stops, go on with: ${resume}`);
      }
      display.show(progress);
    },
    interrupted: () => {
      const doing = resume === undefined ? 'stopping before anything is written' : 'finishing the batches in flight';
      const next = resume === undefined ? '' : `; resume with: ${resume}`;
      tell({ event: 'interrupted', schema: 1, resume }, `${doing}; press Ctrl-C again to stop at once${next}`);
    },
  };
}
