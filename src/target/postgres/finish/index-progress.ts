/** How far the server is with an index, read over a second connection while the first one waits for it. Nothing depends on it: where it can't be had, nothing is told. */
import { PgError, type PgLink } from '../link.ts';

/** How far a build is; the counts are blocks or rows, whichever the server's phase counts. */
export interface BuildProgress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

export interface BuildWatch {
  /** Table the index is made on, quoted. */
  readonly table: string;
  readonly onProgress: ((progress: BuildProgress) => void) | undefined;
  /** Opens a second connection; undefined: none can be had (a database in process, the last free session). */
  readonly openSecond: (() => Promise<PgLink>) | undefined;
}

/** A glance costs the server under a millisecond; people see no more than two a second. */
const glanceMs = 500;

/** An answer to a glance that takes longer is not worth waiting for. */
const glanceTimeoutMs = 5_000;

/** pgvector counts rows, B-trees first blocks and then rows. The view's own row shows only to the same role, which is the case here. */
const glanceSql = `SELECT phase,
  CASE WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done END AS done,
  CASE WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total END AS total
FROM pg_stat_progress_create_index WHERE relid = to_regclass($1::text) LIMIT 1`;

/** Runs `work` and tells of its progress meanwhile. Settles as `work` does. */
export async function watchBuild<Result>(watch: BuildWatch, work: () => Promise<Result>): Promise<Result> {
  const { openSecond, onProgress } = watch;
  if (openSecond === undefined || onProgress === undefined) return work();
  const ended = new AbortController();
  const watching = glanceUntil(watch, { openSecond, onProgress }, ended.signal);
  try {
    return await work();
  } finally {
    ended.abort();
    await watching;
  }
}

type Told = { readonly openSecond: () => Promise<PgLink>; readonly onProgress: (progress: BuildProgress) => void };

async function glanceUntil({ table }: BuildWatch, { openSecond, onProgress }: Told, signal: AbortSignal): Promise<void> {
  // Most indexes are made before the first glance is due: they cost no second connection.
  await pause(glanceMs, signal);
  if (signal.aborted) return;
  const link = await openQuietly(openSecond);
  if (link === undefined) return;
  try {
    for (; !signal.aborted; await pause(glanceMs, signal)) {
      const { rows } = await link.query(glanceSql, [table], { signal, timeoutMs: glanceTimeoutMs });
      const row = rows[0];
      if (row !== undefined) onProgress({ phase: String(row['phase']), done: Number(row['done']), total: Number(row['total']) });
    }
  } catch (error) {
    // The build goes on without being watched; what is wrong with the server shows in the build itself.
    if (!(error instanceof Error)) throw error;
  } finally {
    await link.close();
  }
}

async function openQuietly(openSecond: () => Promise<PgLink>): Promise<PgLink | undefined> {
  try {
    return await openSecond();
  } catch (error) {
    // No session left, or a pooler that gives out one: the build is what matters.
    if (error instanceof PgError || error instanceof Error) return undefined;
    throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) return Promise.resolve();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  return promise;
}
