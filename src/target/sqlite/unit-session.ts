/**
 * The connection on which units are run: one of its own beside the driver's, without extensions, with a guard that never leaves it, and with the statements
 * that it has compiled. Opened with the first unit.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Statement } from '../batch-contract.ts';
import { waitForLock, type SqliteFile } from './connect.ts';
import { armGuard, createAuthorizer, createGuard, type Guard } from './unit-guard.ts';
import { createStatementCache, type StatementCache } from './unit-cache.ts';

/** A connection for units. */
export interface UnitSession {
  readonly db: DatabaseSync;
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly isReadOnly: boolean;
  readonly guard: Guard;
  readonly cache: StatementCache;
  /** sluice's own statements, by text. */
  readonly own: Map<string, StatementSync>;
  /** What was read of the schema; empty after every change of it. */
  readonly schema: SchemaNotes;
}

/** What is known of the schema of this moment. */
export interface SchemaNotes {
  version: unknown;
  /** Whether some constraint or trigger says FAIL, which leaves what was done before the error. */
  hasFailClauses: boolean | undefined;
  /** How rows of a table are numbered, by the name as written. */
  readonly rowids: Map<string, boolean>;
}

const sessions = new WeakMap<SqliteFile, UnitSession>();

/** The connection for units of this file. @throws SLUICE_TARGET_… */
export async function openUnitSession(link: SqliteFile, signal?: AbortSignal): Promise<UnitSession> {
  const known = sessions.get(link);
  if (known !== undefined) return known;
  const session = await waitForLock(link.file, { lockTimeoutMs: link.lockTimeoutMs, signal }, () => openSession(link));
  sessions.set(link, session);
  return session;
}

/** Closes it, if units were run. */
export function closeUnitSession(link: SqliteFile): void {
  const session = sessions.get(link);
  sessions.delete(link);
  if (session?.db.isOpen === true) session.db.close();
}

