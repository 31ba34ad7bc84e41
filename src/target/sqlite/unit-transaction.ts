/** The one transaction of a unit: begun, committed and rolled back within the unit's time, with locks waited for off the thread. */
import { setImmediate as yieldThread } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import type { RunOptions, Statement } from '../batch-contract.ts';
import { waitForLock } from './connect.ts';
import { command, noticeSchema, runOwn, type UnitSession } from './unit-session.ts';

/** How long a unit may take unless the caller says otherwise. */
const defaultTimeoutMs = 300_000;

/** The thread is let go this often, so that a signal can be heard and other work goes on beside a long unit. */
const sliceMs = 25;

/** The time of one unit. */
export interface UnitClock {
  /** @throws SLUICE_TARGET_BUSY when the unit is over time, SLUICE_CANCELLED */
  readonly check: () => void;
  /** Checks, and lets the thread go if it has been held for long. */
  readonly pause: () => Promise<void> | undefined;
  readonly leftMs: () => number;
  readonly signal: AbortSignal | undefined;
}

/** Starts the time of a unit. */
export function startClock(file: string, { timeoutMs = defaultTimeoutMs, signal }: RunOptions): UnitClock {
  const deadline = performance.now() + timeoutMs;
  let sliceEnd = performance.now() + sliceMs;
  const checkAt = (now: number): void => {
    if (signal?.aborted === true)
      throw new SluiceError('SLUICE_CANCELLED', `Stopped in the middle of a unit of statements on ${file}; all of it was undone.`);
    if (now < deadline) return;
    throw new SluiceError(
      'SLUICE_TARGET_BUSY',
      `A unit of statements took longer than ${String(timeoutMs)} ms on ${file}; all of it was undone.`,
      {
        hint: 'Make smaller units, or allow more time.',
      },
    );
  };
  return {
    check: () => checkAt(performance.now()),
    pause: () => {
      const now = performance.now();
      checkAt(now);
      if (now < sliceEnd) return undefined;
      return yieldThread().then(() => {
        sliceEnd = performance.now() + sliceMs;
        checkAt(performance.now());
      });
    },
    leftMs: () => Math.max(0, deadline - performance.now()),
    signal,
  };
}

/** Runs a command that may meet another connection's lock. @throws SLUICE_TARGET_LOCKED after the time that locks, or the unit, may take */
async function commandInTime(session: UnitSession, clock: UnitClock, sql: string): Promise<void> {
  const wait = { lockTimeoutMs: Math.min(session.lockTimeoutMs, clock.leftMs()), signal: clock.signal };
  await waitForLock(session.file, wait, () => command(session, sql));
}

/** Begins. `DEFERRED` takes no lock that keeps others from writing. */
export async function begin(session: UnitSession, clock: UnitClock, kind: 'IMMEDIATE' | 'DEFERRED'): Promise<void> {
  clock.check();
  const wait = { lockTimeoutMs: Math.min(session.lockTimeoutMs, clock.leftMs()), signal: clock.signal };
  await waitForLock(session.file, wait, () => {
    command(session, `BEGIN ${kind}`);
    try {
      // The first read: without a lock of its own yet, a deferred transaction may find the file locked here.
      noticeSchema(session);
    } catch (error) {
      rollBack(session);
      throw error;
    }
  });
}

/** Commits; after an error of a deferred foreign key the transaction is still open. */
export async function commit(session: UnitSession, clock: UnitClock): Promise<void> {
  await commandInTime(session, clock, 'COMMIT');
}

/** Rolls back if a transaction is open; after some errors SQLite has done so itself. */
export function rollBack(session: UnitSession): void {
  if (session.db.isTransaction) command(session, 'ROLLBACK');
}

/** Runs statements of the ledger. @throws SLUICE_FENCED when one misses its count */
export function runRecords(session: UnitSession, statements: readonly Statement[]): void {
  for (const statement of statements) {
    const changes = runOwn(session, statement);
    if (statement.mustChange === undefined || changes === statement.mustChange) continue;
    throw new SluiceError('SLUICE_FENCED', `The ledger in ${session.file} was changed by another process at the same moment.`, {
      hint: 'Run the same command again.',
    });
  }
}
