/** Vector indexes by command: made, made again, dropped, listed; searches are right throughout. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { createIndex, dropIndex, listIndexes, rebuildIndex } from '../../src/collection/indexes.ts';
import { stats } from '../../src/collection/stats.ts';
import { load } from '../../src/load/load.ts';
import { search } from '../../src/search/search.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql, runSql } from '../postgres/server.ts';
import { createRandom, drawVector, toBytes } from '../search/fixture.ts';
import { places, vectorPlaces } from './places.ts';

const count = 600;

function makeRows(): readonly { readonly id: number; readonly a: readonly number[]; readonly b: readonly number[] }[] {
  const random = createRandom(5);
  return Array.from({ length: count }, (_, id) => ({ id, a: [...drawVector(random, 32)], b: [...drawVector(random, 16)] }));
}

const types = { a: 'vector(32)', b: 'vector(16)' } as const;

/** PGlite runs PostgreSQL's own code for this, and takes many times as long. */
for (const place of vectorPlaces.filter(({ name }) => name !== 'pglite')) {
  test(
    `two vector columns of one table have an index each, with settings of their own: ${place.name}`,
    { skip: place.skip },
    async (context) => {
      const url = await place.open(context);
      const rows = makeRows();
      await load({ from: rows, to: url, table: 'items', key: ['id'], types, cache: false, index: { build: 'none' } });
      const one = { in: url, table: 'items', column: 'a' } as const;
      const two = { in: url, table: 'items', column: 'b' } as const;
      await assert.rejects(createIndex({ in: url, table: 'items' }), { code: 'SLUICE_USAGE', hint: /a, b/u });
      const made = await createIndex({ ...one, m: 12, efConstruction: 60 });
      assert.deepEqual([made.did, made.metric, made.index?.state, made.index?.settings['m']], ['built', 'cosine', 'fresh', 12]);
      const other = await createIndex({ ...two, metric: 'l2', storage: 'f16' });
      assert.deepEqual([other.index?.metric, other.index?.settings['storage']], ['l2', 'f16']);
      assert.equal((await createIndex({ ...one, m: 12 })).did, 'nothing');
      await assert.rejects(createIndex({ ...one, m: 20 }), { code: 'SLUICE_USAGE', hint: /rebuild/u });

      const { hits, explain } = await search({ ...one, query: rows[7]?.a ?? [], k: 3, way: 'index', efSearch: 50 });
      assert.equal(hits[0]?.key['id'], 7);
      assert.equal(explain.find(({ what }) => what === 'way')?.choice, 'index');
      // The column is compared by what it was indexed for.
      const near = await search({ ...two, query: rows[9]?.b ?? [], k: 1, way: 'index' });
      assert.equal(near.hits[0]?.key['id'], 9);
      assert.ok(Math.abs(near.hits[0]?.score ?? 1) < 1e-9);

      const again = await rebuildIndex({ ...one });
      assert.deepEqual([again.did, again.index?.settings['m'], again.index?.settings['efConstruction']], ['built', 12, 60]);
      assert.equal((await rebuildIndex({ ...one, m: 24 })).index?.settings['m'], 24);
      const listed = await listIndexes({ in: url });
      assert.deepEqual(
        listed.map(({ column, backend, metric }) => [column, backend, metric]),
        [
          ['a', 'hnsw', 'cosine'],
          ['b', 'hnsw', 'l2'],
        ],
      );

      // A load that comes later keeps the index as it was made.
      const more = rows.map(({ a, b, id }) => ({ id: id + count, a, b }));
      await load({ from: more, to: url, table: 'items', key: ['id'], cache: false, lanes: 1, index: { build: 'always' } });
      const [kept] = await listIndexes({ in: url, table: 'items' });
      assert.deepEqual([kept?.index?.state, kept?.index?.settings['m']], ['fresh', 24]);

      const gone = await dropIndex({ ...two });
      assert.equal(gone.dropped.length, 1);
      await assert.rejects(dropIndex({ ...two }), { code: 'SLUICE_USAGE' });
      await assert.rejects(rebuildIndex({ ...two }), { code: 'SLUICE_USAGE', hint: /index create/u });
      assert.equal((await createIndex({ ...one, backend: 'exact' })).did, 'dropped');
      assert.equal((await search({ ...one, query: rows[7]?.a ?? [], k: 1 })).explain[0]?.choice, 'exact');

      const { vectors, loads, rows: total } = await stats({ in: url, table: 'items' });
      assert.deepEqual([total, loads.length], [2 * count, 2]);
      assert.deepEqual(
        vectors.map(({ column, coverage, present, indexes }) => [column, coverage, present, indexes.length]),
        [
          ['a', 1, 2 * count, 0],
          ['b', 1, 2 * count, 0],
        ],
      );
    },
  );
}

