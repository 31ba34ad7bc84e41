/** Opens an SQLite file and runs transactions on it. Locks are waited for asynchronously, with a deadline: no thread ever blocks on another's lock. */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { hideSecrets } from '../../secret-text.ts';
import { SluiceError } from '../../errors.ts';
import type { ConnectOptions } from '../driver.ts';
import { isBusy, toTargetError } from './errors.ts';

/** How long a lock is waited for unless the caller says otherwise. */
export const defaultLockTimeoutMs = 30_000;

/** The first wait for a lock, doubled up to the longest. */
const firstWaitMs = 1;
const longestWaitMs = 50;

/** An open file with its prepared statements. */
export interface SqliteFile {
  readonly db: DatabaseSync;
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly statements: Map<string, StatementSync>;
}

/** The file that an `sqlite:` URL names; `sqlite:library.db`, `sqlite:/abs/x.db`, `sqlite:///abs/x.db`. */
export function parseSqliteUrl(url: string): string {
  const rest = url.slice(url.indexOf(':') + 1).replace(/^\/\/(?=\/)/u, '');
  if (rest.startsWith('//')) {
    // What follows two slashes is a host to one reader and a relative path to the next; taken as a path it would be in the root folder.
    throw new SluiceError('SLUICE_USAGE', `The target ${hideSecrets(url)} names a host, and an SQLite database is a file.`, {
      hint: 'Write it as sqlite:library.db or sqlite:/data/library.db.',
    });
  }
  const [path = '', query] = rest.split('?', 2);
  if (path === '' || path === ':memory:') {
    throw new SluiceError('SLUICE_USAGE', `The target ${url} names no file.`, {
      hint: 'Write it as sqlite:library.db or sqlite:/data/library.db.',
    });
  }
  if (query !== undefined && query !== '') {
    throw new SluiceError('SLUICE_USAGE', `The target ${hideSecrets(url)} has options after "?", which sqlite: does not take.`, {
      hint: 'Leave them out; a question mark in the name of a file is written %3F.',
    });
  }
  return resolve(decodePath(path));
}

function decodePath(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    // A lone percent sign is a legal character of a file name.
    return path;
  }
}

/** Says what is wrong with a file's place before SQLite does, which has one error for all of it. @throws SLUICE_TARGET_MISSING, SLUICE_TARGET_DENIED */
export function checkPlace(file: string, isReadOnly: boolean): void {
  if (existsSync(file)) {
    if (statSync(file).isDirectory()) {
      throw new SluiceError('SLUICE_TARGET_DENIED', `${file} is a folder, not a database file.`, {
        hint: 'Name a file in it, e.g. sqlite:folder/library.db.',
      });
    }
    return;
  }
  if (isReadOnly) {
    throw new SluiceError('SLUICE_TARGET_MISSING', `There is no database ${file}.`, {
      hint: 'Check the path, or load into it first: sluice load … --to sqlite:FILE.',
    });
  }
  if (!existsSync(dirname(file))) {
    throw new SluiceError('SLUICE_TARGET_DENIED', `The folder ${dirname(file)} does not exist, so ${file} can't be made.`, {
      hint: 'Make the folder first.',
    });
  }
}

/**
 * Opens the file of a URL.
 * @throws SLUICE_TARGET_MISSING, SLUICE_TARGET_DENIED, SLUICE_TARGET_NOT_A_DATABASE, SLUICE_TARGET_LOCKED
 */
export async function openSqlite(url: string, options: ConnectOptions = {}): Promise<SqliteFile> {
  const file = parseSqliteUrl(url);
  const isPlanning = options.isPlanning ?? false;
  const isReadOnly = (options.isReadOnly ?? false) || isPlanning;
  checkPlace(file, isReadOnly && !isPlanning);
  const lockTimeoutMs = options.lockTimeoutMs ?? defaultLockTimeoutMs;
  const opened = await waitForLock(file, { lockTimeoutMs, signal: options.signal }, () =>
    openFile(isPlanning && !existsSync(file) ? ':memory:' : file, isReadOnly),
  );
  return { db: opened, file, lockTimeoutMs, statements: new Map() };
}

/** Pages held in memory: enough for the inner pages of large B-trees, small beside the batches. */
export const cacheKib = 16_384;

function openFile(file: string, isReadOnly: boolean): DatabaseSync {
  // Also for reading the file is opened for writing: a journal that a killed process left must be rolled back before anything can be read.
  const db = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: true, allowExtension: true });
  try {
    // The first read tells whether the file is a database at all, and rolls back what a killed process left in the journal.
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    db.exec(`PRAGMA cache_size = -${String(cacheKib)}; PRAGMA temp_store = FILE; PRAGMA query_only = ${isReadOnly ? 'ON' : 'OFF'}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

interface LockWait {
  readonly lockTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs `work` again while another connection's lock is in the way, until the deadline. Other errors come out as {@link SluiceError}s. */
export async function waitForLock<Result>(file: string, wait: LockWait, work: () => Result): Promise<Result> {
  const deadline = performance.now() + wait.lockTimeoutMs;
  let waitMs = firstWaitMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw toTargetError(error, file);
    }
    if (wait.signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', `Stopped while waiting for a lock on ${file}.`);
    await sleep(waitMs);
    waitMs = Math.min(waitMs * 2, longestWaitMs);
  }
}

/** A prepared statement, kept for the life of the connection. Integers come as bigint: of a rowid beyond 2⁵³ `run` could not tell otherwise, and throws. */
export function prepareOnce(link: SqliteFile, sql: string): StatementSync {
  const known = link.statements.get(sql);
  if (known !== undefined) return known;
  const statement = link.db.prepare(sql);
  statement.setReadBigInts(true);
  link.statements.set(sql, statement);
  return statement;
}

/** Rolls back if a transaction is open; after some errors SQLite has done so itself. */
export function rollBack(link: SqliteFile): void {
  if (link.db.isTransaction) link.db.exec('ROLLBACK');
}

/**
 * Runs `work` in one write transaction. BEGIN and COMMIT wait for locks; anything thrown rolls everything back.
 * In WAL mode only BEGIN can meet a lock; with a rollback journal COMMIT also waits until readers let go.
 */
export async function transactSqlite<Result>(link: SqliteFile, work: () => Result, signal?: AbortSignal): Promise<Result> {
  const wait = { lockTimeoutMs: link.lockTimeoutMs, signal };
  await waitForLock(link.file, wait, () => link.db.exec('BEGIN IMMEDIATE'));
  try {
    const result = work();
    await waitForLock(link.file, wait, () => link.db.exec('COMMIT'));
    return result;
  } catch (error) {
    rollBack(link);
    throw toTargetError(error, link.file);
  }
}

/**
 * The same for work that takes long and lets others have their turn in between, such as a signal that ends it. Nobody else may use the connection meanwhile.
 */
export async function transactSlowly<Result>(link: SqliteFile, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  const wait = { lockTimeoutMs: link.lockTimeoutMs, signal };
  await waitForLock(link.file, wait, () => link.db.exec('BEGIN IMMEDIATE'));
  try {
    const result = await work();
    await waitForLock(link.file, wait, () => link.db.exec('COMMIT'));
    return result;
  } catch (error) {
    rollBack(link);
    throw toTargetError(error, link.file);
  }
}
