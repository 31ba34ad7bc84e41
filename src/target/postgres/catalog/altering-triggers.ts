/** Triggers that give a row other values before its constraints are looked at: where there are any, only the server knows which rows it refuses. */

/**
 * Whether a row-level BEFORE trigger stands on the table, or on one of its partitions; `relation` is an expression of its oid.
 * Bits of `tgtype`: 1 row · 2 before. A disabled trigger does nothing.
 */
export function writeHasAltering(relation: string): string {
  return `EXISTS (SELECT FROM pg_trigger b WHERE b.tgtype & 3 = 3 AND NOT b.tgisinternal AND b.tgenabled <> 'D'
    AND b.tgrelid IN (SELECT p.relid FROM pg_partition_tree(${relation}) p UNION SELECT ${relation}))`;
}
