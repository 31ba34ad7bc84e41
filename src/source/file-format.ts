/** The contract of a format whose files are opened one by one and are no lines of text: Parquet, Arrow, npy, fvecs. Adding one adds a line to binary-formats.ts. */
import type { Position, VectorValues } from '../rows/batch.ts';
import type { ByteFile } from './files/byte-file.ts';
import type { DeclaredField, ReadOptions, Records, Sample, Shard, SourceOptions } from './source.ts';

/** A part of one file that can be read alone: a row group, a record batch, a range of rows. `start` and `end` are rows of the file; the digests are those of its bytes. */
export type FilePart = Pick<Shard, 'start' | 'end' | 'head' | 'tail'> & {
  /** Bytes of the file that reading the part takes, about; for progress, and added up they are the file's size. */
  readonly byteCount: number;
};

/** Rows that are vectors of one length, of which any can be read at any time. */
export interface VectorRows {
  readonly dimensions: number;
  readonly rowCount: number;
  /** Bytes of a row in the file. */
  readonly rowBytes: number;
  /** Rows from one ordinal to another, in memory of their own. */
  read(start: number, end: number): Promise<VectorValues>;
  /** Hex digest of the first few numbers of some rows. */
  digest(start: number, end: number): Promise<string>;
}

/** One opened file. */
export interface OpenedFile {
  /** Names of the fields, in the order of the file. Files of one load must have the same ones. */
  readonly fields: readonly string[];
  /** The types that the file declares. Two files that declare another type for the same field disagree. */
  readonly declared: readonly DeclaredField[];
  /** Rows in all, where the file says so. */
  readonly rowCount: number | undefined;
  /** A few rows, from more than one place where that is cheap. */
  sample(signal?: AbortSignal): Promise<Sample>;
  /** Parts of about `targetBytes`, in order, together covering every row once. */
  parts(targetBytes: number, signal?: AbortSignal): AsyncIterable<FilePart>;
  /**
   * The rows of a part from a position on (`offset` = row of the file, `row` and `line` = rows since the part's start), in stretches of at most about
   * 512 KiB of values, or one row. Fields that `options.columns` does not ask for are not read.
   */
  read(part: Pick<Shard, 'start' | 'end'>, from: Position, options: ReadOptions): AsyncIterable<Records>;
  /** The digests that a part has now, as {@link parts} gave them; a resume compares. Without it the file's size, first and last bytes are compared alone. */
  digestPart?(part: Pick<Shard, 'start' | 'end'>): Promise<Pick<Shard, 'head' | 'tail'>>;
  /** The file can only be read as a whole, from its start: it is one part. */
  readonly isWhole?: boolean | undefined;
  /** Of a file of vectors, which can stand beside the rows of another source. */
  readonly vectors?: VectorRows | undefined;
  close(): Promise<void>;
}

/** A binary format. Every length, count and offset that a file states is checked against the file's own size before memory is taken for it. */
export interface FileFormat {
  readonly name: string;
  /**
   * Reads what the file says of itself. The file stays the caller's to close.
   * @throws SLUICE_SOURCE_INVALID for a file that is truncated, corrupt, encrypted, or of a kind that can't be read; SLUICE_USAGE for an option
   */
  open(file: ByteFile, options: SourceOptions): Promise<OpenedFile>;
}
