/** The index finds what a scan finds, and nothing that was changed behind it ever shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import type { IndexRequest, IndexResult, Metric } from '../../src/target/driver.ts';
import { searchVectors } from '../../src/target/sqlite/search.ts';
import { buildVectorIndex } from '../../src/target/sqlite/vector-index.ts';
import { ask, createRandom, drawVector, findNaively, makeLibrary, toBytes, type Library } from './fixture.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const metrics: readonly Metric[] = ['cosine', 'ip', 'l2'];

/** With one thread, where the graph reaches every row, so that answers with k near the number of rows are exact. */
async function build(file: string, more: Partial<IndexRequest> = {}): Promise<IndexResult> {
  return buildVectorIndex(file, { table: 'docs', column: 'v', metric: 'cosine', how: 'update', threads: 1, ...more });
}

/** Ids by index. */
function find({ db, file }: Library, query: Float32Array, k = 10): readonly unknown[] {
  return searchVectors(db, file, ask(query, { way: 'index', k })).hits.map((hit) => hit.key['id']);
}

function wayOf({ db, file }: Library, query: Float32Array): string {
  const { explain } = searchVectors(db, file, ask(query, { way: 'auto' }));
  return `${explain[0]?.choice ?? ''}: ${explain[0]?.why ?? ''}`;
}

function assertUnusable({ db, file }: Library, why: RegExp): void {
  const query = drawVector(createRandom(3));
  assert.throws(
    () => searchVectors(db, file, ask(query, { way: 'index' })),
    (error) => isSluiceError(error, 'SLUICE_INDEX_UNUSABLE') && why.test(error.message),
  );
  const found = searchVectors(db, file, ask(query, { way: 'auto' })).hits.map((hit) => hit.key['id']);
  assert.deepEqual(
    found,
    findNaively(db, query, { metric: 'cosine', k: 10 }).map(({ id }) => id),
  );
}

for (const metric of metrics) {
  test(`recall@10 of the index by ${metric} is at least 0.95, and its scores are those of a scan`, async (t) => {
    const library = makeLibrary(t, 3_000);
    assert.equal((await build(library.file, { metric, threads: 2 })).did, 'built');
    let found = 0;
    for (let i = 0; i < 50; i++) {
      const query = drawVector(library.random);
      const expected = new Map(findNaively(library.db, query, { metric, k: 10 }).map(({ id, score }) => [id, score]));
      for (const hit of searchVectors(library.db, library.file, ask(query, { way: 'index', metric })).hits) {
        const score = expected.get(Number(hit.key['id']));
        if (score === undefined) continue;
        found++;
        assert.ok(Math.abs(score - hit.score) < 1e-9);
      }
    }
    assert.ok(found / 500 >= 0.95, `recall ${String(found / 500)}`);
  });
}

test(`rows inserted, updated, moved and deleted by plain SQL are right in the very next search, before and after an update (seed ${String(seed)})`, async (t) => {
  const rows = 400;
  const step = fc.tuple(
    fc.constantFrom('insert', 'update', 'upsert', 'replace', 'delete', 'move', 'null', 'extend'),
    fc.integer({ min: 1, max: rows + 20 }),
    fc.integer(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const library = makeLibrary(t, rows, 11);
      await build(library.file);
      for (const [what, id, vectorSeed] of steps) {
        const vector = drawVector(createRandom(vectorSeed));
        if (what === 'extend') await build(library.file);
        else changeRow(library, { what, id, vector });
        // With k near the number of rows the graph can't miss any, so the answer must be exact.
        const query = drawVector(createRandom(vectorSeed + 1));
        assert.deepEqual(
          find(library, query, 300),
          findNaively(library.db, query, { metric: 'cosine', k: 300 }).map((row) => row.id),
        );
        if (what !== 'insert' && what !== 'update') continue;
        const nearest =
          library.db.prepare('SELECT count(*) AS n FROM docs WHERE id = ?').get(id)?.['n'] === 1 ? find(library, vector, 1) : [];
        if (nearest.length > 0)
          assert.deepEqual(
            nearest,
            findNaively(library.db, vector, { metric: 'cosine', k: 1 }).map((row) => row.id),
          );
      }
      library.db.close();
    }),
    { numRuns: 12, seed, endOnFailure: true },
  );
});

