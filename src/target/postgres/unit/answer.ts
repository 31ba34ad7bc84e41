/** Makes a statement's answer of what the server gave back: exact integers, exact decimals as text, bytes as bytes, everything else as the server writes it. */
import type { AnswerRow, StatementAnswer, StatementValue } from '../../batch-contract.ts';
import { parseBytes, parseInteger } from '../connect/result-values.ts';
import type { ResultField, StepResult } from '../link.ts';
import type { StatementShape } from '../../../sql/shape-contract.ts';

/** By oid of the built-in types: bool, bytea, int8, int2, int4, oid, float4, float8. All other values stay text. */
const parsers: ReadonlyMap<number, (text: string) => StatementValue> = new Map<number, (text: string) => StatementValue>([
  [16, (text) => text === 't'],
  [17, parseBytes],
  [20, parseInteger],
  [21, parseInteger],
  [23, parseInteger],
  [26, parseInteger],
  [700, Number],
  [701, Number],
]);

/** A name that comes again gets a number behind it, as on the other targets; else one value would hide the other. */
function nameColumns(fields: readonly ResultField[]): readonly string[] {
  const names = fields.map(({ name }) => name);
  const all = new Set(names);
  if (all.size === names.length) return names;
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 1; taken.has(unique) || (count > 1 && all.has(unique)); count++) unique = `${name}:${String(count)}`;
    taken.add(unique);
    return unique;
  });
}

interface RowSet {
  readonly columns: readonly string[];
  readonly rows: readonly AnswerRow[];
}

function readRows({ rows }: StepResult, fields: readonly ResultField[]): RowSet {
  const columns = nameColumns(fields);
  const parse = fields.map(({ dataTypeID }) => parsers.get(dataTypeID));
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
