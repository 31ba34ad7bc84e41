/** The verb: the query becomes a vector as the rows did, or is refused; an open search sees what others write. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { EmbedSpec } from '../../src/embed/embedder.ts';
import { createEmbedder } from '../../src/embed/registry.ts';
import { isSluiceError, type ErrorCode } from '../../src/errors.ts';
import { measureRecall } from '../../src/search/recall.ts';
import { openSearch, search } from '../../src/search/search.ts';
import { connect } from '../../src/target/registry.ts';
import { buildVectorIndex } from '../../src/target/sqlite/vector-index.ts';
import { sampleVectors } from '../../src/target/sqlite/vector-sample.ts';
import { makeFolder, makeLibrary, openFile, toBytes } from './fixture.ts';

const texts = ['a heart attack', 'the attack of an army', 'a red apple', 'green apples and pears', 'a small boat'];

async function makeTexts(
  t: TestContext,
  spec: EmbedSpec = { with: 'hash', dimensions: 64 },
): Promise<{ url: string; file: string; db: ReturnType<typeof openFile> }> {
  const file = `${makeFolder(t)}/texts.db`;
  const db = openFile(t, file);
  const embedder = await createEmbedder(spec);
  db.exec(
    'PRAGMA journal_mode = WAL; CREATE TABLE docs (id TEXT PRIMARY KEY, text TEXT, v F32_BLOB(64)); CREATE TABLE people (id INTEGER PRIMARY KEY)',
  );
  db.exec(
    `CREATE TABLE sluice_vectors (table_name TEXT, column_name TEXT, dimensions INTEGER, metric TEXT, embedder TEXT, text_column TEXT, PRIMARY KEY (table_name, column_name)) WITHOUT ROWID`,
  );
  db.prepare(`INSERT INTO sluice_vectors VALUES ('docs', 'v', 64, 'cosine', ?, 'text')`).run(
    JSON.stringify({ spec, identity: embedder.identity }),
  );
  const vectors = await embedder.embed(texts);
  texts.forEach((text, index) =>
    db.prepare('INSERT INTO docs VALUES (?, ?, ?)').run(`d${String(index)}`, text, toBytes(vectors.slice(index * 64, index * 64 + 64))),
  );
  return { url: `sqlite:${file}`, file, db };
}

function hasCode(code: ErrorCode, hint = /./u): (error: unknown) => boolean {
  return (error) => isSluiceError(error, code) && hint.test(`${error.message} ${String(error.hint)}`);
}

test('a text finds the rows most like it, embedded as the ledger says', async (t) => {
  const { url } = await makeTexts(t);
  const { hits, explain, tookMs } = await search({ in: url, table: 'docs', query: 'heart attack', k: 2 });
  assert.deepEqual(hits[0]?.key, { id: 'd0' });
  assert.deepEqual(hits[0]?.columns, { id: 'd0', text: 'a heart attack' });
  assert.equal(hits.length, 2);
  assert.equal(explain[0]?.choice, 'exact');
  assert.ok(tookMs > 0);
});

test('the same embedder may be named, another one or another dimension is refused and told what made the vectors', async (t) => {
  const { url } = await makeTexts(t);
  const ask = { in: url, table: 'docs', query: 'apple', k: 1 };
  assert.equal((await search({ ...ask, embed: { with: 'hash' } })).hits.length, 1);
  await assert.rejects(search({ ...ask, embed: { with: 'mock', dimensions: 64 } }), hasCode('SLUICE_EMBEDDER_MISMATCH', /hash/u));
  await assert.rejects(
    search({ ...ask, embed: { with: 'hash', dimensions: 32 } }),
    hasCode('SLUICE_DIMENSION_MISMATCH', /64 dimensions.*hash/u),
  );
  await assert.rejects(search({ ...ask, embed: { with: 'nope' } }), hasCode('SLUICE_EMBEDDER_UNKNOWN'));
  await assert.rejects(search({ ...ask, query: [1, 2, 3] }), hasCode('SLUICE_DIMENSION_MISMATCH', /64/u));
});

test('vectors that came with the rows are searched by vectors, and by texts only with a named embedder', async (t) => {
  const { url, db } = await makeTexts(t);
  db.exec('UPDATE sluice_vectors SET embedder = NULL');
  await assert.rejects(search({ in: url, table: 'docs', query: 'apple' }), hasCode('SLUICE_EMBEDDER_MISMATCH', /came with the rows/u));
  const byName = await search({ in: url, table: 'docs', query: 'a red apple', embed: { with: 'hash', dimensions: 64 } });
  assert.deepEqual(byName.hits[0]?.key, { id: 'd2' });
  db.exec('DROP TABLE sluice_vectors');
  const vector = new Float32Array(64).fill(1);
  assert.equal((await search({ in: url, table: 'docs', query: vector })).hits.length, 5);
  assert.equal((await search({ in: url, table: 'docs', query: [...vector], metric: 'l2' })).hits.length, 5);
});

test('wrong names are answered with the nearest right one', async (t) => {
  const { url } = await makeTexts(t);
  await assert.rejects(search({ in: url, table: 'dosc', query: 'x' }), hasCode('SLUICE_TABLE_UNKNOWN', /Did you mean docs\?/u));
  await assert.rejects(search({ in: url, table: 'people', query: 'x' }), hasCode('SLUICE_COLUMN_UNKNOWN'));
  await assert.rejects(search({ in: url, table: 'docs', query: 'x', column: 'w' }), hasCode('SLUICE_COLUMN_UNKNOWN', /There are: v/u));
  await assert.rejects(search({ in: url, table: 'docs', query: 'x', columns: ['txet'] }), hasCode('SLUICE_COLUMN_UNKNOWN', /text/u));
  await assert.rejects(search({ in: `${url}.nope`, table: 'docs', query: 'x' }), hasCode('SLUICE_TARGET_MISSING'));
});

test('questions that make no sense are refused before anything is searched', async (t) => {
  const { url } = await makeTexts(t);
  for (const k of [0, -1, 1.5, 10_001, Number.NaN])
    await assert.rejects(search({ in: url, table: 'docs', query: 'x', k }), hasCode('SLUICE_USAGE'));
  await assert.rejects(search({ in: url, table: 'docs', query: ' ' }), hasCode('SLUICE_USAGE', /empty/u));
  await assert.rejects(search({ in: url, table: 'docs', query: new Float32Array(64) }), hasCode('SLUICE_USAGE', /zeros/u));
  await assert.rejects(
    search({ in: url, table: 'docs', query: new Float32Array(64).fill(Number.NaN) }),
    hasCode('SLUICE_USAGE', /finite/u),
  );
  await assert.rejects(search({ in: url, table: 'docs', query: 'x', where: '1)' }), hasCode('SLUICE_WHERE_INVALID'));
});

test('an open search sees rows, indexes and embedders that others wrote since', async (t) => {
  const { url, file, db } = await makeTexts(t);
  const opened = await openSearch({ in: url, table: 'docs' });
  t.after(() => opened.close());
  const first = async (): Promise<unknown> => (await opened.search('a red apple', { k: 1 })).hits[0]?.key['id'];
  assert.equal(await first(), 'd2');
  await buildVectorIndex(file, { table: 'docs', column: 'v', metric: 'cosine', how: 'update' });
  assert.equal((await opened.search('a red apple', { way: 'index', k: 1 })).hits[0]?.key['id'], 'd2');
  db.exec(`UPDATE docs SET v = (SELECT v FROM docs WHERE id = 'd2') WHERE id = 'd4'; DELETE FROM docs WHERE id = 'd2'`);
  assert.equal((await opened.search('a red apple', { way: 'index', k: 1 })).hits[0]?.key['id'], 'd4');
  assert.equal(await first(), 'd4');
  const spec = { with: 'mock', dimensions: 64, seed: 3 };
  const { identity } = await createEmbedder(spec);
  db.prepare('UPDATE sluice_vectors SET embedder = ?').run(JSON.stringify({ spec, identity }));
  const { hits } = await opened.search('a red apple', { k: 1 });
  assert.ok((hits[0]?.score ?? 1) < 0.9);
  await opened.close();
  await assert.rejects(opened.search('x'), hasCode('SLUICE_CLOSED'));
});

test('recall is measured over stored vectors, the same ones each time, and is 1 where there is no index', async (t) => {
  const { file, db } = makeLibrary(t, 1_500);
  const connection = Object.assign(await connect(`sqlite:${file}`, { isReadOnly: true }), {
    sampleVectors: async (request: Parameters<typeof sampleVectors>[1]) => sampleVectors(db, request),
  });
  t.after(() => connection.close());
  const request = { table: 'docs', column: 'v', k: 10, metric: 'cosine', columns: [] } as const;
  assert.deepEqual(await measureRecall(connection, request, 5), { k: 10, queries: 5, recall: 1, way: 'exact' });
  await buildVectorIndex(file, { table: 'docs', column: 'v', metric: 'cosine', how: 'update' });
  const first = await measureRecall(connection, request, 30);
  assert.equal(first.way, 'index');
  assert.equal(first.queries, 30);
  assert.ok(first.recall >= 0.95 && first.recall <= 1, String(first.recall));
  const draw = { table: 'docs', column: 'v', count: 20, seed: 7 };
  assert.deepEqual(sampleVectors(db, draw), sampleVectors(db, draw));
  assert.equal(sampleVectors(db, { ...draw, count: 5_000 }).length, 1_500);
});