function changeRow(
  { db }: Library,
  { what, id, vector }: { readonly what: string; readonly id: number; readonly vector: Float32Array },
): void {
  const bytes = toBytes(vector);
  if (what === 'insert') db.prepare('INSERT OR IGNORE INTO docs VALUES (?, ?, ?)').run(id, 'new', bytes);
  if (what === 'update') db.prepare('UPDATE OR FAIL docs SET v = ? WHERE id = ?').run(bytes, id);
  if (what === 'upsert') db.prepare('INSERT INTO docs VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET v = excluded.v').run(id, 'up', bytes);
  if (what === 'replace') db.prepare('REPLACE INTO docs VALUES (?, ?, ?)').run(id, 're', bytes);
  if (what === 'delete') db.prepare('DELETE FROM docs WHERE id BETWEEN ? AND ?').run(id, id + 30);
  if (what === 'move') db.prepare('UPDATE OR IGNORE docs SET rowid = ? WHERE oid = ?').run(id + 5_000, id);
  if (what === 'null') db.prepare('UPDATE docs SET v = NULL WHERE id = ?').run(id);
}

test('rows around a query that all moved away leave the ones that stayed', async (t) => {
  const library = makeLibrary(t, 2_000);
  const query = drawVector(createRandom(77));
  await build(library.file);
  const near = findNaively(library.db, query, { metric: 'cosine', k: 150 }).map(({ id }) => id);
  library.db.exec(
    `UPDATE docs SET v = (SELECT v FROM docs WHERE id = ${String(findFarthest(library, query))}) WHERE id IN (${near.join(',')})`,
  );
  const expected = findNaively(library.db, query, { metric: 'cosine', k: 10 }).map(({ id }) => id);
  const found = find(library, query);
  assert.ok(expected.filter((id) => found.includes(id)).length >= 9);
});

function findFarthest({ db }: Library, query: Float32Array): number {
  return findNaively(db, query, { metric: 'cosine', k: 10_000 }).at(-1)?.id ?? 0;
}

test('an update takes the changes it found and no others, and gives the answers of a new build', async (t) => {
  const library = makeLibrary(t, 1_000);
  await build(library.file);
  assert.equal((await build(library.file)).did, 'nothing');
  for (let id = 1; id <= 50; id++) changeRow(library, { what: 'update', id, vector: drawVector(library.random) });
  library.db.exec('DELETE FROM docs WHERE id BETWEEN 60 AND 70');
  for (let id = 1_001; id <= 1_100; id++) library.insert(id, drawVector(library.random));
  assert.deepEqual({ ...(await build(library.file)), buildMs: 0 }, { rows: 1_089, buildMs: 0, did: 'extended' });
  assert.equal(library.db.prepare('SELECT count(*) AS n FROM sluice_index_changes').get()?.['n'], 0);
  const queries = Array.from({ length: 20 }, () => drawVector(library.random));
  const extended = queries.map((query) => find(library, query, 500));
  assert.equal((await build(library.file, { how: 'rebuild' })).did, 'built');
  assert.deepEqual(
    queries.map((query) => find(library, query, 500)),
    extended,
  );
});

test('an update builds anew when a tenth of the rows changed', async (t) => {
  const library = makeLibrary(t, 500);
  await build(library.file);
  library.db.exec('DELETE FROM docs WHERE id <= 60');
  assert.equal((await build(library.file)).did, 'built');
  assert.equal((await build(library.file)).rows, 440);
});

test('changes made while an index is built are neither lost nor stale, and readers read on', async (t) => {
  const library = makeLibrary(t, 3_000);
  const query = drawVector(createRandom(8));
  let moments = 0;
  const onProgress = (done: number): void => {
    moments++;
    changeRow(library, { what: 'update', id: 1 + done, vector: query });
    changeRow(library, { what: 'delete', id: 2_000 + moments * 40, vector: query });
    library.insert(null, query);
    assert.equal(searchVectors(library.db, library.file, ask(query, { way: 'auto' })).hits.length, 10);
  };
  await build(library.file, { onProgress });
  assert.ok(moments >= 2);
  assert.deepEqual(
    find(library, query, 2 * moments),
    findNaively(library.db, query, { metric: 'cosine', k: 2 * moments }).map(({ id }) => id),
  );
  assert.deepEqual(
    find(library, query, 2_900),
    findNaively(library.db, query, { metric: 'cosine', k: 2_900 }).map(({ id }) => id),
  );
});

