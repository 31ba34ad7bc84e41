/** Reads the ledger over any connection: loads, shards, rejects and what is left to do. Reads only; every figure comes from committed rows. */
import { SluiceError } from '../errors.ts';
import type { Position } from '../rows/batch.ts';
import type { Counts, EmbeddingCounts } from '../load/options.ts';
import type { Shard } from '../source/source.ts';
import type { Connection, LoadMode, ResultRow } from '../target/driver.ts';
import type { KeyDigest } from './digest.ts';
import { count, maybeCount, maybeText, text } from './fields.ts';
import { ledgerVersion } from './schema.ts';

/** What the ledger is read with. */
export type Reader = Pick<Connection, 'query'>;

/** A load as the ledger has it, its counts summed over shards. */
export interface LedgerLoad {
  readonly load: string;
  readonly label: string | undefined;
  readonly fingerprint: string;
  readonly state: string;
  readonly source: string;
  readonly table: string;
  /** `batch`: statements instead of rows, and no table. */
  readonly mode: LoadMode | 'batch' | 'delete';
  readonly plan: string;
  readonly parent: string | undefined;
  readonly totalBytes: number | undefined;
  readonly baseRows: number | undefined;
  readonly baseDigest: string | undefined;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly failure: string | undefined;
  readonly counts: Counts;
  readonly embedding: EmbeddingCounts;
  readonly bytes: number;
  readonly shards: number;
  readonly shardsDone: number;
  readonly openRejects: number;
  readonly added: number;
  readonly digest: KeyDigest;
}

/** A shard as the ledger has it. */
export interface LedgerShard {
  readonly shard: Shard;
  readonly state: string;
  readonly epoch: number;
  readonly owner: string | undefined;
  readonly position: Position;
  readonly updatedAt: string;
}

function toLoad(row: ResultRow): LedgerLoad {
  return {
    load: text(row, 'load'),
    label: maybeText(row, 'label'),
    fingerprint: text(row, 'fingerprint'),
    state: text(row, 'state'),
    source: text(row, 'source'),
    table: text(row, 'target_table'),
    mode: text(row, 'mode') as LedgerLoad['mode'],
    plan: text(row, 'plan'),
    parent: maybeText(row, 'parent'),
    totalBytes: maybeCount(row, 'total_bytes'),
    baseRows: maybeCount(row, 'base_rows'),
    baseDigest: maybeText(row, 'base_digest'),
    startedAt: text(row, 'started_at'),
    updatedAt: text(row, 'updated_at'),
    failure: maybeText(row, 'failure'),
    counts: {
      read: count(row, 'read_count'),
      written: count(row, 'written_count'),
      skipped: count(row, 'skipped_count'),
      rejected: count(row, 'rejected_count'),
    },
    embedding: {
      texts: count(row, 'text_count'),
      distinct: count(row, 'distinct_count'),
      cached: count(row, 'cached_count'),
      embedded: count(row, 'embedded_count'),
    },
    bytes: count(row, 'byte_count'),
    shards: count(row, 'shards'),
    shardsDone: count(row, 'shards_done'),
    openRejects: count(row, 'open_rejects'),
    added: count(row, 'added_count'),
    digest: { high: count(row, 'key_high'), low: count(row, 'key_low') },
  };
}

const loadColumns = `SELECT v.*, l.fingerprint, l.plan, l.parent, l.base_rows, l.base_digest FROM sluice_load_status v JOIN sluice_loads l ON l.load = v.load`;

/**
 * Tells whether the target has a ledger.
 * @throws SLUICE_LEDGER_VERSION when it is of another version.
 */
export async function hasLedger(reader: Connection): Promise<boolean> {
  if ((await reader.describe('sluice_meta')) === undefined) return false;
  const rows = await reader.query({ sql: `SELECT value FROM sluice_meta WHERE name = 'ledger_version'`, parameters: [] });
  const version = rows[0]?.['value'];
  if (version === undefined || Number(version) === ledgerVersion) return true;
  throw new SluiceError(
    'SLUICE_LEDGER_VERSION',
    `The ledger in this target has version ${String(version)}; this sluice reads version ${String(ledgerVersion)}.`,
    {
      hint: 'Use the sluice that made it, or load into another database.',
    },
  );
}

