/** What `load`, `resume` and `retry` share: progress, interrupts, the summary, the report file and the exit code. */
import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../errors.ts';
import type { LoadReport, Progress } from '../load/options.ts';
import { findExitCode } from './exit-code.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine, toJsonText } from './json-line.ts';
import { layoutSummary } from './load-summary.ts';
import { resolveProgressWay, startProgressDisplay } from './progress-display.ts';
import type { ProgressDisplay } from './progress-display.ts';
import type { OutputOptions } from './request.ts';
import { writeResumeCommand } from '../load/command-text.ts';

/** What a running load is given to be watched and stopped by. */
interface LoadHooks {
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

interface RunningLoad {
  readonly invocation: Pick<Invocation, 'terminal' | 'ready'>;
  readonly output: OutputOptions;
  /** URL of the database, for the command that resumes. */
  readonly target: string;
  readonly start: (hooks: LoadHooks) => Promise<LoadReport>;
}

/** Runs a load to its end and tells of it. Returns the exit code. @throws what the load throws. */
export async function runWatched(running: RunningLoad): Promise<number> {
  const { invocation, output } = running;
  const { terminal } = invocation;
  checkReportPath(output.report);
  invocation.ready();
  const report = await watchLoad(running);
  if (output.isJson) terminal.stdout.write(toJsonLine({ event: 'summary', ...report }));
  else terminal.stderr.write(`${layoutSummary(report, terminal.stderr.colors).join('\n')}\n`);
  await writeReport(report, output.report);
  return findExitCode(report);
}

/** The display goes first in the end: whatever is printed next must not be redrawn over. */
async function watchLoad(running: RunningLoad): Promise<LoadReport> {
  const display = startProgressDisplay(running.invocation.terminal, running.output);
  const teller = createTeller(running, display);
  const watch = watchInterrupts(teller.interrupted, display.end);
  try {
    return await running.start({ onProgress: teller.progressed, signal: watch.signal });
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

/** Before the load: hours of work must not end with a report that can't be written. */
function checkReportPath(path: string | undefined): void {
  if (path === undefined) return;
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `--report: the folder of ${path} can't be written to`, {
      cause,
      hint: 'name a file in a folder that exists',
    });
  }
}

async function writeReport(report: LoadReport, path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    await writeFile(path, toJsonText(report));
  } catch (cause) {
    const hint = `the load itself is ${report.state}; sluice status --in ${report.target} shows it`;
    throw new SluiceError('SLUICE_USAGE', `the report could not be written to ${path}`, { cause, hint });
  }
}
