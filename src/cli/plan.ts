/** `sluice plan`: what a load would do, and what is wrong with it. Nothing is written. */
import { errorExitCodes } from '../errors.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { layoutPlan } from './plan-layout.ts';
import { readLoadRequest } from './request.ts';
import { writeAll } from './terminal.ts';

/** Runs the command; 2 when the load would be refused. @throws SLUICE_USAGE for options that can't be used, and what the plan throws. */
export async function runPlan(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const { options, output } = readLoadRequest(invocation);
  const { plan } = await openLibrary();
  const found = await plan(options);
  invocation.ready();
  const texts = output.isJson
    ? [toJsonLine(found)]
    : layoutPlan(found, { width: stdout.width(), colors: stdout.colors }).map((line) => `${line}\n`);
  await writeAll(stdout, texts);
  return found.problems.length > 0 ? errorExitCodes.SLUICE_PLAN_REFUSED : 0;
}
