/** Reads from a statement's text what kind it is and, for a change of one table, what it changes and by which conditions; without asking a database. */
import { readConditions } from './conditions.ts';
import type { Dialect } from './dialect.ts';
import { readInsert } from './insert-shape.ts';
import { readTable } from './names.ts';
import { createReading, findWord, isSign, rangeOf, skipGroup, wordAt, type Reading } from './reading.ts';
import type { StatementShape } from './shape-contract.ts';
import { skipWith } from './with-clause.ts';

export type { StatementShape } from './shape-contract.ts';

/** PRAGMAs of SQLite that only tell something although they have an argument in parentheses. */
const tellingPragmas: ReadonlySet<string> = new Set(
  'FOREIGN_KEY_CHECK FOREIGN_KEY_LIST INDEX_INFO INDEX_LIST INDEX_XINFO INTEGRITY_CHECK QUICK_CHECK TABLE_INFO TABLE_LIST TABLE_XINFO'.split(
    ' ',
  ),
);

/** PRAGMAs of SQLite that do something without an argument. */
const actingPragmas: ReadonlySet<string> = new Set(['INCREMENTAL_VACUUM', 'OPTIMIZE', 'SHRINK_MEMORY', 'WAL_CHECKPOINT']);

const emptyShape: StatementShape = {
  verb: '',
  isRead: false,
  controlsTransaction: false,
  endsTransaction: false,
  hasReturning: false,
  table: undefined,
  withClause: undefined,
  columns: undefined,
  rows: undefined,
  ignoresConflict: false,
  replacesConflict: false,
  guardsConflict: false,
  hasWhere: false,
  equalities: [],
};

/** The shape of one statement; of a text with several, that of the first. */
export function readShape(sql: string, dialect: Dialect): StatementShape {
  const reading = createReading(sql, dialect);
  const { main, hasChange } = skipWith(reading);
  let at = main;
  while (isSign(reading, at, '(')) at++;
  const verb = wordAt(reading, at);
  const withClause = main > 0 ? rangeOf(reading, { from: 0, to: main }) : undefined;
  const shape = { ...emptyShape, verb: verb === 'REPLACE' ? 'INSERT' : verb, withClause };
  switch (verb) {
    case 'INSERT':
    case 'REPLACE':
      return { ...shape, ...readInsert(reading, at), hasReturning: hasReturning(reading, at) };
    case 'UPDATE':
    case 'DELETE':
      return { ...shape, ...readChange(reading, at), hasReturning: hasReturning(reading, at) };
    case 'MERGE':
      return { ...shape, hasReturning: hasReturning(reading, at) };
    case 'SELECT':
    case 'VALUES':
    case 'TABLE':
      return { ...shape, isRead: !hasChange && isReadingQuery(reading, at) };
    case 'SHOW':
      return { ...shape, isRead: true };
    case 'EXPLAIN':
      return { ...shape, isRead: isReadingExplain(reading, at) };
    case 'PRAGMA':
      return { ...shape, isRead: isReadingPragma(reading, at) };
    default:
      return { ...shape, endsTransaction: endsTransaction(reading, at), controlsTransaction: controlsTransaction(reading, at) };
  }
}

function hasReturning(reading: Reading, at: number): boolean {
  return findWord(reading, at, ['RETURNING']) !== undefined;
}

/** The table and the conditions of the UPDATE or DELETE at a place. */
function readChange(reading: Reading, at: number): Partial<StatementShape> {
  const isUpdate = wordAt(reading, at) === 'UPDATE';
  const choice = wordAt(reading, at + 1) === 'OR' ? wordAt(reading, at + 2) : '';
  const from = isUpdate ? at + (choice === '' ? 1 : 3) : at + 2;
  const read = readTable(reading, from, ['SET', 'WHERE', 'USING', 'RETURNING', 'INDEXED', 'NOT', 'ORDER', 'LIMIT']);
  const table = isUpdate || wordAt(reading, at + 1) === 'FROM' ? read?.table : undefined;
  const conflict = { ignoresConflict: choice === 'IGNORE', replacesConflict: choice === 'REPLACE' };
  const where = findWord(reading, read?.next ?? at, ['WHERE']);
  if (where === undefined) return { ...conflict, table };
  const to = findWord(reading, where, ['RETURNING', 'ORDER', 'LIMIT']) ?? reading.tokens.length;
  return { ...conflict, table, hasWhere: true, equalities: readConditions(reading, { from: where + 1, to }) };
}

/** Not SELECT … INTO, which makes a table, nor FOR UPDATE and its like, which lock (PostgreSQL). */
function isReadingQuery(reading: Reading, at: number): boolean {
  if (reading.dialect === 'sqlite') return true;
  if (findWord(reading, at, ['INTO']) !== undefined) return false;
  const lock = findWord(reading, at, ['FOR']);
  return lock === undefined || !['UPDATE', 'NO', 'SHARE', 'KEY'].includes(wordAt(reading, lock + 1));
}

/** SQLite never runs what it explains; PostgreSQL does with ANALYZE. */
function isReadingExplain(reading: Reading, at: number): boolean {
  if (reading.dialect === 'sqlite') return true;
  const options = isSign(reading, at + 1, '(') ? { from: at + 2, to: skipGroup(reading, at + 1) - 1 } : { from: at + 1, to: at + 3 };
  const runs = findWord(reading, options, ['ANALYZE', 'ANALYSE']) !== undefined;
  return (
    !runs ||
    findWord(reading, at + 1, ['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'CREATE', 'EXECUTE', 'INTO', 'WITH', 'REFRESH']) === undefined
  );
}

function isReadingPragma(reading: Reading, at: number): boolean {
  const name = isSign(reading, at + 2, '.') ? at + 3 : at + 1;
  const word = wordAt(reading, name);
  if (isSign(reading, name + 1, '=')) return false;
  return isSign(reading, name + 1, '(') ? tellingPragmas.has(word) : !actingPragmas.has(word);
}

/** ROLLBACK TO and RELEASE end a savepoint; COMMIT PREPARED and ROLLBACK PREPARED another transaction. */
function endsTransaction(reading: Reading, at: number): boolean {
  const verb = wordAt(reading, at);
  if (!['COMMIT', 'END', 'ROLLBACK', 'ABORT'].includes(verb)) return verb === 'PREPARE' && wordAt(reading, at + 1) === 'TRANSACTION';
  return findWord(reading, at + 1, ['TO', 'PREPARED']) === undefined;
}

function controlsTransaction(reading: Reading, at: number): boolean {
  const verb = wordAt(reading, at);
  const object = wordAt(reading, at + 1);
  switch (verb) {
    case 'BEGIN':
    case 'START':
    case 'COMMIT':
    case 'END':
    case 'ROLLBACK':
    case 'ABORT':
    case 'SAVEPOINT':
    case 'RELEASE':
    case 'ATTACH':
    case 'DETACH':
    case 'VACUUM':
      return true;
    case 'PREPARE':
      return object === 'TRANSACTION';
    case 'CREATE':
    case 'DROP':
    case 'ALTER':
    case 'REINDEX':
      return (
        reading.dialect === 'postgres' &&
        (['DATABASE', 'TABLESPACE', 'SYSTEM', 'SUBSCRIPTION'].includes(object) || isConcurrent(reading, at))
      );
    default:
      return false;
  }
}

/** CREATE, DROP and REINDEX … CONCURRENTLY run outside of transactions. */
function isConcurrent(reading: Reading, at: number): boolean {
  return findWord(reading, { from: at + 1, to: at + 6 }, ['CONCURRENTLY']) !== undefined;
}
