/** What a caller may ask of a load, and what a load answers: options, events, report. Plain data but for the source, the signal and the callback. */
import type { Decision, LoadMode, Metric, TablePlan, TargetOptions } from '../target/driver.ts';
import type { EmbedSpec, EmptyTextPolicy } from '../embed/embedder.ts';
import type { SourceInput, SourceOptions } from '../source/source.ts';
import type { Column, ColumnType } from '../rows/schema.ts';
import type { RejectClass } from '../rows/batch.ts';
import type { Counts, EmbeddingCounts, RejectCause, VerifyCheck, StageName } from './report/report-contract.ts';

export { stageNames } from './report/report-contract.ts';
export type {
  Counts,
  EmbeddingCounts,
  Environment,
  LatencyStep,
  LoadReport,
  LoadStatus,
  RejectCause,
  RejectSample,
  ReportedPlan,
  SessionReport,
  StageName,
  StoredReport,
  SyncCounts,
  Timeline,
  VerifyCheck,
} from './report/report-contract.ts';

/** How a column of texts becomes a column of vectors. */
export interface EmbedOptions extends EmbedSpec {
  /** Column (after mapping) that holds the text. */
  readonly column: string;
  /** Column for the vector; `<column>_vector` by default, or `vector` when that is free. */
  readonly into?: string | undefined;
  /** What happens to a row without text; `reject` by default. */
  readonly emptyText?: EmptyTextPolicy | undefined;
}

/** Where computed vectors are kept between loads. */
export interface CacheOptions {
  /** Path of the cache file; `$XDG_CACHE_HOME/sluice/embeddings.db` by default. */
  readonly path?: string | undefined;
  /** Least recently used vectors are dropped above this; 4 GiB by default. */
  readonly maxBytes?: number | undefined;
}

/** The vector index that a load builds. */
export interface IndexOptions {
  readonly metric?: Metric | undefined;
  /** `auto` builds one above a size; `none` never. */
  readonly build?: 'auto' | 'always' | 'none' | undefined;
}

export interface LoadOptions extends SourceOptions {
  /** Path, paths, `-` for stdin, array, iterable, async iterable, Readable or web stream. Objects are rows; Buffers and strings are text in `format`. */
  readonly from: SourceInput;
  /** Target URL, e.g. `sqlite:library.db`. */
  readonly to: string;
  readonly table: string;
  /** Key columns. Needed for upsert and skip; makes the primary key of a new table. */
  readonly key?: readonly string[] | undefined;
  /** `insert` by default. */
  readonly mode?: LoadMode | undefined;
  /** Types by column name, over what is inferred: `{ age: 'integer', v: 'vector(384)' }`. */
  readonly types?: Readonly<Record<string, ColumnType | `vector(${number})`>> | undefined;
  /** Source field by target column. */
  readonly map?: Readonly<Record<string, string>> | undefined;
  /** Source fields that are left out. */
  readonly skipColumns?: readonly string[] | undefined;
  /** One column of texts that becomes vectors, or several, each into a column of its own. */
  readonly embed?: EmbedOptions | readonly EmbedOptions[] | undefined;
  /** `false` for no cache. */
  readonly cache?: CacheOptions | false | undefined;
  readonly index?: IndexOptions | undefined;
  /** How the target is written: all at once, without a log, without COPY … */
  readonly target?: TargetOptions | undefined;
  /** Threads; 1 to 64; the cores of the machine, at most 4 for a target with one writer, by default. */
  readonly lanes?: number | undefined;
  /** A batch is cut above this many bytes in memory; 6 MiB by default, 16 MiB for PostgreSQL. */
  readonly maxBatchBytes?: number | undefined;
  /** … or this many rows; 20,000 by default. */
  readonly maxBatchRows?: number | undefined;
  /** Bytes of a file that one lane takes at a time, 256 or more; about one batch of rows by default. A shard is never cut inside a row. */
  readonly shardBytes?: number | undefined;
  /** Rows that may be refused before the load stops: a number, or a share such as `1%`; 100,000 by default. */
  readonly maxRejects?: number | `${number}%` | undefined;
  /** Keep no copy of refused rows in the ledger. */
  readonly rejectsWithoutRows?: boolean | undefined;
  /** The load's identity, of the caller's choosing: the same label never loads twice. */
  readonly label?: string | undefined;
  /** Load again what was loaded before. */
  readonly again?: boolean | undefined;
  /** Mode sync: deletes no row when more than so many, or more than this share of the table's rows, would have to go; `10%`, or 5 rows of a small table, by default. */
  readonly maxDeletes?: number | `${number}%` | undefined;
  /** Fields that a table that exists has no column for: `ignore` (with a warning) by default · `add` a column · `refuse` the load. */
  readonly onNewColumn?: 'add' | 'refuse' | 'ignore' | undefined;
  /** Values that a column of a table that exists can't hold: `reject` the row by default · `widen` the column where that loses nothing (integer → decimal or real → text …). */
  readonly onTypeChange?: 'widen' | 'reject' | undefined;
  /** Three more columns say where a row came from: load id, file and line; off by default. Names are `sluice_load`, `sluice_file`, `sluice_line`. */
  readonly provenance?: boolean | undefined;
  /** Stops, resumable, when the load has read this many rows in all, earlier sessions included: the first ones of the input. */
  readonly limit?: number | undefined;
  /** Stops, resumable, after so long. */
  readonly maxDurationMs?: number | undefined;
  /** At most so many rows, or bytes of the source, a second, over all lanes of this process. */
  readonly rate?: RateLimit | undefined;
  /** How long a locked target is waited for; 30,000 ms by default. */
  readonly lockTimeoutMs?: number | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Aborting finishes the batches in flight and ends with SLUICE_CANCELLED; the load can be resumed. */
  readonly signal?: AbortSignal | undefined;
}

