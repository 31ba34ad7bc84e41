/** The cache's SQLite file: where it is, its tables, how it is opened and, when it is damaged, set aside. A database of something else is never touched. */
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../errors.ts';

/** 'slce': tells the cache from other SQLite files. */
const APPLICATION_ID = 0x736c6365;
const VERSION = 1;
/** Of 4, 8 and 16 KiB the best for 384 dimensions while keys are many: 25 µs a text at 10⁶ entries, 9 at 10⁵. */
const PAGE_BYTES = 8192;
/** SQLite's own wait blocks the thread, so it is short; the rest of a wait is asleep. */
const BUSY_MS = 20;
/** The log goes into the file after this: 32 MB, so that its fsync is rare. */
const CHECKPOINT_PAGES = 4096;
/** Rows of the numbering table, and the most texts in one statement. */
export const MAX_STATEMENT_ROWS = 2048;

/** SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_IOERR_SHORT_READ. */
const damagedCodes: ReadonlySet<number> = new Set([11, 26, 522]);
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

/**
 * keys finds an entry by the first 8 bytes of its key, which keeps the index small enough to stay in memory; vectors holds the whole key and decides.
 * uses is apart, so that a use rewrites 10 bytes and not a vector.
 */
const SCHEMA = `
  CREATE TABLE keys (prefix BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE vectors (id INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
  CREATE TABLE uses (id INTEGER PRIMARY KEY, tick INTEGER NOT NULL);
  CREATE INDEX uses_by_tick ON uses (tick);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};`;

/** `$SLUICE_CACHE`, else `sluice/embeddings.db` in `$XDG_CACHE_HOME` or `~/.cache`. */
export function defaultCachePath(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { SLUICE_CACHE: own, XDG_CACHE_HOME: caches } = environment;
  if (own !== undefined && own !== '') return resolve(own);
  // The XDG specification: a relative path is to be ignored.
  const folder = caches?.startsWith('/') ? caches : join(homedir(), '.cache');
  return join(folder, 'sluice', 'embeddings.db');
}

/** SQLite's extended result code, if the error has one. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;
}

/** Whether the file itself is damaged or no database, so that only a new one helps. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (damagedCodes.has(code) || damagedCodes.has(code & 0xff));
}

/** Runs `action` as soon as no other writer is in its way; asleep in between. @throws what `action` threw last, once `timeoutMs` are over. */
export async function waitForLock<T>(action: () => T, timeoutMs: number): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return action();
    } catch (error) {
      const code = (codeOf(error) ?? 0) & 0xff;
      if ((code !== SQLITE_BUSY && code !== SQLITE_LOCKED) || performance.now() >= end) throw error;
    }
    // Unequal waits, so that writers that met once do not meet again and again.
    await sleep(2 + Math.random() * 15);
  }
}

/** Runs `action` as one transaction, as soon as it is this connection's turn to write; without a pause in it, so that callers may overlap. */
export async function transact(database: DatabaseSync, timeoutMs: number, action: () => void): Promise<void> {
  await waitForLock(() => {
    database.exec('BEGIN IMMEDIATE');
    try {
      action();
      database.exec('COMMIT');
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }, timeoutMs);
}

/** Any failure as the cache's own error; one that already is stays. */
export function describeFailure(path: string, error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new SluiceError('SLUICE_CACHE_UNUSABLE', `The embedding cache ${path} can't be used: ${reason}.`, {
    cause: error,
    hint: 'Name another file with SLUICE_CACHE or the option for the cache path, or go without a cache.',
  });
}

function readNumber(database: DatabaseSync, sql: string): number {
  const [value] = Object.values(database.prepare(sql).get() ?? {});
  return Number(value);
}

/** Runs several reads on one state of the file: another process may be making its tables right now. */
function readSnapshot<T>(database: DatabaseSync, action: () => T): T {
  database.exec('BEGIN');
  try {
    return action();
  } finally {
    if (database.isTransaction) database.exec('ROLLBACK');
  }
}

/** Whether the file is a cache already; false when it is empty. @throws SLUICE_CACHE_UNUSABLE for any other database. */
function isCache(database: DatabaseSync, path: string): boolean {
  const application = readNumber(database, 'PRAGMA application_id');
  const version = readNumber(database, 'PRAGMA user_version');
  if (application === APPLICATION_ID && version === VERSION) return true;
  if (application === 0 && readNumber(database, 'SELECT count(*) FROM sqlite_schema') === 0) return false;
  const what = application === APPLICATION_ID ? `an embedding cache of version ${version}, not ${VERSION}` : 'a database of something else';
  throw new SluiceError('SLUICE_CACHE_UNUSABLE', `${path} is ${what}; it was left as it is.`, {
    hint: 'Name another file with SLUICE_CACHE.',
  });
}

async function makeTables(database: DatabaseSync, path: string, timeoutMs: number): Promise<void> {
  // Pages that eviction frees can be given back to the file system; only possible before the first table.
  await waitForLock(
    () => database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;`),
    timeoutMs,
  );
  await transact(database, timeoutMs, () => {
    // Another process may have been first.
    if (!isCache(database, path)) database.exec(SCHEMA);
  });
}

/** WAL: readers and writers do not wait for each other, and a killed process loses nothing that it committed. No mmap: mapped pages would count as memory used. */
function configure(database: DatabaseSync): void {
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA cache_size = -16384;
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
    PRAGMA journal_size_limit = ${CHECKPOINT_PAGES * PAGE_BYTES};
    PRAGMA temp_store = MEMORY;
    CREATE TEMP TABLE IF NOT EXISTS numbers (i INTEGER PRIMARY KEY);
    WITH RECURSIVE counted (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM counted WHERE i < ${MAX_STATEMENT_ROWS - 1})
    INSERT OR IGNORE INTO temp.numbers SELECT i FROM counted;`);
}

/** Makes folder and file where they are missing, for their owner alone, and returns the file's number, by which {@link setAside} knows it again. */
export function ensureCacheFile(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  return statSync(path).ino;
}

/** Opens the file, with tables in it. Errors come as they are: see {@link isDamage} and {@link describeFailure}. */
export async function openCacheDatabase(path: string, timeoutMs: number): Promise<DatabaseSync> {
  const database = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    if (!(await waitForLock(() => readSnapshot(database, () => isCache(database, path)), timeoutMs)))
      await makeTables(database, path, timeoutMs);
    await waitForLock(() => configure(database), timeoutMs);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Renames a damaged file, with its log, so that the next open makes a new one. Undefined where the file at `path` is no longer the one with `inode`:
 * another process has set it aside already.
 */
export function setAside(path: string, inode: number): string | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.ino !== inode) return undefined;
  const aside = `${path}.corrupt-${Date.now()}`;
  renameSync(path, aside);
  for (const suffix of ['-wal', '-shm']) {
    if (statSync(path + suffix, { throwIfNoEntry: false }) !== undefined) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}
