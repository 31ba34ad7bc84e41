/** What a load answers, as data: its report, where it stands in the ledger, and what a stored report adds. Also the words that reports and progress share. */
import type { Decision, LoadMode } from '../../target/driver.ts';
import type { RejectClass } from '../../rows/batch.ts';

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
  /**
   * done: all there · nothing_to_do: an earlier load did it · limit: `limit` rows were read · time_limit: `maxDurationMs` is over · reject_limit, cancelled, failed:
   * stopped, resumable unless `failure` says otherwise.
   */
  readonly state: 'done' | 'nothing_to_do' | 'limit' | 'time_limit' | 'reject_limit' | 'cancelled' | 'failed';
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
  /** Mode sync: what became of the rows. `written = inserted + updated`, `skipped = unchanged`. `deleted` is 0 until the whole source was read. */
  readonly sync?: SyncCounts | undefined;
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
    /** Commits by their time; in reports since the series was kept. */
    readonly histogram?: readonly LatencyStep[] | undefined;
  };
  /** The session over time; undefined when nothing was committed in it. */
  readonly timeline?: Timeline | undefined;
  readonly environment?: Environment | undefined;
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

/** So many commits took longer than the step before and no longer than `upToMs`; undefined: longer than every step. */
export interface LatencyStep {
  readonly upToMs: number | undefined;
  readonly count: number;
}

/** What was committed in each of at most 240 stretches of equal length, by column; the first begins with the session. */
export interface Timeline {
  readonly binMs: number;
  readonly rows: readonly number[];
  readonly bytes: readonly number[];
  readonly rejected: readonly number[];
  /** Lane time of the batches that were committed in the stretch: a long batch stands where it ended. */
  readonly stageMs: Readonly<Record<StageName, readonly number[]>>;
}

/** Where a session ran. No host, user or path. */
export interface Environment {
  readonly sluice: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Kind of the target, and what it says of its version. */
  readonly target: string;
  readonly targetVersion: string | undefined;
}

/** What mode sync did to a table. */
export interface SyncCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
}

export interface VerifyCheck {
  readonly name: string;
  readonly isOk: boolean;
  readonly expected: string;
  readonly found: string;
}

/** The report of one session of a load. */
export interface SessionReport {
  readonly session: number;
  readonly report: LoadReport;
}

/** The plan of a load as a report shows it. */
export interface ReportedPlan {
  readonly format: string;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly field: string;
    readonly isKey: boolean;
    readonly isEmbedded: boolean;
  }[];
  readonly ddl: readonly string[];
  readonly deferredIndexes: readonly string[];
  readonly decisions: readonly Decision[];
  readonly guarantee: string;
  readonly lanes: number;
  readonly shardBytes: number;
  readonly maxBatchBytes: number;
  readonly maxBatchRows: number;
  readonly maxRejects: number | string;
}

/** A refused row that stands for others of its cause. */
export interface RejectSample {
  readonly code: string;
  readonly column: string | undefined;
  readonly message: string;
  readonly file: string;
  readonly offset: number;
  readonly line: number | undefined;
  readonly row: number | undefined;
  /** The beginning of the row; undefined when it was not kept or not asked for. */
  readonly raw: string | undefined;
}

/** A load as its ledger tells of it: what `sluice report` shows. */
export interface StoredReport {
  readonly schema: 1;
  readonly status: LoadStatus;
  /** Password taken out. */
  readonly target: string;
  readonly isBalanced: boolean;
  readonly failure: string | undefined;
  /** Undefined when the ledger could not be read. */
  readonly plan: ReportedPlan | undefined;
  readonly rejectsByCause: readonly RejectCause[];
  /** At most 3 of a cause, and 200 in all. */
  readonly samples: readonly RejectSample[];
  /** Sessions that began; more than `sessions` when some were killed, or more than 100 ran. */
  readonly sessionCount: number;
  /** Oldest first. */
  readonly sessions: readonly SessionReport[];
}

/** One load as the ledger has it. */
export interface LoadStatus {
  readonly load: string;
  readonly label: string | undefined;
  readonly state:
    'running' | 'paused' | 'interrupted' | 'done' | 'limit' | 'time_limit' | 'failed' | 'reject_limit' | 'cancelled' | 'undone';
  readonly table: string;
  /** `batch`: statements instead of rows, see `batchFile`. Its counts are statements that were read, applied, not applied, and the rest. */
  readonly mode: LoadMode | 'batch' | 'delete';
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
