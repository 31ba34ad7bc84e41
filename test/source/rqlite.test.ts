/** rqlite as a source: every value of a table as it is stored, by ranges of row ids in several lanes, and what can't be read is refused. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { load } from '../../src/index.ts';
import { openSource, reopenSource } from '../../src/source/open.ts';
import type { Source } from '../../src/source/source.ts';
import { connect } from '../../src/target/registry.ts';
import { shareServer } from '../rqlite/server.ts';
import { makeFolder } from './folder.ts';
import { listShards, readShard } from './reading.ts';

const shared = shareServer();
after(() => shared.close());

const count = 3_000;

async function fill(url: string): Promise<void> {
  const connection = await connect(url);
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${String(count)})`;
  const statements = [
    'CREATE TABLE docs (id INTEGER PRIMARY KEY, big INTEGER, score REAL, flag BOOLEAN, day DATE, note TEXT, raw BLOB)',
    `${numbers} INSERT INTO docs SELECT i, 9007199254740993 + i, i / 2, i % 2, '2024-01-0' || (i % 9 + 1), 'text ' || i, CASE WHEN i % 3 THEN randomblob(5) END FROM n`,
    'CREATE TABLE pairs (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID',
    `${numbers} INSERT INTO pairs SELECT 'k' || (i % 7), i, 'v' || i FROM n`,
  ];
  await connection.transact(statements.map((sql) => ({ sql, parameters: [] })));
  await connection.close();
}

async function countRows(source: Source, targetBytes: number): Promise<{ readonly rows: number; readonly shards: number }> {
  const shards = await listShards(source, targetBytes);
  const lane = await reopenSource(structuredClone(source.descriptor!));
  let rows = 0;
  for (const shard of shards) rows += (await readShard(lane, shard)).list.length;
  await lane.close();
  return { rows, shards: shards.length };
}

test('a table of rqlite is loaded as it is stored, over several lanes, and the same load has nothing to do', async (context) => {
  const server = await shared.take();
  context.after(() => server.dispose());
  await fill(server.url);
  const folder = makeFolder(context);
  const to = `sqlite:${folder.path}/copy.db`;
  const report = await load({ from: `${server.url}?table=docs`, to, table: 'docs', lanes: 2, shardBytes: 20_000 });
  assert.deepEqual(report.counts, { read: count, written: count, skipped: 0, rejected: 0 });
  assert.ok(report.shards > 2);
  const [source, copy] = [new DatabaseSync(server.file), new DatabaseSync(`${folder.path}/copy.db`)];
  for (const db of [source, copy]) context.after(() => db.close());
  const read = (db: DatabaseSync): unknown =>
    db.prepare('SELECT id, CAST(big AS TEXT) AS big, score, flag, substr(day, 1, 10) AS day, note, raw FROM docs ORDER BY id').all();
  assert.deepEqual(read(copy), read(source));
  const again = await load({ from: `${server.url}?table=docs`, to, table: 'docs' });
  assert.equal(again.state, 'nothing_to_do');
});

test('ranges of row ids, pages by a key and pages of a query give each row once', async (context) => {
  const server = await shared.take();
  context.after(() => server.dispose());
  await fill(server.url);
  const docs = await openSource(`${server.url}?table=docs`);
  const found = await countRows(docs, 30_000);
  assert.equal(found.rows, count);
  assert.ok(found.shards > 3);
  await docs.close();
  for (const selection of ['table=pairs', 'query=SELECT a, b FROM pairs ORDER BY a, b']) {
    const source = await openSource(`${server.url}?${selection}`);
    assert.deepEqual(await countRows(source, 30_000), { rows: count, shards: 1 }, selection);
    assert.match(source.guarantee ?? '', /page/);
    await source.close();
  }
});

test('what is not there, and a query that is none, are refused with what to do', async (context) => {
  const server = await shared.take();
  context.after(() => server.dispose());
  await fill(server.url);
  await assert.rejects(openSource(`${server.url}?table=nothing`), { code: 'SLUICE_SOURCE_MISSING', hint: /docs, pairs/ });
  await assert.rejects(openSource(`${server.url}?query=SELECT absent FROM docs`), { code: 'SLUICE_USAGE', message: /no such column/ });
  await assert.rejects(openSource(server.url), { code: 'SLUICE_USAGE', message: /neither which table/ });
  await assert.rejects(openSource('rqlite://me:pa55@127.0.0.1:1?table=docs&connect_timeout=1'), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'SLUICE_SOURCE_READ');
    assert.doesNotMatch(error.message, /pa55/);
    return true;
  });
});
