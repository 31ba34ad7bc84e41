/** The keys of a table: counted, digested by the server, and looked up. Keys never stand in a message or a statement's text. */
import { formatDigest } from '../../../ledger/digest.ts';
import { SluiceError } from '../../../errors.ts';
import type { Scalar } from '../../../rows/schema.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { readCatalogTable, type CatalogColumn, type CatalogTable } from './table.ts';
import { readWhole } from './transaction.ts';
import { canHashKey, writeKeyDigest } from '../wire/key-hash.ts';
import { PgError, type PgLink } from '../link.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';
import { toWireType } from './schema.ts';

/** Reading a whole table takes as long as it takes: 10⁹ rows at 1M a second are 17 minutes. Past this nobody waits for the answer. */
const scanTimeoutMs = 6 * 3_600_000;

/** Keys of one look-up: enough to hide the round trip, few enough for a message of some 100 kB. */
const keysPerLookup = 5000;

/** Rows of the table, counted. */
export async function countTable(link: PgLink, table: string): Promise<number> {
  const sql = `SELECT count(*) AS n FROM ${quoteTable(table)}`;
  const { rows } = await readWhole(link, {}, () => link.query(sql, [], { timeoutMs: scanTimeoutMs }));
  return Number(rows[0]?.['n'] ?? 0);
}

/**
 * Count and digest of all keys in one scan. Nothing but two numbers leaves the server.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN; SLUICE_INTERNAL for key types that server and client don't hash alike (plans don't track those)
 */
export async function digestTable(
  link: PgLink,
  table: string,
  key: readonly string[],
): Promise<{ readonly rows: number; readonly digest: string }> {
  const found = await readTable(link, table);
  const columns = key.map((name) => findColumn(found, name)).map((column) => ({ name: column.name, type: toWireType(column) }));
  if (!canHashKey(columns.map(({ type }) => type))) {
    throw new SluiceError(
      'SLUICE_INTERNAL',
      `The key (${key.join(', ')}) of ${table} has a type that server and client do not digest alike.`,
    );
  }
  const { high, low } = writeKeyDigest(columns);
  const sql = `SELECT count(*) AS n, ${high} AS high, ${low} AS low FROM ${quoteName(found)}`;
  const { rows } = await readWhole(link, {}, () => link.query(sql, [], { timeoutMs: scanTimeoutMs }));
  const [row] = rows;
  // The sums over no rows are null.
  return { rows: Number(row?.['n'] ?? 0), digest: formatDigest({ high: Number(row?.['high'] ?? 0), low: Number(row?.['low'] ?? 0) }) };
}

async function readTable(link: PgLink, table: string): Promise<CatalogTable> {
  const found = await readCatalogTable(link, table);
  if (found !== undefined) return found;
  throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${quoteTable(table)} in ${link.place}.`, {
    hint: 'Check the name and its schema; names are taken exactly as they are written.',
  });
}

function findColumn(found: CatalogTable, name: string): CatalogColumn {
  const column = found.columns.find((each) => each.name === name);
  if (column !== undefined) return column;
  throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${quoteName(found)} has no column ${name}.`, {
    hint: `Its columns are: ${found.columns.map((each) => each.name).join(', ')}.`,
  });
}

/** A look-up of keys: the statement is the same for all chunks. */
interface Lookup {
  readonly link: PgLink;
  readonly sql: string;
  readonly types: readonly string[];
}

/** Indexes of the keys that the table does not hold, ascending. */
export async function findMissing(
  link: PgLink,
  { table, key }: { readonly table: string; readonly key: readonly string[] },
  keys: readonly (readonly Scalar[])[],
): Promise<readonly number[]> {
  const found = await readTable(link, table);
  const columns = key.map((name) => findColumn(found, name));
  const match = columns.map(({ name, declaredType }, at) => `t.${quoteIdentifier(name)} = (k.key ->> ${String(at)})::${declaredType}`);
  // OFFSET 0 keeps the casts out of the join, so that each look-up is one probe of the key's index.
  const sql = `SELECT k.place FROM (SELECT value AS key, ordinality AS place FROM json_array_elements($1::text::json) WITH ORDINALITY OFFSET 0) k
WHERE NOT EXISTS (SELECT FROM ${quoteName(found)} t WHERE ${match.join(' AND ')}) ORDER BY k.place`;
  const lookup: Lookup = { link, sql, types: columns.map(({ baseName }) => baseName) };
  const missing: number[] = [];
  for (let from = 0; from < keys.length; from += keysPerLookup) {
    const chunk = keys.slice(from, from + keysPerLookup);
    for (const index of await findMissingIn(lookup, chunk)) missing.push(from + index);
  }
  return missing;
}

/** A key that the column's type does not take can't be in the table; the others of its chunk are found by halving. */
async function findMissingIn(lookup: Lookup, keys: readonly (readonly Scalar[])[]): Promise<readonly number[]> {
  try {
    const text = JSON.stringify(keys.map((key) => key.map((value, at) => writeKeyText(value, lookup.types[at] ?? ''))));
    const { rows } = await readWhole(lookup.link, {}, () => lookup.link.query(lookup.sql, [text]));
    return rows.map((row) => Number(row['place']) - 1);
  } catch (error) {
    if (!(error instanceof PgError) || !error.sqlState.startsWith('22')) throw error;
    if (keys.length <= 1) return keys.map((_, index) => index);
  }
  const half = Math.ceil(keys.length / 2);
  const first = await findMissingIn(lookup, keys.slice(0, half));
  const second = await findMissingIn(lookup, keys.slice(half));
  return [...first, ...second.map((index) => half + index)];
}

/** A value as PostgreSQL reads it from text. A time without a zone is taken as UTC, as it was when it was written. */
export function writeKeyText(value: Scalar, type: string): string | null {
  if (value === null) return null;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  const text = String(value);
  return type === 'timestamptz' && /T[\d:.]+$/u.test(text) ? `${text}Z` : text;
}
