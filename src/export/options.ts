/** What an export may be asked for, what it tells, and the contract of a format that rows are written in. Plain data but for the stream, the signal and the callback. */
import type { NamesOf } from '../option-names.ts';
import type { ColumnValues } from '../rows/batch.ts';
import type { ColumnType } from '../rows/schema.ts';

export const exportFormats = ['jsonl', 'csv', 'tsv', 'parquet', 'npy'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export interface ExportOptions {
  /** URL of the database, e.g. `sqlite:library.db`. */
  readonly in: string;
  readonly table: string;
  /** Path of the file, or a stream that gets the bytes and is left open. A file becomes visible whole, at the end. */
  readonly out: string | NodeJS.WritableStream;
  /** By the name of the file; needed for a stream. */
  readonly format?: ExportFormat | undefined;
  /** By the name of the file (`.gz`, `.zst`); `none` for a stream. */
  readonly compression?: 'none' | 'gzip' | 'zstd' | undefined;
  /** In this order; all but generated ones by default, for npy the one vector column. */
  readonly columns?: readonly string[] | undefined;
  /** An SQL expression over the table's columns. Values stand in it: it is for people, not for untrusted input. */
  readonly where?: string | undefined;
  /** At most so many rows, the first ones. */
  readonly limit?: number | undefined;
  /** npy: a second file with the key of each vector, in the same order; jsonl, csv or tsv by its name. */
  readonly ids?: string | undefined;
  /** Files that are there already are written over; they are refused by default. */
  readonly overwrites?: boolean | undefined;
  /** How long a locked database is waited for; 30,000 ms by default. */
  readonly lockTimeoutMs?: number | undefined;
  readonly onProgress?: ((progress: ExportProgress) => void) | undefined;
  /** Ends with SLUICE_CANCELLED; nothing is left behind. */
  readonly signal?: AbortSignal | undefined;
}

export const exportNames: NamesOf<ExportOptions> = {
  in: true,
  table: true,
  out: true,
  format: true,
  compression: true,
  columns: true,
  where: true,
  limit: true,
  ids: true,
  overwrites: true,
  lockTimeoutMs: true,
  onProgress: true,
  signal: true,
};

export interface ExportProgress {
  readonly rows: number;
  /** As estimated; undefined where nobody knows. */
  readonly totalRows: number | undefined;
  /** Written so far, before compression. */
  readonly bytes: number;
  readonly elapsedMs: number;
}

export interface ExportReport {
  readonly schema: 1;
  /** Password taken out. */
  readonly database: string;
  readonly table: string;
  /** Absolute path, or `stream`. */
  readonly file: string;
  readonly format: ExportFormat;
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** Rows of the table that were read: `rows = written + withoutVector`. */
  readonly rows: number;
  readonly written: number;
  /** npy: rows whose vector is null; they are not in the file. */
  readonly withoutVector: number;
  /** Each column and what it became. */
  readonly columns: readonly { readonly name: string; readonly type: string; readonly as: string }[];
  /** Columns that were left out, and why. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  /** Of the file, compressed; undefined for a stream. */
  readonly bytes: number | undefined;
  readonly elapsedMs: number;
}

/** A column of an export. */
export interface ExportColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Of a vector; undefined where the table fixes none. */
  readonly dimensions: number | undefined;
  readonly isNullable: boolean;
}

/** Consecutive rows; `values[i]` belongs to column `i`. */
export interface RowBlock {
  readonly rowCount: number;
  readonly values: readonly ColumnValues[];
}

/** Turns rows into the bytes of a file, in order, with memory for a few megabytes of them. */
export interface RowWriter {
  /** What the columns become, in words, by column. */
  readonly forms: readonly string[];
  /** Bytes that these rows (and those kept back before) make. */
  write(block: RowBlock): readonly Uint8Array[];
  /** The rest. */
  end(): readonly Uint8Array[];
  /** Bytes that take the place of the file's first ones, when all rows are known; the file must be seekable then. */
  readonly start?: (() => Uint8Array) | undefined;
  /** Rows that are not in the file because they have no vector. */
  readonly skippedCount?: (() => number) | undefined;
}
