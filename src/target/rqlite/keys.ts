/** Reads the keys of a table of the server, in pages: how many, their digest, and which of given keys are missing. */
import { addKey, emptyDigest, formatDigest } from '../../ledger/digest.ts';
import type { Scalar } from '../../rows/schema.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { describeTable } from '../sqlite/schema.ts';
import { readRows, writeStatement } from './answer.ts';
import type { JsonValue, SqlValue } from './json.ts';
import type { RqliteLink } from './link.ts';
import { withShadow } from './shadow.ts';
import { writeBound } from './transaction.ts';

/** SQLite's parameters of one statement, as rqlite is built. */
const maxParameters = 32_766;

/** Rows of one page: about 1 MB of keys, at most. */
const pageRows = 20_000;

export async function countTable(link: RqliteLink, table: string): Promise<number> {
  const entry = await readRows(link, writeStatement(`SELECT count(*) AS n FROM ${quoteIdentifier(table)}`, []));
  return Number(entry.values[0]?.[0] ?? 0);
}

/** How pages follow each other: by the rowid, or by the primary key of a table WITHOUT ROWID. */
async function choosePaging(link: RqliteLink, table: string): Promise<readonly string[]> {
  return withShadow(link, {}, ({ file }) => {
    const description = describeTable(file, table);
    const taken = new Set(description?.columns.map((column) => column.name.toLowerCase()));
    const rowid = ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
    if (rowid !== undefined) {
      const row = file.db.prepare(`SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE`).get(table);
      if (row?.['wr'] === 0) return [rowid];
    }
    return (description?.key ?? []).map(quoteIdentifier);
  });
}

/**
 * A value as an expression that comes back as it is stored: an expression has no declared type, by which the server would make dates, booleans and texts
 * of it; bytes, which it would take for text then, come as their digits behind a letter.
 */
function writeExact(column: string): string {
  return `typeof(${column}), CASE WHEN typeof(${column}) = 'blob' THEN hex(${column}) ELSE ${column} END`;
}

function readExact(type: JsonValue | undefined, value: JsonValue | undefined): Scalar {
  if (type === 'blob') return new Uint8Array(Buffer.from(String(value), 'hex'));
  if (type === 'real') return Number(value);
  return (value ?? null) as Scalar;
}

interface Page {
  readonly paging: readonly string[];
  readonly after: readonly SqlValue[] | undefined;
  /** Over the table as t; every row by default. */
  readonly condition?: string | undefined;
}

function writePage(table: string, key: readonly string[], { paging, after, condition = '1' }: Page): string {
  const order = paging.join(', ');
  const columns = [...key.map((name) => writeExact(quoteIdentifier(name))), ...paging.map(writeExact)].join(', ');
  const from = after === undefined ? '' : ` AND (${order}) > (${paging.map(() => '?').join(', ')})`;
  const sql = `SELECT ${columns} FROM ${quoteIdentifier(table)} t WHERE ${condition}${from} ORDER BY ${order} LIMIT ${String(pageRows)}`;
  return writeBound(sql, after ?? []);
}

/** Count and digest of all keys, or of those under a condition over the table as t. Rows that others write meanwhile may or may not be among them, as in any reading of several requests. */
export async function digestTable(
  link: RqliteLink,
  { table, key, condition }: { readonly table: string; readonly key: readonly string[]; readonly condition?: string },
): Promise<{ readonly rows: number; readonly digest: string }> {
  const paging = await choosePaging(link, table);
  const digest = emptyDigest();
  let rows = 0;
  let after: readonly SqlValue[] | undefined;
  for (;;) {
    const { values } = await readRows(link, writePage(table, key, { paging, after, condition }));
    for (const row of values) {
      addKey(
        digest,
        key.map((_, index) => readExact(row[2 * index], row[2 * index + 1])),
      );
    }
    rows += values.length;
    const last = values.at(-1);
    if (last === undefined || values.length < pageRows) return { rows, digest: formatDigest(digest) };
    const place = 2 * key.length;
    after = paging.map((_, index) => readExact(last[place + 2 * index], last[place + 2 * index + 1]));
  }
}

/** Rows of values for a VALUES list behind their ordinals; what `k.column1` and so on are in {@link writeMatch}. */
function writeTuples(count: number, width: number): string {
  return Array.from({ length: count }, (_, at) => `(${[String(at), ...Array<string>(width).fill('?')].join(',')})`).join(',');
}

/** The rows of the list whose key is in the table, by the table's own comparison, as the condition of an EXISTS. */
function writeMatch(table: string, key: readonly string[]): string {
  const match = key.map((name, index) => `t.${quoteIdentifier(name)} = k.column${String(index + 2)}`).join(' AND ');
  return `EXISTS (SELECT 1 FROM ${quoteIdentifier(table)} t WHERE ${match})`;
}

/** How many keys fit one statement. */
export function countKeysPerStatement(width: number): number {
  return Math.max(1, Math.min(5000, Math.floor((maxParameters - 1) / Math.max(1, width))));
}

/** Whether all of these keys are in the table, as a condition with its values. */
export function writeAllKnown(
  lookup: { readonly table: string; readonly key: readonly string[] },
  keys: readonly (readonly SqlValue[])[],
): { readonly condition: string; readonly parameters: readonly SqlValue[] } {
  const tuples = writeTuples(keys.length, lookup.key.length);
  return {
    condition: `(SELECT count(*) FROM (VALUES ${tuples}) k WHERE ${writeMatch(lookup.table, lookup.key)}) = ${String(keys.length)}`,
    parameters: keys.flat(),
  };
}

/** Which of the keys are in the table, by index. */
export async function findKnown(
  link: RqliteLink,
  lookup: { readonly table: string; readonly key: readonly string[] },
  keys: readonly (readonly SqlValue[])[],
): Promise<Set<number>> {
  const known = new Set<number>();
  const size = countKeysPerStatement(lookup.key.length);
  for (let from = 0; from < keys.length; from += size) {
    const part = keys.slice(from, from + size);
    const sql = `SELECT k.column1 AS at FROM (VALUES ${writeTuples(part.length, lookup.key.length)}) k WHERE ${writeMatch(lookup.table, lookup.key)}`;
    const { values } = await readRows(link, writeBound(sql, part.flat()));
    for (const [at] of values) known.add(from + Number(at));
  }
  return known;
}

export async function findMissing(
  link: RqliteLink,
  lookup: { readonly table: string; readonly key: readonly string[] },
  keys: readonly (readonly Scalar[])[],
): Promise<readonly number[]> {
  const known = await findKnown(link, lookup, keys);
  return keys.flatMap((_, index) => (known.has(index) ? [] : [index]));
}
