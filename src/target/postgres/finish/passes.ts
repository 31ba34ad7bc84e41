/** Rows that waited and can't, or need not, be moved are taken out by a rule at a time, each rule asked of all rows at once; what became of them is kept by shard. */
import type { RejectCode } from '../../../rows/batch.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import type { RejectKeeping, TablePlan } from '../../driver.ts';
import { writeHasAltering } from '../catalog/altering-triggers.ts';
import type { PgError, PgLink, PgParameter, RunOptions } from '../link.ts';
import { quoteTable } from '../qualified-name.ts';
import type { Refusal } from '../refusal.ts';

/** What a shard's counts change by: `rejected` and `skipped` are taken from `written`. */
export interface Share {
  rejected: number;
  skipped: number;
  added: number;
  high: number;
  low: number;
}

export interface Moving {
  readonly link: PgLink;
  readonly id: string;
  readonly plan: TablePlan;
  readonly keeping: RejectKeeping;
  /** Quoted. */
  readonly staging: string;
  readonly target: string;
  readonly columns: string;
  /** Aggregates over the key of `s`. */
  readonly digest: { readonly high: string; readonly low: string };
  readonly run: RunOptions;
  readonly shares: Map<number, Share>;
}

/** A row by its place. */
export interface Guilty {
  readonly shard: number;
  readonly row: number;
  readonly refusal: Refusal;
}

export function addShares({ shares }: Pick<Moving, 'shares'>, changes: readonly (Partial<Share> & { readonly shard: number })[]): void {
  for (const { shard, ...change } of changes) {
    const share = shares.get(shard) ?? { rejected: 0, skipped: 0, added: 0, high: 0, low: 0 };
    shares.set(shard, share);
    share.rejected += change.rejected ?? 0;
    share.skipped += change.skipped ?? 0;
    share.added += change.added ?? 0;
    share.high = (share.high + (change.high ?? 0)) % 2 ** 32;
    share.low = (share.low + (change.low ?? 0)) % 2 ** 32;
  }
}

/** Without a key the order of the input is all that rows have: numbers that the table gives out follow it. */
export function writeInsert({ plan, target, staging, columns }: Moving, where: string): string {
  const order = plan.key.length === 0 ? ' ORDER BY sluice_shard, sluice_row' : '';
  return `INSERT INTO ${target} (${columns}) SELECT ${columns} FROM ${staging} s${where}${order}${writeConflict(plan)}`;
}

