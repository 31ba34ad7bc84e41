/** The batch verb for statements in memory: one request, one unit, and as many answers as statements, whatever happens to the link. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import type { StatementAnswer, UnitRequest } from '../target/batch-contract.ts';
import { readLanded } from '../target/link.ts';
import { batchNames, type BatchAnswer, type BatchOptions, type RunningOptions } from './options.ts';
import { checkUnitSize, toUnitStatements } from './statement-list.ts';
import { openUnitLink, runUnit } from './unit-run.ts';

/** More rows than this in one answer are a table to be read, not an answer to hold in memory. */
const defaultMaxRows = 100_000;

/**
 * Runs statements as one request and tells of every one of them, in order, what became of it. Answers of a transaction that failed never look like success.
 * When the link breaks, what certainly did not land is sent again; what may have landed is answered `unknown` and never sent twice.
 *
 * @throws SLUICE_USAGE for what is no statement or too much for one request, SLUICE_TARGET_… when the target can't be reached: then nothing was run
 */
export async function batch(options: BatchOptions): Promise<readonly BatchAnswer[]> {
  refuseUnknownOptions('batch', options, batchNames);
  const statements = toUnitStatements(options.statements);
  checkRunning(options);
  checkUnitSize(statements);
  if (options.signal?.aborted === true)
    throw new SluiceError('SLUICE_CANCELLED', 'The batch was cancelled before it began.', { hint: 'Nothing was run.' });
  const link = await openUnitLink(options);
  try {
    if (statements.length === 0) return [];
    const unit = describeUnit(options, statements);
    const answers = await answerUnit(
      statements.length,
      async () => (await runUnit(link, unit, { signal: options.signal, timeoutMs: options.timeoutMs })).answers,
    );
    if (answers.length !== statements.length) throw countFault(answers.length, statements.length);
    return answers.map((answer, index) => ({ index, ...answer }));
  } finally {
    await link.close();
  }
}

/** A broken link is an answer for each statement, not a failure of the call. */
async function answerUnit(count: number, run: () => Promise<readonly StatementAnswer[]>): Promise<readonly StatementAnswer[]> {
  try {
    return await run();
  } catch (error) {
    const landed = readLanded(error);
    if (landed === undefined) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const answer: StatementAnswer = landed === 'no' ? { status: 'not_attempted', message } : { status: 'unknown', message };
    return Array.from({ length: count }, () => answer);
  }
}

/** What all statements of a request share. */
export function describeUnit(options: RunningOptions, statements: UnitRequest['statements']): UnitRequest {
  return {
    statements,
    isTransaction: options.transaction ?? false,
    onConflict: options.onConflict ?? 'error',
    statusRows: options.statusRows ?? false,
    maxRows: options.maxRows ?? defaultMaxRows,
  };
}

/** @throws SLUICE_USAGE for values that an option can't have */
export function checkRunning({ onConflict, maxRows, timeoutMs }: RunningOptions): void {
  const problems = [
    onConflict === undefined || onConflict === 'error' || onConflict === 'not_applied'
      ? undefined
      : 'onConflict must be error or not_applied.',
    isCount(maxRows, 0) ? undefined : 'maxRows must be a whole number from 0.',
    isCount(timeoutMs, 1) ? undefined : 'timeoutMs must be a whole number of milliseconds from 1.',
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new SluiceError('SLUICE_USAGE', problems.join(' '), { problems });
}

function isCount(value: number | undefined, min: number): boolean {
  return value === undefined || (Number.isSafeInteger(value) && value >= min);
}

/** @see the contract of `run`: n statements, n answers */
export function countFault(found: number, expected: number): SluiceError {
  return new SluiceError('SLUICE_INTERNAL', `The target gave ${String(found)} answers to ${String(expected)} statements.`);
}
