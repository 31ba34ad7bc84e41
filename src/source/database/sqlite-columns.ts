/** Columns of an SQLite source: their declared types, believed as far as the sampled values bear them out, and rows laid out by column. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { ColumnValues } from '../../rows/batch.ts';
import type { Scalar, ScalarType } from '../../rows/schema.ts';
import { checkJson } from '../../rows/text-value.ts';
import { isUnfit } from '../../rows/unfit.ts';
import { convertValue } from '../../rows/value.ts';
import { quoteIdentifier } from '../../target/sql-text.ts';
import { readDeclaredType, type ReadType } from '../../target/sqlite/column-types.ts';
import type { ColumnBlock } from './column-stretch.ts';

/** A column of what is read. */
export interface SqliteField {
  readonly name: string;
  /** What is selected for it. */
  readonly sql: string;
  /** As declared, if it was. */
  readonly declared: ReadType | undefined;
  readonly isNullable: boolean;
}

export type SqliteRow = readonly SQLOutputValue[];

/** The columns of a table or view, with what the ledger knows of vectors that were declared as plain BLOBs. */
export function readTableFields(db: DatabaseSync, table: string): readonly SqliteField[] {
  const vectors = readVectors(db, table);
  const rows = db
    .prepare(`SELECT name, type, "notnull" AS required, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`)
    .all(table);
  return rows.map((row) => {
    const name = String(row['name']);
    const dimensions = vectors.get(name);
    const declared: ReadType | undefined = dimensions === undefined ? readType(row['type']) : { type: 'vector', dimensions };
    return { name, sql: selectColumn(name, declared), declared, isNullable: row['required'] === 0 && row['pk'] === 0 };
  });
}

function readVectors(db: DatabaseSync, table: string): ReadonlyMap<string, number> {
  const hasLedger = db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sluice_vectors'`).get() !== undefined;
  if (!hasLedger) return new Map();
  const rows = db.prepare(`SELECT column_name, dimensions FROM sluice_vectors WHERE table_name = ? COLLATE NOCASE`).all(table);
  return new Map(rows.map((row) => [String(row['column_name']), Number(row['dimensions'])]));
}

/** The columns of a query: a type is known where a column of a table is handed through. */
export function readQueryFields(statement: StatementSync): readonly SqliteField[] {
  return statement.columns().map(({ name, type }) => {
    const declared = readType(type);
    return { name, sql: selectColumn(name, declared), declared, isNullable: true };
  });
}

function readType(type: unknown): ReadType | undefined {
  return typeof type === 'string' && type.trim() !== '' ? readDeclaredType(type) : undefined;
}

/** SQLite's own binary JSON is turned into text: it means nothing elsewhere. 8: the BLOB is JSONB throughout. */
function selectColumn(name: string, declared: ReadType | undefined): string {
  const column = quoteIdentifier(name);
  if (declared?.type !== 'json') return column;
  return `CASE WHEN typeof(${column}) = 'blob' AND json_valid(${column}, 8) THEN json(${column}) ELSE ${column} END AS ${column}`;
}

/** The field without its declared type where a sampled value shows that the type is not kept to: SQLite lets any value into any column. */
export function trustDeclared(field: SqliteField, values: ColumnValues): SqliteField {
  const { declared } = field;
  if (declared === undefined || values.kind === 'vector') return field;
  const isKept = values.values.every((value) => value === null || holds(declared, value));
  return isKept ? field : { ...field, declared: undefined };
}

function holds({ dimensions, type }: ReadType, value: Scalar): boolean {
  if (type === 'vector') return value instanceof Uint8Array && value.length === 4 * (dimensions ?? 0);
  if (type === 'json') return typeof value === 'string' && !isUnfit(checkJson(value));
  if (type === 'bytes') return value instanceof Uint8Array;
  return !isUnfit(convertValue(type satisfies ScalarType, value, () => undefined));
}

/** Rows by column: integers as numbers where those are exact, vectors of the declared length in one array. */
export function layOutRows(rows: readonly SqliteRow[], fields: readonly (SqliteField | undefined)[], byteCount: number): ColumnBlock {
  const values = fields.map((field, index) => {
    const dimensions = field?.declared?.dimensions;
    return (dimensions === undefined ? undefined : layOutVectors(rows, index, dimensions)) ?? layOutScalars(rows, index);
  });
  return { values, rowCount: rows.length, byteCount };
}

function layOutScalars(rows: readonly SqliteRow[], index: number): ColumnValues {
  return { kind: 'scalar', values: rows.map((row) => toScalar(row[index] ?? null)) };
}

function toScalar(value: SQLOutputValue): Scalar {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** undefined where a value is no vector of that length: then all stay as they are, and the row is refused when the column is made. */
function layOutVectors(rows: readonly SqliteRow[], index: number, dimensions: number): ColumnValues | undefined {
  const values = new Float32Array(rows.length * dimensions);
  const bytes = new Uint8Array(values.buffer);
  let nulls: Uint8Array | undefined;
  for (let row = 0; row < rows.length; row++) {
    const value = rows[row]?.[index] ?? null;
    if (value instanceof Uint8Array && value.length === dimensions * 4) bytes.set(value, row * dimensions * 4);
    else if (value === null) {
      nulls ??= new Uint8Array(rows.length);
      nulls[row] = 1;
    } else return undefined;
  }
  return { kind: 'vector', dimensions, values, nulls };
}

/** Bytes that a row takes, about as a file of it would. */
export function measureRow(row: SqliteRow): number {
  let bytes = 0;
  for (const value of row) {
    if (typeof value === 'string') bytes += value.length;
    else bytes += value instanceof Uint8Array ? value.length : 8;
  }
  return bytes;
}
