/** Where a PostgreSQL table is cut into shards: at quantiles of its key, else at pages; and what stands for its content, so that a change is noticed. */
import type { PgLink } from '../../target/postgres/link.ts';
import { quoteIdentifier } from '../../target/sql-text.ts';
import type { Relation } from './postgres-columns.ts';

/** The ledger has a row a shard. */
export const maxShards = 20_000;

/** The only column of a primary key, of a type whose text can be compared again as it stands. */
export interface SplitKey {
  /** Quoted. */
  readonly name: string;
  readonly column: string;
  /** For casts of bounds. */
  readonly type: string;
}

/** Types whose text does not depend on settings of the session. */
const sortableTypes: readonly string[] = ['int2', 'int4', 'int8', 'numeric', 'text', 'varchar', 'uuid'];

export async function findSplitKey(link: PgLink, relation: Relation): Promise<SplitKey | undefined> {
  const { rows } = await link.query(
    `SELECT a.attname AS name, t.typname AS base, format_type(a.atttypid, NULL) AS type
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] JOIN pg_type t ON t.oid = a.atttypid
WHERE i.indrelid = $1::int8::oid AND i.indisprimary AND i.indisvalid AND i.indnkeyatts = 1`,
    [relation.oid],
  );
  const [row] = rows;
  if (row === undefined || !sortableTypes.includes(String(row['base']))) return undefined;
  return { name: String(row['name']), column: `source.${quoteIdentifier(String(row['name']))}`, type: String(row['type']) };
}

export interface QuantileRequest {
  /** The table, quoted. */
  readonly table: string;
  readonly key: SplitKey;
  readonly shards: number;
  readonly rows: number;
}

/** Rows of the sample for each shard: then the shards differ by about a fifth. */
const sampledPerShard = 40;
const minSampledRows = 10_000;

/** Ascending keys after which to cut, as text; fewer than asked for where keys repeat in the sample. */
export async function findQuantiles(link: PgLink, { key, rows, shards, table }: QuantileRequest): Promise<readonly string[]> {
  if (shards <= 1) return [];
  const percent = (100 * Math.max(minSampledRows, sampledPerShard * shards)) / Math.max(1, rows);
  const sample = percent >= 100 ? '' : ` TABLESAMPLE SYSTEM (${percent.toFixed(6)}) REPEATABLE (1)`;
  const fractions = Array.from({ length: shards - 1 }, (_, index) => ((index + 1) / shards).toFixed(9));
  const answer = await link.query(
    `SELECT to_json(percentile_disc('{${fractions.join(',')}}'::float8[]) WITHIN GROUP (ORDER BY ${key.column})::text[])::text AS bounds FROM ${table} AS source${sample}`,
  );
  const text = answer.rows[0]?.['bounds'];
  const bounds = typeof text === 'string' ? (JSON.parse(text) as readonly (string | null)[]) : [];
  return [...new Set(bounds.filter((bound) => bound !== null))];
}

/** Pages after which to cut. */
export function findPages(relation: Relation, shards: number): readonly string[] {
  const pages = Math.ceil(relation.mainBytes / relation.blockBytes);
  const count = Math.min(shards, Math.max(1, pages));
  const bounds = Array.from({ length: count - 1 }, (_, index) => Math.floor((pages * (index + 1)) / count));
  return [...new Set(bounds)].filter((bound) => bound > 0).map(String);
}

/** Tables up to this size are scanned for their version: a tenth of a second. */
const maxScannedBytes = 64 * 1024 * 1024;

/** What a table holds, and how much of it. */
export interface TableVersion {
  /** Another one after any change: of a small table by the transactions that wrote its rows, of a large one by the server's counters (about a second late). */
  readonly version: string;
  readonly rows: number;
}

export async function readVersion(link: PgLink, table: string, relation: Relation): Promise<TableVersion> {
  if (relation.mainBytes <= maxScannedBytes) {
    const { rows } = await link.query(
      `SELECT count(*) AS rows, coalesce(sum(source.xmin::text::int8), 0)::text AS writers FROM ONLY ${table} AS source`,
    );
    const count = Number(rows[0]?.['rows']);
    return { version: `${String(count)} rows ${String(rows[0]?.['writers'])}`, rows: count };
  }
  const { rows } = await link.query(
    `SELECT n_tup_ins::text AS inserted, n_tup_upd::text AS updated, n_tup_del::text AS deleted, n_live_tup AS live FROM pg_stat_all_tables WHERE relid = $1::int8::oid`,
    [relation.oid],
  );
  const [row] = rows;
  const counters = [row?.['inserted'], row?.['updated'], row?.['deleted'], relation.mainBytes].map(String).join(' ');
  const pages = relation.mainBytes / relation.blockBytes;
  const analyzed = relation.analyzedPages > 0 ? (relation.analyzedRows * pages) / relation.analyzedPages : Number(row?.['live'] ?? 0);
  return { version: counters, rows: Math.round(Math.max(analyzed, 1)) };
}

/** Of views and queries: whether anybody wrote anything since, wherever. A query is never taken for one that was loaded before by mistake. */
export async function readServerVersion(link: PgLink): Promise<string> {
  const { rows } = await link.query('SELECT txid_snapshot_xmax(txid_current_snapshot())::text AS next');
  return String(rows[0]?.['next']);
}
