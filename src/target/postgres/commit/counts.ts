/** Adds up what became of a batch's rows, in the terms of the ledger. */
import { addDigest, emptyDigest, type KeyDigest } from '../../../ledger/digest.ts';
import type { CommitCounts } from '../../../ledger/statements.ts';
import type { Batch } from '../../../rows/batch.ts';
import type { Mark, Statement } from '../../driver.ts';
import type { TableWriter } from './writer.ts';
import { digestRows } from '../wire/key-hash.ts';
import type { Refusal } from '../refusal.ts';

/** `written + skipped + refused.size` is the batch's row count in the end. */
export interface Tally {
  written: number;
  skipped: number;
  /** Rows that the table did not have before, and the digest of their keys. */
  added: number;
  readonly digest: KeyDigest;
  readonly refused: Map<number, Refusal>;
}

export function createTally(): Tally {
  return { written: 0, skipped: 0, added: 0, digest: emptyDigest(), refused: new Map() };
}

/**
 * Rows that went into the table as new ones, `taken` of them by the server's count: a trigger may have left some out, which count as skipped. Rows that
 * wait to be moved are new only once they are.
 */
export function countInserted(tally: Tally, writer: TableWriter, inserted: Inserted): void {
  const { batch, rows, taken } = inserted;
  tally.written += taken;
  tally.skipped += rows.length - taken;
  if (writer.settings.publish === 'move') return;
  tally.added += taken;
  if (writer.settings.tracksKeys) addDigest(tally.digest, digestRows(writer.keyColumns, batch, rows));
}

/** Counts that were worked out before. */
export function addCounts(tally: Tally, { written, skipped, added, digest }: Omit<CommitCounts, 'rejected'>): void {
  tally.written += written;
  tally.skipped += skipped;
  tally.added += added;
  addDigest(tally.digest, digest);
}

export interface Inserted {
  readonly batch: Batch;
  readonly rows: Int32Array;
  readonly taken: number;
}

/** The tally as the ledger takes it; `earlierRejects` were refused before the batch came here. */
export function toCounts(tally: Tally, earlierRejects: number): CommitCounts {
  const { written, skipped, added, digest, refused } = tally;
  return { written, skipped, rejected: earlierRejects + refused.size, added, digest: { ...digest } };
}

export function equalCounts(a: CommitCounts, b: CommitCounts): boolean {
  return (
    a.written === b.written &&
    a.skipped === b.skipped &&
    a.rejected === b.rejected &&
    a.added === b.added &&
    a.digest.high === b.digest.high &&
    a.digest.low === b.digest.low
  );
}

/** A sum modulo 2³² that was counted as `noted` and is `actual`. */
function correctSum(noted: number, actual: number): number {
  return (actual - noted) >>> 0;
}

/** Corrects the counts that a shard's mark took with it before the rows were written, in the same transaction. */
export function correctCounts(mark: Mark, noted: CommitCounts, actual: CommitCounts): Statement {
  return {
    sql: `UPDATE sluice_shards SET written_count = written_count + ?, skipped_count = skipped_count + ?, rejected_count = rejected_count + ?, added_count = added_count + ?,
  key_high = (key_high + ?) % 4294967296, key_low = (key_low + ?) % 4294967296
WHERE load = ? AND shard = ? AND epoch = ?`,
    parameters: [
      actual.written - noted.written,
      actual.skipped - noted.skipped,
      actual.rejected - noted.rejected,
      actual.added - noted.added,
      correctSum(noted.digest.high, actual.digest.high),
      correctSum(noted.digest.low, actual.digest.low),
      mark.load,
      mark.shard,
      mark.epoch,
    ],
    mustChange: 1,
  };
}
