/** A batch: consecutive rows of one shard, by column, with the place that each row came from. */
import type { Column, Scalar } from './schema.ts';

/** A place in a shard between two rows. Plain data; stands in the ledger as JSON. All counts start at 0 at the shard's start, `offset` at the file's. */
export interface Position {
  /** Byte offset in the source (rows for sources without bytes). */
  readonly offset: number;
  /** Rows read before this place, refused ones included. */
  readonly row: number;
  /** Lines before this place. */
  readonly line: number;
}

/** Where each row of a batch or a stretch of records came from. `offsets` count from the file's start, `rows` and `lines` from the shard's. */
export interface Places {
  readonly offsets: Float64Array;
  readonly rows: Float64Array;
  readonly lines: Float64Array;
  /** The row as it stood in the source (JSON of it, for objects in memory); read on demand, only while the batch lives. */
  readonly raw: (index: number) => string;
  /** The texts of all rows in one piece, for another thread; undefined where they are to be had by `raw` alone. To be asked before the next stretch is. */
  readonly copyTexts?: (() => RowTexts) | undefined;
}

/** Texts of rows: UTF-8 bytes `start … start + lengths[r]` of row `r`, where `start` is the row's offset less `base`. */
export interface RowTexts {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly base: number;
  readonly lengths: Int32Array<ArrayBuffer>;
}

/** Values of a scalar column, one per row. */
export interface ScalarValues {
  readonly kind: 'scalar';
  readonly values: readonly Scalar[];
}

/** Values of a vector column, `[rows, dimensions]` in one array. */
export interface VectorValues {
  readonly kind: 'vector';
  readonly dimensions: number;
  readonly values: Float32Array;
  /** 1 where the row has no vector; undefined when every row has one. */
  readonly nulls: Uint8Array | undefined;
}

export type ColumnValues = ScalarValues | VectorValues;

/** Consecutive rows of one shard. `values[i]` belongs to `columns[i]`. */
export interface Batch {
  readonly columns: readonly Column[];
  readonly values: readonly ColumnValues[];
  readonly rowCount: number;
  /** Estimated bytes that the batch holds in memory. */
  readonly byteCount: number;
  readonly places: Places;
}

/** Why a row was refused, in classes that are counted apart. */
export type RejectClass = 'unreadable' | 'unfit' | 'refused' | 'unembeddable';

/** Codes of single rows. They stand in the ledger and are stable; docs/errors.md lists them. */
export const rejectCodes = {
  ROW_JSON_INVALID: 'unreadable',
  ROW_NOT_AN_OBJECT: 'unreadable',
  ROW_FIELD_COUNT: 'unreadable',
  ROW_QUOTE_UNCLOSED: 'unreadable',
  ROW_QUOTE_STRAY: 'unreadable',
  ROW_UTF8_INVALID: 'unreadable',
  ROW_TOO_LONG: 'unreadable',
  FIELD_UNKNOWN: 'unfit',
  VALUE_NULL: 'unfit',
  VALUE_TYPE: 'unfit',
  VALUE_RANGE: 'unfit',
  VALUE_INEXACT: 'unfit',
  VALUE_FORMAT: 'unfit',
  VECTOR_DIMENSION: 'unfit',
  VECTOR_NOT_FINITE: 'unfit',
  VECTOR_ZERO: 'unfit',
  VECTOR_ELEMENT: 'unfit',
  REFUSED_UNIQUE: 'refused',
  REFUSED_NOT_NULL: 'refused',
  REFUSED_CHECK: 'refused',
  REFUSED_FOREIGN_KEY: 'refused',
  REFUSED_TRIGGER: 'refused',
  REFUSED_TYPE: 'refused',
  REFUSED_TOO_BIG: 'refused',
  REFUSED_OTHER: 'refused',
  TEXT_EMPTY: 'unembeddable',
  TEXT_NULL: 'unembeddable',
  TEXT_TOO_LONG: 'unembeddable',
} as const;

export type RejectCode = keyof typeof rejectCodes;

/** One row that was refused, with its place. The class follows from the code. */
export interface Reject {
  readonly code: RejectCode;
  /** What is wrong, without any of the row's values. */
  readonly message: string;
  /** The target column that is to blame, where one is. */
  readonly column?: string;
  /** Ordinal of the row in its shard, from 0, refused rows counted. */
  readonly row: number;
  /** Byte offset of the row in the source (row ordinal for sources without bytes). */
  readonly offset: number;
  /** Ordinal of the row's first line in its shard, from 0. */
  readonly line: number;
  /** The original row, cut by the ledger at its size cap; undefined when it could not be kept. */
  readonly raw?: string;
}

/** What a reject takes beside its texts: an object of eight fields and its share of an array, as V8 lays them out (8 × 8 + header), rounded up. */
const rejectOverheadBytes = 128;

/** Estimated bytes that a reject holds in memory. */
export function measureReject({ message, raw }: Reject): number {
  return rejectOverheadBytes + 2 * (message.length + (raw?.length ?? 0));
}
