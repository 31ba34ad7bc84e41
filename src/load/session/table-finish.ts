/** The end of a load at its table: indexes back, doubled keys settled, the table published. Nothing is published above the reject limit. */
import { isSluiceError, SluiceError } from '../../errors.ts';
import { findLoad } from '../../ledger/reading.ts';
import type { Decision } from '../../target/driver.ts';
import { DuplicateKeysError } from '../../target/link.ts';
import { repairDuplicates } from './duplicates.ts';
import type { ProgressMeter } from '../report/progress-meter.ts';
import { isOverRejectLimit } from './reject-limit.ts';
import type { ShardsEnd } from './run-shards.ts';
import type { Session } from './session.ts';
import { findKeptReason } from './sync.ts';

export interface TableEnd {
  readonly end: ShardsEnd;
  readonly decisions: readonly Decision[];
}

/** Finishes the table after the shards have ended as `end` says; rows that the table refuses only now may turn a `done` into `reject_limit`, and a stop into one that a resume goes on from. */
export async function finishTable(session: Session, meter: ProgressMeter, end: ShardsEnd): Promise<TableEnd> {
  try {
    return await settle(session, meter, end);
  } catch (error) {
    if (isSluiceError(error, 'SLUICE_REJECT_LIMIT')) return { end: 'reject_limit', decisions: [tellUnpublished(error)] };
    // Asked to stop while indexes were made, doubled keys settled or rows published: each of them is whole or not there, and a resume does what is left.
    if (isSluiceError(error, 'SLUICE_CANCELLED') && session.signal.aborted) {
      return { end: session.stops.cause() ?? 'cancelled', decisions: [tellUnfinished(error)] };
    }
    throw error;
  }
}

async function settle(session: Session, meter: ProgressMeter, end: ShardsEnd): Promise<TableEnd> {
  try {
    return { end, decisions: await finish(session, meter, end) };
  } catch (error) {
    if (!(error instanceof DuplicateKeysError)) throw error;
    await repairDuplicates(session, error);
  }
  const settled = isOverLimit(session, await readCounts(session)) ? 'reject_limit' : end;
  return { end: settled, decisions: await finish(session, meter, settled) };
}

async function finish(session: Session, meter: ProgressMeter, end: ShardsEnd): Promise<readonly Decision[]> {
  const { connection, load, run, signal } = session;
  const { read, rejected } = await readCounts(session);
  return connection.finish(load, run.table, {
    isComplete: end === 'done',
    maxDeletes: run.maxDeletes,
    keepsVanished: end === 'done' ? await findKeptReason(connection, load, run.table) : undefined,
    keeping: run.keeping,
    signal: end === 'done' ? signal : undefined,
    onProgress: ({ index, done, total }) => meter.observe({ kind: 'indexed', index, done, total }, performance.now()),
    mayReject: (count) => !isOverLimit(session, { read, rejected: rejected + count }),
  });
}

function tellUnpublished({ message }: SluiceError): Decision {
  return { what: 'not published', choice: 'the table is as it was', why: message };
}

function tellUnfinished({ message }: SluiceError): Decision {
  return { what: 'not finished', choice: 'a resume does the rest', why: message };
}

async function readCounts({ connection, load }: Session): Promise<{ readonly read: number; readonly rejected: number }> {
  const found = await findLoad(connection, load);
  if (found === undefined) throw new SluiceError('SLUICE_INTERNAL', `Load ${load} is gone from the ledger.`);
  return found.counts;
}

function isOverLimit({ run }: Session, { read, rejected }: { readonly read: number; readonly rejected: number }): boolean {
  return isOverRejectLimit(run.maxRejects, { rejected, read, isWhole: true });
}