test('a table that sluice did not load can be indexed: a column of bytes whose length is found, and one that only its user knows', async (context) => {
  const file = join(makeFolder(context), 'other.db');
  const db = new DatabaseSync(file);
  db.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, v BLOB, mixed BLOB)');
  const random = createRandom(3);
  const insert = db.prepare('INSERT INTO notes (v, mixed) VALUES (?, ?)');
  const vectors = Array.from({ length: 300 }, () => drawVector(random, 24));
  for (const [at, vector] of vectors.entries()) insert.run(toBytes(vector), at % 2 === 0 ? toBytes(vector) : new Uint8Array(8));
  db.close();
  const url = `sqlite:${file}`;
  const made = await createIndex({ in: url, table: 'notes', column: 'v', metric: 'l2' });
  assert.deepEqual([made.dimensions, made.index?.rows], [24, 300]);
  const found = await search({ in: url, table: 'notes', query: vectors[5] ?? [], k: 1, way: 'index' });
  assert.equal(found.hits[0]?.key['id'], 6);
  await assert.rejects(createIndex({ in: url, table: 'notes', column: 'mixed' }), { code: 'SLUICE_COLUMN_UNKNOWN', hint: /--dimensions/u });
  assert.equal((await createIndex({ in: url, table: 'notes', column: 'mixed', dimensions: 24 })).index?.rows, 150);
  await assert.rejects(createIndex({ in: url, table: 'nots', column: 'v' }), { code: 'SLUICE_TABLE_UNKNOWN' });
  await assert.rejects(createIndex({ in: url, table: 'notes', column: 'id' }), { code: 'SLUICE_COLUMN_UNKNOWN' });
});

test('an SQLite index tells how many rows it lacks, and a stopped rebuild leaves the old one', async (context) => {
  const folder = makeFolder(context);
  const url = `sqlite:${join(folder, 'a.db')}`;
  await load({ from: makeRows(), to: url, table: 'items', key: ['id'], types, cache: false, index: { build: 'none' } });
  await createIndex({ in: url, table: 'items', column: 'a', name: 'mine' });
  const db = new DatabaseSync(join(folder, 'a.db'));
  db.exec(
    'DELETE FROM items WHERE id < 10; UPDATE items SET a = b WHERE id = 20; INSERT INTO items SELECT id + 10000, a, b FROM items WHERE id BETWEEN 100 AND 104',
  );
  db.close();
  const [stale] = await listIndexes({ in: url, table: 'items' });
  assert.deepEqual([stale?.index?.name, stale?.index?.state, stale?.index?.staleRows], ['mine', 'stale', 16]);
  const stopping = new AbortController();
  const stopped = rebuildIndex({
    in: url,
    table: 'items',
    column: 'a',
    m: 60,
    signal: stopping.signal,
    onProgress: () => stopping.abort(),
  });
  await assert.rejects(stopped, { code: 'SLUICE_CANCELLED' });
  const [kept] = await listIndexes({ in: url, table: 'items' });
  assert.deepEqual([kept?.index?.settings['m'], kept?.index?.staleRows], [32, 16]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
  const side = join(dirname(join(folder, 'a.db')), 'a.db.items.a.usearch');
  assert.ok(existsSync(side));
  assert.deepEqual((await dropIndex({ in: url, table: 'items', column: 'a' })).dropped, ['mine']);
  assert.ok(!existsSync(side));
});

test(
  'PostgreSQL: an unfinished index is told, and made anew while others write',
  { skip: vectorPlaces[1]?.skip ?? false },
  async (context) => {
    const url = (await vectorPlaces[1]?.open(context)) ?? '';
    await load({ from: makeRows(), to: url, table: 'items', key: ['id'], types, cache: false });
    await createIndex({ in: url, table: 'items', column: 'a' });
    await runSql(url, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'items_a_hnsw_cosine'::regclass`);
    const [broken] = await listIndexes({ in: url, table: 'items' });
    assert.deepEqual([broken?.index?.state, broken?.index?.why], ['unusable', 'its build did not end; drop it, or build it again']);
    const made = await createIndex({ in: url, table: 'items', column: 'a' });
    assert.deepEqual([made.did, made.index?.state], ['built', 'fresh']);
    const lists = await createIndex({ in: url, table: 'items', column: 'a', backend: 'ivfflat', lists: 5 });
    assert.deepEqual([lists.index?.method, lists.index?.settings['lists']], ['ivfflat', 5]);
    const names = await readSql(
      url,
      `SELECT indexrelid::regclass::text AS name, indisvalid AS valid FROM pg_index WHERE indrelid = 'items'::regclass ORDER BY 1`,
    );
    assert.deepEqual(
      names.map(({ name, valid }) => [name, valid]),
      [
        ['items_a_hnsw_cosine', true],
        ['items_a_ivfflat_cosine', true],
        ['items_pkey', true],
      ],
    );
    await assert.rejects(createIndex({ in: url, table: 'items', column: 'b', storage: 'i8' }), { code: 'SLUICE_INDEX_UNUSABLE' });
    await assert.rejects(createIndex({ in: url, table: 'items', column: 'b', efSearch: 9 }), {
      code: 'SLUICE_INDEX_UNUSABLE',
      hint: /--ef-search/u,
    });
  },
);

test('a target without vectors says so, and what to do', async (context) => {
  const place = places.find(({ hasVectors }) => !hasVectors);
  assert.ok(place !== undefined);
  const url = await place.open(context);
  await load({ from: [{ id: 1 }], to: url, table: 't', key: ['id'], cache: false });
  for (const act of [createIndex, rebuildIndex, dropIndex])
    await assert.rejects(act({ in: url, table: 't', column: 'v' }), { code: 'SLUICE_USAGE', hint: /sqlite:/u });
  await assert.rejects(listIndexes({ in: url }), { code: 'SLUICE_USAGE' });
  assert.equal((await stats({ in: url, table: 't' })).rows, 1);
});
