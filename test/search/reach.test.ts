/** Rows that the graph can't reach: they are found in the saved file, and scanned. */
import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { searchVectors } from '../../src/target/sqlite/search.ts';
import { chooseSettings, createGraph, toKey } from '../../src/target/sqlite/vector-hnsw.ts';
import { buildVectorIndex } from '../../src/target/sqlite/vector-index.ts';
import { findUnreached } from '../../src/target/sqlite/vector-reach.ts';
import { ask, createRandom, dimensions, drawVector, makeFolder, makeLibrary, toBytes } from './fixture.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const order = { table: 'docs', column: 'v', metric: 'cosine' } as const;

test(`every row that a search of the whole graph does not find is said to be out of reach, and few others (seed ${String(seed)})`, (t) => {
  const random = createRandom(seed);
  const rows = 3_000;
  const graph = createGraph(dimensions, 'l2', chooseSettings('l2', dimensions));
  const equal = drawVector(random);
  const keys = BigUint64Array.from({ length: rows }, (_, row) => toKey(BigInt(row + 1)));
  const vectors = new Float32Array(rows * dimensions);
  for (let row = 0; row < rows; row++) vectors.set(row % 5 === 0 ? equal : drawVector(random), row * dimensions);
  graph.add(keys, vectors, 2);
  graph.remove(keys.subarray(0, 7));
  const path = join(makeFolder(t), 'graph.usearch');
  graph.save(path);
  const found = new Set(graph.search(drawVector(random), rows, 1).keys);
  const lost = [...keys.subarray(7)].filter((key) => !found.has(key));
  const unreached = new Set(findUnreached(path));
  assert.deepEqual(
    lost.filter((key) => !unreached.has(key)),
    [],
  );
  assert.ok(unreached.size <= lost.length + rows / 100, `${String(unreached.size)} out of reach, ${String(lost.length)} not found`);
  assert.ok(lost.length > 0, 'among so many equal vectors some are out of reach');
  truncateSync(path, 100_000);
  assert.equal(findUnreached(path), undefined);
});

test('an empty graph and a graph of one row have nothing out of reach', (t) => {
  const folder = makeFolder(t);
  const graph = createGraph(dimensions, 'ip', chooseSettings('ip', dimensions));
  const save = (name: string): string => {
    graph.save(join(folder, name));
    return join(folder, name);
  };
  graph.add(BigUint64Array.of(5n), drawVector(createRandom(1)), 1);
  assert.deepEqual(findUnreached(save('one')), []);
  graph.remove(5n);
  assert.deepEqual(findUnreached(save('none')), []);
});

test('rows with equal vectors are all found by the index, and an update of an unchanged table does nothing', async (t) => {
  const { file, db, random } = makeLibrary(t, 2_000, 3);
  const equal = drawVector(random);
  db.prepare('UPDATE docs SET v = ? WHERE id % 4 = 0').run(toBytes(equal));
  assert.equal((await buildVectorIndex(file, { ...order, how: 'rebuild' })).did, 'built');
  const request = ask(equal, { k: 500 });
  const { hits, explain } = searchVectors(db, file, { ...request, way: 'index' });
  assert.deepEqual(hits, searchVectors(db, file, { ...request, way: 'exact' }).hits);
  assert.ok(explain.some(({ what, choice }) => what === 'changed rows' && choice === 'scanned exactly'));
  assert.equal((await buildVectorIndex(file, { ...order, how: 'update' })).did, 'nothing');
  db.prepare('UPDATE docs SET v = ? WHERE id = 4').run(toBytes(drawVector(random)));
  assert.equal((await buildVectorIndex(file, { ...order, how: 'update' })).did, 'extended');
  const kept = searchVectors(db, file, { ...request, way: 'index' }).hits;
  assert.deepEqual(kept, searchVectors(db, file, { ...request, way: 'exact' }).hits);
});
