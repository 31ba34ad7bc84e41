/** The shape of a row: column types and columns. A schema is plain data that can be sent to another thread. */

/** The types a column of sluice may have. Values of each are held in memory as {@link Scalar} says. */
export const scalarTypes = ['integer', 'real', 'text', 'boolean', 'bytes', 'json', 'timestamp', 'date', 'uuid', 'decimal'] as const;

/** A type whose values stand in an array, one per row. */
export type ScalarType = (typeof scalarTypes)[number];

/** A column type; a `vector` has its dimension beside it in {@link Column}. */
export type ColumnType = ScalarType | 'vector';

/** One column of the target table and the field of the source that fills it. */
export interface Column {
  /** Name in the target table. */
  readonly name: string;
  /** Name of the field in the source; the same as `name` unless mapped. */
  readonly field: string;
  readonly type: ColumnType;
  /** Length of a vector, 1 to 65,536; only for `vector`. */
  readonly dimensions?: number;
  /** False: a missing or null value makes a reject. */
  readonly isNullable: boolean;
  /** True where the type was guessed from a sample: a value that the guess would alter (a padded `00123` in an integer column) makes a reject. */
  readonly isGuessed?: boolean;
  /** True for a vector that is compared by cosine: an all-zero vector makes a reject. */
  readonly needsNorm?: boolean;
  /** True for the vector column that the embedding stage fills; no field of the source is read for it. */
  readonly isEmbedded?: boolean;
  /** What of a row's origin stands in the column; the flow fills it, no field of the source does, and it is no part of what a row is. */
  readonly provenance?: 'load' | 'file' | 'line';
}

/**
 * A value in memory, by column type:
 * integer: `number` if safe, else `bigint` within 64 bits · real: finite `number` · text: `string` · boolean: `boolean` ·
 * bytes: `Uint8Array` · json: its JSON text, as it stood in the source · timestamp: `YYYY-MM-DDTHH:MM:SS[.ffffff…]Z` (UTC; without the `Z` if the
 * source named no zone) · date: `YYYY-MM-DD` · uuid: 36 lower-case characters · decimal: digits with an optional sign and point, no exponent,
 * every digit of the source kept.
 */
export type Scalar = string | number | bigint | boolean | Uint8Array | null;
