/** Exact search is what a comparison with every row gives, whatever stands in the table. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import type { Metric } from '../../src/target/driver.ts';
import { searchVectors } from '../../src/target/sqlite/search.ts';
import { ask, createRandom, dimensions, drawVector, findNaively, makeFolder, makeLibrary, openFile, toBytes } from './fixture.ts';

const metrics: readonly Metric[] = ['cosine', 'ip', 'l2'];
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

for (const metric of metrics) {
  test(`exact search by ${metric} gives the rows and scores of a naive comparison (seed ${String(seed)})`, (t) => {
    const { db, file, insert } = makeLibrary(t, 300, seed);
    insert(301, drawVector(createRandom(1)));
    insert(302, drawVector(createRandom(1)));
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 320 }), (querySeed, k) => {
        const query = drawVector(createRandom(querySeed));
        const { hits } = searchVectors(db, file, ask(query, { metric, k }));
        const expected = findNaively(db, query, { metric, k });
        assert.deepEqual(
          hits.map((hit) => hit.key),
          expected.map(({ id }) => ({ id })),
        );
        hits.forEach((hit, index) => assert.ok(Math.abs(hit.score - (expected[index]?.score ?? 0)) < 1e-9));
      }),
      { numRuns: 60, seed },
    );
  });
}

test('a row with the vector of the query scores exactly 1 by cosine and comes first', (t) => {
  const { db, file } = makeLibrary(t, 50);
  const bytes = db.prepare('SELECT v FROM docs WHERE id = 17').get()?.['v'] as Uint8Array;
  const [first] = searchVectors(db, file, ask(new Float32Array(bytes.buffer))).hits;
  assert.deepEqual(first, { key: { id: 17 }, score: 1, columns: { id: 17, grp: 'g3' } });
});

test('more rows asked for than there are gives all of them', (t) => {
  const { db, file } = makeLibrary(t, 12);
  for (const k of [12, 13, 10_000]) assert.equal(searchVectors(db, file, ask(drawVector(createRandom(2)), { k })).hits.length, 12);
});

test('an empty table has no hits', (t) => {
  const { db, file } = makeLibrary(t, 0);
  assert.deepEqual(searchVectors(db, file, ask(drawVector(createRandom(2)), { way: 'auto' })).hits, []);
});

test('nulls, values of another length and vectors without a score are passed over, and what is no vector is counted', (t) => {
  const { db, file, insert } = makeLibrary(t, 20);
  insert(100, null);
  insert(101, new Uint8Array(5));
  insert(102, new Float32Array(dimensions + 1));
  insert(103, new Float32Array(dimensions));
  insert(104, new Float32Array(dimensions).fill(Number.NaN));
  insert(105, new Float32Array(dimensions).fill(Number.POSITIVE_INFINITY));
  db.exec(`INSERT INTO docs VALUES (106, 'g', '[1,2,3]'), (107, 'g', 7)`);
  for (const metric of metrics) {
    const { hits, explain } = searchVectors(db, file, ask(drawVector(createRandom(2)), { k: 100, metric }));
    assert.equal(hits.length, metric === 'cosine' ? 20 : 21, metric);
    assert.equal(explain.find(({ what }) => what === 'skipped values')?.choice, '4');
    assert.ok(hits.every((hit) => Number.isFinite(hit.score)));
  }
});

test('integers come as numbers, or as bigint where a number would not be exact; vectors only when asked for', (t) => {
  const file = `${makeFolder(t)}/x.db`;
  const db = openFile(t, file);
  db.exec('CREATE TABLE docs (a TEXT, b INTEGER, n INTEGER, blob BLOB, v F32_BLOB(2), PRIMARY KEY (a, b))');
  db.prepare('INSERT INTO docs VALUES (?, ?, ?, ?, ?)').run(
    'x',
    9_007_199_254_740_993n,
    5,
    new Uint8Array([1, 2]),
    toBytes(Float32Array.of(1, 0)),
  );
  const query = Float32Array.of(1, 0);
  const [hit] = searchVectors(db, file, ask(query)).hits;
  assert.deepEqual(hit?.key, { a: 'x', b: 9_007_199_254_740_993n });
  assert.deepEqual(hit?.columns, { a: 'x', b: 9_007_199_254_740_993n, n: 5, blob: new Uint8Array([1, 2]) });
  const [chosen] = searchVectors(db, file, ask(query, { columns: ['v', 'n'] })).hits;
  assert.deepEqual(chosen?.columns, { v: query, n: 5 });
});

test('a table without a key gives the row id as the key', (t) => {
  const file = `${makeFolder(t)}/x.db`;
  const db = openFile(t, file);
  db.exec('CREATE TABLE docs (v F32_BLOB(2))');
  db.prepare('INSERT INTO docs (rowid, v) VALUES (?, ?)').run(-5, toBytes(Float32Array.of(1, 0)));
  assert.deepEqual(searchVectors(db, file, ask(Float32Array.of(1, 0))).hits, [{ key: { rowid: -5 }, score: 1, columns: {} }]);
});

test('a vector whose distance is beyond single precision is found by its distance in double, and before what is no vector', (t) => {
  for (const key of ['id INTEGER PRIMARY KEY', 'rowid TEXT, oid TEXT, _rowid_ TEXT, id INTEGER']) {
    const db = openFile(t, ':memory:');
    db.exec(`CREATE TABLE docs (${key}, v F32_BLOB(2))`);
    const insert = db.prepare('INSERT INTO docs (id, v) VALUES (?, ?)');
    // More of them than a scan returns beyond k.
    for (let id = 1; id <= 60; id++) insert.run(id, new Uint8Array(5));
    insert.run(61, toBytes(Float32Array.of(-3e38, 0)));
    insert.run(62, toBytes(Float32Array.of(1e25, 0)));
    insert.run(63, toBytes(Float32Array.of(1, 0)));
    const { hits } = searchVectors(db, ':memory:', ask(Float32Array.of(0, 0), { metric: 'l2', k: 3 }));
    assert.deepEqual(
      hits.map(({ columns }) => columns['id']),
      [63, 62, 61],
    );
    db.close();
  }
});

test('tables without row ids, or whose columns take all names of the row id, are searched exactly', (t) => {
  const file = `${makeFolder(t)}/x.db`;
  const db = openFile(t, file);
  db.exec(
    'CREATE TABLE a (id TEXT PRIMARY KEY, v F32_BLOB(2)) WITHOUT ROWID; CREATE TABLE b (rowid TEXT, oid TEXT, _rowid_ TEXT, v F32_BLOB(2))',
  );
  const far = toBytes(Float32Array.of(0, 1));
  const near = toBytes(Float32Array.of(1, 0));
  db.prepare(`INSERT INTO a VALUES ('far', ?), ('near', ?)`).run(far, near);
  db.prepare(`INSERT INTO b VALUES ('far', '', '', ?), ('near', '', '', ?)`).run(far, near);
  const query = Float32Array.of(1, 0);
  assert.deepEqual(searchVectors(db, file, ask(query, { table: 'a', way: 'auto', k: 1 })).hits[0]?.key, { id: 'near' });
  assert.equal(searchVectors(db, file, ask(query, { table: 'b', way: 'auto', k: 1 })).hits[0]?.columns['rowid'], 'near');
});

test('names with quotes, spaces, brackets, line breaks and other scripts are searched like any other', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
      (name, column) => {
        const table = `t ${name.replaceAll('\0', '')}`;
        const vector = `v ${column.replaceAll('\0', '')}`;
        const db = openFile(t, ':memory:');
        const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        db.exec(`CREATE TABLE ${quote(table)} (${quote(vector)} F32_BLOB(2), ${quote(`x ${column.replaceAll('\0', '')}`)} TEXT)`);
        db.prepare(`INSERT INTO ${quote(table)} VALUES (?, 'here')`).run(toBytes(Float32Array.of(1, 0)));
        const { hits } = searchVectors(db, ':memory:', ask(Float32Array.of(1, 0), { table, column: vector, way: 'auto' }));
        assert.deepEqual(Object.values(hits[0]?.columns ?? {}), ['here']);
        db.close();
      },
    ),
    { numRuns: 60, seed },
  );
});

test('unknown tables and columns and queries of another dimension are refused by name', (t) => {
  const { db, file } = makeLibrary(t, 3);
  const query = drawVector(createRandom(2));
  assert.throws(
    () => searchVectors(db, file, ask(query, { table: 'nope' })),
    (error) => isSluiceError(error, 'SLUICE_TABLE_UNKNOWN'),
  );
  assert.throws(
    () => searchVectors(db, file, ask(query, { column: 'grp' })),
    (error) => isSluiceError(error, 'SLUICE_COLUMN_UNKNOWN'),
  );
  assert.throws(
    () => searchVectors(db, file, ask(query, { columns: ['nope'] })),
    (error) => isSluiceError(error, 'SLUICE_COLUMN_UNKNOWN'),
  );
  assert.throws(
    () => searchVectors(db, file, ask(Float32Array.of(1))),
    (error) => isSluiceError(error, 'SLUICE_DIMENSION_MISMATCH'),
  );
});

test('a connection without sqlite-vec gives the same answers and says so', (t) => {
  const { db, file } = makeLibrary(t, 100);
  const query = drawVector(createRandom(9));
  const expected = searchVectors(db, file, ask(query)).hits;
  const plain = new DatabaseSync(file, { readOnly: true });
  t.after(() => plain.close());
  const found = searchVectors(plain, file, ask(query));
  assert.deepEqual(found.hits, expected);
  assert.equal(found.explain.find(({ what }) => what === 'distance')?.choice, 'JavaScript');
});
