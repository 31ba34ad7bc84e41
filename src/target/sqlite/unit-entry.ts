/** A statement made ready: one statement in its text, what kind it is, its parameters, and what SQLite compiled of it. */
import { nameColumns } from '../answer-columns.ts';
import { readShape, type StatementShape } from '../../sql/shape.ts';
import { splitStatements } from '../../sql/split.ts';
import { readTokens } from '../../sql/tokens.ts';
import type { UnitEntry } from './unit-cache.ts';
import { StatementRefusal } from './unit-errors.ts';
import { findTextRefusal } from './unit-guard.ts';
import { arm, hasRowid, type UnitSession } from './unit-session.ts';
import { readBinding } from './unit-values.ts';

/**
 * The statement of a text, compiled or kept from before.
 * @throws StatementRefusal, and errors of SQLite
 */
export function findEntry(session: UnitSession, sql: string): UnitEntry {
  const known = session.cache.get(sql);
  if (known !== undefined) return known;
  const entry = readEntry(session, sql);
  const mayComeOnce = entry.isChange && !entry.shape.hasReturning && entry.binding.count === 0;
  if (mayComeOnce && !session.cache.hasMet(sql)) return entry;
  compile(session, entry);
  session.cache.set(sql, entry);
  return entry;
}

function readEntry(session: UnitSession, sql: string): UnitEntry {
  const text = soften(takeOne(sql));
  const shape = readShape(text, 'sqlite');
  if (shape.verb === '') checkBlank(text);
  const refusal = findTextRefusal(text, shape.verb);
  if (refusal !== undefined) throw new StatementRefusal('REFUSED', refusal);
  const isChange = shape.verb === 'INSERT' || shape.verb === 'UPDATE' || shape.verb === 'DELETE';
  return {
    text,
    shape,
    binding: readBinding(text),
    isChange,
    isConditional: isChange && (shape.ignoresConflict || shape.guardsConflict || (shape.hasWhere && shape.verb !== 'INSERT')),
    numbers: shape.verb === 'INSERT' ? readNumbers(session, text, shape) : 'nothing',
    isRead: shape.isRead,
    statement: undefined,
    columns: [],
    isUsed: false,
  };
}

/** SQLite would run the first statement of a text and pass over the others in silence. */
function takeOne(sql: string): string {
  if (sql.includes('\0')) throw new StatementRefusal('SYNTAX', 'The text holds a NUL character, behind which SQLite reads nothing.');
  if (!sql.includes(';')) return sql;
  const parts = splitStatements(sql, 'sqlite').filter((part) => !part.isBlank);
  if (parts.length > 1) {
    throw new StatementRefusal(
      'REFUSED',
      `The text holds ${String(parts.length)} statements. Give each an entry of its own, so that each gets an answer.`,
    );
  }
  return parts[0]?.sql ?? '';
}

function checkBlank(text: string): void {
  if (splitStatements(text, 'sqlite').every((part) => part.isBlank))
    throw new StatementRefusal('SYNTAX', 'There is no statement in the text.');
}

/**
 * OR ROLLBACK would undo the statements before it, and OR FAIL leave the rows before the bad one. In a unit each statement is done wholly or not at all, and
 * what becomes of the others is the unit's to say: both are run as OR ABORT.
 */
function soften(sql: string): string {
  if (!/\b(?:ROLLBACK|FAIL)\b/iu.test(sql)) return sql;
  const tokens = readTokens(sql, 'sqlite');
  const words = tokens.map(({ kind, text }) => (kind === 'word' ? text.toUpperCase() : ''));
  if (words[0] === 'CREATE' || words[0] === 'ALTER') return sql;
  const at = words.findIndex(
    (word, index) =>
      (word === 'ROLLBACK' || word === 'FAIL') && words[index - 1] === 'OR' && ['INSERT', 'UPDATE'].includes(words[index - 2] ?? ''),
  );
  const clause = tokens[at];
  return clause === undefined ? sql : `${sql.slice(0, clause.start)}ABORT${sql.slice(clause.end)}`;
}

function readNumbers(session: UnitSession, text: string, { table, replacesConflict }: StatementShape): UnitEntry['numbers'] {
  if (table === undefined || !hasRowid(session, table.schema?.text, table.name.text)) return 'nothing';
  return replacesConflict && /\bDO\b/iu.test(text) ? 'upsert' : 'row';
}

function compile(session: UnitSession, entry: UnitEntry): void {
  arm(session);
  const statement = session.db.prepare(entry.binding.sql);
  const rest = entry.binding.sql.slice(statement.sourceSQL.length);
  if (rest.trim() !== '' && splitStatements(rest, 'sqlite').some((part) => !part.isBlank)) {
    throw new StatementRefusal(
      'REFUSED',
      'The text holds more than one statement. Give each an entry of its own, so that each gets an answer.',
    );
  }
  entry.isRead = session.guard.isRead && !entry.isChange;
  statement.setReadBigInts(true);
  statement.setAllowBareNamedParameters(false);
  entry.columns = nameColumns(statement.columns().map(({ name }) => name));
  if (entry.columns.length > 0) statement.setReturnArrays(true);
  entry.statement = statement;
}
