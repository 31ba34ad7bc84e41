/** `--write`: the load as it was planned, as a file to edit. A file that is there is somebody's work, so it is told before anything is read. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { SluiceError } from '../errors.ts';
import type { LoadPlan } from '../load/options.ts';
import type { Invocation } from './invocation.ts';

export interface PlanFile {
  readonly file: string;
  readonly isForced: boolean;
}

/** The file of `--write`, if it is given. @throws SLUICE_USAGE when there is one of that name and no `--force` */
export function readPlanFile({ values }: Invocation): PlanFile | undefined {
  const { write } = values;
  if (typeof write !== 'string') return undefined;
  const isForced = values['force'] === true;
  if (!isForced && existsSync(write)) throw refuseExisting(write);
  return { file: write, isForced };
}

export async function writePlanFile(invocation: Invocation, plan: LoadPlan, { file, isForced }: PlanFile): Promise<void> {
  const { writeLoadFile } = await import('./config/written-load.ts');
  try {
    await writeFile(file, writeLoadFile(invocation, plan, file), { flag: isForced ? 'w' : 'wx' });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    if (code === 'EEXIST') throw refuseExisting(file, cause);
    throw new SluiceError('SLUICE_USAGE', `${file} could not be written (${code})`, {
      cause,
      hint: 'name a file in a folder that can be written to',
    });
  }
  invocation.terminal.stderr.write(`wrote ${file}; load it with: sluice load -c ${file}\n`);
}

function refuseExisting(file: string, cause?: unknown): SluiceError {
  return new SluiceError('SLUICE_USAGE', `${file} is there already`, { cause, hint: 'write to another name, or over it with --force' });
}
