/** The contract of `sluice bench`: ways of writing the same rows, brought by a driver as data and run on the user's own database. What a way makes, it drops again. */
import type { Batch } from '../rows/batch.ts';
import type { Column } from '../rows/schema.ts';

/** The rows of a bench, the same for every way. Made from a seed, without limit in number: vectors come from a fixed stock in memory, keys are new in every row. */
export interface BenchRows {
  /** `id` integer (from 1, ascending), `title` text of about 100 characters and, with dimensions, `embedding` vector. */
  readonly columns: readonly Column[];
  /** 0: rows without a vector. */
  readonly dimensions: number;
  /** Bytes of a row's values, 8 a key and 4 a number of a vector: every way's MB/s counts these, however long its text of them is. */
  readonly rowBytes: number;
  readonly batchRows: number;
  /** Rows `from` to `from + count`, counted from 0; at most `batchRows` of them. */
  batch(from: number, count: number): Batch;
}

/** Time of the measured part of a way. */
export interface StrategyTimes {
  readonly ms: number;
  /** Processor time of this process, all threads. */
  readonly cpuMs: number;
}

export interface StrategyContext {
  readonly rows: BenchRows;
  /** How many rows the way is to write: those asked for, or its sample. */
  readonly rowCount: number;
  /** Times the work; everything outside of it (making tables, counting, dropping) costs nothing. */
  readonly measure: (work: () => Promise<void>) => Promise<StrategyTimes>;
  /** A sample has taken its time: a way that has `sampleRows` may end here, with fewer rows. Asked between statements or batches. */
  readonly isSpent: () => boolean;
  /** Looked at between batches at the latest. */
  readonly signal: AbortSignal | undefined;
}

export interface StrategyResult extends StrategyTimes {
  /** Rows handed to the database. */
  readonly sent: number;
  /** Rows found in the table afterwards that were not there before; the bench refuses a result where they are not those sent. */
  readonly rows: number;
  /** Bytes of the write-ahead log written meanwhile, by whomever; undefined where there is none or it can't be asked for. */
  readonly logBytes?: number | undefined;
}

/** One way of writing rows. */
export interface Strategy {
  readonly name: string;
  /** Ways of one group answer one question. */
  readonly group: string;
  /** One line for people. */
  readonly what: string;
  /** A slow way writes at most this many rows, for some seconds at most; its rate is then that of a sample, and marked so. */
  readonly sampleRows?: number | undefined;
  /** Why it can't be run here; it is then named with the reason. */
  readonly obstacle?: string | undefined;
  /** @throws what the database throws; its tables are dropped all the same */
  run(context: StrategyContext): Promise<StrategyResult>;
}

/** Where `sluice load` writes as one of the ways. */
export interface LoadPlace {
  readonly url: string;
  readonly table: string;
  /** Counts the rows of the table. */
  count(): Promise<number>;
  /** Bytes of the log so far, to subtract; undefined where there is none. */
  readLogBytes(): Promise<number | undefined>;
  /** Drops the table and the ledger. */
  dispose(): Promise<void>;
}

/** The ways of a driver, opened on one database. */
export interface StrategySet {
  readonly strategies: readonly Strategy[];
  /** What the figures hold for: version, durability, cores, in words. */
  readonly facts: Readonly<Record<string, string>>;
  /** Things the user should know: leftovers of a bench that was killed, with the statement that drops them. */
  readonly notes: readonly string[];
  /** Why `sluice load` can have no place of its own here; undefined where it can. */
  readonly loadObstacle?: string | undefined;
  /** A new place of its own for `sluice load`. */
  openLoadPlace(): Promise<LoadPlace>;
  /** Drops everything that was made and closes all connections, also after an abort. */
  close(): Promise<void>;
}

export interface StrategyRequest {
  readonly url: string;
  readonly rows: BenchRows;
  readonly rowCount: number;
  readonly signal: AbortSignal | undefined;
}
