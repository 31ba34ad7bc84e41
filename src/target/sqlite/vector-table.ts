/** What a search or an index build must know of a table with a vector column. Only reads. */
import type { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { readDeclaredType } from './column-types.ts';

/** A table seen from one of its vector columns. */
export interface VectorTable {
  /** As spelled in the file; SQLite's names do not tell cases apart. */
  readonly name: string;
  readonly column: string;
  readonly dimensions: number;
  /** A name of the row id that no column hides; undefined without one (WITHOUT ROWID, or all three names are taken), and then only exact search is possible. */
  readonly rowid: string | undefined;
  /** The column that is the row id (INTEGER PRIMARY KEY); without one VACUUM may number the rows anew. */
  readonly rowidColumn: string | undefined;
  readonly key: readonly string[];
  /** All that can be asked for, vectors included. */
  readonly columns: readonly string[];
  /** Dimensions by vector column. */
  readonly vectors: ReadonlyMap<string, number>;
}

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly pk: number;
}

interface TableRow {
  readonly name: string;
  readonly type: string;
  readonly wr: number;
}

const rowidNames = ['rowid', '_rowid_', 'oid'];

/** Whether the file has a table of this name. */
export function hasTable(db: DatabaseSync, name: string): boolean {
  return db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`).get(name) !== undefined;
}

/**
 * Describes a table and its vector column.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN (also for a column that holds no vectors)
 */
export function describeVectorTable(db: DatabaseSync, table: string, column: string): VectorTable {
  const found = db.prepare(`SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE`).get(table);
  const known = found as TableRow | undefined;
  if (known === undefined) {
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${table} in the database.`, {
      hint: 'Check the name, or load into it first: sluice load … --table NAME.',
    });
  }
  const columns = db
    .prepare(`SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`)
    .all(known.name) as unknown as ColumnRow[];
  const vectors = readVectorColumns(db, known.name, columns);
  const name = columns.find((each) => each.name.toLowerCase() === column.toLowerCase())?.name;
  const dimensions = name === undefined ? undefined : vectors.get(name);
  if (name === undefined || dimensions === undefined) throw unknownColumn(known.name, column, [...vectors.keys()]);
  const key = columns.filter((each) => each.pk > 0).sort((a, b) => a.pk - b.pk);
  const hasRowid = known.type === 'table' && known.wr === 0;
  return {
    name: known.name,
    column: name,
    dimensions,
    rowid: hasRowid ? findRowidName(columns) : undefined,
    rowidColumn: hasRowid ? findRowidColumn(db, known.name, key) : undefined,
    key: key.map((each) => each.name),
    columns: columns.map((each) => each.name),
    vectors,
  };
}

function unknownColumn(table: string, column: string, vectors: readonly string[]): SluiceError {
  const hint = vectors.length === 0 ? 'Load it with vectors or with --embed.' : `Vector columns: ${vectors.join(', ')}.`;
  return new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${table} has no vector column ${column}.`, { hint });
}

/** By declared type; a column that was declared otherwise (an older table's BLOB) by what the ledger says was loaded into it. */
function readVectorColumns(db: DatabaseSync, table: string, columns: readonly ColumnRow[]): ReadonlyMap<string, number> {
  const vectors = new Map<string, number>();
  if (hasTable(db, 'sluice_vectors')) {
    const names = new Set(columns.map((each) => each.name));
    const rows = db.prepare(`SELECT column_name, dimensions FROM sluice_vectors WHERE table_name = ? COLLATE NOCASE`).all(table);
    for (const row of rows) {
      if (names.has(String(row['column_name']))) vectors.set(String(row['column_name']), Number(row['dimensions']));
    }
  }
  for (const { name, type } of columns) {
    const declared = readDeclaredType(type).dimensions;
    if (declared !== undefined && declared > 0) vectors.set(name, declared);
  }
  return vectors;
}

function findRowidName(columns: readonly ColumnRow[]): string | undefined {
  const taken = new Set(columns.map((column) => column.name.toLowerCase()));
  return rowidNames.find((name) => !taken.has(name));
}

/** An INTEGER PRIMARY KEY is the row id itself, unless it was declared DESC: then it has an index of its own. */
function findRowidColumn(db: DatabaseSync, table: string, key: readonly ColumnRow[]): string | undefined {
  const [only, ...others] = key;
  if (only === undefined || others.length > 0 || !/^integer$/iu.test(only.type)) return undefined;
  const ownIndex = db.prepare(`SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'`).get(table);
  return ownIndex === undefined ? only.name : undefined;
}

/** The condition that a value is a vector of the column's length. Other values are skipped, and counted by `sluice_skipped`. */
export function isVectorSql(table: VectorTable): string {
  const column = quoteIdentifier(table.column);
  // Blobs come behind all other values. A comparison is quicker than a call of typeof().
  return `${column} >= x'' AND length(${column}) = ${String(table.dimensions * 4)}`;
}

/** The floats of a stored vector, little-endian whatever the machine; a view of the bytes where that is possible. */
export function readVector(bytes: Uint8Array): Float32Array {
  if (isLittleEndian && bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, index) => view.getFloat32(index * 4, true));
}

/** The bytes of a vector as the table holds them. */
export function writeVector(vector: Float32Array): Uint8Array {
  if (isLittleEndian) return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  const view = new DataView(new ArrayBuffer(vector.byteLength));
  vector.forEach((value, index) => view.setFloat32(index * 4, value, true));
  return new Uint8Array(view.buffer);
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