test('a build that is stopped says so and leaves the index that was there', async (t) => {
  const library = makeLibrary(t, 9_000);
  await build(library.file);
  const stopping = new AbortController();
  const onProgress = (done: number): void => (done > 0 ? stopping.abort() : undefined);
  await assert.rejects(build(library.file, { how: 'rebuild', signal: stopping.signal, onProgress }), (error) =>
    isSluiceError(error, 'SLUICE_CANCELLED'),
  );
  assert.equal(find(library, drawVector(library.random)).length, 10);
});

test('two builds at once end with an index that is right', async (t) => {
  const library = makeLibrary(t, 2_000);
  await Promise.all([build(library.file, { how: 'rebuild' }), build(library.file, { how: 'rebuild' }), build(library.file)]);
  library.db.exec('DELETE FROM docs WHERE id < 20');
  const query = drawVector(library.random);
  assert.deepEqual(
    find(library, query, 1_900),
    findNaively(library.db, query, { metric: 'cosine', k: 1_900 }).map(({ id }) => id),
  );
});

test('after VACUUM numbered the rows anew the index is not used, and an update builds it again', async (t) => {
  const library = makeLibrary(t, 0);
  library.db.exec('DROP TABLE docs; CREATE TABLE docs (id INTEGER, grp TEXT, v F32_BLOB(32))');
  for (let id = 1; id <= 300; id++) library.insert(id, drawVector(library.random));
  await build(library.file);
  library.db.exec('DELETE FROM docs WHERE id = 299');
  const query = drawVector(library.random);
  assert.equal(find({ ...library }, query).length, 10);
  library.db.exec('VACUUM');
  const key = searchVectors(library.db, library.file, ask(query, { way: 'auto' })).hits.map((hit) => hit.columns['id']);
  assert.deepEqual(
    key,
    findNaively(library.db, query, { metric: 'cosine', k: 10 }).map(({ id }) => id),
  );
  assert.match(wayOf(library, query), /^exact: VACUUM/u);
  assert.equal((await build(library.file)).did, 'built');
  assert.doesNotThrow(() => find(library, query));
});

test('VACUUM leaves the index of a table with an integer primary key', async (t) => {
  const library = makeLibrary(t, 300);
  await build(library.file);
  library.db.exec('DELETE FROM docs WHERE id = 3; VACUUM');
  assert.equal(find(library, drawVector(library.random)).length, 10);
});

test('a table that was dropped and made again, or whose triggers are gone, is scanned', async (t) => {
  const library = makeLibrary(t, 300);
  await build(library.file);
  library.db.exec(
    'CREATE TABLE other AS SELECT * FROM docs; DROP TABLE docs; CREATE TABLE docs (id INTEGER PRIMARY KEY, grp TEXT, v F32_BLOB(32)); INSERT INTO docs SELECT id + 1, grp, v FROM other',
  );
  assertUnusable(library, /replaced or its triggers/u);
  assert.equal((await build(library.file)).did, 'built');
  const trigger = library.db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%delete'`).get()?.['name'];
  library.db.exec(`DROP TRIGGER "${String(trigger)}"`);
  assertUnusable(library, /replaced or its triggers/u);
});

test('a table that was renamed is scanned, and its old name can be used again', async (t) => {
  const library = makeLibrary(t, 100);
  await build(library.file);
  library.db.exec(
    'ALTER TABLE docs RENAME TO old; CREATE TABLE docs (id INTEGER PRIMARY KEY, grp TEXT, v F32_BLOB(32)); INSERT INTO docs SELECT 200 - id, grp, v FROM old',
  );
  assertUnusable(library, /replaced/u);
  await build(library.file);
  await build(library.file, { table: 'old' });
  library.db.exec('DELETE FROM docs WHERE id = 100; DELETE FROM old WHERE id = 5');
  const query = drawVector(library.random);
  assert.deepEqual(
    find(library, query, 90),
    findNaively(library.db, query, { metric: 'cosine', k: 90 }).map(({ id }) => id),
  );
});

test('an index for another metric is not used', async (t) => {
  const library = makeLibrary(t, 100);
  await build(library.file, { metric: 'l2' });
  assertUnusable(library, /metric l2/u);
});
