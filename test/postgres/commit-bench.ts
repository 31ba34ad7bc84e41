/** A table, a ledger and batches for the tests of the commit: a load's plan is made by hand, so that each way of writing can be asked for. */
import assert from 'node:assert/strict';
import { Client } from 'pg';
import { ledgerDdl, ledgerViews } from '../../src/ledger/schema.ts';
import { insertShard } from '../../src/ledger/statements.ts';
import type { Batch, ColumnValues, Position } from '../../src/rows/batch.ts';
import type { Column, Scalar } from '../../src/rows/schema.ts';
import type { CommitUnit, LoadMode, Mark, Outcome, TablePlan } from '../../src/target/driver.ts';
import { commitBatch, openWriter, type TableWriter } from '../../src/target/postgres/commit/commit.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { runStatement } from '../../src/target/postgres/ledger.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { readWireColumns } from '../../src/target/postgres/catalog/schema.ts';
import { writeKeyDigest } from '../../src/target/postgres/wire/key-hash.ts';
import type { PostgresSettings } from '../../src/target/postgres/settings.ts';
import { createDatabase } from './server.ts';

export type Rows = readonly (readonly (Scalar | readonly number[])[])[];

export const load = 'load-1';

/** A database with a ledger, and links to it that are closed with it. */
export interface Bench {
  readonly url: string;
  /** The link that the batches of most tests go over. */
  readonly link: PgLink;
  /** Another link. */
  open(): Promise<PgLink>;
  /** Runs statements outside of sluice and answers the rows of the last one. */
  sql(text: string): Promise<readonly Record<string, unknown>[]>;
  dispose(): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  for (const ddl of [...ledgerDdl, ...ledgerViews.map(({ name, query }) => `CREATE VIEW ${name} AS ${query}`)]) await client.query(ddl);
  const links: PgLink[] = [];
  const open = async (): Promise<PgLink> => {
    const link = await openLink(database.url, {});
    links.push(link);
    return link;
  };
  return {
    url: database.url,
    link: await open(),
    open,
    sql: async (text) => {
      const result: unknown = await client.query(text);
      const last = Array.isArray(result) ? (result.at(-1) as unknown) : result;
      return (last as { readonly rows: readonly Record<string, unknown>[] }).rows;
    },
    dispose: async () => {
      await client.end();
      await Promise.all(links.map((link) => link.close()));
      await database.dispose();
    },
  };
}

export interface PlanRequest {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly key?: readonly string[];
  readonly mode?: LoadMode;
  readonly settings?: Partial<PostgresSettings>;
}

export function column(name: string, type: Column['type'], more: Partial<Column> = {}): Column {
  return { name, field: name, type, isNullable: true, ...more };
}

export function planOf({ table, columns, key = ['id'], mode = 'insert', settings = {} }: PlanRequest): TablePlan {
  const merges = mode === 'upsert' || mode === 'skip';
  return {
    table,
    writesTo: table,
    columns,
    key,
    mode,
    isNew: false,
    ddl: [],
    deferredIndexes: [],
    decisions: [],
    problems: [],
    settings: {
      way: 'copy',
      format: 'binary',
      staging: merges ? 'temporary' : 'none',
      publish: 'rows',
      defersKey: false,
      isFastSession: false,
      countsRows: true,
      tracksKeys: key.length > 0,
      ...settings,
    } satisfies PostgresSettings,
  };
}

export async function openTableWriter(link: PgLink, request: PlanRequest): Promise<TableWriter> {
  return openWriter(link, planOf(request), { keepsRows: true, maxBytes: 1_000 });
}

