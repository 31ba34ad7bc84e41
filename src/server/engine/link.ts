/** One SQLite connection with its prepared statements, kept by their text; what they may reach is ruled when they are prepared. */
import { DatabaseSync, type StatementColumnMetadata, type StatementSync } from 'node:sqlite';
import { listParameters } from '../../sql/parameters.ts';
import { aloneCodes, readingCodes, type Seen, setRules, type StatementRules } from './statement-rules.ts';

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
  /** Statements that were prepared: each is freed only when it is collected, or the connection is closed. */
  readonly preparedCount: () => number;
  /** Forgets what was prepared for a schema that is no more; to be called in the transaction that reads. */
  checkSchema(): void;
  /** Runs the engine's own statements, which nothing is refused. */
  trust<Result>(run: () => Result): Result;
  /** For VACUUM: SQLite attaches a nameless file to do it, which no statement may do itself. */
  allowNameless<Result>(run: () => Result): Result;
  close(): void;
}

/** A statement asks for a setting that the server keeps to itself. */
export class DisallowedPragma extends Error {}

/** What prepared statements may hold, by their texts; a statement takes about as much again as 4 KiB. */
const maxCacheBytes = 4 * 1024 * 1024;
const statementBytes = 4096;

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

function prepareText(db: DatabaseSync, rules: StatementRules, sql: string): Prepared {
  rules.reset();
  try {
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    statement.setAllowUnknownNamedParameters(true);
    return describe(sql, statement, rules.seen());
  } catch (error) {
    if (rules.seen().hasKeptPragma) throw new DisallowedPragma('disallowed pragma', { cause: error });
    if (!isNoStatement(error)) throw error;
    return { ...blank, sql };
  }
}

/** Prepared statements by their text, bounded by bytes. */
function createCache(): { get(sql: string): Prepared | undefined; keep(sql: string, prepared: Prepared): void; clear(): void } {
  const cache = new Map<string, Prepared>();
  let cachedBytes = 0;
  const measure = (sql: string): number => sql.length * 2 + statementBytes;
  return {
    get: (sql) => cache.get(sql),
    keep: (sql, prepared) => {
      if (measure(sql) > maxCacheBytes / 4) return;
      cache.set(sql, prepared);
      cachedBytes += measure(sql);
      // The oldest goes first: a text that is used all the time is prepared again once in a while, which costs 2 µs.
      for (const oldest of cache.keys()) {
        if (cachedBytes <= maxCacheBytes) break;
        cache.delete(oldest);
        cachedBytes -= measure(oldest);
      }
    },
    clear: () => {
      cache.clear();
      cachedBytes = 0;
    },
  };
}

/** Opens a connection. Who opens it closes it. */
export function openLink(options: LinkOptions): Link {
  const db = openDatabase(options);
  const version = db.prepare('PRAGMA schema_version');
  const rules = setRules(db, options.guardsLedger === true);
  const cache = createCache();
  let known: unknown;
  let preparedCount = 0;

  function withFlag<Result>(flag: 'trusted' | 'allowsNameless', run: () => Result): Result {
    const before = rules[flag];
    rules[flag] = true;
    try {
      return run();
    } finally {
      rules[flag] = before;
    }
  }
  return {
    db,
    prepare: (sql) => {
      const cached = cache.get(sql);
      if (cached !== undefined) return cached;
      preparedCount++;
      const prepared = prepareText(db, rules, sql);
      cache.keep(sql, prepared);
      return prepared;
    },
    preparedCount: () => preparedCount,
    checkSchema: () => {
      const current = version.get()?.['schema_version'];
      if (current !== known) cache.clear();
      known = current;
    },
    trust: (run) => withFlag('trusted', run),
    allowNameless: (run) => withFlag('allowsNameless', run),
    close: () => {
      cache.clear();
      db.close();
    },
  };
}
