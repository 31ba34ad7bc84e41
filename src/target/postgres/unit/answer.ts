/** Makes a statement's answer of what the server gave back: exact integers, exact decimals as text, bytes as bytes, everything else as the server writes it. */
import { nameColumns } from '../../answer-columns.ts';
import type { AnswerRow, StatementAnswer, StatementValue } from '../../batch-contract.ts';
import { scalarParsers } from '../connect/result-values.ts';
import type { ResultField, StepResult } from '../link.ts';
import type { StatementShape } from '../../../sql/shape-contract.ts';

interface RowSet {
  readonly columns: readonly string[];
  readonly rows: readonly AnswerRow[];
}

function readRows({ rows }: StepResult, fields: readonly ResultField[]): RowSet {
  const columns = nameColumns(fields.map(({ name }) => name));
  const parse = fields.map(({ dataTypeID }) => scalarParsers.get(dataTypeID));
  const readValue = (text: string | null | undefined, at: number): StatementValue =>
    text === null || text === undefined ? null : (parse[at]?.(text) ?? text);
  // fromEntries and not assignment: a column may be called __proto__.
  return { columns, rows: rows.map((values) => Object.fromEntries(columns.map((name, at) => [name, readValue(values[at], at)]))) };
}

/** The first row of a result, if there is one. */
export function readFirstRow(result: StepResult): AnswerRow | undefined {
  return result.fields === undefined ? undefined : readRows(result, result.fields).rows[0];
}

/** Tags of statements that change as many rows as they count; SELECT is one of CREATE TABLE AS, as others give rows. */
const changePattern = /^(INSERT|UPDATE|DELETE|MERGE|SELECT)(?: \d+)? (\d+)$/u;

/** Whether a statement whose tag counts no row is one that had a condition. */
function hasCondition(verb: string, shape: StatementShape): boolean {
  return verb === 'INSERT' ? shape.ignoresConflict || shape.guardsConflict : (verb === 'UPDATE' || verb === 'DELETE') && shape.hasWhere;
}

/** The answer of a statement that the server ran. */
export function readAnswer(result: StepResult, shape: StatementShape): StatementAnswer {
  const [, verb = '', count = '0'] = changePattern.exec(result.tag) ?? [];
  const rowsAffected = verb === 'SELECT' && result.fields !== undefined ? 0 : Number(count);
  if (verb !== '' && rowsAffected === 0 && hasCondition(verb, shape)) return { status: 'not_applied' };
  return { status: 'applied', rowsAffected, ...(result.fields !== undefined && readRows(result, result.fields)) };
}
