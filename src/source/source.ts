/** The contract of a source: what a format must do to be loaded. A source yields records in order and never drops one in silence. */
import type { Column, ColumnType } from '../rows/schema.ts';
import type { ColumnValues, Places, Position, Reject, VectorValues } from '../rows/batch.ts';

/** A part of a source that can be read alone. Plain data; stands in the ledger. */
export interface Shard {
  /** Place in the order of the input, from 0. */
  readonly ordinal: number;
  /** Which of the source's files, from 0. */
  readonly file: number;
  /** First byte (or row, for sources without bytes). */
  readonly start: number;
  /** Byte after the last one; undefined where the end is not known (a stream). */
  readonly end?: number;
  /**
   * Digests of the shard's first and last 4 KiB, hex; empty for a stream. Resuming compares them. Of a database: the shard's range of keys, pages or row ids
   * as JSON, and a digest of what the table was where rows of it could change their shard; empty for none. Of several small files: see rows/joined-place.ts.
   */
  readonly head: string;
  readonly tail: string;
}

/** What the two kinds of records share. */
interface RecordStretch {
  readonly rowCount: number;
  readonly places: Places;
  /** Rows of this stretch that could not be read. They are not among the `rowCount` rows. */
  readonly rejects: readonly Reject[];
  /** The place after the stretch: where reading goes on once it is committed. */
  readonly end: Position;
  /** Bytes of the source that the stretch took, for progress and budgets. */
  readonly byteCount: number;
  /** The position after the first `rowCount` rows, for sources whose positions are more than the place of the next row. */
  readonly endAt?: ((rowCount: number) => Position) | undefined;
  /** Columns of vectors that stand beside the rows, out of another file; row `r` of each belongs to row `r` of the stretch. */
  readonly beside?: readonly BesideColumn[] | undefined;
  /** A row with what stands beside it, as it is kept when it is refused; `places.raw` by default. */
  readonly rawBeside?: ((index: number) => string) | undefined;
}

/** A field that another file holds. */
export interface BesideColumn {
  readonly field: string;
  readonly values: VectorValues;
}

/**
 * Rows of a delimited text format. Field `f` of row `r` is `bytes[starts[r * width + f] … ends[r * width + f])`, quotes outside.
 */
export interface TextRecords extends RecordStretch {
  readonly kind: 'text';
  readonly fields: readonly string[];
  readonly bytes: Uint8Array;
  /** Of all `bytes`. */
  readonly isAscii: boolean;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Per field: 0 as it stands · 1 was quoted · 2 was quoted and holds doubled quotes. */
  readonly quoting: Uint8Array;
  /** The quote character's byte, to undouble by; -1 for none. */
  readonly quote: number;
  /** An unquoted field with exactly this text is null. */
  readonly nullText: string;
}

/** Rows as JavaScript objects: parsed JSON lines, or objects in memory. */
export interface ValueRecords extends RecordStretch {
  readonly kind: 'values';
  readonly values: readonly Readonly<Record<string, unknown>>[];
  /** True: `places.raw(i)` is the JSON text that the row was parsed from, so digits lost by JSON.parse can be read again from it. */
  readonly isJsonText: boolean;
}

/** Rows by column, their values in memory as {@link Scalar} says: of a database or a columnar file, whose types are known. Row `r` of field `f` is `values[f].values[r]`. */
export interface ColumnRecords extends RecordStretch {
  readonly kind: 'columns';
  readonly fields: readonly string[];
  readonly values: readonly ColumnValues[];
  /** Types of the values, by field, where the source knows them: text that is `json` is told from other text by it. */
  readonly types?: readonly (ColumnType | undefined)[] | undefined;
}

export type Records = TextRecords | ValueRecords | ColumnRecords;

/** Rows that a batch builder for the same columns has checked already: `values[i]` belongs to `columns[i]`. What did not fit is among the rejects. */
export interface CheckedRecords extends RecordStretch {
  readonly kind: 'checked';
  readonly values: readonly ColumnValues[];
  /** Bytes that they take in a batch, as the builder counted them. */
  readonly memoryBytes: number;
}

/** What a shard is read as: by its lane, or checked by the thread that reads for it. */
export type Stretch = Records | CheckedRecords;

/** The reading end of a source, as a lane sees it. */
export interface RowReader {
  read(shard: Shard, from: Position, options: ReadOptions): AsyncIterable<Stretch>;
}

/** What a source that knows its types says of a field; taken instead of what the values look like. */
export interface DeclaredField {
  readonly name: string;
  readonly type: ColumnType;
  readonly dimensions?: number;
  readonly isNullable: boolean;
}

/** Rows for schema inference: from the start and, where the source can seek, from the middle and the end. */
export interface Sample {
  /** Field names in the order of the source. */
  readonly fields: readonly string[];
  readonly stretches: readonly Records[];
  /** Mean bytes of a row in the sample; undefined for sources without bytes. */
  readonly meanRowBytes: number | undefined;
  /** The fields with their types, where the source knows them. */
  readonly declared?: readonly DeclaredField[] | undefined;
  /** Rows in all, as far as the source can tell without reading them. */
  readonly estimatedRows?: number | undefined;
}

