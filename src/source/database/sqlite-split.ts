/** Where an SQLite table is cut into shards: at row ids, so that every shard has about the same number of rows where that can be known cheaply. */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { SqliteFile } from '../../target/sqlite/connect.ts';

/** The ledger has a row a shard. */
export const maxShards = 20_000;

/** Files up to this size are counted, row by row: a quarter of a second. */
const maxCountedBytes = 256 * 1024 * 1024;
/** Up to this many rows the cuts are found by walking over all row ids. */
const maxWalkedRows = 2_000_000;

interface Ends {
  readonly first: bigint;
  readonly last: bigint;
}

function readEnds(db: DatabaseSync, from: string, rowid: string): Ends | undefined {
  // Two queries: with both ends in one SQLite reads the whole table instead of looking at its two ends.
  const read = (end: string): bigint | null => {
    const row = db.prepare(`SELECT ${end}(${rowid}) AS id FROM ${from}`, { readBigInts: true }).get();
    return (row?.['id'] ?? null) as bigint | null;
  };
  const [first, last] = [read('min'), read('max')];
  return first === null || last === null ? undefined : { first, last };
}

/** How many rows a table has: counted in small files, else at most as many as there are row ids between the first and the last, and as ANALYZE saw. */
export function estimateRows({ db, file }: SqliteFile, from: string, rowid: string): number {
  if (statSync(file).size <= maxCountedBytes) return Number(db.prepare(`SELECT count(*) AS rows FROM ${from}`).get()?.['rows']);
  const ends = readEnds(db, from, rowid);
  return ends === undefined ? 0 : Math.min(Number(ends.last - ends.first) + 1, maxGuessedRows(file));
}

/** No row of a table takes less than this in a file. */
const minRowBytes = 8;

function maxGuessedRows(file: string): number {
  return Math.floor(statSync(file).size / minRowBytes);
}

export interface SplitRequest {
  /** The table, quoted. */
  readonly from: string;
  readonly rowid: string;
  readonly shards: number;
  readonly rows: number;
}

/** Ascending row ids after which to cut, and the last one of all. */
export function findBounds(
  db: DatabaseSync,
  request: SplitRequest,
): { readonly bounds: readonly string[]; readonly last: string | undefined } {
  const { from, rowid, rows, shards } = request;
  const ends = readEnds(db, from, rowid);
  if (ends === undefined) return { bounds: [], last: undefined };
  const bounds = shards <= 1 ? [] : rows <= maxWalkedRows ? walkBounds(db, request) : divide(ends, shards);
  return { bounds: bounds.filter((bound) => bound < ends.last).map(String), last: String(ends.last) };
}

function walkBounds(db: DatabaseSync, { from, rowid, rows, shards }: SplitRequest): readonly bigint[] {
  const step = Math.max(1, Math.ceil(rows / shards));
  const statement = db.prepare(
    `SELECT id FROM (SELECT ${rowid} AS id, row_number() OVER (ORDER BY ${rowid}) AS place FROM ${from}) WHERE place % ${String(step)} = 0`,
    { readBigInts: true },
  );
  return statement.all().map((row) => row['id'] as bigint);
}

/** Equal parts of the row ids' span: shards of unequal length where ids are dense here and thin there. */
function divide({ first, last }: Ends, shards: number): readonly bigint[] {
  const bounds = Array.from({ length: shards - 1 }, (_, index) => first + ((last - first) * BigInt(index + 1)) / BigInt(shards));
  return [...new Set(bounds)];
}
