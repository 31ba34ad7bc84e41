/** What the ledger says of rows that loads took out of their tables, and of refused rows whose keys nobody knows. */
import type { Connection, Statement } from '../target/driver.ts';
import type { KeyDigest } from './digest.ts';
import { count } from './fields.ts';
import type { Reader } from './reading.ts';

/** Why rows were deleted: the source of a sync no longer had them, or the load that brought them was undone. */
export type DeletionCause = 'vanished' | 'undone';

/** Notes the deletion of a load's table, once for each cause; in the transaction that deletes. */
export function recordDeletion(load: string, cause: DeletionCause, deletedCount: number): Statement {
  return {
    sql: `INSERT INTO sluice_deletions (load, cause, deleted_count, at) VALUES (?, ?, ?, ?)`,
    parameters: [load, cause, deletedCount, new Date().toISOString()],
    mustChange: 1,
  };
}

/** Whether, and how many, rows of the cause were deleted. */
export function findDeletion(load: string, cause: DeletionCause): Statement {
  return { sql: `SELECT deleted_count FROM sluice_deletions WHERE load = ? AND cause = ?`, parameters: [load, cause] };
}

/** Rows that a load's table had more before: what the load brought, less what it took. */
export function sumAdded(load: string): Statement {
  return {
    sql: `SELECT CAST(coalesce(sum(added_count), 0) AS BIGINT) AS added_count FROM sluice_shards WHERE load = ?`,
    parameters: [load],
  };
}

/** Takes the keys of deleted rows out of the load's digest, which is the sum over its shards: the first of them bears it. */
export function forgetKeys(load: string, digest: KeyDigest): Statement {
  return {
    sql: `UPDATE sluice_shards SET key_high = (key_high + 4294967296 - ?) % 4294967296, key_low = (key_low + 4294967296 - ?) % 4294967296
WHERE load = ? AND shard = (SELECT min(shard) FROM sluice_shards WHERE load = ?)`,
    parameters: [digest.high, digest.low, load, load],
    mustChange: 1,
  };
}

/** Rows that the loads, or all loads, deleted, by load. A ledger that was made before there were deletions has none. */
export async function readDeletions(
  connection: Pick<Connection, 'query' | 'describe'>,
  cause?: DeletionCause,
): Promise<ReadonlyMap<string, number>> {
  if ((await connection.describe('sluice_deletions')) === undefined) return new Map();
  const where = cause === undefined ? '' : ' WHERE cause = ?';
  const rows = await connection.query({
    sql: `SELECT load, CAST(sum(deleted_count) AS BIGINT) AS deleted_count FROM sluice_deletions${where} GROUP BY load`,
    parameters: cause === undefined ? [] : [cause],
  });
  return new Map(rows.map((row) => [String(row['load']), count(row, 'deleted_count')]));
}

/** Refused rows of a load whose key is not known: those that could not be read, and those whose key itself did not fit. */
export async function countKeylessRejects(reader: Reader, load: string, key: readonly string[]): Promise<number> {
  const names = key.map(() => '?').join(', ');
  const rows = await reader.query({
    sql: `SELECT count(*) AS n FROM sluice_rejects WHERE load = ? AND (class = 'unreadable' OR (class = 'unfit' AND column_name IN (${names})))`,
    parameters: [load, ...key],
  });
  const row = rows[0];
  return row === undefined ? 0 : count(row, 'n');
}
