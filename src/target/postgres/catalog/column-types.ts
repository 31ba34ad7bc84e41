/** Column types of sluice and PostgreSQL's: what a new column is declared as, and what a declared type means to sluice. */
import type { Column, ColumnType } from '../../../rows/schema.ts';
import type { TargetOptions } from '../../driver.ts';
import type { WireType } from '../wire-column.ts';

/** Types by `typname`; everything else is loaded as text, which PostgreSQL reads as it reads what a person types. */
const sluiceTypes: Readonly<Record<string, ColumnType>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  float4: 'real',
  float8: 'real',
  numeric: 'decimal',
  bool: 'boolean',
  bytea: 'bytes',
  json: 'json',
  jsonb: 'json',
  uuid: 'uuid',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  vector: 'vector',
  halfvec: 'vector',
};

/** What a column of that type is to sluice. Arrays come as JSON arrays. A vector without a dimension in its type says none. */
export function readColumnType(type: Pick<WireType, 'name' | 'isArray' | 'typmod'>): {
  readonly type: ColumnType;
  readonly dimensions?: number;
} {
  if (type.isArray) return { type: 'json' };
  const known = sluiceTypes[type.name] ?? 'text';
  return known === 'vector' && type.typmod > 0 ? { type: known, dimensions: type.typmod } : { type: known };
}

/** The built-in types of new columns with their oids, which are the same in every server (`pg_type.dat`). */
const newTypes: Readonly<Record<Exclude<ColumnType, 'vector'>, { readonly sql: string; readonly name: string; readonly oid: number }>> = {
  integer: { sql: 'bigint', name: 'int8', oid: 20 },
  real: { sql: 'double precision', name: 'float8', oid: 701 },
  text: { sql: 'text', name: 'text', oid: 25 },
  boolean: { sql: 'boolean', name: 'bool', oid: 16 },
  bytes: { sql: 'bytea', name: 'bytea', oid: 17 },
  json: { sql: 'jsonb', name: 'jsonb', oid: 3802 },
  timestamp: { sql: 'timestamptz', name: 'timestamptz', oid: 1184 },
  date: { sql: 'date', name: 'date', oid: 1082 },
  uuid: { sql: 'uuid', name: 'uuid', oid: 2950 },
  decimal: { sql: 'numeric', name: 'numeric', oid: 1700 },
};

type Declared = Pick<Column, 'type' | 'dimensions'>;

/** What a new column is declared as. */
export function declareType(column: Declared, options: Pick<TargetOptions, 'vectorType'> = {}): string {
  if (column.type !== 'vector') return newTypes[column.type].sql;
  return `${options.vectorType ?? 'vector'}(${String(column.dimensions ?? 0)})`;
}

/** The wire type that a new column will have. An extension's type has an oid only once it is made: 0 until then. */
export function describeNewType(column: Declared, options: Pick<TargetOptions, 'vectorType'> = {}): WireType {
  if (column.type === 'vector') {
    const name = options.vectorType ?? 'vector';
    return { name, oid: 0, typmod: column.dimensions ?? -1, isArray: false, elementOid: 0, kind: 'base' };
  }
  const { name, oid } = newTypes[column.type];
  return { name, oid, typmod: -1, isArray: false, elementOid: 0, kind: 'base' };
}
