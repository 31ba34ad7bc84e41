/** A column of a load as PostgreSQL's binary form needs it: the load's own column and the exact type that the table has for it. */
import type { Column } from '../../rows/schema.ts';

export interface WireType {
  /** `pg_type.typname` with domains resolved: int4, text, vector, mood …; of an array that of its elements. */
  readonly name: string;
  readonly oid: number;
  /** `atttypmod`, -1 for none: length + 4 of varchar and bpchar, precision and scale of numeric, dimensions of a vector. */
  readonly typmod: number;
  /** A one-dimensional array of `name`; `oid` is then the array's, `elementOid` that of its elements. */
  readonly isArray: boolean;
  readonly elementOid: number;
  /** `enum`: sent as text of its label · `base` · `other` (composite, range …: no binary form that is known). */
  readonly kind: 'base' | 'enum' | 'other';
  /** Oid of the type of arrays of this type, as the catalogs have it; absent where the type is not read from them, or has none. */
  readonly arrayOid?: number;
}

export interface WireColumn {
  readonly column: Column;
  readonly type: WireType;
}

/** Type names by column, without typmods: a varchar that was made longer takes what comes. */
export type TypeNames = Readonly<Record<string, string>>;

export function nameTypes(columns: readonly WireColumn[]): TypeNames {
  return Object.fromEntries(columns.map(({ column, type }) => [column.name, type.isArray ? `${type.name}[]` : type.name]));
}
