/** Reads the keys of a table: their digest, and which of given keys are missing. Rows are streamed, never collected. */
import type { Scalar } from '../../rows/schema.ts';
import { addKey, emptyDigest, formatDigest } from '../../ledger/digest.ts';
import { quoteIdentifier, quoteList } from '../sql-text.ts';
import type { SqliteFile } from './connect.ts';

export function countTable(link: SqliteFile, table: string): number {
  return Number(link.db.prepare(`SELECT count(*) AS n FROM ${quoteIdentifier(table)}`).get()?.['n'] ?? 0);
}

export function digestTable(link: SqliteFile, table: string, key: readonly string[]): { readonly rows: number; readonly digest: string } {
  const digest = emptyDigest();
  const statement = link.db.prepare(`SELECT ${quoteList(key)} FROM ${quoteIdentifier(table)}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  let rows = 0;
  for (const row of statement.iterate()) {
    addKey(digest, row as unknown as Scalar[]);
    rows++;
  }
  return { rows, digest: formatDigest(digest) };
}

export function findMissing(
  link: SqliteFile,
  lookup: { readonly table: string; readonly key: readonly string[] },
  keys: readonly (readonly Scalar[])[],
): readonly number[] {
  const match = lookup.key.map((name) => `${quoteIdentifier(name)} = ?`).join(' AND ');
  const statement = link.db.prepare(`SELECT 1 FROM ${quoteIdentifier(lookup.table)} WHERE ${match}`);
  const missing: number[] = [];
  keys.forEach((key, index) => {
    const values = key.map((value) => (typeof value === 'boolean' ? Number(value) : value));
    if (statement.get(...values) === undefined) missing.push(index);
  });
  return missing;
}
