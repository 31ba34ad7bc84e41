/** PostgreSQL as a source, on a real server: every type and vector exact, one snapshot for all lanes, shards that cover a table once, resumes that lose nothing. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { isSluiceError, type ErrorCode } from '../../src/errors.ts';
import { load, resume } from '../../src/index.ts';
import { openSource, reopenSource } from '../../src/source/open.ts';
import type { Shard, Source } from '../../src/source/source.ts';
import { chooseSeed } from '../rows/records.ts';
import { makeFolder } from '../source/folder.ts';
import { listShards, readShard, valuesOf } from '../source/reading.ts';
import { createDatabase, readSql, runSql, skipReason, type TestDatabase } from './server.ts';

const everyType = `CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE every (id bigint PRIMARY KEY, i2 int2, i4 int4, f4 float4, f8 float8, n numeric(40,10), t text NOT NULL, vc varchar(20), b boolean, by bytea,
  j json, jb jsonb, u uuid, d date, ti time, ts timestamp, tstz timestamptz, iv interval, ip inet, m mood, p positive, ia int8[], ta text[], v vector(3), h halfvec(2), s sparsevec(5), bits bit(4));
INSERT INTO every SELECT CASE i WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 ELSE i::bigint * i - 5000 END,
  i, -i, i / 3.0, i / 7.0::float8, i::numeric / 7, E'text\\n' || i || 'é', 'v' || i, i % 2 = 0, decode(md5(i::text), 'hex'), ('{"a":  ' || i || '.10}')::json,
  ('{"a": ' || i || '}')::jsonb, md5(i::text)::uuid, date '2024-02-28' + i, time '23:59:59.5', timestamp '2024-01-01 00:00:00.000001' + i * interval '1 hour',
  timestamptz '2024-06-01 12:00+02' + i * interval '1 microsecond', i * interval '1 month 2 seconds', '10.0.0.1', CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'it''s ok' END::mood, i + 1,
  ARRAY[i, 9007199254740993, NULL], ARRAY['a"b', E'c\\\\', NULL], format('[%s,0.1,-1e-30]', i)::vector, '[1,0.5]', '{1:1.5,3:2}/5', B'1010' FROM generate_series(0, 1999) i;
INSERT INTO every (id, t) VALUES (-4999, 'nulls')`;

/** What both databases are compared by: text that says every bit of each value. */
const fingerprint = `SELECT md5(string_agg(concat_ws('|', id, i2, i4, f4::float8, f8, n, t, vc, b, by, jb, u, d, ts, tstz, iv, ip, m, p, ia, ta, v, h, s, bits), ',' ORDER BY id)) AS digest, count(*) AS rows FROM `;

async function refuses(work: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isSluiceError(error, code), String(error));
    assert.match(`${error.message} ${error.hint ?? ''}`, pattern);
    assert.doesNotMatch(`${error.message} ${error.hint ?? ''}`, /s3cret/u);
    return true;
  });
}

function withUser(url: string, user: string, password: string): string {
  const parsed = new URL(url);
  parsed.username = user;
  parsed.password = password;
  return parsed.href;
}

/** Every row of a field, over all shards, read by a reader of its own as a lane would be. */
async function readField(source: Source, shards: readonly Shard[], field: string): Promise<unknown[]> {
  const lane = await reopenSource(source.descriptor!);
  try {
    const values: unknown[] = [];
    for (const shard of shards) {
      for (const row of valuesOf((await readShard(lane, shard)).list)) values.push((row as Record<string, unknown>)[field]);
    }
    return values;
  } finally {
    await lane.close();
  }
}

