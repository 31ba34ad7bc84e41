/** Builds, extends and drops vector indexes. The work is done in a thread of its own, so the caller's stays free; it is told of progress and may stop it. */
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { SluiceError, type ErrorCode } from '../../errors.ts';
import type { DropIndexRequest, IndexRequest, IndexResult, IndexSettings, Metric, VectorIndexState } from '../driver.ts';
import { defaultLockTimeoutMs, transactSqlite, type SqliteFile } from './connect.ts';
import { locateSideFile, removeSideFile } from './vector-file.ts';
import { dropTracking } from './vector-tracking.ts';

/** What the worker is told. Plain data. */
export interface BuildOrder {
  readonly file: string;
  readonly table: string;
  readonly column: string;
  readonly metric: Metric;
  readonly how: IndexRequest['how'];
  readonly settings: IndexSettings | undefined;
  readonly name: string | undefined;
  readonly threads: number | undefined;
  readonly lockTimeoutMs: number;
}

/** What the worker tells. The last one is `done` or `failed`. */
export type BuildNews =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'done'; readonly result: IndexResult }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };

/** The worker's file, as source and as published. */
function locateWorker(): URL {
  return new URL(`./vector-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

/**
 * Builds the index of a vector column, or brings it up to date. Others may read and write the table meanwhile, and search finds what they wrote.
 * `threads`: all cores by default. The signal is heeded between chunks, within about a second; what stood before then still stands.
 * @throws SLUICE_CANCELLED, SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_INDEX_UNUSABLE (a table without row ids, or replaced meanwhile),
 * SLUICE_PACKAGE_MISSING, SLUICE_TARGET_…
 */
export async function buildVectorIndex(file: string, request: IndexRequest): Promise<IndexResult> {
  const { table, column, metric, how, settings, name, threads, signal } = request;
  if (signal?.aborted === true) throw cancelled(table, column);
  const lockTimeoutMs = request.lockTimeoutMs ?? defaultLockTimeoutMs;
  const order: BuildOrder = { file, table, column, metric, how, settings, name, threads, lockTimeoutMs };
  // Flags that speak of the caller's own script (--input-type) would keep the worker from starting; those about warnings still hold.
  const execArgv = process.execArgv.filter((flag) => flag.includes('warning'));
  const worker = new Worker(locateWorker(), { workerData: order, execArgv });
  const stop = (): void => worker.postMessage('stop');
  signal?.addEventListener('abort', stop);
  try {
    return await followWorker(worker, request);
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

function cancelled(table: string, column: string): SluiceError {
  return new SluiceError('SLUICE_CANCELLED', `The index of ${table}.${column} was not built: it was stopped.`);
}

/** Waits for the last news; a worker that ends without it has died. */
async function followWorker(worker: Worker, { table, column, onProgress }: IndexRequest): Promise<IndexResult> {
  const { promise, resolve, reject } = Promise.withResolvers<IndexResult>();
  const died = (cause?: unknown): void =>
    reject(
      new SluiceError('SLUICE_LANE_DIED', `The thread that built the index of ${table}.${column} ended unexpectedly.`, {
        cause,
        hint: 'Build it again.',
      }),
    );
  worker.on('message', (news: BuildNews) => {
    if (news.kind === 'done') resolve(news.result);
    if (news.kind === 'failed') reject(new SluiceError(news.code, news.message, news.hint === undefined ? {} : { hint: news.hint }));
    if (news.kind !== 'progress' || onProgress === undefined) return;
    try {
      onProgress(news.done, news.total);
    } catch (error) {
      reject(error);
    }
  });
  worker.on('error', died);
  void once(worker, 'exit').then(() => died(), died);
  return promise;
}

/** Drops the index of a column where it is there under the name that is given, or under any; answers with its name. */
export async function dropListedIndex(
  file: string,
  { table, column, name, lockTimeoutMs }: DropIndexRequest,
  known: readonly VectorIndexState[],
): Promise<readonly string[]> {
  const found = known.find((index) => index.column.toLowerCase() === column.toLowerCase() && (name === undefined || index.name === name));
  if (found === undefined) return [];
  const spelled = spellTable(file, table);
  await dropVectorIndex(file, { table: spelled, column: found.column, ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }) });
  return [found.name];
}

/** The table's name as the index has it: SQLite does not tell cases apart. */
function spellTable(file: string, table: string): string {
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    const row = db.prepare('SELECT table_name FROM sluice_indexes WHERE table_name = ? COLLATE NOCASE').get(table);
    return typeof row?.['table_name'] === 'string' ? row['table_name'] : table;
  } finally {
    db.close();
  }
}

/**
 * Removes the index of a column: its triggers and records from the database, its file from the disk. The table stays as it is, or may be gone already.
 * @throws SLUICE_TARGET_LOCKED and other SLUICE_TARGET_…
 */
export async function dropVectorIndex(
  file: string,
  owner: { readonly table: string; readonly column: string; readonly lockTimeoutMs?: number },
): Promise<void> {
  const db = new DatabaseSync(file, { timeout: 0 });
  const link: SqliteFile = { db, file, lockTimeoutMs: owner.lockTimeoutMs ?? defaultLockTimeoutMs, statements: new Map() };
  try {
    await transactSqlite(link, () => dropTracking(db, { name: owner.table, column: owner.column }));
  } finally {
    db.close();
  }
  removeSideFile(locateSideFile(file, owner.table, owner.column));
}
