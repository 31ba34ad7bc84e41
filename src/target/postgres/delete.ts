/** Deletes rows in one transaction; the server digests the keys that went, and the ledger's records stand or fall with them. */
import { formatDigest } from '../../ledger/digest.ts';
import { SluiceError } from '../../errors.ts';
import type { Scalar } from '../../rows/schema.ts';
import { checkAllowed } from '../delete-allowance.ts';
import type { DeleteOutcome, DeleteRequest, ResultRow } from '../driver.ts';
import { quoteIdentifier, quoteList } from '../sql-text.ts';
import { readCatalogTable, type CatalogTable } from './catalog/table.ts';
import { findMissing, writeKeyText } from './catalog/keys.ts';
import { toWireType } from './catalog/schema.ts';
import { defaultLockTimeoutMs } from './finish/lock.ts';
import { runStatement } from './ledger.ts';
import type { PgLink } from './link.ts';
import { quoteName, quoteTable } from './qualified-name.ts';
import { runInTransaction } from './transaction.ts';
import { canHashKey, writeKeyDigest } from './wire/key-hash.ts';

/** Keys of one statement: enough to hide the round trip, few enough for a message of some 100 kB. */
const keysPerStatement = 5_000;

/** What has gone so far; sums of digests modulo 2³². */
interface Gone {
  count: number;
  high: number;
  low: number;
}

interface Deletion {
  readonly link: PgLink;
  readonly request: DeleteRequest;
  readonly table: CatalogTable;
  /** Sums over the rows that a statement returned; undefined where server and client don't digest such keys alike. */
  readonly digest: { readonly high: string; readonly low: string } | undefined;
  readonly gone: Gone;
}

/** @throws SLUICE_DELETE_LIMIT, SLUICE_TABLE_UNKNOWN, SLUICE_CANCELLED, SLUICE_TARGET_… */
export async function deleteRows(link: PgLink, request: DeleteRequest): Promise<DeleteOutcome> {
  const table = await readCatalogTable(link, request.table);
  if (table === undefined)
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${quoteTable(request.table)} in ${link.place}.`, {
      hint: 'Check the name and its schema.',
    });
  const deletion: Deletion = { link, request, table, digest: findDigest(table, request.key), gone: { count: 0, high: 0, low: 0 } };
  const { rows } = request;
  // Keys that the columns' types don't take can't be in the table; they would fail the whole statement.
  const absent =
    'keys' in rows ? new Set(await findMissing(link, { table: request.table, key: request.key }, rows.keys)) : new Set<number>();
  const timeout = `SET LOCAL lock_timeout = ${String(Math.max(1, Math.round(request.lockTimeoutMs ?? defaultLockTimeoutMs)))}`;
  const missing = await runInTransaction(link, async () => {
    const found = 'keys' in rows ? await deleteKeys(deletion, rows.keys, absent) : await deleteMatching(deletion, rows.where);
    await account(deletion);
    return found;
  }, [timeout, 'SET LOCAL statement_timeout = 0']);
  return { deleted: deletion.gone.count, missing };
}

function findDigest(table: CatalogTable, key: readonly string[]): Deletion['digest'] {
  const columns = key.flatMap((name) => table.columns.filter((column) => column.name === name));
  const typed = columns.map((column) => ({ name: column.name, type: toWireType(column) }));
  return typed.length > 0 && canHashKey(typed.map(({ type }) => type)) ? writeKeyDigest(typed) : undefined;
}

function writeSums({ digest }: Deletion): string {
  return digest === undefined ? 'count(*) AS n' : `count(*) AS n, ${digest.high} AS high, ${digest.low} AS low`;
}

async function deleteMatching(deletion: Deletion, where: string): Promise<readonly number[]> {
  const { link, request, table } = deletion;
  const returned = request.key.length === 0 ? '1' : quoteList(request.key);
  const sql = `WITH gone AS (DELETE FROM ${quoteName(table)} WHERE (\n${where}\n) RETURNING ${returned}) SELECT ${writeSums(deletion)} FROM gone`;
  const { rows } = await link.query(sql, [], { signal: request.signal, timeoutMs: 0 });
  add(deletion.gone, rows[0]);
  return [];
}

/** Places of keys whose row was not there (any more). */
async function deleteKeys(
  deletion: Deletion,
  keys: readonly (readonly Scalar[])[],
  absent: ReadonlySet<number>,
): Promise<readonly number[]> {
  const { link, request, table } = deletion;
  const columns = request.key.flatMap((name) => table.columns.filter((column) => column.name === name));
  const match = columns.map(({ name, declaredType }, at) => `t.${quoteIdentifier(name)} = (k.key ->> ${String(at)})::${declaredType}`);
  const sql = `WITH k AS (SELECT value AS key, ordinality AS place FROM json_array_elements($1::text::json) WITH ORDINALITY OFFSET 0),
gone AS (DELETE FROM ${quoteName(table)} t USING k WHERE ${match.join(' AND ')} RETURNING k.place, ${request.key.map((name) => `t.${quoteIdentifier(name)}`).join(', ')})
SELECT ${writeSums(deletion)}, coalesce(json_agg(DISTINCT place), '[]')::text AS places FROM gone`;
  const present = keys.map((_, index) => index).filter((index) => !absent.has(index));
  const missing = new Set(absent);
  for (let from = 0; from < present.length; from += keysPerStatement) {
    const chunk = present.slice(from, from + keysPerStatement);
    const list = chunk.map((index) => (keys[index] ?? []).map((value, at) => writeKeyText(value, columns[at]?.baseName ?? '')));
    const { rows } = await link.query(sql, [JSON.stringify(list)], { signal: request.signal, timeoutMs: 0 });
    add(deletion.gone, rows[0]);
    const places = new Set(JSON.parse(String(rows[0]?.['places'] ?? '[]')) as number[]);
    chunk.forEach((index, at) => {
      if (!places.has(at + 1)) missing.add(index);
    });
  }
  return [...missing].sort((left, right) => left - right);
}

function add(gone: Gone, row: ResultRow | undefined): void {
  gone.count += Number(row?.['n'] ?? 0);
  gone.high = (gone.high + Number(row?.['high'] ?? 0)) >>> 0;
  gone.low = (gone.low + Number(row?.['low'] ?? 0)) >>> 0;
}

async function account({ link, request, table, digest, gone }: Deletion): Promise<void> {
  if (gone.count === 0) return;
  if (request.maxDeletes !== undefined) {
    const { rows } = await link.query(`SELECT count(*) AS n FROM ${quoteName(table)}`, [], { signal: request.signal, timeoutMs: 0 });
    checkAllowed(request, gone.count, Number(rows[0]?.['n'] ?? 0) + gone.count);
  }
  for (const statement of request.record({ count: gone.count, digest: digest === undefined ? undefined : formatDigest(gone) }))
    await runStatement(link, statement, { signal: request.signal });
}
