/** What a comparison with the source is asked for, finds and reports. Plain data: most of it goes between threads. */
import type { LedgerShard } from '../ledger/reading.ts';
import type { RunPlan } from '../load/plan/run-plan.ts';
import type { SourceDescriptor } from '../source/source.ts';

/** A row of the source that the table does not hold as it is. */
export interface DeepDifference {
  readonly load: string;
  /** `missing`: no row with its key · `differs`: in `columns` · `unfit`: it was loaded, and can't be read as the load's columns any more. */
  readonly kind: 'missing' | 'differs' | 'unfit';
  readonly file: string;
  /** 1-based, in the file; null while the shards before are not done, and for sources without lines. */
  readonly line: number | null;
  readonly row: number | null;
  /** Byte (or row, for sources without bytes) at which it begins. */
  readonly offset: number;
  readonly columns: readonly string[];
  /** Only when values were asked for: the source's, of the key and of `columns`, cut at 80 characters. */
  readonly values?: Readonly<Record<string, string>> | undefined;
}

/** Rows of one load, or of one shard, by what became of them. */
export interface DeepCounts {
  /** Rows that were compared: `equal + differing + missing`. */
  readonly compared: number;
  readonly equal: number;
  readonly differing: number;
  readonly missing: number;
  /** Rows that the ledger holds as refused. */
  readonly leftOut: number;
  readonly unfit: number;
}

/** The comparison of one load with its source. */
export interface DeepLoad extends DeepCounts {
  readonly load: string;
  readonly source: string;
  /** Why nothing of it was compared; undefined where it was. */
  readonly notCompared: string | undefined;
  /** What explains differences without a fault, such as a later load that writes over rows; undefined: nothing does. */
  readonly excuse: string | undefined;
  readonly isOk: boolean;
  /** Rows that differ, by column; most first. */
  readonly byColumn: readonly { readonly column: string; readonly rows: number }[];
  /** Columns whose values were not compared, with the reason. */
  readonly passedOver: readonly { readonly column: string; readonly why: string }[];
}

export interface DeepReport {
  readonly loads: readonly DeepLoad[];
  /** The first ones in the order of the input, at most ten a load. */
  readonly differences: readonly DeepDifference[];
}

export interface DeepProgress {
  readonly rows: number;
  readonly bytes: number;
  /** undefined for a stream. */
  readonly totalBytes: number | undefined;
}

/** What a reader of one load needs. Plain data but for the source, which each thread opens by itself. */
export interface DeepTask {
  readonly target: string;
  readonly load: string;
  readonly run: RunPlan;
  /** Of each file, for differences. */
  readonly files: readonly string[];
  readonly showsValues: boolean;
  readonly lockTimeoutMs: number | undefined;
}

/** A shard to be read, with what stands before it in its file. */
export interface DeepShard {
  readonly shard: LedgerShard;
  /** undefined while a shard before is not done. */
  readonly before: { readonly lines: number; readonly rows: number } | undefined;
  /** The rows to compare, by their key as {@link writeKey} has it; undefined: all. */
  readonly only?: ReadonlySet<string> | undefined;
}

/** What a shard came to. */
export interface DeepFindings extends DeepCounts {
  readonly byColumn: Readonly<Record<string, number>>;
  readonly differences: readonly DeepDifference[];
  /** Keys of rows that differ, at most {@link maxKeys} of a shard; with `only`, of those that are equal. */
  readonly keys: readonly string[];
  readonly bytes: number;
}

/** Differences that are told one by one. */
export const maxDifferences = 10;

/** More rows that differ than this are not looked up a second time: the table is another one. */
export const maxKeys = 10_000;

/** What the thread of a reader is started with. */
export interface DeepThreadStart {
  readonly task: DeepTask;
  readonly source: SourceDescriptor;
}
