/** One SQLite connection with its prepared statements, kept by their text; what they may reach is ruled when they are prepared. */
import { DatabaseSync, type StatementColumnMetadata, type StatementSync } from 'node:sqlite';
import { listParameters } from '../../sql/parameters.ts';
import { createStatementCache } from './statement-cache.ts';
import { aloneCodes, readingCodes, renamesGuarded, type Seen, setRules, type StatementRules } from './statement-rules.ts';

export { queueTable } from './statement-rules.ts';

/** A statement, ready to run, with what was learnt about it when it was prepared. */
export interface Prepared {
  /** undefined: there is no statement in the text, only blanks, comments or a semicolon. */
  readonly statement: StatementSync | undefined;
  /** What stands behind it in the text, without blanks at its ends. */
  readonly rest: string;
  /** As many as `sqlite3_bind_parameter_count` says; with the name as written (`:a`, `?5`), or undefined for a bare `?`. */
  readonly places: readonly (string | undefined)[];
  /** Its text alone. */
  readonly sql: string;
  readonly hasColumns: boolean;
  /** Only reads tables and calls functions. */
  readonly isPlainRead: boolean;
  /** Can't run inside a transaction that is not its own, or would end it: BEGIN, COMMIT, SAVEPOINT, PRAGMA, VACUUM, … */
  readonly standsAlone: boolean;
  /** BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE: what it does to the transaction, as the authorizer is told. */
  readonly control: string | undefined;
  /** As `sqlite3_stmt_readonly`, found when first asked for. */
  isReadOnly?: boolean;
  /** Found when first asked for; good until the schema changes. */
  columns?: readonly StatementColumnMetadata[];
}

export interface LinkOptions {
  readonly file: string;
  readonly isReadOnly: boolean;
  readonly checksForeignKeys: boolean;
  readonly lockTimeoutMs: number;
  /** Refuses writes to the tables of sluice's ledger, not only to the queue's. */
  readonly guardsLedger?: boolean | undefined;
}

/** An open connection. */
export interface Link {
  readonly db: DatabaseSync;
  prepare(sql: string): Prepared;
  /** Prepares what stands behind a statement; a long rest is not looked for among what is kept, as that reads all of it. */
  prepareRest(sql: string): Prepared;
  /** Statements that were prepared: each is freed only when it is collected, or the connection is closed. */
  readonly preparedCount: () => number;
  /** Forgets what was prepared for a schema that is no more; to be called in the transaction that reads. */
  checkSchema(): void;
  /** Runs the engine's own statements, which nothing is refused. */
  trust<Result>(run: () => Result): Result;
  /** For VACUUM: SQLite attaches a nameless file to do it, which no statement may do itself. */
  allowNameless<Result>(run: () => Result): Result;
  /** Whether what is run from now on may write to the ledger's tables; never, where nobody said so and they are guarded. */
  setLedgerRight(mayWrite: boolean): void;
  /**
   * Frees what has been prepared and is kept no longer; to be called while none of it is in use. V8 does not know what statements hold, and collects them late:
   * 200,000 different ones took 250 MB, and 100 since then. Connections that only read are closed instead.
   */
  free(): void;
  /** Transactions that statements have begun; {@link noteBegin} counts them. */
  readonly beginCount: () => number;
  noteBegin(): void;
  close(): void;
}

/** A statement asks for a setting that the server keeps to itself. */
export class DisallowedPragma extends Error {}

/** Whether the error of `prepare` only says that there is no statement in the text. */
function isNoStatement(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_ARG_VALUE';
}

const parameterPattern = /[?:@$]/;

function readPlaces(sql: string): readonly (string | undefined)[] {
  if (!parameterPattern.test(sql)) return [];
  const { count, names } = listParameters(sql, 'sqlite');
  return Array.from({ length: count }, (_, index) => names[index]);
}

function openDatabase(options: LinkOptions): DatabaseSync {
  const db = new DatabaseSync(options.file, {
    readOnly: options.isReadOnly,
    timeout: options.lockTimeoutMs,
    enableForeignKeyConstraints: options.checksForeignKeys,
    enableDoubleQuotedStringLiterals: true,
    allowExtension: false,
  });
  // A reader writes nothing that could be lost; rqlite's say so as well.
  db.exec(`PRAGMA synchronous = ${options.isReadOnly ? 'OFF' : 'FULL'}`);
  return db;
}

