/** The contract of the batch verb: a unit of statements goes to a target as one request, and every statement gets an answer of its own. Shapes without code. */

/** A statement and its values; the ledger's SQL is data that any SQL target can run. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly (string | number | bigint | Uint8Array | null)[];
  /** Rows that it must change; with another count the whole transaction is rolled back and SLUICE_FENCED thrown. */
  readonly mustChange?: number;
}

/** A value that a statement is given or gives back: integers beyond 2⁵³ are bigint, both ways. */
export type StatementValue = null | boolean | number | bigint | string | Uint8Array;

/** Values by place, or by name without its prefix (`:`, `@`, `$`). */
export type StatementParameters = readonly StatementValue[] | Readonly<Record<string, StatementValue>>;

/** One SQL statement with its values. */
export interface UnitStatement {
  readonly sql: string;
  readonly parameters: StatementParameters;
}

/** What an INSERT that meets a row with its key is answered: `error`, or `not_applied` as if it had said IF NOT EXISTS. */
export type ConflictAnswer = 'error' | 'not_applied';

/** Statements that are one request: nothing of another request comes between them. */
export interface UnitRequest {
  readonly statements: readonly UnitStatement[];
  /** All or nothing; else each stands alone, and those after an error are still run. */
  readonly isTransaction: boolean;
  readonly onConflict: ConflictAnswer;
  /** Whether `not_applied` answers bring the row that is in the way, as it stands. */
  readonly statusRows: boolean;
  /** The unit may only read; where a text does not tell whether it does (PostgreSQL's functions), the target refuses what does not. */
  readonly isReadOnly?: boolean | undefined;
  /** Rows that one statement may give back; more of them are an error with BATCH_TOO_MANY_ROWS. */
  readonly maxRows: number;
  /**
   * Statements of the ledger that are committed together with what was applied; after a rollback in a transaction of their own. They see the
   * answers as they will be when they have been committed. A statement among them that misses its `mustChange` undoes all: SLUICE_FENCED.
   */
  readonly record?: ((answers: readonly StatementAnswer[]) => readonly Statement[]) | undefined;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the whole unit may take; 5 minutes by default. A unit that is over time is undone where it can be: SLUICE_TARGET_BUSY, or `unknown`.
   * A database in this process (SQLite, PGlite) can't be interrupted: there it is looked at between statements, and between the rows that one gives.
   */
  readonly timeoutMs?: number | undefined;
}

/** A row that was given back or that is in the way: values by column, in the order of the columns. */
export type AnswerRow = Readonly<Record<string, StatementValue>>;

/** Why a statement failed: `code` is stable (`UNIQUE`, `NOT_NULL`, `CHECK`, `FOREIGN_KEY`, `SYNTAX`, `UNKNOWN_TABLE`, …, see {@link StatementErrorCode}). */
export interface StatementError {
  readonly code: StatementErrorCode;
  /** As the target said it. */
  readonly message: string;
  /** The target's own code: an SQLSTATE, or an extended result code of SQLite as text. */
  readonly targetCode?: string | undefined;
}

/** The closed list of what may be wrong with a statement, the same on every target. */
export type StatementErrorCode =
  | 'UNIQUE'
  | 'NOT_NULL'
  | 'CHECK'
  | 'FOREIGN_KEY'
  | 'VALUE'
  | 'SYNTAX'
  | 'UNKNOWN_TABLE'
  | 'UNKNOWN_COLUMN'
  | 'PARAMETERS'
  | 'REFUSED'
  | 'BATCH_TOO_MANY_ROWS'
  | 'CONFLICT'
  | 'COMMIT'
  | 'OTHER';

/**
 * What became of one statement.
 * applied: it did what it says, and that is committed · not_applied: its condition did not hold, nothing was changed · error: it failed, and changed nothing ·
 * rolled_back: it worked, and was undone by a later error of the transaction · not_attempted: it was not run · unknown: the link broke, and it may have been applied.
 */
export type StatementAnswer =
  | {
      readonly status: 'applied';
      readonly rowsAffected: number;
      /** Of an INSERT into a table with a rowid (SQLite, rqlite). */
      readonly lastInsertId?: number | bigint | undefined;
      /** Of a SELECT or a RETURNING clause. */
      readonly columns?: readonly string[] | undefined;
      readonly rows?: readonly AnswerRow[] | undefined;
    }
  | {
      readonly status: 'not_applied';
      /** With `statusRows`: the row in the way; undefined where there is none, or it can't be told which. */
      readonly row?: AnswerRow | undefined;
    }
  | { readonly status: 'error'; readonly error: StatementError }
  | { readonly status: 'rolled_back' }
  | {
      readonly status: 'not_attempted';
      /** Why, where no earlier error of the same unit is the reason: the link broke before anything was committed. */
      readonly message?: string | undefined;
    }
  | { readonly status: 'unknown'; readonly message: string };

/** The answers of a unit: as many as it has statements, in their order. */
export interface UnitOutcome {
  readonly answers: readonly StatementAnswer[];
}