function writeConflict({ mode, key, columns }: TablePlan): string {
  if (mode === 'insert' || mode === 'replace') return '';
  const others = columns.filter(({ name }) => !key.includes(name));
  if (mode === 'skip') return ` ON CONFLICT (${quoteList(key)}) DO NOTHING`;
  // With nothing but a key an update changes nothing, yet counts the row as met.
  const set = (others.length === 0 ? columns.slice(0, 1) : others).map(
    ({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`,
  );
  return ` ON CONFLICT (${quoteList(key)}) DO UPDATE SET ${set.join(', ')}`;
}

/** Rows that still wait, by shard, with the digest of their keys. */
export async function readRemaining(
  moving: Moving,
): Promise<readonly { readonly shard: number; readonly count: number; readonly high: number; readonly low: number }[]> {
  const { link, staging, digest, run } = moving;
  const { rows } = await link.query(
    `SELECT s.sluice_shard AS shard, count(*) AS count, ${digest.high} AS high, ${digest.low} AS low FROM ${staging} s GROUP BY s.sluice_shard ORDER BY 1`,
    [],
    run,
  );
  return rows.map((row) => ({
    shard: Number(row['shard']),
    count: Number(row['count']),
    high: Number(row['high']),
    low: Number(row['low']),
  }));
}

/**
 * Of rows with equal keys one stays: upsert keeps the last, and the others count as written, as they were written over · skip keeps the first and only those whose
 * key the table lacks. A key with a null equals no other.
 */
export async function settleDoubled(moving: Moving): Promise<void> {
  const { plan } = moving;
  if (plan.mode === 'upsert') await deleteRows(moving, writeDoubled(moving, plan.key, 'DESC'));
  if (plan.mode !== 'skip') return;
  addShares(
    moving,
    (await deleteRows(moving, writeDoubled(moving, plan.key, 'ASC'))).map(({ shard, count }) => ({ shard, skipped: count })),
  );
  addShares(
    moving,
    (await deleteRows(moving, writeExisting(moving, plan.key))).map(({ shard, count }) => ({ shard, skipped: count })),
  );
}

/** Rows whose key another row has that comes before it in this order. */
function writeDoubled({ staging }: Moving, key: readonly string[], order: 'ASC' | 'DESC'): string {
  const isSet = key.map((name) => `${quoteIdentifier(name)} IS NOT NULL`).join(' AND ');
  return `s.ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY ${quoteList(key)} ORDER BY sluice_shard ${order}, sluice_row ${order}) AS rank
FROM ${staging} WHERE ${isSet}) ranked WHERE rank > 1)`;
}

function writeExisting({ target }: Moving, key: readonly string[]): string {
  return `EXISTS (SELECT 1 FROM ${target} t WHERE ${key.map((name) => `t.${quoteIdentifier(name)} = s.${quoteIdentifier(name)}`).join(' AND ')})`;
}

async function deleteRows(
  { link, staging, run }: Moving,
  where: string,
): Promise<readonly { readonly shard: number; readonly count: number }[]> {
  const { rows } = await link.query(
    `WITH gone AS (DELETE FROM ${staging} s WHERE ${where} RETURNING s.sluice_shard) SELECT sluice_shard AS shard, count(*) AS count FROM gone GROUP BY 1`,
    [],
    run,
  );
  return rows.map((row) => ({ shard: Number(row['shard']), count: Number(row['count']) }));
}

/** Raw rows are made anew from what was loaded, by the names of the table: shown to people, and marked as cut so that no retry reads them as the source's own text. */
function writeReject(
  { staging, columns, keeping }: Moving,
  from: string,
  reject: { code: string; column: string; message: string },
): string {
  const listed = columns.replaceAll(/"(?:[^"]|"")+"/gu, (name) => `gone.${name}`);
  const maxBytes = String(Math.trunc(keeping.maxBytes));
  const json = `(SELECT row_to_json(kept)::text FROM (SELECT ${listed}) kept)`;
  const raw = keeping.keepsRows
    ? `(SELECT CASE WHEN octet_length(j) <= ${maxBytes} THEN j ELSE left(j, ${maxBytes} / 4) END FROM (SELECT ${json} AS j) made)`
    : 'NULL';
  return `WITH gone AS (DELETE FROM ${staging} s ${from} RETURNING s.*, ${reject.code} AS sluice_code, ${reject.column} AS sluice_column, ${reject.message} AS sluice_message),
written AS (INSERT INTO sluice_rejects (load, shard, shard_row, byte_offset, shard_line, class, code, column_name, message, raw, is_cut)
  SELECT $1::text, sluice_shard, sluice_row, sluice_offset, sluice_at_line, 'refused', sluice_code, sluice_column, sluice_message, ${raw}, 1 FROM gone)
SELECT sluice_shard AS shard, count(*) AS count FROM gone GROUP BY 1`;
}

async function refuse(moving: Moving, sql: string, parameters: readonly PgParameter[]): Promise<number> {
  const { rows } = await moving.link.query(sql, parameters, moving.run);
  addShares(
    moving,
    rows.map((row) => ({ shard: Number(row['shard']), rejected: Number(row['count']) })),
  );
  return rows.reduce((sum, row) => sum + Number(row['count']), 0);
}

async function refuseWhere(moving: Moving, where: string, refusal: Refusal): Promise<number> {
  const sql = writeReject(moving, `WHERE ${where}`, { code: '$2::text', column: '$3::text', message: '$4::text' });
  return refuse(moving, sql, [moving.id, refusal.code, refusal.column ?? null, refusal.message]);
}

/** Rows that were found one by one. */
export async function refuseGuilty(moving: Moving, guilty: readonly Guilty[]): Promise<number> {
  const list = guilty.map(({ shard, row, refusal }) => ({
    shard,
    row,
    code: refusal.code,
    column: refusal.column ?? null,
    message: refusal.message,
  }));
  const from = `USING json_to_recordset($2::text::json) AS g(shard int8, "row" int8, code text, "column" text, message text) WHERE s.sluice_shard = g.shard AND s.sluice_row = g."row"`;
  return refuse(moving, writeReject(moving, from, { code: 'g.code', column: 'g."column"', message: 'g.message' }), [
    moving.id,
    JSON.stringify(list),
  ]);
}

/** CHECK constraints and foreign keys of the table whose columns are all loaded. A row whose parent is loaded with it is not without one. None where a trigger may change what they look at. */
const rulesSql = `SELECT k.conname::text AS name, k.contype::text AS type, k.confrelid = k.conrelid AS is_own,
  CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS expression,
  CASE WHEN k.contype = 'f' THEN format('%I.%I', pn.nspname, p.relname) END AS parent,
  CASE WHEN array_length(k.conkey, 1) = 1 THEN (SELECT attname::text FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) END AS column,
  (SELECT string_agg(format('s.%I IS NOT NULL', a.attname), ' AND ') FROM unnest(k.conkey) AS num JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = num) AS is_set,
  CASE WHEN k.contype = 'f' THEN (SELECT string_agg(format('p.%I = s.%I', b.attname, a.attname), ' AND ') FROM unnest(k.conkey, k.confkey) AS pair(own, other)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.own JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.other) END AS match
FROM pg_constraint k LEFT JOIN pg_class p ON p.oid = k.confrelid LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.conrelid = to_regclass($1::text) AND k.contype IN ('c', 'f') AND k.conkey IS NOT NULL AND NOT ${writeHasAltering('k.conrelid')}
  AND NOT EXISTS (SELECT 1 FROM unnest(k.conkey) AS num JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = num
    WHERE a.attname <> ALL (SELECT json_array_elements_text($2::text::json)))
ORDER BY k.contype, k.conname`;

/** Takes out the rows that break a CHECK or a foreign key, and answers how many. */
export async function refuseByRules(moving: Moving): Promise<number> {
  const { link, plan, staging } = moving;
  const { rows } = await link.query(rulesSql, [quoteTable(plan.table), JSON.stringify(plan.columns.map(({ name }) => name))]);
  let count = 0;
  for (const row of rows) {
    const isCheck = row['type'] === 'c';
    const match = String(row['match']);
    const missing = (parent: string): string => `NOT EXISTS (SELECT 1 FROM ${parent} p WHERE ${match})`;
    const own = row['is_own'] === true ? ` AND ${missing(staging)}` : '';
    const where = isCheck ? `NOT (${String(row['expression'])})` : `${String(row['is_set'])} AND ${missing(String(row['parent']))}${own}`;
    count += await refuseWhere(moving, where, {
      code: isCheck ? 'REFUSED_CHECK' : 'REFUSED_FOREIGN_KEY',
      message: `PostgreSQL ${isCheck ? '23514: check' : '23503: foreign key'} constraint ${String(row['name'])}`,
      column: row['column'] === null ? undefined : String(row['column']),
    });
  }
  return count;
}

/** Takes out the rows that the unique constraint of this error refuses: all but the first of equal ones, and those the table has. 0 where it is over expressions or a part of the rows, or where a trigger may change keys. */
export async function refuseDoubled(moving: Moving, error: PgError): Promise<number> {
  const { link, plan } = moving;
  const { rows } = await link.query(
    `SELECT (SELECT json_agg(a.attname ORDER BY k.at) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(num, at) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num WHERE k.at <= i.indnkeyatts)::text AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass($1::text) AND c.relname = $2::text AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
  AND NOT ${writeHasAltering('i.indrelid')}`,
    [quoteTable(plan.table), error.fields.constraint ?? ''],
  );
  const columns = rows[0]?.['columns'];
  if (columns === undefined || columns === null) return 0;
  const key = JSON.parse(String(columns)) as readonly string[];
  if (key.some((name) => !plan.columns.some((column) => column.name === name))) return 0;
  const code: RejectCode = 'REFUSED_UNIQUE';
  const refusal: Refusal = {
    code,
    message: `PostgreSQL 23505: unique constraint ${error.fields.constraint ?? ''}`,
    column: key.length === 1 ? key[0] : undefined,
  };
  return (
    (await refuseWhere(moving, writeDoubled(moving, key, 'ASC'), refusal)) +
    (await refuseWhere(moving, writeExisting(moving, key), refusal))
  );
}

/** The commits had counted every waiting row as written and none as new. */
export async function writeCounts({ link, id, shares, run }: Moving): Promise<void> {
  const list = [...shares].map(([shard, share]) => ({ shard, ...share }));
  await link.query(
    `UPDATE sluice_shards t SET written_count = t.written_count - c.rejected - c.skipped, skipped_count = t.skipped_count + c.skipped, rejected_count = t.rejected_count + c.rejected,
  added_count = t.added_count + c.added, key_high = (t.key_high + c.high) % 4294967296, key_low = (t.key_low + c.low) % 4294967296
FROM json_to_recordset($2::text::json) AS c(shard int8, rejected int8, skipped int8, added int8, high int8, low int8) WHERE t.load = $1::text AND t.shard = c.shard`,
    [id, JSON.stringify(list)],
    run,
  );
}
