/** What a caller may ask of a load, and what a load answers: options, events, report. Plain data but for the source, the signal and the callback. */
import type { Decision, LoadMode, Metric, TablePlan, TargetOptions } from '../target/driver.ts';
import type { EmbedSpec, EmptyTextPolicy } from '../embed/embedder.ts';
import type { SourceInput, SourceOptions } from '../source/source.ts';
import type { Column, ColumnType } from '../rows/schema.ts';
import type { RejectClass } from '../rows/batch.ts';

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
  readonly embed?: EmbedOptions | undefined;
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
  /** How long a locked target is waited for; 30,000 ms by default. */
  readonly lockTimeoutMs?: number | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Aborting finishes the batches in flight and ends with SLUICE_CANCELLED; the load can be resumed. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `resume`: everything else comes from the ledger. */
export interface ResumeOptions {
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

/** The stages of a lane, in order. `wait` is time spent waiting for the turn to commit. */
export const stageNames = ['read', 'check', 'embed', 'wait', 'commit'] as const;
export type StageName = (typeof stageNames)[number];

export interface Counts {
  readonly read: number;
  readonly written: number;
  readonly skipped: number;
  readonly rejected: number;
}

export interface EmbeddingCounts {
  readonly texts: number;
  readonly distinct: number;
  readonly cached: number;
  readonly embedded: number;
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
  /** In phase `index`: rows of the vector index so far; of another `index`, by its name, whatever its server counts. */
  readonly indexed?: { readonly done: number; readonly total: number; readonly index?: string | undefined } | undefined;
}

export interface RejectCause {
  readonly class: RejectClass;
  readonly code: string;
  readonly column: string | undefined;
  readonly message: string;
  readonly count: number;
}

export interface LoadReport {
  readonly schema: 1;
  readonly load: string;
  readonly label: string | undefined;
  /** done: all there · nothing_to_do: an earlier load did it · reject_limit, cancelled, failed: stopped, resumable unless `failure` says otherwise. */
  readonly state: 'done' | 'nothing_to_do' | 'reject_limit' | 'cancelled' | 'failed';
  readonly source: string;
  readonly target: string;
  readonly table: string;
  readonly mode: LoadMode;
  /** Of the whole load, earlier sessions included. `read = written + skipped + rejected`. */
  readonly counts: Counts;
  readonly isBalanced: boolean;
  /** Of this session alone. */
  readonly session: Counts & {
    readonly bytes: number;
    /** From the first claim to the report, index and verification included. */
    readonly elapsedMs: number;
    /** Of that: until the last row was committed. The rates are rows and bytes over this. */
    readonly loadMs: number;
    readonly rowsPerSecond: number;
    readonly bytesPerSecond: number;
  };
  readonly embedding: (EmbeddingCounts & { readonly embedder: string }) | undefined;
  readonly rejectsByClass: Readonly<Record<RejectClass, number>>;
  readonly rejectsByCause: readonly RejectCause[];
  /** Milliseconds of lane time per stage, summed over lanes. */
  readonly stageMs: Readonly<Record<StageName, number>>;
  readonly commits: {
    readonly count: number;
    readonly p50Ms: number;
    readonly p95Ms: number;
    readonly p99Ms: number;
    readonly maxMs: number;
  };
  readonly index: { readonly kind: 'hnsw' | 'none'; readonly rows: number; readonly buildMs: number; readonly why: string } | undefined;
  readonly lanes: number;
  readonly shards: number;
  readonly peakRssBytes: number;
  readonly cpuMs: number;
  /** Rows over the processor time that was spent until the last one was committed. */
  readonly rowsPerCpuSecond: number;
  readonly decisions: readonly Decision[];
  readonly guarantee: string;
  readonly verification: { readonly isOk: boolean; readonly checks: readonly VerifyCheck[] } | undefined;
  /** The command to run next. */
  readonly next: string;
  readonly failure: { readonly code: string; readonly message: string; readonly hint: string | undefined } | undefined;
  readonly startedAt: string;
  readonly endedAt: string;
}

export interface VerifyCheck {
  readonly name: string;
  readonly isOk: boolean;
  readonly expected: string;
  readonly found: string;
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

/** One load as the ledger has it. */
export interface LoadStatus {
  readonly load: string;
  readonly label: string | undefined;
  readonly state: 'running' | 'interrupted' | 'done' | 'failed' | 'reject_limit' | 'cancelled';
  readonly table: string;
  /** `batch`: statements instead of rows, see `batchFile`. Its counts are statements that were read, applied, not applied, and the rest. */
  readonly mode: LoadMode | 'batch';
  readonly source: string;
  readonly counts: Counts;
  readonly shards: { readonly total: number; readonly done: number };
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  readonly openRejects: number;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly next: string;
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
