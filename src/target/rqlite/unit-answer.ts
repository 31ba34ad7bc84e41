/** What an entry of rqlite's answer means for a statement of a unit. */
import { nameColumns } from '../answer-columns.ts';
import type { AnswerRow, StatementAnswer, StatementError, StatementErrorCode, StatementValue } from '../batch-contract.ts';
import { readValue, type Entry } from './answer.ts';
import type { ReadyStatement } from './unit-statement.ts';

/** rqlite hands SQLite's words on, and no codes; the words are the same since SQLite 3.0. */
const wordings: readonly (readonly [RegExp, StatementErrorCode])[] = [
  [/^UNIQUE constraint failed/u, 'UNIQUE'],
  [/^NOT NULL constraint failed/u, 'NOT_NULL'],
  [/^CHECK constraint failed/u, 'CHECK'],
  [/^FOREIGN KEY constraint failed/u, 'FOREIGN_KEY'],
  [/^datatype mismatch|^cannot store |^string or blob too big|^malformed JSON|^integer overflow|^bad JSON path/u, 'VALUE'],
  [/^no such (?:table|view)\b/u, 'UNKNOWN_TABLE'],
  [/^no such column\b|has no column named|^unknown column\b/u, 'UNKNOWN_COLUMN'],
  [
    /syntax error|^incomplete input|^unrecognized token|^ambiguous column name|^wrong number of arguments|^\d+ values for \d+ columns/u,
    'SYNTAX',
  ],
  [
    / has \d+ columns but \d+ values were supplied|^all VALUES must have the same number|do not have the same number of result columns/u,
    'SYNTAX',
  ],
  [/^not enough args|^too many SQL variables/u, 'PARAMETERS'],
  [/^not authorized|^attempt to (?:change|write)|belongs? to sluice|not allowed/u, 'REFUSED'],
];

export function toStatementError(message: string): StatementError {
  return { code: wordings.find(([pattern]) => pattern.test(message))?.[1] ?? 'OTHER', message };
}

/** Whether an INSERT met a row with its key in its own table, not in one that a trigger writes to. */
export function isOwnConflict({ shape }: ReadyStatement, message: string): boolean {
  if (shape.verb !== 'INSERT' || shape.table === undefined || !message.startsWith('UNIQUE constraint failed')) return false;
  const where = message.slice(message.indexOf(':') + 2).toLowerCase();
  return where.startsWith("index '") || where.startsWith(`${shape.table.name.text.toLowerCase()}.`);
}

function toAnswerRow(columns: readonly string[], { types, values }: Entry, row: number): AnswerRow {
  const answer: Record<string, StatementValue> = {};
  columns.forEach((name, index) => {
    const value = readValue(values[row]?.[index], types[index] ?? '');
    // Assigned, that name would set the object's prototype.
    if (name === '__proto__') Object.defineProperty(answer, name, { value, enumerable: true, writable: true, configurable: true });
    else answer[name] = value;
  });
  return answer;
}

/** The first row of an entry; undefined when it has none. */
export function readFirstRow(entry: Entry): AnswerRow | undefined {
  return entry.values.length === 0 ? undefined : toAnswerRow(nameColumns(entry.columns ?? []), entry, 0);
}

export interface Reading {
  readonly maxRows: number;
  /** Tables without rowids, in lower case: an INSERT there leaves the connection's last id as an earlier one set it. */
  readonly plainTables: ReadonlySet<string>;
}

/** The answer for a statement that was run and whose effect stands. */
export function readApplied(statement: ReadyStatement, entry: Entry, reading: Reading): StatementAnswer {
  const { isChange, isConditional, shape } = statement;
  const hasRows = entry.columns !== undefined;
  // RETURNING gives rows in place of counts; of anything but a change the counts are an earlier statement's.
  const rowsAffected = !isChange ? 0 : hasRows ? entry.values.length : entry.rowsAffected;
  if (isConditional && rowsAffected === 0) return { status: 'not_applied' };
  if (hasRows && entry.values.length > reading.maxRows && !isChange) {
    const message = `The statement gives more than ${String(reading.maxRows)} rows. Ask for fewer, or raise the limit.`;
    return { status: 'error', error: { code: 'BATCH_TOO_MANY_ROWS', message } };
  }
  const columns = hasRows ? nameColumns(entry.columns ?? []) : undefined;
  const isNumbered = shape.verb === 'INSERT' && rowsAffected > 0 && !hasRows && !mayKeepId(statement, reading);
  return {
    status: 'applied',
    rowsAffected,
    ...(isNumbered && entry.lastInsertId !== undefined ? { lastInsertId: entry.lastInsertId } : undefined),
    // A change is made whatever it gives back: rows beyond the limit are left out, not the change denied.
    ...(columns === undefined
      ? undefined
      : { columns, rows: entry.values.slice(0, reading.maxRows).map((_, row) => toAnswerRow(columns, entry, row)) }),
  };
}

function mayKeepId({ shape, text }: ReadyStatement, { plainTables }: Reading): boolean {
  if (shape.replacesConflict && /\bDO\b/iu.test(text)) return true;
  return plainTables.has(shape.table?.name.text.toLowerCase() ?? '');
}
