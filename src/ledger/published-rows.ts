/** What the ledger is told when rows that waited to be seen all at once are published: the commits had counted each as written, and none as new. */
import type { Statement } from '../target/driver.ts';
import type { KeyDigest } from './digest.ts';

/** What became of a shard's waiting rows otherwise than its commits had counted. */
export interface PublishedShare {
  readonly load: string;
  readonly shard: number;
  /** Of the waiting rows, all counted as written. */
  readonly skipped: number;
  readonly rejected: number;
  /** Rows that the table did not have before, and the digest of their keys. */
  readonly added: number;
  readonly digest: KeyDigest;
}

/** In the transaction that publishes. */
export function settlePublished({ load, shard, skipped, rejected, added, digest }: PublishedShare): Statement {
  return {
    sql: `UPDATE sluice_shards SET written_count = written_count - ?, skipped_count = skipped_count + ?, rejected_count = rejected_count + ?, added_count = added_count + ?,
  key_high = (key_high + ?) % 4294967296, key_low = (key_low + ?) % 4294967296 WHERE load = ? AND shard = ?`,
    parameters: [skipped + rejected, skipped, rejected, added, digest.high, digest.low, load, shard],
    mustChange: 1,
  };
}