/** What a load may take of the source a second. */
export interface RateLimit {
  readonly rowsPerSecond?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
}

/** Options of `resume`: everything else comes from the ledger. */
export interface ResumeOptions {
  readonly limit?: number | undefined;
  readonly maxDurationMs?: number | undefined;
  readonly rate?: RateLimit | undefined;
  readonly maxDeletes?: LoadOptions['maxDeletes'];
  readonly in: string;
  /** Load id or label; the newest unfinished load by default. */
  readonly load?: string | undefined;
  /** A stream's rows again, from the start; files are opened by themselves. */
  readonly from?: SourceInput | undefined;
  readonly lanes?: number | undefined;
  readonly maxRejects?: LoadOptions['maxRejects'];
  readonly cache?: CacheOptions | false | undefined;
  readonly lockTimeoutMs?: number | undefined;
  readonly onProgress?: LoadOptions['onProgress'];
  readonly signal?: AbortSignal | undefined;
}

/** A moment of a running load, at most 10 a second. */
export interface Progress {
  readonly load: string;
  readonly phase: 'plan' | 'load' | 'index' | 'verify' | 'done';
  readonly counts: Counts;
  /** Bytes of the source that are committed, and in all (undefined for a stream). */
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  readonly elapsedMs: number;
  /** Over a moving window of 5 s. */
  readonly rowsPerSecond: number;
  readonly etaMs: number | undefined;
  readonly lanes: number;
  /** Share of the lanes' time per stage, 0 to 1, over the moving window. */
  readonly stageShare: Readonly<Record<StageName, number>>;
  /** Bytes held in each lane's batch, summed. */
  readonly queuedBytes: number;
  readonly embedding: EmbeddingCounts | undefined;
  readonly rejectsByCause: readonly RejectCause[];
  /** What holds the lanes back on purpose: the rate that was asked for, or a pause. */
  readonly heldBy?: 'rate' | 'pause' | undefined;
  /** In phase `index`: rows of the vector index so far; of another `index`, by its name, whatever its server counts. */
  readonly indexed?: { readonly done: number; readonly total: number; readonly index?: string | undefined } | undefined;
}

/** What a load will do and why. Made before anything is written; printable; with `problems` nothing is ever written. */
export interface LoadPlan {
  readonly schema: 1;
  readonly source: {
    readonly name: string;
    readonly format: string;
    readonly bytes: number | undefined;
    readonly estimatedRows: number | undefined;
    readonly shards: number | undefined;
  };
  /** Password taken out. */
  readonly target: string;
  readonly table: TablePlan;
  /** Per column: where it comes from, its type, and values seen in the sample. */
  readonly columns: readonly PlannedColumn[];
  readonly ignoredFields: readonly string[];
  readonly embed: (EmbedOptions & { readonly into: string; readonly dimensions: number }) | undefined;
  /** Further columns of texts. */
  readonly moreEmbeds?: readonly (EmbedOptions & { readonly into: string; readonly dimensions: number })[] | undefined;
  readonly index: { readonly kind: 'hnsw' | 'none'; readonly metric: Metric; readonly why: string } | undefined;
  readonly lanes: number;
  readonly shardBytes: number;
  readonly maxBatchBytes: number;
  readonly maxBatchRows: number;
  readonly isOrdered: boolean;
  readonly decisions: readonly Decision[];
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
  /** What an earlier load means for this one. */
  readonly earlier: { readonly load: string; readonly state: string; readonly what: 'nothing_to_do' | 'resumes' | 'refused' } | undefined;
  readonly guarantee: string;
}

export interface PlannedColumn extends Column {
  readonly samples: readonly string[];
  readonly why: string;
}

/** One refused row as the ledger keeps it. */
export interface RejectRecord {
  readonly load: string;
  readonly class: RejectClass;
  readonly code: string;
  readonly column: string | null;
  readonly message: string;
  readonly file: string;
  /** Byte offset in the file; 1-based line; 1-based row. Line and row are null until the shards before are done. */
  readonly offset: number;
  readonly line: number | null;
  readonly row: number | null;
  /** The original row; null when it was not kept. */
  readonly raw: string | null;
  readonly isCut: boolean;
}

export interface VerifyReport {
  readonly schema: 1;
  readonly isOk: boolean;
  readonly table: string;
  readonly loads: readonly string[];
  readonly checks: readonly VerifyCheck[];
  /** At most 10. */
  readonly differences: readonly string[];
}
