/** A statement that PostgreSQL runs in no transaction (VACUUM, CREATE DATABASE, CREATE INDEX CONCURRENTLY …): alone in its unit it is run as it is, and recorded afterwards. */
import type { StatementAnswer } from '../../batch-contract.ts';
import { readAnswer } from './answer.ts';
import { toErrorAnswer, type UnitRun } from './unit-run.ts';
import { toStatementError } from './statement-error.ts';

/** Whether the unit is one statement that was refused only for the transaction around it. */
export function needsOutside({ unit, statements, answers }: UnitRun): boolean {
  const [answer] = answers;
  return !unit.isTransaction && statements.length === 1 && answer?.status === 'error' && answer.error.targetCode === '25001';
}

/** @throws LinkLostError, always `unknown`: it may have been done */
export async function runOutside({ link, statements, options }: UnitRun): Promise<StatementAnswer> {
  const [statement] = statements;
  if (statement?.ready === undefined) return { status: 'not_attempted' };
  const { text, step } = statement.ready;
  const { results, error } = await link.pipeline([step], { ...options, landed: 'unknown' });
  const [result] = results;
  if (error !== undefined) return toErrorAnswer(toStatementError(error));
  return result === undefined ? { status: 'not_attempted' } : readAnswer(result, text.shape);
}