/** A batch of these rows, as if they were lines of a file: 10 bytes each, from the given row on. */
export function toBatch(columns: readonly Column[], rows: Rows, firstRow = 0): Batch {
  const places = rows.map((_, index) => firstRow + index);
  return {
    columns,
    values: columns.map((item, at) => toValues(item, rows, at)),
    rowCount: rows.length,
    byteCount: rows.length * 100,
    places: {
      offsets: Float64Array.from(places, (row) => row * 10),
      rows: Float64Array.from(places),
      lines: Float64Array.from(places),
      raw: (index) => JSON.stringify(rows[index], (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    },
  };
}

function toValues({ type, dimensions = 0 }: Column, rows: Rows, at: number): ColumnValues {
  if (type !== 'vector') return { kind: 'scalar', values: rows.map((row) => row[at] as Scalar) };
  return {
    kind: 'vector',
    dimensions,
    values: Float32Array.from(rows.flatMap((row) => row[at] as readonly number[])),
    nulls: undefined,
  };
}

export function place(row: number): Position {
  return { offset: row * 10, row, line: row };
}

export interface UnitRequest {
  readonly batch: Batch;
  readonly rejects?: CommitUnit['rejects'];
  readonly mark?: Partial<Mark>;
}

/** The batch with its mark: shard 0, epoch 1, from the batch's first row on. */
export function toUnit({ batch, rejects = [], mark = {} }: UnitRequest): CommitUnit {
  const from = batch.places.rows[0] ?? 0;
  const readCount = batch.rowCount + rejects.length;
  return {
    batch,
    rejects,
    mark: {
      load,
      shard: 0,
      epoch: 1,
      from: place(from),
      to: place(from + readCount),
      isLast: false,
      readCount,
      byteCount: readCount * 10,
      embedded: { texts: 0, distinct: 0, cached: 0, embedded: 0 },
      ...mark,
    },
  };
}

/** A shard that is claimed under epoch 1. */
export async function claimShards(link: PgLink, count = 1): Promise<void> {
  for (let ordinal = 0; ordinal < count; ordinal++) {
    await runStatement(link, insertShard(load, { ordinal, file: 0, start: 0, head: '', tail: '' }));
  }
  await link.query(`UPDATE sluice_shards SET epoch = 1, state = 'claimed'`);
}

/** Opens a writer and commits the rows as one batch of shard 0. */
export async function commitRows(bench: Bench, request: PlanRequest, rows: Rows): Promise<Outcome> {
  const { link } = bench;
  await link.script('DELETE FROM sluice_shards; DELETE FROM sluice_rejects');
  await claimShards(link);
  const writer = await openTableWriter(link, request);
  return commitBatch(writer, toUnit({ batch: toBatch(request.columns, rows) }), undefined);
}

export interface Committed {
  readonly written: number;
  readonly skipped: number;
  /** Ordinals of the rejects, and their codes, each once. */
  readonly refused: readonly number[];
  readonly codes: readonly string[];
}

/** Makes the table `items` anew, commits the rows, and checks that outcome, ledger and table say the same. */
export async function commitInto(
  bench: Bench,
  ddl: string,
  { request, rows }: { readonly request: PlanRequest; readonly rows: Rows },
): Promise<Committed> {
  await bench.sql(`DROP TABLE IF EXISTS items, parents CASCADE; ${ddl}`);
  const old = await readKeys(bench, request);
  const outcome = await commitRows(bench, request, rows);
  assert.ok(outcome.kind === 'committed');
  const { written, skipped, rejects } = outcome;
  assert.equal(written + skipped + rejects.length, rows.length);
  const now = await readKeys(bench, request);
  const [ledger = {}] =
    await bench.sql(`SELECT written_count::int AS written, skipped_count::int AS skipped, rejected_count::int AS rejected,
    added_count::int AS added, key_high::text AS high, key_low::text AS low, next_row::int AS next FROM sluice_shards WHERE shard = 0`);
  const grown = (a: bigint, b: bigint): string => String((a - b + 2n ** 32n) % 2n ** 32n);
  assert.deepEqual(
    { ...ledger },
    {
      written,
      skipped,
      rejected: rejects.length,
      added: now.rows - old.rows,
      high: grown(now.high, old.high),
      low: grown(now.low, old.low),
      next: rows.length,
    },
  );
  const kept = await bench.sql('SELECT shard_row::int AS row, code, raw, is_cut::int FROM sluice_rejects ORDER BY shard_row');
  assert.deepEqual(
    kept.map(({ row, code, raw, is_cut }) => [row, code, raw, is_cut]),
    rejects.map(({ row, code, raw }) => [row, code, raw, 0]),
  );
  return { written, skipped, refused: rejects.map(({ row }) => row), codes: [...new Set(rejects.map(({ code }) => code))] };
}

/** How many rows the table has, and the digest of their keys as the server computes it. */
async function readKeys(
  bench: Bench,
  { table, columns, key = ['id'], settings = {} }: PlanRequest,
): Promise<{ readonly rows: number; readonly high: bigint; readonly low: bigint }> {
  const [{ rows = 0 } = {}] = await bench.sql(`SELECT count(*)::int AS rows FROM ${table}`);
  if (settings.tracksKeys === false || key.length === 0) return { rows: Number(rows), high: 0n, low: 0n };
  const wire = await readWireColumns(
    bench.link,
    table,
    key.flatMap((name) => columns.filter((item) => item.name === name)),
  );
  const digest = writeKeyDigest(wire.map((item) => ({ name: item.column.name, type: item.type })));
  const [sums = {}] = await bench.sql(
    `SELECT coalesce(${digest.high}, 0)::text AS high, coalesce(${digest.low}, 0)::text AS low FROM ${table}`,
  );
  return { rows: Number(rows), high: BigInt(String(sums['high'])), low: BigInt(String(sums['low'])) };
}
