/** Who works on a load at this moment, by what its unfinished shards say; a session that has none of them in hand is not seen. */
import { readShards, type Reader } from '../../ledger/reading.ts';
import { isOwnerAlive } from './owner.ts';

/** Sessions that have unfinished shards of the load and are alive. */
export async function listLivingOwners(reader: Reader, load: string): Promise<readonly string[]> {
  const shards = await readShards(reader, load, { isOpen: true });
  const names = new Set<string>();
  for (const { owner, updatedAt } of shards) {
    if (owner !== undefined && !names.has(owner) && isOwnerAlive(owner, updatedAt, Date.now())) names.add(owner);
  }
  return [...names];
}
