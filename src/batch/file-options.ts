/** Checks what a caller asks of a file of statements before anything is opened: all problems at once, each naming its option. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import { checkRunning } from './batch.ts';
import { batchFileNames, type BatchFileOptions } from './options.ts';

/** A commit costs as much as some hundred statements; more of them make the answers come later and gain no more. */
export const defaultUnit: number = 1_000;
export const defaultMaxErrors: number = 100_000;

/** More statements than this in one commit gain nothing, and would be held all at once. */
const maxUnit = 1_000_000;

/** @throws SLUICE_USAGE */
export function checkFileOptions(options: BatchFileOptions): void {
  refuseUnknownOptions('batchFile', options, batchFileNames);
  checkRunning(options);
  const { unit, maxErrors, label, statusFile } = options;
  const problems = [
    unit === undefined || (Number.isSafeInteger(unit) && unit >= 1 && unit <= maxUnit)
      ? undefined
      : 'unit must be a whole number from 1 to 1,000,000.',
    isLimit(maxErrors) ? undefined : 'maxErrors must be a whole number from 0, or a share such as 1%.',
    label === '' ? 'label must not be empty.' : undefined,
    statusFile === '' ? 'statusFile must name a file.' : undefined,
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new SluiceError('SLUICE_USAGE', problems.join(' '), { problems });
}

function isLimit(value: BatchFileOptions['maxErrors']): boolean {
  if (value === undefined) return true;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0;
  const share = /^(\d+(?:\.\d+)?)%$/u.exec(value);
  return share !== null && Number(share[1]) <= 100;
}
