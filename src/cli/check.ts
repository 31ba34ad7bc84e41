/** `sluice plan --check`: reads the whole input and lists what is wrong in it. Nothing is written. */
import type { CheckOptions, CheckReport } from '../check/options.ts';
import { errorExitCodes } from '../errors.ts';
import { hasBadRows, layoutCheck } from './check-layout.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { readPlanFile, writePlanFile } from './plan-file.ts';
import { startProgressDisplay } from './progress-display.ts';
import type { OutputOptions } from './request.ts';
import { writeAll } from './terminal.ts';

/** As after a load with rejects. */
const badRowsExitCode = 3;

export async function runCheck(invocation: Invocation, options: CheckOptions, output: OutputOptions): Promise<number> {
  const { stdout } = invocation.terminal;
  const file = readPlanFile(invocation);
  const { check } = await openLibrary();
  invocation.ready();
  // Data goes to stdout alone: progress would stand between it.
  const display = startProgressDisplay(invocation.terminal, { ...output, progress: output.isJson ? 'none' : output.progress });
  const watch = watchInterrupts(() => display.note('stopping; what was found so far follows', { event: 'interrupted' }), display.end);
  let report: CheckReport;
  try {
    report = await check({ ...options, onProgress: display.show, signal: watch.signal });
  } finally {
    display.end();
    watch.release();
  }
  if (file !== undefined) await writePlanFile(invocation, report.plan, file);
  const lines = output.isJson
    ? [toJsonLine(report)]
    : layoutCheck(report, { width: stdout.width(), colors: stdout.colors }).map((line) => `${line}\n`);
  await writeAll(stdout, lines);
  return findCheckExitCode(report);
}

function findCheckExitCode(report: CheckReport): number {
  if (report.plan.problems.length > 0) return errorExitCodes.SLUICE_PLAN_REFUSED;
  if (report.isPartial) return errorExitCodes.SLUICE_CANCELLED;
  return hasBadRows(report) ? badRowsExitCode : 0;
}
