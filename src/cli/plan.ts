/** `sluice plan`: what a load would do, and what is wrong with it. Nothing is written. */
import { errorExitCodes } from '../errors.ts';
import { readCheckOptions } from './check-options.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { readPlanFile, writePlanFile } from './plan-file.ts';
import { layoutPlan } from './plan-layout.ts';
import { readLoadRequest, readUnplacedRequest } from './request.ts';
import { writeAll } from './terminal.ts';

/** Runs the command; 2 when the load would be refused, 3 when a check found bad rows. @throws SLUICE_USAGE for options that can't be used, and what the plan throws. */
export async function runPlan(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const asked = readCheckOptions(invocation);
  if (asked !== undefined) {
    const { options, output } = readUnplacedRequest(invocation);
    return (await import('./check.ts')).runCheck(invocation, { ...options, ...asked }, output);
  }
  const { options, output } = readLoadRequest(invocation);
  const file = readPlanFile(invocation);
  const { plan } = await openLibrary();
  const found = await plan(options);
  invocation.ready();
  if (file !== undefined) await writePlanFile(invocation, found, file);
  const texts = output.isJson
    ? [toJsonLine(found)]
    : layoutPlan(found, { width: stdout.width(), colors: stdout.colors }).map((line) => `${line}\n`);
  await writeAll(stdout, texts);
  return found.problems.length > 0 ? errorExitCodes.SLUICE_PLAN_REFUSED : 0;
}