/** All loads, or those into one table, oldest first. */
export async function readLoads(reader: Reader, table?: string): Promise<readonly LedgerLoad[]> {
  const where = table === undefined ? '' : ' WHERE v.target_table = ?';
  const rows = await reader.query({
    sql: `${loadColumns}${where} ORDER BY v.started_at, v.load`,
    parameters: table === undefined ? [] : [table],
  });
  return rows.map(toLoad);
}

/** The load with this id or label; undefined when there is none. */
export async function findLoad(reader: Reader, name: string): Promise<LedgerLoad | undefined> {
  const rows = await reader.query({ sql: `${loadColumns} WHERE v.load = ? OR v.label = ?`, parameters: [name, name] });
  const row = rows[0];
  return row === undefined ? undefined : toLoad(row);
}

/** Loads with this fingerprint, newest first. */
export async function findByFingerprint(reader: Reader, fingerprint: string): Promise<readonly LedgerLoad[]> {
  const rows = await reader.query({
    sql: `${loadColumns} WHERE l.fingerprint = ? ORDER BY v.started_at DESC, v.load DESC`,
    parameters: [fingerprint],
  });
  return rows.map(toLoad);
}

function toShard(row: ResultRow): LedgerShard {
  const end = maybeCount(row, 'end_offset');
  return {
    shard: {
      ordinal: count(row, 'shard'),
      file: count(row, 'file'),
      start: count(row, 'start_offset'),
      ...(end === undefined ? {} : { end }),
      head: text(row, 'head'),
      tail: text(row, 'tail'),
    },
    state: text(row, 'state'),
    epoch: count(row, 'epoch'),
    owner: maybeText(row, 'owner'),
    position: { offset: count(row, 'next_offset'), row: count(row, 'next_row'), line: count(row, 'next_line') },
    updatedAt: text(row, 'updated_at'),
  };
}

/** Which shards {@link readShards} reads. */
export interface ShardFilter {
  /** Only those not done. */
  readonly isOpen?: boolean;
  /** Only those that this owner does not have. */
  readonly notOwnedBy?: string;
  /** 1,000,000 by default. */
  readonly limit?: number;
}

/** Shards of a load in order. */
export async function readShards(reader: Reader, load: string, filter: ShardFilter = {}): Promise<readonly LedgerShard[]> {
  const open = filter.isOpen === true ? ` AND state <> 'done'` : '';
  const foreign = filter.notOwnedBy === undefined ? '' : ` AND (owner IS NULL OR owner <> ?)`;
  const rows = await reader.query({
    sql: `SELECT * FROM sluice_shards WHERE load = ?${open}${foreign} ORDER BY shard LIMIT ?`,
    parameters: [load, ...(filter.notOwnedBy === undefined ? [] : [filter.notOwnedBy]), filter.limit ?? 1_000_000],
  });
  return rows.map(toShard);
}

/** Indexes that were dropped for a load and are not back yet. */
export async function readDeferredIndexes(reader: Reader, load: string): Promise<readonly { name: string; ddl: string }[]> {
  const rows = await reader.query({
    sql: `SELECT name, ddl FROM sluice_deferred_indexes WHERE load = ? ORDER BY name`,
    parameters: [load],
  });
  return rows.map((row) => ({ name: text(row, 'name'), ddl: text(row, 'ddl') }));
}

/** The embedder that a vector column was filled with, as JSON; undefined when it is not known. */
export async function readEmbedder(reader: Reader, table: string, column: string): Promise<string | undefined> {
  const rows = await reader.query({
    sql: `SELECT embedder FROM sluice_vectors WHERE table_name = ? AND column_name = ?`,
    parameters: [table, column],
  });
  const row = rows[0];
  return row === undefined ? undefined : maybeText(row, 'embedder');
}

/** Rows that were read behind the first place of the input that is still open: of lanes that commit in any order. */
export async function countRowsAhead(reader: Reader, load: string): Promise<number> {
  const rows = await reader.query({
    sql: `SELECT CAST(coalesce(sum(read_count), 0) AS BIGINT) AS n FROM sluice_shards
WHERE load = ? AND shard > (SELECT min(shard) FROM sluice_shards WHERE load = ? AND state <> 'done')`,
    parameters: [load, load],
  });
  return rows[0] === undefined ? 0 : count(rows[0], 'n');
}