function openSession(link: SqliteFile): UnitSession {
  const isReadOnly = link.db.prepare('PRAGMA query_only').get()?.['query_only'] === 1;
  // `defensive` keeps statements from the tables behind virtual ones; Nodes that do not know it leave it out.
  const db = new DatabaseSync(link.file, { timeout: 0, enableForeignKeyConstraints: true, defensive: true });
  try {
    // As a load leaves it: a file that holds nothing yet is turned to WAL, where reading and writing don't wait for each other.
    if (!isReadOnly && db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined) db.exec('PRAGMA journal_mode = WAL');
    db.exec(`PRAGMA cache_size = -16384; PRAGMA synchronous = FULL; ${createMark}; PRAGMA query_only = ${isReadOnly ? 'ON' : 'OFF'}`);
    const guard = createGuard();
    db.setAuthorizer(createAuthorizer(guard));
    guard.isTrusted = false;
    return {
      db,
      file: link.file,
      lockTimeoutMs: link.lockTimeoutMs,
      isReadOnly,
      guard,
      cache: createStatementCache(),
      own: new Map(),
      schema: { version: undefined, hasFailClauses: undefined, rowids: new Map() },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Runs sluice's own statements: the guard lets all of them pass. */
export function trust<Result>({ guard }: UnitSession, work: () => Result): Result {
  guard.isTrusted = true;
  try {
    return work();
  } finally {
    guard.isTrusted = false;
  }
}

const maxOwn = 64;

function prepareOwn(session: UnitSession, sql: string): StatementSync {
  const known = session.own.get(sql);
  if (known !== undefined) return known;
  const statement = session.db.prepare(sql);
  statement.setReadBigInts(true);
  // The ledger's texts are few, but may grow with the rows that they write at once.
  if (session.own.size >= maxOwn) session.own.clear();
  session.own.set(sql, statement);
  return statement;
}

/** Rows of a query of sluice's own; integers are bigint. */
export function readOwn(
  session: UnitSession,
  sql: string,
  ...values: (string | number | bigint)[]
): readonly Readonly<Record<string, unknown>>[] {
  return trust(session, () => prepareOwn(session, sql).all(...values));
}

/** Runs a statement of sluice's own and tells how many rows it changed. */
export function runOwn(session: UnitSession, { sql, parameters }: Statement): number {
  return trust(session, () => Number(prepareOwn(session, sql).run(...parameters).changes));
}

/** Runs a command without values. */
export function command(session: UnitSession, sql: string): void {
  trust(session, () => session.db.exec(sql));
}

/** What the connection counts: of the last change, and of all since it was opened. */
export interface Counters {
  readonly changes: bigint;
  readonly lastRowid: bigint;
}

/** The counters of the last INSERT, UPDATE or DELETE. */
export function readCounters(session: UnitSession): Counters {
  return trust(
    session,
    () => prepareOwn(session, 'SELECT changes() AS changes, last_insert_rowid() AS lastRowid').get() as unknown as Counters,
  );
}

/** Rows changed since the connection was opened, by triggers and foreign keys too. */
export function countTotalChanges(session: UnitSession): unknown {
  return trust(session, () => prepareOwn(session, 'SELECT total_changes() AS total').get()?.['total']);
}

/** A number that no table counts up to. */
export const markedRowid: bigint = -(2n ** 63n) + 1n;

/** A row written here sets `last_insert_rowid()`, which SQLite has no other way to forget. */
const createMark = 'CREATE TEMP TABLE sluice_rowid_mark (id INTEGER PRIMARY KEY)';

/** Sets `last_insert_rowid()` to {@link markedRowid}. */
export function markLastRowid(session: UnitSession): void {
  runOwn(session, { sql: 'INSERT OR REPLACE INTO temp.sluice_rowid_mark VALUES (?)', parameters: [markedRowid] });
}

/** Forgets what was read of the schema, with the statements that were compiled against it. */
export function forgetSchema({ schema, cache }: UnitSession): void {
  schema.version = undefined;
  schema.hasFailClauses = undefined;
  schema.rowids.clear();
  cache.clear();
}

/** At the start of a transaction: whether somebody changed the schema since the last one. */
export function noticeSchema(session: UnitSession): void {
  const version = readOwn(session, 'PRAGMA schema_version')[0]?.['schema_version'];
  if (version === session.schema.version) return;
  forgetSchema(session);
  // Compiling looks only at what this connection has read of the schema; running a statement finds out that it is out of date, and reads it again.
  readOwn(session, 'SELECT 1 FROM sqlite_schema LIMIT 1');
  session.schema.version = version;
}

/** Whether an error may leave a part of what its statement did. */
export function hasFailClauses(session: UnitSession): boolean {
  session.schema.hasFailClauses ??= readOwn(
    session,
    `SELECT sql FROM sqlite_schema WHERE sql LIKE '%fail%' UNION ALL SELECT sql FROM sqlite_temp_schema WHERE sql LIKE '%fail%'`,
  ).some((row) => /\bFAIL\b/iu.test(String(row['sql'])));
  return session.schema.hasFailClauses;
}

/** Whether rows of a table have a rowid that INSERT sets; not those of a view, nor of a table WITHOUT ROWID. */
export function hasRowid(session: UnitSession, schema: string | undefined, table: string): boolean {
  const name = `${schema ?? ''}.${table}`.toLowerCase();
  const known = session.schema.rowids.get(name);
  if (known !== undefined) return known;
  const rows = readOwn(
    session,
    `SELECT schema, type, wr FROM pragma_table_list WHERE name = ? COLLATE NOCASE ORDER BY schema <> 'temp'`,
    table,
  ).filter((row) => schema === undefined || String(row['schema']).toLowerCase() === schema.toLowerCase());
  const has = rows[0] !== undefined && rows[0]['type'] !== 'view' && rows[0]['wr'] === 0n;
  session.schema.rowids.set(name, has);
  return has;
}

/** Readies the guard for a statement of the user's. */
export function arm(session: UnitSession): void {
  armGuard(session.guard);
}
