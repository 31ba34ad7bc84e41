/** The server's schema rebuilt in memory, without its rows: what SQLite's driver reads out of a file, it reads out of that. */
import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import type { TableDescription } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import type { SqliteFile } from '../sqlite/connect.ts';
import { describeTable } from '../sqlite/schema.ts';
import { readRows, toResultRows, writeStatement, type ReadOptions } from './answer.ts';
import type { RqliteLink } from './link.ts';

/** A schema in memory, as SQLite's driver takes a file. The caller closes it. */
export interface Shadow {
  readonly file: SqliteFile;
  /** Tables that need a module which is not here. */
  readonly unknownTables: readonly string[];
}

interface SchemaEntry {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** Views and triggers name tables, and virtual tables bring tables of their own. */
const ranks: readonly ((entry: SchemaEntry) => boolean)[] = [
  ({ type, sql }) => type === 'table' && isVirtual(sql),
  ({ type, sql }) => type === 'table' && !isVirtual(sql),
  ({ type }) => type === 'index',
  ({ type }) => type === 'view',
  ({ type }) => type === 'trigger',
];

function isVirtual(sql: string): boolean {
  return /^\s*CREATE\s+VIRTUAL\s/iu.test(sql);
}

/** Reads the schema and rebuilds it. */
export async function openShadow(link: RqliteLink, options: ReadOptions = {}): Promise<Shadow> {
  const entry = await readRows(
    link,
    writeStatement(
      `SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid`,
      [],
    ),
    options,
  );
  const found = toResultRows(entry).map((row) => ({ type: String(row['type']), name: String(row['name']), sql: String(row['sql']) }));
  // As in rqlite: a word in double quotes that names no column is a text, also in the DEFAULT of a table that exists.
  const db = new DatabaseSync(':memory:', { enableForeignKeyConstraints: false, enableDoubleQuotedStringLiterals: true });
  const unknownTables: string[] = [];
  for (const isOfRank of ranks) {
    for (const entryOfRank of found.filter(isOfRank)) rebuild(link, db, { entry: entryOfRank, unknownTables });
  }
  return { file: { db, file: link.address.label, lockTimeoutMs: 0, statements: new Map() }, unknownTables };
}

function rebuild(link: RqliteLink, db: DatabaseSync, found: { readonly entry: SchemaEntry; readonly unknownTables: string[] }): void {
  const { type, name, sql } = found.entry;
  // The tables behind a virtual one came with it.
  if (type === 'table' && db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`).get(name) !== undefined) return;
  try {
    db.exec(sql);
  } catch (error) {
    // A module, function or collation that only the server has; only matters when the load is about this very table.
    if (type === 'view' || isVirtual(sql) || type === 'table') {
      found.unknownTables.push(name);
      return;
    }
    const isOfUnknown = found.unknownTables.some((table) => sql.includes(table));
    if (isOfUnknown) return;
    throw new SluiceError('SLUICE_TARGET_FAILED', `The ${type} ${name} of ${link.address.label} could not be understood.`, {
      cause: error,
    });
  }
}

/** Reads from the schema, and closes it. */
export async function withShadow<Result>(
  link: RqliteLink,
  options: ReadOptions,
  read: (shadow: Shadow) => Result | Promise<Result>,
): Promise<Result> {
  const shadow = await openShadow(link, options);
  try {
    return await read(shadow);
  } finally {
    shadow.file.db.close();
  }
}

/** A table of the server; undefined when there is none. */
export async function describeRemoteTable(
  link: RqliteLink,
  name: string,
  options: ReadOptions = {},
): Promise<TableDescription | undefined> {
  return withShadow(link, options, async ({ file }) => {
    const description = describeTable(file, name);
    return description === undefined ? undefined : { ...description, isEmpty: await isEmpty(link, description.name, options) };
  });
}

/** Whether the server's table has no row. */
export async function isEmpty(link: RqliteLink, table: string, options: ReadOptions = {}): Promise<boolean> {
  const entry = await readRows(link, writeStatement(`SELECT 1 FROM ${quoteIdentifier(table)} LIMIT 1`, []), options);
  return entry.values.length === 0;
}