describe('PostgreSQL as a source', { skip: skipReason }, () => {
  let database: TestDatabase;
  before(async () => {
    database = await createDatabase();
    await runSql(
      database.url,
      everyType,
      `CREATE TABLE texts (k text PRIMARY KEY, n int); INSERT INTO texts SELECT 'k\\''' || md5(i::text), i FROM generate_series(1, 3000) i`,
      `CREATE TABLE keyless AS SELECT i AS n, repeat('x', 50) AS filler FROM generate_series(1, 5000) i; DELETE FROM keyless WHERE n % 3 = 0`,
      `CREATE TABLE parts (n int PRIMARY KEY) PARTITION BY RANGE (n); CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (500);
       CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (500) TO (5000); INSERT INTO parts SELECT generate_series(0, 999)`,
      'CREATE VIEW seen AS SELECT n AS twice FROM parts',
      'CREATE TABLE nothing (id int PRIMARY KEY, v vector(7))',
    );
  });
  after(() => database.dispose());

  const from = (selection: string): string => `${database.url}?${selection}`;
  const open = (selection: string): Promise<Source> => openSource(from(selection));

  test('a table of every type goes to SQLite and back bit for bit, by two lanes', async (context: TestContext) => {
    const file = `${makeFolder(context).path}/copy.db`;
    const there = await load({
      from: from('table=every'),
      to: `sqlite:${file}`,
      table: 'every',
      key: ['id'],
      lanes: 2,
      shardBytes: 50_000,
    });
    assert.deepEqual(there.counts, { read: 2_001, written: 2_001, skipped: 0, rejected: 0 });
    const stored = new DatabaseSync(file).prepare('SELECT v, ia, n, iv FROM every WHERE i2 = 77', { readBigInts: true }).get();
    assert.deepEqual(stored?.['v'], new Uint8Array(new Float32Array([77, 0.1, -1e-30]).buffer));
    assert.deepEqual([stored?.['ia'], stored?.['n']], ['[77,9007199254740993,null]', '11.0000000000']);
    await runSql(database.url, 'CREATE TABLE again (LIKE every INCLUDING ALL)');
    const back = await load({ from: `sqlite:${file}?table=every`, to: database.url, table: 'again', lanes: 2, shardBytes: 50_000 });
    assert.deepEqual(back.counts, { read: 2_001, written: 2_001, skipped: 0, rejected: 0 });
    const [left, right] = [await readSql(database.url, `${fingerprint}every`), await readSql(database.url, `${fingerprint}again`)];
    assert.deepEqual(right, left);
  });

  test('shards cover tables exactly once: keys with gaps and at the ends of 64 bits, text keys, pages', async () => {
    for (const [table, field] of [
      ['every', 'id'],
      ['texts', 'k'],
      ['keyless', 'n'],
    ] as const) {
      const source = await open(`table=${table}`);
      const expected = await readSql(database.url, `SELECT "${field}"::text AS value FROM ${table}`);
      for (const targetBytes of [2_000, 30_000, 1e9]) {
        const shards = await listShards(source, targetBytes);
        const found = (await readField(source, shards, field)).map(String);
        assert.deepEqual(found.toSorted(), expected.map((row) => String(row['value'])).toSorted(), `${table} in ${shards.length} shards`);
        assert.ok(shards.length > 1 || targetBytes > 1e6, `${table} is cut`);
      }
      await source.close();
    }
  });

  test('random sets of keys are cut into shards that hold each once', async (context) => {
    const seed = chooseSeed(context);
    const keys = fc.uniqueArray(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 8, max: 400 }), async (ids, targetBytes) => {
        await runSql(
          database.url,
          `DROP TABLE IF EXISTS random_keys; CREATE TABLE random_keys (id bigint PRIMARY KEY); INSERT INTO random_keys SELECT unnest('{${ids.join(',')}}'::bigint[])`,
        );
        const source = await open('table=random_keys');
        const found = await readField(source, await listShards(source, targetBytes), 'id');
        await source.close();
        assert.deepEqual(
          found.map((id) => BigInt(id as bigint)),
          ids.toSorted((a, b) => (a < b ? -1 : 1)),
        );
      }),
      { seed, numRuns: 12 },
    );
  });

  test('rows that come, change or go while the load runs are not seen, by no lane', async () => {
    await runSql(
      database.url,
      'CREATE TABLE busy (id int PRIMARY KEY, t text); INSERT INTO busy SELECT i, $$old$$ FROM generate_series(1, 2000) i',
    );
    const source = await open('table=busy');
    const shards = await listShards(source, 5_000);
    await runSql(
      database.url,
      `INSERT INTO busy VALUES (5000, 'new'), (-1, 'new'); DELETE FROM busy WHERE id = 7; UPDATE busy SET t = 'new' WHERE id > 1000`,
    );
    const texts = await readField(source, shards, 't');
    assert.deepEqual([texts.length, new Set(texts)], [2_000, new Set(['old'])]);
    await source.close();
  });

  test('a shard goes on from the end of every stretch, and is refused once rows before are others', async () => {
    await runSql(
      database.url,
      `CREATE TABLE long (id int PRIMARY KEY, t text); INSERT INTO long SELECT i, repeat('y', 200) FROM generate_series(1, 6000) i`,
    );
    const source = await open('table=long');
    const [shard] = await listShards(source);
    const { ends, list } = await readShard(source, shard!);
    assert.ok(ends.length > 2);
    for (const end of ends) assert.deepEqual(valuesOf((await readShard(source, shard!, end)).list), valuesOf(list).slice(end.row));
    await source.close();
    await runSql(database.url, 'DELETE FROM long WHERE id = 5');
    const later = await open('table=long');
    await refuses(readShard(later, shard!, ends[0]), 'SLUICE_SOURCE_CHANGED', /no longer those/);
    assert.equal((await readShard(later, shard!)).list.length, 5_999);
    await later.close();
  });

  test('pages of a table without a key may not be resumed once it was written to', async () => {
    await runSql(database.url, 'CREATE TABLE heap AS SELECT generate_series(1, 3000) AS n');
    const source = await open('table=heap');
    const shards = await listShards(source, 5_000);
    assert.ok(shards.length > 1);
    assert.deepEqual(await source.changed(shards), []);
    await source.close();
    await runSql(database.url, 'UPDATE heap SET n = n WHERE n = 1');
    const later = await open('table=heap');
    assert.equal((await later.changed(shards)).length, shards.length);
    await later.close();
  });

  test('a reader that stops in the middle leaves the snapshot to the next read', async () => {
    const source = await open('table=every');
    const [shard] = await listShards(source);
    for (let stop = 0; stop < 3; stop++) {
      for await (const records of source.read(shard!, { offset: 0, row: 0, line: 0 }, { columns: [] })) {
        assert.ok(records.rowCount > 0);
        break;
      }
    }
    assert.equal((await readShard(source, shard!)).list.length, 2_001);
    await source.close();
  });

  test('two shards that are read by turns over one session both come whole, as a lane reads them', async () => {
    const source = await open('table=every');
    const shards = (await listShards(source, 100_000)).slice(0, 3);
    assert.equal(shards.length, 3);
    const whole = await Promise.all(shards.map(async (shard) => (await readShard(source, shard)).list.length));
    const alone = [];
    for (const shard of shards) alone.push((await readShard(source, shard)).list.length);
    assert.deepEqual(whole, alone);
    await source.close();
  });

  test('a table is loaded beside itself, while its rows are read, by two lanes', async () => {
    const report = await load({ from: from('table=every'), to: database.url, table: 'beside', key: ['id'], lanes: 2, shardBytes: 50_000 });
    assert.deepEqual(report.counts, { read: 2_001, written: 2_001, skipped: 0, rejected: 0 });
    await refuses(load({ from: from('table=every'), to: database.url, table: 'every' }), 'SLUICE_USAGE', /into itself/);
  });

  test('queries, views and partitioned tables are one shard; an empty table has its types', async (context) => {
    const to = `sqlite:${makeFolder(context).path}/copy.db`;
    const cases: readonly (readonly [string, number])[] = [
      ['table=parts', 1_000],
      ['table=seen', 1_000],
      ['table=nothing', 0],
      ['query=select id, v as vector, count(*) over () as c from every where id > 0 order by id -- the end', 1_930],
    ];
    for (const [index, [selection, rows]] of cases.entries()) {
      const report = await load({ from: from(selection), to, table: `t${index}` });
      assert.deepEqual(report.counts, { read: rows, written: rows, skipped: 0, rejected: 0 }, selection);
    }
    const db = new DatabaseSync(to.slice('sqlite:'.length));
    assert.equal(db.prepare(`SELECT type FROM pragma_table_info('t2') WHERE name = 'v'`).get()?.['type'], 'F32_BLOB(7)');
    assert.equal(db.prepare(`SELECT type FROM pragma_table_info('t3') WHERE name = 'vector'`).get()?.['type'], 'F32_BLOB(3)');
    db.close();
  });

  test('a load that was stopped is resumed from a later snapshot, and keeps no password', async (context) => {
    const to = `sqlite:${makeFolder(context).path}/copy.db`;
    const secret = `${withUser(database.url, new URL(database.url).username, 's3cret')}?table=every`;
    const stop = new AbortController();
    await load({
      from: secret,
      to,
      table: 'every',
      lanes: 2,
      shardBytes: 10_000,
      maxBatchRows: 20,
      signal: stop.signal,
      onProgress: ({ counts }) => {
        if (counts.read > 0) stop.abort();
      },
    });
    const report = await resume({ in: to });
    assert.equal(report.counts.written, 2_001);
    const db = new DatabaseSync(to.slice('sqlite:'.length));
    const told = JSON.stringify(db.prepare('SELECT * FROM sluice_loads').all());
    assert.doesNotMatch(told, /s3cret/u);
    assert.match(told, /table=every/u);
    assert.equal(db.prepare('SELECT count(DISTINCT id) AS ids FROM every').get()?.['ids'], 2_001);
    db.close();
  });

  test('a session that ends in the middle of a read is a transient error, and nothing hangs', async () => {
    await runSql(database.url, `CREATE TABLE wide AS SELECT i AS id, repeat(md5(i::text), 100) AS t FROM generate_series(1, 4000) i`);
    const source = await open('table=wide');
    const [shard] = await listShards(source);
    const reading = (async () => {
      for await (const records of source.read(shard!, { offset: 0, row: 0, line: 0 }, { columns: [] })) {
        if (records.end.row > 0)
          await runSql(
            database.url,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'COPY%'`,
          );
      }
    })();
    await refuses(reading, 'SLUICE_SOURCE_READ', /resume/i);
    await source.close();
  });

  test('what is missing, forbidden or wrong is said, with what to do and without a password', async () => {
    await refuses(open('table=absent'), 'SLUICE_SOURCE_MISSING', /schema/);
    await refuses(open('query=select 1 +'), 'SLUICE_USAGE', /psql/);
    await refuses(open('query=select id, id from every'), 'SLUICE_USAGE', /AS name/);
    await refuses(open('query=select absent from every'), 'SLUICE_USAGE', /absent/);
    await refuses(open('query=delete from every returning id'), 'SLUICE_USAGE', /psql/);
    const role = `reader_${String(process.pid)}`;
    await runSql(database.url, `CREATE ROLE ${role} LOGIN PASSWORD 's3cret'`);
    try {
      await refuses(openSource(`${withUser(database.url, role, 's3cret')}?table=every`), 'SLUICE_SOURCE_DENIED', /GRANT SELECT/);
    } finally {
      await runSql(database.url, `DROP ROLE ${role}`);
    }
    const nowhere = new URL(database.url);
    nowhere.port = '1';
    nowhere.password = 's3cret';
    await refuses(openSource(`${nowhere.href}?table=every`), 'SLUICE_SOURCE_READ', /reach|used/);
  });
});
