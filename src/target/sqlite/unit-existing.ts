/** Finds the row that a conditional statement met, inside the same transaction: by each unique key of its table, out of the statement's own text and values. */
import { writeExistingQuery } from '../../sql/existing-row.ts';
import { readTokens } from '../../sql/tokens.ts';
import type { AnswerRow } from '../batch-contract.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { isSqliteError } from './errors.ts';
import { toRow } from './unit-execute.ts';
import type { UnitEntry } from './unit-cache.ts';
import { arm, readOwn, type UnitSession } from './unit-session.ts';
import type { Bound, BoundValues } from './unit-values.ts';

/** A list of columns that no two rows share. */
interface UniqueKey {
  readonly columns: readonly string[];
  /** The condition of a partial index, as text; rows that it leaves out are in nobody's way. */
  readonly condition: string | undefined;
}

/** The keys of a table, and its columns that take a value, in their order. */
interface TableKeys {
  readonly keys: readonly UniqueKey[];
  readonly columns: readonly string[];
}

/** What was not applied, and why. */
export interface ExistingRequest {
  readonly session: UnitSession;
  readonly entry: UnitEntry;
  readonly values: BoundValues;
  /** «UNIQUE constraint failed: t.a, t.b» for an INSERT that was refused: that key is tried first. */
  readonly message?: string | undefined;
}

/** The row in the way; undefined where there is none, or it can't be told which. */
export function findExisting(request: ExistingRequest): AnswerRow | undefined {
  const { session, entry, message } = request;
  const { table } = entry.shape;
  if (table === undefined) return undefined;
  const { keys, columns: tableColumns } = readUniqueKeys(session, table.schema?.text, table.name.text);
  const blamed = readBlamed(message);
  const isBlamed = ({ columns }: UniqueKey): boolean => columns.map((name) => name.toLowerCase()).join() === blamed;
  for (const key of [...keys.filter(isBlamed), ...keys.filter((each) => !isBlamed(each))]) {
    const row = findByKey(request, key, tableColumns);
    if (row !== undefined) return row;
  }
  return undefined;
}

/** The columns of the key that SQLite names in its refusal, as `a,b`; undefined for another one. */
export function readBlamed(message: string | undefined): string | undefined {
  const list = /^UNIQUE constraint failed: (.*)$/su.exec(message ?? '')?.[1];
  return list
    ?.split(', ')
    .map((name) => name.slice(name.lastIndexOf('.') + 1).toLowerCase())
    .join();
}

function findByKey(
  { session, entry, values }: ExistingRequest,
  { columns, condition }: UniqueKey,
  tableColumns: readonly string[],
): AnswerRow | undefined {
  const query = writeExistingQuery(entry.text, entry.shape, {
    key: columns,
    quote: quoteIdentifier,
    dialect: 'sqlite',
    columns: tableColumns,
  });
  if (query === undefined) return undefined;
  const name = quoteIdentifier(entry.shape.table?.name.text ?? '');
  // The first row with the key's values may be one that the partial index leaves out: the condition chooses among all of them.
  const all = query.sql.replace(/\sLIMIT 1$/u, '');
  const sql = condition === undefined ? query.sql : `SELECT * FROM (${all}) AS ${name} WHERE (${condition}\n) LIMIT 1`;
  arm(session);
  try {
    const statement = session.db.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    const row = statement.get(...query.parameterIndexes.map((index) => valueAt(entry, values, index)));
    const names = statement.columns().map((column) => column.name);
    return row === undefined ? undefined : toRow(names, row as unknown as readonly Bound[]);
  } catch (error) {
    // The statement's expressions may not stand alone (of a generated key, say): then it can't be told.
    if (isSqliteError(error) && session.db.isTransaction) return undefined;
    throw error;
  }
}

function valueAt({ binding }: UnitEntry, values: BoundValues, index: number): Bound {
  if (isPlaces(values)) return values[index - 1] ?? null;
  return values[binding.names?.[index - 1] ?? ''] ?? null;
}

function isPlaces(values: BoundValues): values is readonly Bound[] {
  return Array.isArray(values);
}

/** Every unique key of a table: its primary key, its rowid by any name, its unique indexes of plain columns. */
function readUniqueKeys(session: UnitSession, schema: string | undefined, table: string): TableKeys {
  const owner =
    schema ??
    (readOwn(session, `SELECT 1 FROM sqlite_temp_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`, table).length > 0
      ? 'temp'
      : 'main');
  const columns = readOwn(session, `SELECT name, pk, hidden FROM pragma_table_xinfo(?, ?) ORDER BY cid`, table, owner);
  const names = new Set(columns.map((row) => String(row['name']).toLowerCase()));
  const primary = columns
    .filter((row) => row['pk'] !== 0n)
    .sort((a, b) => Number(a['pk']) - Number(b['pk']))
    .map((row) => String(row['name']));
  const rowids = ['rowid', '_rowid_', 'oid'].filter((name) => !names.has(name)).map((name) => ({ columns: [name], condition: undefined }));
  const indexes = readOwn(
    session,
    `SELECT l.name, l.partial, group_concat(i.name, char(31) ORDER BY i.seqno) AS columns, count(*) = count(i.name) AS isPlain,
       (SELECT sql FROM ${quoteIdentifier(owner)}.sqlite_schema s WHERE s.type = 'index' AND s.name = l.name) AS sql
     FROM pragma_index_list(?, ?) l, pragma_index_info(l.name, ?) i WHERE l."unique" = 1 AND l.origin <> 'pk' GROUP BY l.seq ORDER BY l.seq DESC`,
    table,
    owner,
    owner,
  ).filter((row) => row['isPlain'] === 1n);
  const keys = [
    ...(primary.length > 0 ? [{ columns: primary, condition: undefined }] : []),
    ...indexes.map((row) => ({
      columns: String(row['columns']).split('\u001F'),
      condition: row['partial'] === 1n ? readCondition(String(row['sql'])) : undefined,
    })),
    ...rowids,
  ];
  return { keys, columns: columns.filter((row) => row['hidden'] === 0n).map((row) => String(row['name'])) };
}

/** What stands behind WHERE in the text of an index. */
function readCondition(sql: string): string {
  let depth = 0;
  for (const { kind, text, end } of readTokens(sql, 'sqlite')) {
    if (text === '(') depth++;
    if (text === ')') depth--;
    if (depth === 0 && kind === 'word' && text.toUpperCase() === 'WHERE') return sql.slice(end);
  }
  return '1';
}
