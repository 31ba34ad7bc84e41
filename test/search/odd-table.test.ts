/** Odd tables: names, row ids, tables that can't have an index, and dropping one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { searchVectors } from '../../src/target/sqlite/search.ts';
import { buildVectorIndex, dropVectorIndex } from '../../src/target/sqlite/vector-index.ts';
import { ask, createRandom, drawVector, makeFolder, makeLibrary, openFile, toBytes } from './fixture.ts';

const order = { table: 'docs', column: 'v', metric: 'cosine', how: 'update', threads: 1 } as const;

test('tables with odd names and negative, smallest and largest row ids are indexed and tracked', async (t) => {
  const file = `${makeFolder(t)}/odd name.db`;
  const db = openFile(t, file);
  const names = { table: `it's "odd" ä/..\\\n[x]%`, column: `v'"]` };
  const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  db.exec(`CREATE TABLE ${quote(names.table)} (id INTEGER PRIMARY KEY, rowid TEXT, ${quote(names.column)} F32_BLOB(2))`);
  const insert = db.prepare(`INSERT INTO ${quote(names.table)} VALUES (?, 'x', ?)`);
  const ids = [-(2n ** 63n), -1n, 0n, 1n, 2n ** 63n - 1n];
  insert.setReadBigInts(true);
  ids.forEach((id, index) => insert.run(id, toBytes(Float32Array.of(1, index))));
  const request = { ...names, metric: 'cosine', how: 'update' } as const;
  assert.deepEqual({ ...(await buildVectorIndex(file, request)), buildMs: 0 }, { rows: 4, buildMs: 0, did: 'built' });
  const ask2 = ask(Float32Array.of(1, 0), { ...names, way: 'index', k: 5 });
  assert.deepEqual(
    searchVectors(db, file, ask2).hits.map((hit) => BigInt(hit.key['id'] as number)),
    ids,
  );
  const update = db.prepare(`UPDATE ${quote(names.table)} SET ${quote(names.column)} = ? WHERE id = -1`);
  update.setReadBigInts(true);
  update.run(toBytes(Float32Array.of(-1, 0)));
  assert.deepEqual(searchVectors(db, file, ask2).hits.at(-1)?.key, { id: -1 });
  await buildVectorIndex(file, request);
  assert.deepEqual(searchVectors(db, file, ask2).hits.at(-1)?.key, { id: -1 });
});

test('an update of other columns, or to an equal vector, is no change', async (t) => {
  const library = makeLibrary(t, 50);
  await buildVectorIndex(library.file, order);
  library.db.exec(
    `UPDATE docs SET grp = 'x'; UPDATE docs SET v = v; INSERT INTO docs SELECT * FROM docs WHERE 1 ON CONFLICT DO UPDATE SET v = excluded.v`,
  );
  assert.equal(library.db.prepare('SELECT count(*) AS n FROM sluice_index_changes').get()?.['n'], 0);
});

test('a table without row ids is refused an index', async (t) => {
  const library = makeLibrary(t, 0);
  library.db.exec('CREATE TABLE w (id TEXT PRIMARY KEY, v F32_BLOB(2)) WITHOUT ROWID');
  await assert.rejects(buildVectorIndex(library.file, { ...order, table: 'w' }), (error) => isSluiceError(error, 'SLUICE_INDEX_UNUSABLE'));
  await assert.rejects(buildVectorIndex(library.file, { ...order, table: 'nope' }), (error) =>
    isSluiceError(error, 'SLUICE_TABLE_UNKNOWN'),
  );
});

test('dropping an index leaves the table and nothing else', async (t) => {
  const library = makeLibrary(t, 50);
  await buildVectorIndex(library.file, order);
  await dropVectorIndex(library.file, { table: 'docs', column: 'v' });
  assert.deepEqual(library.db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`).all(), []);
  for (const table of ['sluice_indexes', 'sluice_index_changes', 'sluice_index_canary']) {
    assert.equal(library.db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'], 0, table);
  }
  const query = drawVector(createRandom(1));
  assert.throws(() => searchVectors(library.db, library.file, ask(query, { way: 'index' })), /no index/u);
});
