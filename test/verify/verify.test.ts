/** What `verify` sees and names: rows that are gone, rows that came by another way, keys that changed, shards and indexes that are not done. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { load } from '../../src/load/load.ts';
import type { LoadOptions, VerifyReport } from '../../src/load/options.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql, runSql } from '../fixtures/load-target.ts';

interface Place {
  readonly folder: string;
  readonly input: string;
  readonly target: string;
  readonly options: LoadOptions;
}

async function makeLoaded(context: TestContext, more: Partial<LoadOptions> = {}): Promise<Place> {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.csv');
  const target = path.join(folder, 'target.db');
  writeFileSync(
    input,
    ['id,name,age', ...Array.from({ length: 500 }, (_, row) => `${row},n${row},${row % 50 === 9 ? 'x' : row % 90}`)].join('\n'),
  );
  const options: LoadOptions = { from: input, to: `sqlite:${target}`, table: 'people', key: ['id'], types: { age: 'integer' }, ...more };
  await load(options);
  return { folder, input, target, options };
}

function listFailed(report: VerifyReport): readonly string[] {
  return report.checks.filter((check) => !check.isOk).map((check) => check.name.replace(/^[\d-]+-[0-9a-f]+: /u, ''));
}

test('a table that holds what was loaded is found right, rejects and all', async (context) => {
  const { options } = await makeLoaded(context);
  const report = await verify({ in: options.to });
  assert.equal(report.isOk, true);
  assert.deepEqual(report.differences, []);
  assert.equal(report.table, 'people');
});

test('rows that are gone are missed and named by their place in the source, at most ten of them', async (context) => {
  const { input, target, options } = await makeLoaded(context);
  runSql(target, 'DELETE FROM people WHERE id IN (0, 3)');
  const report = await verify({ in: options.to, table: 'people' });
  assert.deepEqual(listFailed(report), ['rows in the table', 'key digest']);
  assert.deepEqual(
    report.differences.map((text) => text.replace(/^[^:]*: /u, '')),
    [`the row at byte 12 of ${input} is not in people`, `the row at byte 33 of ${input} is not in people`],
  );
  runSql(target, 'DELETE FROM people');
  assert.equal((await verify({ in: options.to })).differences.length, 10);
});

test('a row that came by another way, and a key that was changed, are seen', async (context) => {
  const { target, options } = await makeLoaded(context);
  runSql(target, `UPDATE people SET id = 100000 WHERE id = 5`);
  assert.deepEqual(listFailed(await verify({ in: options.to })), ['key digest']);
  runSql(target, `UPDATE people SET id = 5 WHERE id = 100000`, `INSERT INTO people VALUES (100001, 'by hand', 1)`);
  assert.deepEqual(listFailed(await verify({ in: options.to })), ['rows in the table', 'key digest']);
});

test('loads into the same table add up, also upserts, skips and what was there before', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'target.db');
  runSql(target, 'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO people VALUES (1, 'a'), (2, 'b'), (900, 'c')`);
  const rowsFrom = (first: number): object[] => Array.from({ length: 100 }, (_, row) => ({ id: first + row, name: 'n' }));
  const options = { to: `sqlite:${target}`, table: 'people', key: ['id'] } as const;
  await load({ ...options, from: rowsFrom(0), mode: 'insert' });
  await load({ ...options, from: rowsFrom(50), mode: 'upsert' });
  await load({ ...options, from: rowsFrom(120), mode: 'skip' });
  assert.equal((await verify({ in: options.to })).isOk, true);
  await load({ ...options, from: rowsFrom(7_000), mode: 'replace' });
  await load({ ...options, from: rowsFrom(7_090), mode: 'upsert' });
  const report = await verify({ in: options.to });
  assert.equal(report.isOk, true);
  // What the replaced table held no longer counts.
  assert.equal(report.loads.length, 2);
});

test('loads by different keys are counted, and their digests are not mixed', async (context) => {
  const target = path.join(makeFolder(context), 'target.db');
  runSql(target, 'CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT NOT NULL UNIQUE)');
  const options = { to: `sqlite:${target}`, table: 'people', mode: 'upsert' } as const;
  await load({
    ...options,
    from: [
      { id: 1, mail: 'a' },
      { id: 2, mail: 'b' },
    ],
    key: ['id'],
  });
  await load({
    ...options,
    from: [
      { id: 7, mail: 'b' },
      { id: 3, mail: 'c' },
    ],
    key: ['mail'],
  });
  const report = await verify({ in: options.to });
  assert.equal(report.isOk, true, JSON.stringify(report.checks));
  assert.ok(report.checks.some(({ name, found }) => name === 'rows in the table' && found === '3'));
});

test('an unfinished load, an index that is not back and counts that do not add up are named', async (context) => {
  const { target, options } = await makeLoaded(context);
  runSql(target, `UPDATE sluice_shards SET state = 'waiting' WHERE shard = 0`);
  assert.deepEqual(listFailed(await verify({ in: options.to })), ['shards done']);
  runSql(
    target,
    `UPDATE sluice_shards SET state = 'done'`,
    `INSERT INTO sluice_deferred_indexes SELECT load, 'by_age', 'CREATE INDEX by_age ON people (age)' FROM sluice_loads`,
  );
  assert.deepEqual(listFailed(await verify({ in: options.to })), ['indexes that were dropped and are not back']);
  runSql(target, `DELETE FROM sluice_deferred_indexes`, `UPDATE sluice_shards SET written_count = written_count - 1 WHERE shard = 0`);
  assert.deepEqual(listFailed(await verify({ in: options.to })), ['read = written + skipped + rejected']);
});

test('keys of every type are digested as they are stored', async (context) => {
  const folder = makeFolder(context);
  const cases: readonly (readonly [string, readonly unknown[], string])[] = [
    ['integer', ['9007199254740993', '-9223372036854775808', '0', '-5'], 'integer'],
    ['many-integers', Array.from({ length: 250 }, (_, row) => String(2n ** 62n + BigInt(row))), 'integer'],
    ['real', [1.5, -0.25, 1e300, 3], 'real'],
    ['text', ['', 'a', '東京 🎈', '1'], 'text'],
    ['boolean', [true, false], 'boolean'],
    ['decimal', ['1.10', '1.1', '12345678901234567890.123'], 'decimal'],
    ['uuid', ['123E4567-e89b-12d3-a456-426614174000'], 'uuid'],
    ['timestamp', ['2024-01-31T10:20:30Z', '2024-01-31T10:20:30.5Z'], 'timestamp'],
    ['date', ['2024-01-31', '1999-12-31'], 'date'],
    ['bytes', ['AAEC', 'AQ=='], 'bytes'],
  ];
  for (const [name, keys, type] of cases) {
    const to = `sqlite:${path.join(folder, `${name}.db`)}`;
    const report = await load({ from: keys.map((key) => ({ id: key })), to, table: 't', key: ['id'], types: { id: type as 'integer' } });
    assert.equal(report.counts.written, keys.length, `${name}: ${JSON.stringify(report.rejectsByCause)}`);
    const verified = await verify({ in: to });
    assert.deepEqual(
      verified.checks.filter((check) => !check.isOk),
      [],
      name,
    );
    assert.ok(
      verified.checks.some((check) => check.name === 'key digest' && check.expected.length === 16),
      name,
    );
  }
});

test('a table or a ledger that is not there is told with what to do', async (context) => {
  const { target, options } = await makeLoaded(context);
  await assert.rejects(verify({ in: options.to, table: 'nobody' }), { code: 'SLUICE_TABLE_UNKNOWN' });
  await assert.rejects(verify({ in: options.to, load: 'nobody' }), { code: 'SLUICE_LOAD_UNKNOWN' });
  runSql(target, 'DROP TABLE people');
  await assert.rejects(verify({ in: options.to }), { code: 'SLUICE_TABLE_UNKNOWN' });
  const bare = path.join(path.dirname(target), 'bare.db');
  runSql(bare, 'CREATE TABLE t (a)');
  await assert.rejects(verify({ in: `sqlite:${bare}` }), { code: 'SLUICE_LOAD_UNKNOWN' });
  assert.deepEqual(readSql(bare, 'SELECT name FROM sqlite_schema'), [{ name: 't' }]);
});
