/** What search on pgvector promises: the k nearest rows of those that match, by whichever way, with the scores of the table's own vectors, and nothing written. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import type { Metric, SearchRequest } from '../../src/target/driver.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { searchVectors } from '../../src/target/postgres/search/search.ts';
import { buildVectorIndex, nameIndex } from '../../src/target/postgres/search/vector-index.ts';
import { sampleVectors } from '../../src/target/postgres/search/vector-sample.ts';
import { openStage, type Stage } from './finish-stage.ts';
import { skipReason } from './server.ts';

const dimensions = 8;
const count = 2_000;
const seed = 7;

/** mulberry32: the same vectors in every run. */
function makeRandom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = makeRandom(seed);
const vectors = Array.from({ length: count }, () =>
  Float32Array.from({ length: dimensions }, () => Math.round((random() - 0.5) * 512) / 256),
);

function score(metric: Metric, a: Float32Array, b: Float32Array): number {
  const dot = a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
  if (metric === 'ip') return dot;
  if (metric === 'l2') return -Math.sqrt(a.reduce((sum, value, at) => sum + (value - (b[at] ?? 0)) ** 2, 0));
  return dot / Math.hypot(...a) / Math.hypot(...b);
}

describe('search on pgvector', { skip: skipReason }, () => {
  let stage: Stage;

  before(async () => {
    stage = await openStage();
    await stage.run(
      `CREATE TABLE docs (id bigint PRIMARY KEY, title text, tag int, embedding vector(${String(dimensions)}))`,
      `CREATE TABLE halves (id bigint PRIMARY KEY, embedding halfvec(${String(dimensions)}))`,
      `CREATE TABLE bare (a int, "odd ""name" vector(${String(dimensions)}))`,
      'CREATE TABLE wide (id int, embedding vector(2100))',
      'CREATE TABLE huge (id int, embedding vector(4100))',
      'CREATE TABLE free (id int, embedding vector)',
    );
    const values = vectors.map((vector, id) => `(${String(id)}, 'doc ${String(id)}', ${String(id % 100)}, '[${vector.join(',')}]')`);
    await stage.run(
      `INSERT INTO docs VALUES ${values.join(', ')}`,
      'INSERT INTO docs VALUES (100000, NULL, 0, NULL)',
      'INSERT INTO halves SELECT id, embedding FROM docs',
      'INSERT INTO bare SELECT tag, embedding FROM docs WHERE id < 20',
      `INSERT INTO wide SELECT n, array_fill(n, ARRAY[2100])::vector FROM generate_series(1, 5) n`,
    );
  });
  after(async () => {
    await stage.dispose();
  });

  const query = Float32Array.from({ length: dimensions }, (_, at) => (at - 3.5) / 4);

  function ask(request: Partial<SearchRequest>): ReturnType<typeof searchVectors> {
    return searchVectors(stage.link, {
      table: 'docs',
      column: 'embedding',
      vector: query,
      k: 10,
      metric: 'cosine',
      where: undefined,
      columns: undefined,
      way: 'exact',
      ...request,
    });
  }

  function nearest(metric: Metric, k: number, matches: (id: number) => boolean = () => true): readonly number[] {
    const scored = vectors.map((vector, id) => ({ id, score: score(metric, query, vector) })).filter(({ id }) => matches(id));
    return scored
      .toSorted((a, b) => b.score - a.score || a.id - b.id)
      .slice(0, k)
      .map(({ id }) => id);
  }

  const ids = (answer: Awaited<ReturnType<typeof ask>>): readonly unknown[] => answer.hits.map((hit) => hit.key['id']);

  for (const metric of ['cosine', 'ip', 'l2'] as const) {
    test(`a scan by ${metric} finds the nearest rows, nearest first, with true scores`, async () => {
      const answer = await ask({ metric });
      // Equally near rows may come in any order.
      const expected = nearest(metric, 10).map((id) => score(metric, query, vectors[id] ?? query));
      assert.deepEqual(
        answer.hits.map((hit) => hit.score.toFixed(4)),
        expected.map((each) => each.toFixed(4)),
      );
      for (const hit of answer.hits) {
        const own = vectors[Number(hit.key['id'])];
        assert.ok(own !== undefined && Math.abs(hit.score - score(metric, query, own)) < 1e-5);
      }
      assert.deepEqual(answer.hits[0]?.columns, {
        title: `doc ${String(answer.hits[0]?.key['id'])}`,
        tag: Number(answer.hits[0]?.key['id']) % 100,
      });
      assert.equal(answer.explain[0]?.choice, 'exact');
    });
  }

  test('a filter is SQL over the columns, comments at its end included, and only rows that match are found', async () => {
    assert.deepEqual(
      ids(await ask({ where: `tag = 7 -- only those` })),
      nearest('cosine', 10, (id) => id % 100 === 7),
    );
    assert.deepEqual(ids(await ask({ where: 'false' })), []);
    assert.equal((await ask({ k: 10_000 })).hits.length, count);
  });

  for (const where of ['nonsense >', 'no_such = 1', '1', `title / 2 > 1`, 'pg_sleep()']) {
    test(`a filter that is none is refused as such: ${where}`, async () => {
      await assert.rejects(ask({ where }), { code: 'SLUICE_WHERE_INVALID' });
      assert.equal((await ask({ k: 1 })).hits.length, 1);
    });
  }

  test('a filter that fails on a row is refused without the row', async () => {
    await assert.rejects(
      ask({ where: 'title::int > 1' }),
      (error: unknown) => isSluiceError(error, 'SLUICE_WHERE_INVALID') && !/doc/u.test(error.message),
    );
  });

  test('a filter can not write', async () => {
    await stage.run(
      'CREATE TABLE victims (id int)',
      `CREATE FUNCTION harm() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO victims VALUES (1); RETURN true; END $$`,
    );
    await assert.rejects(ask({ where: 'harm()' }), { code: 'SLUICE_WHERE_INVALID' });
    assert.deepEqual(await stage.read('SELECT * FROM victims'), []);
  });

  test('wrong names and lengths are answered with what there is', async () => {
    await assert.rejects(ask({ table: 'nothing' }), { code: 'SLUICE_TABLE_UNKNOWN' });
    await assert.rejects(
      ask({ column: 'title' }),
      (error: unknown) => isSluiceError(error, 'SLUICE_COLUMN_UNKNOWN') && /embedding/u.test(error.hint ?? ''),
    );
    await assert.rejects(ask({ columns: ['nothing'] }), { code: 'SLUICE_COLUMN_UNKNOWN' });
    await assert.rejects(ask({ vector: query.slice(1) }), { code: 'SLUICE_DIMENSION_MISMATCH' });
  });

  test('without an index one that is asked for is refused, and a scan is taken where none is', async () => {
    await assert.rejects(ask({ table: 'bare', column: 'odd "name', way: 'index' }), { code: 'SLUICE_INDEX_UNUSABLE' });
    const answer = await ask({ table: 'bare', column: 'odd "name', way: 'auto' });
    assert.deepEqual(answer.hits.map((hit) => hit.key).slice(0, 1), [{}]);
    assert.equal(answer.hits.length, 10);
  });

  test('an index is built once, told of, used, and finds nearly all of the true nearest', async () => {
    const request = { table: 'docs', column: 'embedding', metric: 'cosine', how: 'update' } as const;
    assert.deepEqual({ ...(await buildVectorIndex(stage.link, request)), buildMs: 0 }, { rows: count, buildMs: 0, did: 'built' });
    assert.equal((await buildVectorIndex(stage.link, request)).did, 'nothing');
    assert.equal((await buildVectorIndex(stage.link, { ...request, how: 'rebuild', threads: 2 })).did, 'built');
    assert.deepEqual(
      await stage.read(`SELECT relname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE amname = 'hnsw' AND relname LIKE 'docs%'`),
      [{ relname: 'docs_embedding_hnsw_cosine' }],
    );
    const answer = await ask({ way: 'auto' });
    assert.match(answer.explain[0]?.why ?? '', /docs_embedding_hnsw_cosine/u);
    const found = new Set(nearest('cosine', 10)).intersection(new Set(ids(answer))).size;
    assert.ok(found >= 9, `${String(found)} of 10 (vectors of seed ${String(seed)})`);
    await assert.rejects(
      ask({ way: 'index', metric: 'l2' }),
      (error: unknown) => isSluiceError(error, 'SLUICE_INDEX_UNUSABLE') && /cosine/u.test(error.message),
    );
  });

  test('with an index k rows come whenever k rows match, however rare they are', async () => {
    await buildVectorIndex(stage.link, { table: 'docs', column: 'embedding', metric: 'cosine', how: 'update' });
    for (const where of ['tag = 7', 'id IN (5, 500, 1500)', 'tag < 50']) {
      const matches = (id: number): boolean =>
        where === 'tag = 7' ? id % 100 === 7 : where === 'tag < 50' ? id % 100 < 50 : [5, 500, 1500].includes(id);
      const expected = nearest('cosine', 10, matches);
      assert.equal((await ask({ where, way: 'auto' })).hits.length, expected.length, where);
    }
    await stage.run('BEGIN; DELETE FROM docs WHERE id IN (1, 2, 3); ROLLBACK');
    assert.equal((await ask({ way: 'auto', k: 1_500 })).hits.length, 1_500);
  });

  test('an IVFFlat index is used, and where its lists hold too few rows a scan finds the rest', async () => {
    await stage.run(
      'CREATE TABLE listed AS SELECT * FROM docs',
      'CREATE INDEX ON listed USING ivfflat (embedding vector_l2_ops) WITH (lists = 100)',
    );
    assert.match((await ask({ table: 'listed', metric: 'l2', way: 'auto', k: 3 })).explain[0]?.why ?? '', /ivfflat/u);
    const many = await ask({ table: 'listed', metric: 'l2', way: 'auto', k: 1_500 });
    assert.equal(many.hits.length, 1_500);
    assert.equal(many.explain[0]?.choice, 'exact');
  });

  test('halfvec columns are indexed and searched', async () => {
    await buildVectorIndex(stage.link, { table: 'halves', column: 'embedding', metric: 'l2', how: 'update' });
    const answer = await ask({ table: 'halves', metric: 'l2', way: 'index', k: 5 });
    assert.deepEqual(ids(answer), nearest('l2', 5));
    assert.match(answer.explain[0]?.why ?? '', /halfvec/u);
  });

  test('vectors of more than 2,000 dimensions are indexed by their halves, and of more than 4,000 refused', async () => {
    await buildVectorIndex(stage.link, { table: 'wide', column: 'embedding', metric: 'l2', how: 'update' });
    assert.equal((await buildVectorIndex(stage.link, { table: 'wide', column: 'embedding', metric: 'l2', how: 'update' })).did, 'nothing');
    const answer = await ask({ table: 'wide', metric: 'l2', way: 'index', k: 2, vector: new Float32Array(2_100).fill(2.75) });
    assert.deepEqual(
      answer.hits.map((hit) => hit.columns['id']),
      [3, 2],
    );
    for (const table of ['huge', 'free']) {
      await assert.rejects(buildVectorIndex(stage.link, { table, column: 'embedding', metric: 'l2', how: 'update' }), {
        code: 'SLUICE_INDEX_UNUSABLE',
      });
    }
  });

  test('an index whose build was broken is not used, and the next build replaces it', async () => {
    const request = { table: 'docs', column: 'embedding', metric: 'ip', how: 'update' } as const;
    const stop = new AbortController();
    const name = nameIndex(request);
    const blocker = await stage.open();
    await blocker.script('BEGIN; UPDATE docs SET tag = tag WHERE id = 1');
    const broken = await openLink(stage.url, {});
    const building = broken.query(`CREATE INDEX CONCURRENTLY ${name} ON docs USING hnsw (embedding vector_ip_ops)`, [], {
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 300);
    await assert.rejects(building);
    await blocker.script('ROLLBACK');
    await broken.close();
    await assert.rejects(
      ask({ way: 'index', metric: 'ip' }),
      (error: unknown) => isSluiceError(error, 'SLUICE_INDEX_UNUSABLE') && /valid/u.test(error.message),
    );
    assert.equal((await buildVectorIndex(stage.link, request)).did, 'built');
    assert.equal((await ask({ way: 'index', metric: 'ip' })).hits.length, 10);
  });

  test('a build that is stopped leaves no index', async () => {
    const stop = new AbortController();
    stop.abort();
    await assert.rejects(
      buildVectorIndex(stage.link, { table: 'docs', column: 'embedding', metric: 'l2', how: 'update', signal: stop.signal }),
      { code: 'SLUICE_CANCELLED' },
    );
    assert.deepEqual(await stage.read(`SELECT 1 FROM pg_class WHERE relname = 'docs_embedding_hnsw_l2'`), []);
  });

  test('names of indexes are cut to what PostgreSQL keeps, with their end', () => {
    const name = nameIndex({ table: `s.${'ä'.repeat(40)}`, column: 'c', metric: 'cosine' });
    assert.ok(Buffer.byteLength(name) <= 63 && name.endsWith('_hnsw_cosine'));
  });

  test('a sample is of stored vectors, the same for the same seed, another for another', async () => {
    const draw = (drawn: number, table = 'docs', column = 'embedding'): ReturnType<typeof sampleVectors> =>
      sampleVectors(stage.link, { table, column, count: 10, seed: drawn });
    const first = await draw(1);
    assert.equal(first.length, 10);
    assert.deepEqual(await draw(1), first);
    assert.notDeepEqual(await draw(2), first);
    const stored = new Set(vectors.map(String));
    for (const vector of first) assert.ok(stored.has(String(vector)));
    assert.equal((await draw(1, 'halves')).length, 10);
    assert.equal((await draw(1, 'bare', 'odd "name')).length, 10);
  });
});
