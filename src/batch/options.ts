/** What the batch verb is asked for and what it answers. Shapes without code. */
import type { NamesOf } from '../option-names.ts';
import type { StatementAnswer, StatementErrorCode, StatementValue } from '../target/batch-contract.ts';

/**
 * A statement: its SQL · its SQL and values by place · its SQL and a list of them · its SQL and values by name (without `:`, `@`, `$`).
 * Bytes are a Uint8Array, integers beyond 2⁵³ a bigint.
 */
export type BatchStatement =
  | string
  | readonly [sql: string, ...values: readonly StatementValue[]]
  | readonly [sql: string, values: readonly StatementValue[]]
  | readonly [sql: string, values: Readonly<Record<string, StatementValue>>];

/** How statements are run, whatever they come from. */
export interface RunningOptions {
  /** Target URL. */
  readonly to: string;
  /** All or nothing; else each statement stands alone, and those after an error are still run. `false` by default. */
  readonly transaction?: boolean | undefined;
  /** What an INSERT that meets a row with its key is answered: `error` by default, or `not_applied` as if it had said IF NOT EXISTS. */
  readonly onConflict?: 'error' | 'not_applied' | undefined;
  /** `not_applied` answers bring the row that is in the way. `false` by default. */
  readonly statusRows?: boolean | undefined;
  /** Rows that one statement may give back; 100,000 by default. */
  readonly maxRows?: number | undefined;
  /**
   * How long a unit may take, in milliseconds; 5 minutes by default. SQLite and PGlite run on the caller's thread and can't be interrupted: there the time, and
   * `signal`, are looked at between statements and between the rows that one gives, so a single statement that never ends holds the thread. Where statements
   * are not one's own, call it from a worker thread or a process that can be ended, as `sluice batch` does.
   */
  readonly timeoutMs?: number | undefined;
  /** How long a lock may be waited for, in milliseconds; 30,000 by default. */
  readonly lockTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const runningNames: NamesOf<RunningOptions> = {
  to: true,
  transaction: true,
  onConflict: true,
  statusRows: true,
  maxRows: true,
  timeoutMs: true,
  lockTimeoutMs: true,
  signal: true,
};

/** Options of {@link batch}. */
export interface BatchOptions extends RunningOptions {
  /** One unit: nothing of another request comes between them. At most 128 MiB of SQL and values. */
  readonly statements: readonly BatchStatement[];
}

export const batchNames: NamesOf<BatchOptions> = { ...runningNames, statements: true };

/** What became of one statement, with its place among those that were given, from 0. */
export type BatchAnswer = StatementAnswer & { readonly index: number };

/** How a file of statements is written: SQL text · a JSON array of statements · a JSON statement a line. */
export type StatementFormat = 'sql' | 'json' | 'jsonl';

/** The answer of a statement of a file. */
export type FileAnswer = BatchAnswer & {
  /** The line that it begins on, from 1. */
  readonly line: number;
};

/** Options of {@link batchFile}. */
export interface BatchFileOptions extends RunningOptions {
  /** A path, `-` for stdin, or bytes or text in pieces. */
  readonly from: string | AsyncIterable<Uint8Array | string>;
  /** By the ending of the path by default; must be said for a stream. */
  readonly format?: StatementFormat | undefined;
  /** Statements that are one request and one commit; 1,000 by default, with `transaction` the whole file. */
  readonly unit?: number | undefined;
  /** The batch stops above this many statements that failed or were undone, a number or a share such as `1%`; 100,000 by default. */
  readonly maxErrors?: number | `${number}%` | undefined;
  /** A file for one JSON line a statement: index, line, status, and what belongs to it. It ends complete also after crashes. */
  readonly statusFile?: string | undefined;
  /** A name of the caller's own: the same label never runs twice. */
  readonly label?: string | undefined;
  /** Runs what was run before. */
  readonly again?: boolean | undefined;
  /** Told of the answers of each unit after it was committed; the next unit waits for it. */
  readonly onAnswers?: ((answers: readonly FileAnswer[]) => void | Promise<void>) | undefined;
  /** Told when the batch stands in the ledger, and after each unit. */
  readonly onProgress?: ((progress: BatchProgress) => void) | undefined;
}

export const batchFileNames: NamesOf<BatchFileOptions> = {
  ...runningNames,
  from: true,
  format: true,
  unit: true,
  maxErrors: true,
  statusFile: true,
  label: true,
  again: true,
  onAnswers: true,
  onProgress: true,
};

/** Statements by what became of them: `read` is the sum of the others. */
export interface BatchCounts {
  readonly read: number;
  readonly applied: number;
  readonly notApplied: number;
  readonly errors: number;
  readonly rolledBack: number;
  readonly notAttempted: number;
  readonly unknown: number;
}

/** How far a batch is. */
export interface BatchProgress {
  readonly batch: string;
  readonly resume: string;
  /** Of the whole batch, earlier sessions included. */
  readonly counts: BatchCounts;
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  readonly elapsedMs: number;
  /** Of this session. */
  readonly statementsPerSecond: number;
}

/** A statement that failed. */
export interface BatchFailure {
  readonly index: number;
  readonly line: number;
  readonly code: StatementErrorCode;
  readonly message: string;
}

/** The account of a file of statements. */
export interface BatchReport {
  readonly schema: 1;
  readonly batch: string;
  readonly label: string | undefined;
  readonly state: 'done' | 'nothing_to_do' | 'error_limit' | 'cancelled';
  readonly source: string;
  /** Password taken out. */
  readonly target: string;
  readonly transaction: boolean;
  /** Statements a unit; undefined: the whole file. */
  readonly unit: number | undefined;
  /** Of the whole batch, earlier sessions included. */
  readonly counts: BatchCounts;
  /** `read = applied + not applied + errors + rolled back + not attempted + unknown`, and the ledger says the same. */
  readonly isBalanced: boolean;
  readonly session: {
    /** Statements of this session. */
    readonly read: number;
    readonly units: number;
    readonly elapsedMs: number;
    readonly statementsPerSecond: number;
  };
  /** The first of this session, at most 10. */
  readonly failures: readonly BatchFailure[];
  readonly statusFile: string | undefined;
  readonly guarantee: string;
  readonly notes: readonly string[];
  /** The command to run next. */
  readonly next: string;
}