const blank: Omit<Prepared, 'sql'> = {
  statement: undefined,
  rest: '',
  places: [],
  hasColumns: false,
  isPlainRead: true,
  standsAlone: false,
  control: undefined,
};

function describe(sql: string, statement: StatementSync, { codes, control }: Seen): Prepared {
  const own = statement.sourceSQL;
  const kinds = [...codes];
  return {
    statement,
    rest: own.length < sql.length ? sql.slice(own.length).trim() : '',
    sql: own,
    places: readPlaces(own),
    hasColumns: statement.columns().length > 0,
    isPlainRead: kinds.length > 0 && kinds.every((code) => readingCodes.has(code)),
    standsAlone: kinds.length === 0 || kinds.some((code) => aloneCodes.has(code)),
    control,
  };
}

/** So much of a long text SQLite is given at first: it copies what it is given, and a text of 10⁶ statements took hours when each began with a copy of the rest. */
const windowLength = 16_384;

function prepareFirst(db: DatabaseSync, rules: StatementRules, sql: string): StatementSync {
  if (sql.length > 2 * windowLength) {
    try {
      const statement = db.prepare(sql.slice(0, windowLength));
      // Ended by its semicolon and not by the window's end: what follows can't change it.
      if (statement.sourceSQL.length < windowLength && statement.sourceSQL.endsWith(';')) return statement;
    } catch {
      // Cut in its middle, or wrong: the whole text tells which.
    }
    rules.reset();
  }
  return db.prepare(sql);
}

function prepareText(db: DatabaseSync, rules: StatementRules, sql: string): Prepared {
  rules.reset();
  try {
    const statement = prepareFirst(db, rules, sql);
    statement.setReturnArrays(true);
    statement.setAllowUnknownNamedParameters(true);
    // The words are SQLite's own for what its authorizer refuses.
    if (renamesGuarded(sql, rules.seen(), rules)) throw Object.assign(new Error('not authorized'), { errcode: 23 });
    return describe(sql, statement, rules.seen());
  } catch (error) {
    if (rules.seen().hasKeptPragma) throw new DisallowedPragma('disallowed pragma', { cause: error });
    if (!isNoStatement(error)) throw error;
    return { ...blank, sql };
  }
}

/** Opens a connection. Who opens it closes it. */
export function openLink(options: LinkOptions): Link {
  const db = openDatabase(options);
  const version = db.prepare('PRAGMA schema_version');
  const rules = setRules(db);
  const setLedgerRight = (mayWrite: boolean): void => void (rules.mayWriteLedger = mayWrite || options.guardsLedger !== true);
  setLedgerRight(false);
  const cache = createStatementCache<Prepared>(!options.isReadOnly);
  let known: unknown;
  let preparedCount = 0;
  let beginCount = 0;

  function withFlag<Result>(flag: 'trusted' | 'allowsNameless', run: () => Result): Result {
    const before = rules[flag];
    rules[flag] = true;
    try {
      return run();
    } finally {
      rules[flag] = before;
    }
  }
  function prepare(sql: string): Prepared {
    const cached = cache.get(sql, rules.mayWriteLedger);
    if (cached !== undefined) return cached;
    preparedCount++;
    const prepared = prepareText(db, rules, sql);
    cache.keep(sql, prepared, rules.mayWriteLedger);
    return prepared;
  }
  return {
    db,
    prepareRest: (sql) => {
      if (sql.length <= 2 * windowLength) return prepare(sql);
      preparedCount++;
      return prepareText(db, rules, sql);
    },
    prepare,
    preparedCount: () => preparedCount,
    checkSchema: () => {
      const current = version.get()?.['schema_version'];
      if (current !== known) cache.clear();
      known = current;
    },
    trust: (run) => withFlag('trusted', run),
    allowNameless: (run) => withFlag('allowsNameless', run),
    setLedgerRight,
    free: () => cache.free(),
    beginCount: () => beginCount,
    noteBegin: () => void beginCount++,
    close: () => {
      cache.clear();
      db.close();
    },
  };
}
