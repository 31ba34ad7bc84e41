/** Transactions that need strong locks: each try waits only briefly, so that nobody queues behind it for long, and it is tried again until the caller's deadline. */
import { SluiceError } from '../../../errors.ts';
import { PgError, type PgLink } from '../link.ts';
import { runInTransaction } from '../transaction.ts';

/** As the other targets wait. */
export const defaultLockTimeoutMs = 30_000;

/** Everyone who comes after a waiting ACCESS EXCLUSIVE lock waits with it: one try holds them up for at most this long. */
const briefTryMs = 1_000;

/** Between two tries the others get this long, and a random part more, to go on. */
const pauseMs = 200;

/** lock_not_available · deadlock_detected · serialization_failure: the transaction changed nothing and may be run again. */
const waitable = new Set(['55P03', '40P01', '40001']);

export interface LockWait {
  /** What is being done, for the error: `Publishing items`. */
  readonly what: string;
  readonly lockTimeoutMs: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long one try waits; short by default. Longer for work that keeps nobody waiting and would be lost with the try. */
  readonly tryMs?: number;
  /** More statements for this transaction alone. */
  readonly settings?: readonly string[];
}

/**
 * Runs `work` in a transaction, again from its start while locks are in the way.
 * @throws SLUICE_TARGET_LOCKED after `lockTimeoutMs`; SLUICE_CANCELLED between two tries
 */
export async function transactLocking<Result>(link: PgLink, wait: LockWait, work: () => Promise<Result>): Promise<Result> {
  const limitMs = wait.lockTimeoutMs ?? defaultLockTimeoutMs;
  const deadline = performance.now() + limitMs;
  for (;;) {
    const leftMs = Math.max(1, Math.ceil(Math.min(wait.tryMs ?? briefTryMs, deadline - performance.now())));
    try {
      return await runInTransaction(link, work, [`SET LOCAL lock_timeout = ${String(leftMs)}`, ...(wait.settings ?? [])]);
    } catch (error) {
      if (!(error instanceof PgError) || !waitable.has(error.sqlState)) throw error;
      if (performance.now() >= deadline) throw locked(wait.what, limitMs, error);
    }
    await new Promise((resume) => setTimeout(resume, Math.min(pauseMs * (1 + Math.random()), Math.max(0, deadline - performance.now()))));
    if (wait.signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', `${wait.what} was stopped while it waited for a lock.`);
  }
}

function locked(what: string, limitMs: number, cause: PgError): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_LOCKED',
    `${what} waited ${String(Math.round(limitMs / 1000))} s for locks that other sessions hold.`,
    {
      cause,
      hint: 'See pg_stat_activity for transactions that stay open, end them, and run the same command again.',
    },
  );
}
