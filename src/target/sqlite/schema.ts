/** Reads what an SQLite file holds: tables, keys, indexes, triggers. Only reads. */
import { quoteIdentifier } from '../sql-text.ts';
import type { ColumnDescription, IndexDescription, TableDescription } from '../driver.ts';
import type { SqliteFile } from './connect.ts';
import { readDeclaredType } from './column-types.ts';

type Row = Readonly<Record<string, unknown>>;

function all(link: SqliteFile, sql: string, ...parameters: string[]): readonly Row[] {
  return link.db.prepare(sql).all(...parameters);
}

/** The name that a table has in the file: SQLite's names do not tell cases apart. */
export function findTable(link: SqliteFile, table: string): { readonly name: string; readonly sql: string } | undefined {
  const row = all(link, `SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`, table)[0];
  return row === undefined ? undefined : { name: String(row['name']), sql: String(row['sql']) };
}

/** Whether the file holds no table of anybody's. */
export function isFreshFile(link: SqliteFile): boolean {
  return all(link, `SELECT 1 FROM sqlite_schema LIMIT 1`).length === 0;
}

function readColumn(row: Row): ColumnDescription {
  const declaredType = String(row['type']);
  return {
    name: String(row['name']),
    declaredType,
    ...readDeclaredType(declaredType),
    isNullable: row['notnull'] === 0,
    hasDefault: row['dflt_value'] !== null,
    isGenerated: row['hidden'] === 2 || row['hidden'] === 3,
  };
}

function readIndexes(
  link: SqliteFile,
  table: string,
): readonly (IndexDescription & { readonly isPartial: boolean; readonly hasExpression: boolean })[] {
  return all(
    link,
    `SELECT l.name, l."unique", l.partial, s.sql FROM pragma_index_list(?) l LEFT JOIN sqlite_schema s ON s.type = 'index' AND s.name = l.name`,
    table,
  ).map((row) => {
    const columns = all(link, `SELECT name FROM pragma_index_info(?) ORDER BY seqno`, String(row['name']));
    return {
      name: String(row['name']),
      columns: columns.flatMap((column) => (column['name'] === null ? [] : [String(column['name'])])),
      isUnique: row['unique'] === 1,
      isPartial: row['partial'] === 1,
      hasExpression: columns.some((column) => column['name'] === null),
      ddl: typeof row['sql'] === 'string' ? row['sql'] : '',
    };
  });
}

/**
 * A table as it stands; undefined when there is none. An integer primary key may be left out of a row (SQLite counts on by itself),
 * so it counts as having a default. No column of a primary key counts as nullable.
 */
export function describeTable(link: SqliteFile, name: string): TableDescription | undefined {
  const table = findTable(link, name);
  if (table === undefined) return undefined;
  const rows = all(
    link,
    `SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`,
    table.name,
  );
  const key = rows
    .filter((row) => Number(row['pk']) > 0)
    .sort((a, b) => Number(a['pk']) - Number(b['pk']))
    .map((row) => String(row['name']));
  const indexes = readIndexes(link, table.name);
  const unique = indexes.filter((index) => index.isUnique && !index.isPartial && !index.hasExpression && !isSameList(index.columns, key));
  return {
    name: table.name,
    columns: rows.map((row) => markRowid(readColumn(row), key)),
    key,
    uniqueKeys: [...(key.length > 0 ? [key] : []), ...unique.map((index) => index.columns)],
    indexes: indexes.map(({ name: index, columns, isUnique, ddl }) => ({ name: index, columns, isUnique, ddl })),
    triggers: all(link, `SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? ORDER BY name`, table.name).map((row) =>
      String(row['name']),
    ),
    isEmpty: all(link, `SELECT 1 FROM ${quoteIdentifier(table.name)} LIMIT 1`).length === 0,
  };
}

function markRowid(column: ColumnDescription, key: readonly string[]): ColumnDescription {
  if (!key.includes(column.name)) return column;
  const isRowid = key.length === 1 && /^INTEGER$/iu.test(column.declaredType);
  // For history's sake SQLite takes NULL in primary keys, even more than one; a row without a key could be neither found again nor verified.
  return { ...column, isNullable: false, hasDefault: column.hasDefault || isRowid };
}

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, index) => name === right[index]);
}

/** The columns of a key whose comparison is not SQLite's plain one (COLLATE NOCASE and the like). */
export function findCollatedColumns(link: SqliteFile, table: string): readonly string[] {
  const rows = all(
    link,
    `SELECT DISTINCT x.name FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x WHERE l."unique" = 1 AND x.key = 1 AND x.name IS NOT NULL AND x.coll <> 'BINARY'`,
    table,
  );
  return rows.map((row) => String(row['name']));
}

/** A trigger with the table it stands on and its statement. */
export interface TriggerText {
  readonly name: string;
  readonly table: string;
  readonly sql: string;
}

/** All triggers of the file. */
export function readTriggers(link: SqliteFile): readonly TriggerText[] {
  return all(link, `SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name`).map((row) => ({
    name: String(row['name']),
    table: String(row['tbl_name']),
    sql: String(row['sql']),
  }));
}

/**
 * Indexes that can be put off without a change to what the table takes: neither unique, nor partial, nor over expressions, which may refuse a row
 * (malformed JSON, say) and then could not be made again.
 */
export function findPlainIndexes(link: SqliteFile, table: string): readonly { readonly name: string; readonly ddl: string }[] {
  const plain = readIndexes(link, table).filter((index) => !index.isUnique && !index.isPartial && !index.hasExpression && index.ddl !== '');
  return plain.map(({ name, ddl }) => ({ name, ddl }));
}

/** One foreign key: the columns of the table, and the columns of the parent that they refer to. */
export interface ForeignKey {
  readonly parent: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** The foreign keys of a table. */
export function readForeignKeys(link: SqliteFile, table: string): readonly ForeignKey[] {
  const rows = all(link, `SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq`, table);
  return [...Map.groupBy(rows, (row) => row['id']).values()].map((columns) => {
    const parent = String(columns[0]?.['table']);
    const to = columns.flatMap((column) => (column['to'] === null ? [] : [String(column['to'])]));
    return { parent, from: columns.map((column) => String(column['from'])), to: to.length > 0 ? to : readKey(link, parent) };
  });
}

function readKey(link: SqliteFile, table: string): readonly string[] {
  return all(link, `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, table).map((row) => String(row['name']));
}
