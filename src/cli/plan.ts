/** `sluice plan`: what a load would do, and what is wrong with it. Nothing is written. */
import { writeFile } from 'node:fs/promises';
import { errorExitCodes, SluiceError } from '../errors.ts';
import type { LoadPlan } from '../load/options.ts';
import { readCheckOptions } from './check-options.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { layoutPlan } from './plan-layout.ts';
import { readLoadRequest } from './request.ts';
import { writeAll } from './terminal.ts';

/** Runs the command; 2 when the load would be refused, 3 when a check found bad rows. @throws SLUICE_USAGE for options that can't be used, and what the plan throws. */
export async function runPlan(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const { options, output } = readLoadRequest(invocation);
  const asked = readCheckOptions(invocation);
  if (asked !== undefined) return (await import('./check.ts')).runCheck(invocation, { ...options, ...asked }, output);
  const { plan } = await openLibrary();
  const found = await plan(options);
  invocation.ready();
  const { write } = invocation.values;
  if (typeof write === 'string') await writePlan(invocation, found, write);
  const texts = output.isJson
    ? [toJsonLine(found)]
    : layoutPlan(found, { width: stdout.width(), colors: stdout.colors }).map((line) => `${line}\n`);
  await writeAll(stdout, texts);
  return found.problems.length > 0 ? errorExitCodes.SLUICE_PLAN_REFUSED : 0;
}

/** A file that is there is somebody's work. */
async function writePlan(invocation: Invocation, found: LoadPlan, file: string): Promise<void> {
  const { writeLoadFile } = await import('./config/written-load.ts');
  try {
    await writeFile(file, writeLoadFile(invocation, found, file), { flag: invocation.values['force'] === true ? 'w' : 'wx' });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    const hint = code === 'EEXIST' ? 'write to another name, or over it with --force' : 'name a file in a folder that can be written to';
    throw new SluiceError('SLUICE_USAGE', code === 'EEXIST' ? `${file} is there already` : `${file} could not be written (${code})`, {
      cause,
      hint,
    });
  }
  invocation.terminal.stderr.write(`wrote ${file}; load it with: sluice load -c ${file}\n`);
}
