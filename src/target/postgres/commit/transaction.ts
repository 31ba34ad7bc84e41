/** A batch's transaction: the shard's mark comes first and so fences and locks it, rows follow in stretches that can be undone one by one. */
import type { Statement } from '../../driver.ts';
import { checkColumns, guardMark } from './column-guard.ts';
import { defaultLockTimeoutMs, type TableWriter } from './writer.ts';
import { runStatement } from '../ledger.ts';
import type { PgLink, RunOptions } from '../link.ts';

/** Thrown inside the transaction when the shard has another owner. */
export class Fenced extends Error {}

export interface BatchTransaction {
  readonly link: PgLink;
  readonly writer: TableWriter;
  /** BEGIN, what holds for this transaction alone, and the table's lock. */
  readonly head: string;
  /** Moves the shard's position if the columns are what they were; it must change one row. */
  readonly mark: Statement;
  readonly signal: AbortSignal | undefined;
  /** Rows so far are behind a savepoint; without one an undo begins the whole transaction again. */
  hasSavepoint: boolean;
}

/**
 * How long one statement over a batch may take where the server can't be asked whether it is at work, behind a pooler. Into an HNSW index go about 440 rows/s (384
 * dimensions, pgvector 0.8.5): a batch of 20,000 rows takes 45 s there, and more on a busy server.
 */
const blindTimeoutMs = 600_000;

/** Options of a statement that works on many rows. A session of our own has the link's limit, which is stretched while the server says that it is at work. */
export function readRunOptions({ link, signal }: BatchTransaction): RunOptions {
  return { signal, timeoutMs: link.ownsSession ? undefined : blindTimeoutMs };
}

export function createTransaction(writer: TableWriter, mark: Statement, signal: AbortSignal | undefined): BatchTransaction {
  const lockTimeoutMs = Math.max(1, Math.round(writer.lockTimeoutMs ?? defaultLockTimeoutMs));
  const settings = [
    // The fence relies on it: an UPDATE that waited sees what the other owner committed, and changes nothing.
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    `SET LOCAL lock_timeout = ${lockTimeoutMs}`,
    ...writer.limits,
    ...(writer.settings.isFastSession ? ['SET LOCAL synchronous_commit = off'] : []),
    writer.guard.lock,
  ];
  return { link: writer.link, writer, head: settings.join('; '), mark: guardMark(mark, writer), signal, hasSavepoint: false };
}

/**
 * Begins. An owner that was presumed dead stops here, before its rows meet those of the new one; so does one whose table is no longer what it was.
 * @throws Fenced; SLUICE_TARGET_FAILED, SLUICE_COLUMN_UNKNOWN for columns that were changed
 */
export async function beginBatch(transaction: BatchTransaction): Promise<void> {
  const { link, writer, head, mark, signal } = transaction;
  transaction.hasSavepoint = false;
  await link.script(head, { signal });
  if ((await runStatement(link, mark, { signal })) === 1) return;
  await checkColumns(writer);
  throw new Fenced();
}

/** What was written so far stays when a later stretch is undone. */
export async function keepRows(transaction: BatchTransaction): Promise<void> {
  const { link, signal, hasSavepoint } = transaction;
  // Released first: savepoints inside savepoints make each later one dearer.
  await link.script(`${hasSavepoint ? 'RELEASE SAVEPOINT sluice_rows; ' : ''}SAVEPOINT sluice_rows`, { signal });
  transaction.hasSavepoint = true;
}

/** Takes back what was written since the last {@link keepRows}, all of it where there was none. */
export async function undoRows(transaction: BatchTransaction): Promise<void> {
  const { link, signal, hasSavepoint } = transaction;
  if (hasSavepoint) {
    await link.script('ROLLBACK TO SAVEPOINT sluice_rows', { signal });
    return;
  }
  await link.script('ROLLBACK', { signal });
  await beginBatch(transaction);
}