export interface ReadOptions {
  /** The columns that the load needs; others may be left out of what is yielded. */
  readonly columns: readonly Column[];
  readonly signal?: AbortSignal | undefined;
}

/** What a reader in another thread or process needs to open the same source. Plain data. */
export interface SourceDescriptor {
  /** Paths, or the one URL of a database. */
  readonly files: readonly string[];
  readonly options: SourceOptions;
  /** What all readers of one session share, such as the name of a database's snapshot and the password; another session gets its own. Never kept. */
  readonly shared?: string | undefined;
  /** `set`: files that are opened one by one, see file-set.ts; plain files of text when undefined. */
  readonly reader?: 'set' | undefined;
  /** What the source is and what it held, where `files` are no paths: equal texts are the same input. What such a source gives the second time may still be something else. */
  readonly identity?: string | undefined;
}

/** A line of the plan; the same as a decision of a target. */
export interface SourceDecision {
  readonly what: string;
  readonly choice: string;
  readonly why: string;
}

export interface Source {
  /** For messages and reports: a path, `stdin`, `iterable`. */
  readonly name: string;
  readonly format: string;
  /** Bytes in all; undefined for a stream. */
  readonly byteCount: number | undefined;
  /** Whether a shard can be read again from a position (a file), or rows must be read past again (a stream). */
  readonly isSeekable: boolean;
  /** How another thread opens it; undefined where it can't. */
  readonly descriptor: SourceDescriptor | undefined;
  /** Only this object can read it, on the thread that opened it: one lane. */
  readonly hasOneReader?: boolean | undefined;
  /** What is to be said about resuming and about rows that change while the load runs; a clause. */
  readonly guarantee?: string | undefined;
  /** How many files there are, where files can't be cut (compressed ones): each is a shard, whatever its size, or small ones are one together. */
  readonly wholeShards?: number | undefined;
  /** Bytes of the largest of them. */
  readonly largestWholeBytes?: number | undefined;
  /** What was decided about the input, for the plan: how its format was told, which files were taken. */
  readonly decisions?: readonly SourceDecision[] | undefined;
  /** Called once, before `shards`. A stream keeps what it read and yields it again. */
  sample(signal?: AbortSignal): Promise<Sample>;
  /** Shards of about `targetBytes`, in order, together covering the source exactly once. A stream is one shard. */
  shards(targetBytes: number, signal?: AbortSignal): AsyncIterable<Shard>;
  /** The same, but files that are much smaller than that go together into one shard, see joined-shard.ts; undefined where there are none. */
  joinedShards?(targetBytes: number, signal?: AbortSignal): AsyncIterable<Shard>;
  /** The records of a shard from a position on, in order. Each yielded stretch is at most about 512 KiB of input or one row. */
  read(shard: Shard, from: Position, options: ReadOptions): AsyncIterable<Records>;
  /** Rows of a shard, refused ones included, where that is told much sooner than by reading them; undefined where it is not. */
  countRows?(shard: Shard, signal?: AbortSignal): Promise<number | undefined>;
  /** Where a row of a source without places of its own, by its ordinal, stood at first: kept rows of an earlier load. Undefined for none. */
  readonly originOf?: ((row: number) => { readonly file: string; readonly line: number | null } | undefined) | undefined;
  /** Which of the given shards no longer have the digests they had. */
  changed(shards: readonly Shard[]): Promise<readonly Shard[]>;
  /** Every row has been read: a snapshot that is held is let go. What is read afterwards is read as it is then. */
  release?(): Promise<void>;
  close(): Promise<void>;
}

/** Options that decide how bytes become rows. Plain data. */
export interface SourceOptions {
  /** `jsonl` or `csv` or `tsv`; by the file's name when undefined. */
  readonly format?: string | undefined;
  /** CSV: names of the fields, when the file has no header line. */
  readonly columns?: readonly string[] | undefined;
  /** CSV: one byte; `,` by default, tab for tsv. */
  readonly delimiter?: string | undefined;
  /** CSV: one byte, `"` by default; empty for none. */
  readonly quote?: string | undefined;
  /** CSV: an unquoted field with this text is null; empty text by default. */
  readonly nullText?: string | undefined;
  /** A longer row is refused; 16 MiB by default. */
  readonly maxRowBytes?: number | undefined;
  /** How the file is compressed; by its name or first bytes when undefined. */
  readonly compression?: 'none' | 'gzip' | 'zstd' | 'brotli' | undefined;
  /** A file of vectors (`.npy`, `.fvecs`), a path or URL: its row n is the vector of row n of the source, all its files taken together. */
  readonly zip?: string | undefined;
  /** Name of the field that the vectors of `zip`, or of a file of vectors alone, have; `vector` by default. */
  readonly vectorField?: string | undefined;
  /** Ends the waiting for a server while the source is opened and sampled; it is no part of what the source is. */
  readonly signal?: AbortSignal | undefined;
}

/** What `load({ from })` takes. */
export type SourceInput = string | URL | readonly string[] | Iterable<unknown> | AsyncIterable<unknown> | ReadableStream<unknown>;
