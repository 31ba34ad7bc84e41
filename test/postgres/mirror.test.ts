/** What mode sync promises on a real server: the table becomes the source's mirror, all in transactions, whatever stands in the way. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { load } from '../../src/load/load.ts';
import { plan } from '../../src/load/plan/plan.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import { verify } from '../../src/verify/verify.ts';
import { commitBatch, openWriter } from '../../src/target/postgres/commit/commit.ts';
import { nameSeen, writeSeenDdl } from '../../src/target/postgres/mirror/seen-table.ts';
import { claimShards, column, openBench, planOf, toBatch, toUnit, type Bench, type Rows } from './commit-bench.ts';
import { createDatabase, readSql, skipReason, withClient, type TestDatabase } from './server.ts';

type Row = Readonly<Record<string, unknown>>;

const numbered = (from: number, to: number, name = 'row'): Row[] =>
  Array.from({ length: to - from + 1 }, (_, at) => ({ id: from + at, name: `${name} ${String(from + at)}` }));

describe('mode sync on PostgreSQL', { skip: skipReason }, () => {
  let database: TestDatabase;
  before(async () => {
    database = await createDatabase();
  });
  after(async () => {
    await database.dispose();
  });

  const run = (sql: string): Promise<unknown> => withClient(database.url, (client) => client.query(sql));
  const options = (from: readonly Row[], more: Partial<LoadOptions> = {}): LoadOptions => ({
    from,
    to: database.url,
    table: 'items',
    key: ['id'],
    mode: 'sync',
    cache: false,
    ...more,
  });
  const sync = (from: readonly Row[], more: Partial<LoadOptions> = {}): Promise<LoadReport> => load(options(from, more));
  const read = async (): Promise<readonly unknown[][]> =>
    (await readSql(database.url, 'SELECT id::int, name FROM items ORDER BY id')).map(({ id, name }) => [id, name]);
  const make = (ddl: string): Promise<unknown> =>
    run(
      `DROP TABLE IF EXISTS items, parts CASCADE; DROP TABLE IF EXISTS sluice_loads, sluice_shards, sluice_rejects, sluice_deletions, sluice_sessions, sluice_controls, sluice_deferred_indexes, sluice_vectors, sluice_meta CASCADE; ${ddl}`,
    );
  const filled = `CREATE TABLE items (id bigint PRIMARY KEY, name text); INSERT INTO items SELECT i, 'row ' || i FROM generate_series(1, 20) i`;
  const leftovers = (): Promise<readonly Row[]> =>
    readSql(database.url, `SELECT relname FROM pg_class WHERE relname ~ '^sluice_(seen|new|stage)'`);
  const mirrored = [...numbered(1, 18), { id: 18, name: 'second' }, { id: 30, name: 'new' }].map((row) =>
    row.id === 5 ? { ...row, name: 'changed' } : row,
  );
  const expected = mirrored.filter((row) => row.name !== 'second').map(({ id, name }) => [id, name]);

  for (const target of [{}, { usesCopy: false }, { isAtomic: true }] as const) {
    test(`new, changed, equal, doubled and vanished rows each get what is theirs, ${JSON.stringify(target)}`, async () => {
      await make(filled);
      const report = await sync(mirrored, { target });
      assert.deepEqual(report.sync, { inserted: 1, updated: 1, unchanged: 17, deleted: 2 });
      assert.deepEqual(report.counts, { read: 20, written: 2, skipped: 17, rejected: 1 });
      assert.deepEqual(await read(), expected);
      assert.equal((await verify({ in: database.url })).isOk, true);
      const again = await sync(mirrored, { target });
      assert.deepEqual(again.sync, { inserted: 0, updated: 0, unchanged: 19, deleted: 0 });
      assert.equal((await verify({ in: database.url })).isOk, true);
      assert.deepEqual(await leftovers(), []);
    });
  }

  test('nobody sees a part of an atomic sync, and more deletions than may be publish nothing', async () => {
    await make(filled);
    const more = { target: { isAtomic: true }, maxDeletes: 1 } as const;
    await assert.rejects(sync(mirrored, more), { code: 'SLUICE_DELETE_LIMIT' });
    assert.deepEqual(
      await read(),
      numbered(1, 20).map(({ id, name }) => [id, name]),
    );
    assert.equal((await sync(mirrored, { ...more, maxDeletes: '10%', again: true })).state, 'done');
    assert.deepEqual(await read(), expected);
    assert.deepEqual(await leftovers(), []);
  });

  test('rows are not touched where nothing changed', async () => {
    await make(filled);
    const versions = (): Promise<readonly Row[]> =>
      readSql(database.url, 'SELECT id::int, xmin::text FROM items WHERE id <> 5 AND id < 19 ORDER BY id');
    const old = await versions();
    await sync(mirrored);
    assert.deepEqual(await versions(), old);
  });

  test('partitioned tables, tables of other schemas and their heirs are mirrored by themselves', async () => {
    await make(`CREATE SCHEMA IF NOT EXISTS app; DROP TABLE IF EXISTS app.items CASCADE;
      CREATE TABLE app.items (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id); CREATE TABLE app.low PARTITION OF app.items FOR VALUES FROM (0) TO (10);
      CREATE TABLE app.high PARTITION OF app.items FOR VALUES FROM (10) TO (100); INSERT INTO app.items SELECT i, 'row ' || i FROM generate_series(1, 20) i`);
    const report = await sync(mirrored, { table: 'app.items' });
    assert.deepEqual(report.sync, { inserted: 1, updated: 1, unchanged: 17, deleted: 2 });
    await make(`${filled}; CREATE TABLE heirs () INHERITS (items); INSERT INTO heirs VALUES (100, 'heir')`);
    await sync(mirrored);
    assert.deepEqual(await read(), [...expected, [100, 'heir']]);
    assert.deepEqual(await leftovers(), []);
  });

  test('a foreign key or a trigger that keeps a row keeps all of them, says so, and can be mended', async () => {
    await make(`${filled}; CREATE TABLE parts (item bigint REFERENCES items DEFERRABLE INITIALLY DEFERRED); INSERT INTO parts VALUES (20)`);
    await assert.rejects(sync(mirrored), ({ code, message }: { code: string; message: string }) => {
      assert.equal(code, 'SLUICE_TARGET_FAILED');
      assert.match(message, /can't be deleted from items.*parts_item_fkey.*None was deleted/u);
      return true;
    });
    assert.equal((await read()).length, 21);
    await run('DELETE FROM parts');
    assert.equal((await sync(mirrored, { again: true })).sync?.deleted, 2);
    await make(
      `${filled}; CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER keep BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION keep()`,
    );
    await assert.rejects(sync(mirrored), { code: 'SLUICE_TARGET_FAILED', message: /A trigger of items keeps 2 of the 2 rows/u });
  });

  test('what stands against a mirror is told by the plan, and so is what goes with deleted rows', async () => {
    await make(`CREATE TABLE items (id bigint, name text)`);
    assert.match((await plan(options(mirrored))).problems.join(), /Mode sync needs a primary key or a unique index on exactly \(id\)/u);
    assert.match((await plan(options(mirrored, { key: undefined }))).problems.join(), /Mode sync needs a key/u);
    await make(`${filled}; CREATE TABLE parts (item bigint REFERENCES items ON DELETE CASCADE)`);
    const { table, problems } = await plan(options(mirrored));
    assert.deepEqual(problems, []);
    assert.ok(
      table.decisions.some(({ what, choice }) => what === 'warning' && choice === 'a row that is deleted deletes its rows in parts'),
    );
    await run(`CREATE RULE keep AS ON DELETE TO items DO INSTEAD NOTHING`);
    assert.match((await plan(options(mirrored))).problems.join(), /Rules of items rewrite what is deleted \(keep\)/u);
    await make(`${filled}; DROP ROLE IF EXISTS sluice_mirror; CREATE ROLE sluice_mirror LOGIN PASSWORD 'x'; GRANT INSERT, UPDATE ON items TO sluice_mirror;
      ALTER TABLE items ENABLE ROW LEVEL SECURITY; REVOKE CREATE ON SCHEMA public FROM public`);
    const url = new URL(database.url);
    url.username = 'sluice_mirror';
    url.password = 'x';
    const told = (await plan(options(mirrored, { to: url.href }))).problems.join('\n');
    await run('DROP OWNED BY sluice_mirror; DROP ROLE sluice_mirror');
    for (const words of [
      /GRANT SELECT, DELETE ON "public"."items"/u,
      /may not create one in the schema public/u,
      /Row-level security holds/u,
    ])
      assert.match(told, words);
  });
});

describe('two lanes of a sync', { skip: skipReason }, () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(async () => {
    await bench.dispose();
  });

  const columns = [column('id', 'integer', { isNullable: false }), column('name', 'text')];
  const place = { schema: 'public', name: 'items' };

  test('that meet the same keys in opposite orders both end, and each key is written once', async () => {
    await bench.sql(`CREATE TABLE items (id bigint PRIMARY KEY, name text); ${writeSeenDdl('load-1', place, ['id']).join('; ')}`);
    await claimShards(bench.link, 2);
    const request = planOf({ table: 'items', columns, mode: 'sync', settings: { staging: 'temporary', seen: nameSeen('load-1', place) } });
    const links = [bench.link, await bench.open()];
    const count = 2_000;
    const rows: Rows = Array.from({ length: count }, (_, at) => [at, `row ${String(at)}`]);
    const outcomes = await Promise.all(
      links.map(async (link, shard) => {
        const writer = await openWriter(link, request, { keepsRows: true, maxBytes: 1_000 });
        const batch = toBatch(columns, shard === 0 ? rows : rows.toReversed());
        return commitBatch(writer, toUnit({ batch, mark: { shard } }), undefined);
      }),
    );
    const sums = outcomes.map((outcome) => (outcome.kind === 'committed' ? [outcome.written, outcome.rejects.length] : []));
    assert.deepEqual(
      sums.toSorted(([a = 0], [b = 0]) => a - b),
      [
        [0, count],
        [count, 0],
      ],
    );
    assert.ok(outcomes.every((outcome) => outcome.kind === 'committed' && outcome.rejects.every(({ code }) => code === 'REFUSED_UNIQUE')));
    assert.deepEqual(
      await bench.sql(`SELECT count(*)::int AS n, (SELECT count(*)::int FROM "public"."sluice_seen_load-1") AS seen FROM items`),
      [{ n: count, seen: count }],
    );
  });

  test('a refused row, a kept row and a spared key count as seen, and a batch that is taken back leaves none', async () => {
    await bench.sql(
      `DELETE FROM sluice_shards; DELETE FROM sluice_rejects; DROP TABLE items, "sluice_seen_load-1"; CREATE TABLE items (id int PRIMARY KEY, name text CHECK (name <> 'bad')); ${writeSeenDdl('load-1', place, ['id']).join('; ')}`,
    );
    await claimShards(bench.link);
    const request = planOf({ table: 'items', columns, mode: 'sync', settings: { staging: 'temporary', seen: nameSeen('load-1', place) } });
    const writer = await openWriter(bench.link, request, { keepsRows: true, maxBytes: 1_000 });
    const batch = toBatch(columns, [
      [1, 'new'],
      [2, 'bad'],
      [3, 'kept twice'],
      [5_000_000_000, 'too large'],
    ]);
    const kept = toBatch(columns.slice(0, 1), [[3], [4]], 1);
    const spared = [toBatch(columns.slice(0, 1), [[6], [7_000_000_000]], 8)];
    const unit = { ...toUnit({ batch, mark: { readCount: 6 } }), kept, spared };
    const fenced = await commitBatch(writer, { ...unit, mark: { ...unit.mark, epoch: 9 } }, undefined);
    assert.equal(fenced.kind, 'fenced');
    assert.deepEqual(await bench.sql('SELECT id FROM "sluice_seen_load-1"'), []);
    const outcome = await commitBatch(writer, unit, undefined);
    assert.ok(outcome.kind === 'committed');
    assert.deepEqual(
      [outcome.written, outcome.skipped, outcome.rejects.map(({ row, code }) => [row, code])],
      [
        1,
        2,
        [
          [1, 'REFUSED_CHECK'],
          [2, 'REFUSED_UNIQUE'],
          [3, 'VALUE_RANGE'],
        ],
      ],
    );
    assert.deepEqual(
      await bench.sql('SELECT id FROM "sluice_seen_load-1" ORDER BY id'),
      [1, 2, 3, 4, 6].map((id) => ({ id })),
    );
    const [shard] = await bench.sql(
      'SELECT read_count::int, written_count::int, skipped_count::int, rejected_count::int FROM sluice_shards',
    );
    assert.deepEqual(shard, { read_count: 6, written_count: 1, skipped_count: 2, rejected_count: 3 });
  });
});
