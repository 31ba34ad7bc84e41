/** Reads in one transaction of their own: of one moment, and never waiting for another's lock longer than the caller would. */
import { defaultLockTimeoutMs } from '../finish/lock.ts';
import type { PgLink } from '../link.ts';
import { runInTransaction } from '../transaction.ts';

export interface ReadWait {
  /** How long a lock may be waited for: an ALTER TABLE or VACUUM FULL of another session keeps even readers out. */
  readonly lockTimeoutMs?: number | undefined;
}

function limitLocks({ lockTimeoutMs }: ReadWait): string {
  return `SET LOCAL lock_timeout = ${String(Math.max(1, Math.round(lockTimeoutMs ?? defaultLockTimeoutMs)))}`;
}

/** Several reads that must agree with each other. */
export function readTogether<Result>(link: PgLink, wait: ReadWait, work: () => Promise<Result>): Promise<Result> {
  return runInTransaction(link, work, ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY', limitLocks(wait)]);
}

/** A read of a whole table: a statement_timeout that is meant for queries of a service would end it. */
export function readWhole<Result>(link: PgLink, wait: ReadWait, work: () => Promise<Result>): Promise<Result> {
  return runInTransaction(link, work, ['SET TRANSACTION READ ONLY', limitLocks(wait), 'SET LOCAL statement_timeout = 0']);
}
