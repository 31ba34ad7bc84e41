/** Deletes rows in one write transaction, with the digest of their keys and the ledger's records. The triggers of a vector index note them by themselves. */
import { addKey, emptyDigest, formatDigest, type KeyDigest } from '../../ledger/digest.ts';
import type { Scalar } from '../../rows/schema.ts';
import { checkAllowed } from '../delete-allowance.ts';
import type { DeleteOutcome, DeleteRequest } from '../driver.ts';
import { quoteIdentifier, quoteList } from '../sql-text.ts';
import { transactSqlite, type SqliteFile } from './connect.ts';
import { runStatements } from './finish.ts';
import { countTable } from './keys.ts';

/** A deletion under way: what is gone so far. */
interface Deletion {
  readonly link: SqliteFile;
  readonly request: DeleteRequest;
  readonly digest: KeyDigest;
}

/** @throws SLUICE_DELETE_LIMIT, SLUICE_TARGET_… (a foreign key that holds a row) */
export async function deleteRows(link: SqliteFile, request: DeleteRequest): Promise<DeleteOutcome> {
  return transactSqlite(
    link,
    () => {
      const rows = countTable(link, request.table);
      const deletion: Deletion = { link, request, digest: emptyDigest() };
      const outcome = 'where' in request.rows ? deleteMatching(deletion, request.rows.where) : deleteKeys(deletion, request.rows.keys);
      checkAllowed(request, outcome.deleted, rows);
      if (outcome.deleted > 0) {
        const digest = request.key.length === 0 ? undefined : formatDigest(deletion.digest);
        runStatements(link, request.record({ count: outcome.deleted, digest }));
      }
      return outcome;
    },
    request.signal,
  );
}

function deleteMatching(deletion: Deletion, where: string): DeleteOutcome {
  return { deleted: runDelete(deletion, `(\n${where}\n)`, [[]])[0] ?? 0, missing: [] };
}

function deleteKeys(deletion: Deletion, keys: readonly (readonly Scalar[])[]): DeleteOutcome {
  const match = deletion.request.key.map((name) => `${quoteIdentifier(name)} = ?`).join(' AND ');
  const counts = runDelete(deletion, match, keys);
  const missing = counts.flatMap((count, index) => (count === 0 ? [index] : []));
  return { deleted: counts.reduce((sum, count) => sum + count, 0), missing };
}

/** Runs the statement for each list of values; how many rows each took. Rows come back one by one. */
function runDelete({ link, request, digest }: Deletion, condition: string, lists: readonly (readonly Scalar[])[]): readonly number[] {
  const returned = request.key.length === 0 ? '1' : quoteList(request.key);
  const statement = link.db.prepare(`DELETE FROM ${quoteIdentifier(request.table)} WHERE ${condition} RETURNING ${returned}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  return lists.map((values) => {
    let count = 0;
    for (const row of statement.iterate(...values.map((value) => (typeof value === 'boolean' ? Number(value) : value)))) {
      if (request.key.length > 0) addKey(digest, row as unknown as Scalar[]);
      count++;
    }
    return count;
  });
}
