/** Writes a database as SQL text the way rqlite does, piece by piece from one read snapshot, in memory that does not grow with the database. */
import { isUtf8 } from 'node:buffer';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

import { queueTable } from '../engine/link.ts';
import { textFunction, writeLineQuery, writeTextLiteral, zeroFunction } from './dump-sql.ts';

/** 128 KiB: at 64 KiB the messages between threads are felt, and beyond 256 KiB nothing is gained. */
const pieceBytes = 131_072;

export interface DumpRequest {
  readonly file: string;
  /** Only these, by their exact names; indexes, triggers and views are written all the same, as rqlite does. */
  readonly tables: readonly string[] | undefined;
}

interface Schema {
  readonly tables: readonly { readonly name: string; readonly sql: string }[];
  readonly others: readonly string[];
}

/** The dump's bytes; the snapshot is taken with the first piece and let go at the end, or when nobody reads on. */
export function* writeDump({ file, tables }: DumpRequest): Generator<Uint8Array> {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  try {
    defineFunctions(db);
    db.exec('BEGIN');
    yield* collect(writePieces(db, readSchema(db, tables)));
  } finally {
    db.close();
  }
}

function* writePieces(db: DatabaseSync, schema: Schema): Generator<Uint8Array> {
  yield Buffer.from('PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n');
  const encoding = String(db.prepare('PRAGMA encoding').get()?.['encoding']);
  for (const { name, sql } of schema.tables) {
    yield Buffer.from(`${writeMaker(name, sql)};\n`);
    const columns = db.prepare('SELECT name FROM pragma_table_info(?)').all(name);
    if (columns.length > 0)
      yield* writeRows(db, { name, columns: columns.map((column) => String(column['name'])), isUtf8: encoding === 'UTF-8' });
  }
  for (const sql of schema.others) yield Buffer.from(`${sql};\n`);
  yield Buffer.from('COMMIT;\n');
}

/** rqlite writes these two with a semicolon of their own, and one more behind it. */
function writeMaker(name: string, sql: string): string {
  if (name === 'sqlite_sequence') return 'DELETE FROM "sqlite_sequence";';
  if (name === 'sqlite_stat1') return 'ANALYZE "sqlite_master";';
  return sql;
}

interface RowsRequest {
  readonly name: string;
  readonly columns: readonly string[];
  readonly isUtf8: boolean;
}

function* writeRows(db: DatabaseSync, table: RowsRequest): Generator<Uint8Array> {
  let count = 0;
  for (const line of readLines(db.prepare(writeLineQuery(table, { isUtf8: table.isUtf8, checksTexts: false })))) {
    if (!isUtf8(line)) {
      yield* writeRowsFrom(db, table, count);
      return;
    }
    yield line;
    count++;
  }
}

/** Again from the row `from` on, with a look at every text: one of them is not UTF-8. The snapshot keeps the rows in the same order. */
function* writeRowsFrom(db: DatabaseSync, table: RowsRequest, from: number): Generator<Uint8Array> {
  let count = 0;
  for (const line of readLines(db.prepare(writeLineQuery(table, { isUtf8: table.isUtf8, checksTexts: true })))) {
    if (count >= from) yield line;
    count++;
  }
}

function* readLines(statement: StatementSync): Generator<Uint8Array> {
  statement.setReturnArrays(true);
  for (const row of statement.iterate()) {
    const [line] = Object.values(row);
    yield line instanceof Uint8Array ? line : Buffer.from(String(line));
  }
}

function readSchema(db: DatabaseSync, wanted: readonly string[] | undefined): Schema {
  // A virtual table makes its shadow tables itself: a dump that makes them too can't be loaded.
  const shadows = new Set(
    db
      .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")
      .all()
      .map((row) => row['name']),
  );
  const rows = db.prepare(`SELECT name, sql FROM sqlite_master WHERE sql NOT NULL AND type = 'table' ORDER BY name`).all();
  const tables = rows
    .map((row) => ({ name: String(row['name']), sql: String(row['sql']) }))
    .filter(({ name }) => !shadows.has(name) && name !== queueTable && (wanted === undefined || wanted.includes(name)))
    .filter(({ name }) => !name.startsWith('sqlite_') || name === 'sqlite_sequence' || name === 'sqlite_stat1');
  const others = db.prepare(
    `SELECT sql FROM sqlite_master WHERE sql NOT NULL AND type IN ('index', 'trigger', 'view') AND tbl_name <> ? ORDER BY rowid`,
  );
  return { tables: placeSequence(tables), others: others.all(queueTable).map((row) => String(row['sql'])) };
}

/** sqlite_sequence is there once a table with AUTOINCREMENT is: where it comes before the first of them by name, it is moved to the end, so that the dump can be loaded. */
function placeSequence(tables: Schema['tables']): Schema['tables'] {
  const isSequence = ({ name }: { readonly name: string }): boolean => name === 'sqlite_sequence';
  const place = tables.findIndex((table) => isSequence(table));
  const first = tables.findIndex(({ sql }) => /\bautoincrement\b/i.test(sql));
  if (place < 0 || (first >= 0 && first < place)) return tables;
  const others = tables.filter((table) => !isSequence(table));
  return first < 0 ? others : [...others, ...tables.filter((table) => isSequence(table))];
}

function defineFunctions(db: DatabaseSync): void {
  db.function(textFunction, { deterministic: true }, (value) =>
    value instanceof Uint8Array ? writeTextLiteral(value, isUtf8(value)) : writeTextLiteral(String(value), true),
  );
  db.function(zeroFunction, { deterministic: true }, (value) => (Object.is(value, -0) ? '-0.0' : '0.0'));
}

/** Joins lines into pieces of a size that is worth a message. */
function* collect(lines: Iterable<Uint8Array>): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for (const line of lines) {
    waiting.push(line);
    bytes += line.byteLength;
    if (bytes < pieceBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}
