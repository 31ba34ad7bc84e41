/** What stands for the content of an SQLite table or query: digests of all rows where that is quick, of counts and samples where it is not. */
import { createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { SqliteRow } from './sqlite-columns.ts';

/** Up to this size of a file every row is digested: about half a second. */
const maxDigestedBytes = 64 * 1024 * 1024;
const sampledRows = 64;

/** What is asked about. */
export interface IdentityRequest {
  readonly db: DatabaseSync;
  readonly file: string;
  /** Selects every row, in an order of its own. */
  readonly sql: string;
  /** Of a table with row ids: the quoted names of both. */
  readonly table: { readonly name: string; readonly rowid: string } | undefined;
}

/** Equal for equal content. Of a large query it is never equal: only the query itself could tell, and would be run twice for it. */
export function identifyContent(request: IdentityRequest): string {
  const { db, file, sql, table } = request;
  if (statSync(file).size <= maxDigestedBytes) return digestRows(db, sql);
  return table === undefined ? randomBytes(16).toString('hex') : digestSamples(request, table);
}

function digestRows(db: DatabaseSync, sql: string): string {
  const statement = db.prepare(sql, { readBigInts: true, returnArrays: true });
  let digest = 0;
  let rows = 0;
  for (const row of statement.iterate() as Iterable<unknown> as Iterable<SqliteRow>) {
    rows++;
    for (const value of row) {
      // The kind goes in too: 1 and '1' are different values.
      digest = crc32(value instanceof Uint8Array ? value : `${typeof value}:${String(value)}`, digest);
    }
  }
  return `${String(rows)} rows ${digest.toString(16)}`;
}

function digestSamples({ db, file }: IdentityRequest, { name, rowid }: NonNullable<IdentityRequest['table']>): string {
  const hash = createHash('sha256');
  const ends = db.prepare(`SELECT count(*), min(${rowid}), max(${rowid}) FROM ${name}`, { readBigInts: true, returnArrays: true });
  const [rows = 0n, first = 0n, last = 0n] = ends.get() as unknown as readonly (bigint | null)[];
  hash.update(`${String(rows)} ${String(first)} ${String(last)}`);
  // In WAL mode a checkpoint changes the time of a file that nobody has written to.
  const isWal = db.prepare('PRAGMA journal_mode').get()?.['journal_mode'] === 'wal';
  if (!isWal) hash.update(String(statSync(file).mtimeMs));
  const at = db.prepare(`SELECT * FROM ${name} WHERE ${rowid} >= ? ORDER BY ${rowid} LIMIT 1`, { readBigInts: true, returnArrays: true });
  const [low, high] = [first ?? 0n, last ?? 0n];
  for (let sample = 0n; sample < BigInt(sampledRows); sample++) {
    const row = at.get(low + ((high - low) * sample) / BigInt(sampledRows - 1)) as unknown as SqliteRow | undefined;
    for (const value of row ?? []) hash.update(value instanceof Uint8Array ? value : `${typeof value}:${String(value)}`);
  }
  return hash.digest('hex');
}
