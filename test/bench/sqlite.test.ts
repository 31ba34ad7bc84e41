/** `bench` on SQLite: every way writes what it says, the user's own file is left alone, and nothing stays behind, whatever happens. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bench } from '../../src/index.ts';
import { createBenchRows, makeLines, makeObjects } from '../../src/bench/rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const to = `sqlite:${join(folder, 'library.db')}`;

test('every way into SQLite is counted, compared with the first, and leaves nothing behind', async () => {
  const shown: string[] = [];
  const report = await bench({
    to,
    rows: 1_200,
    dims: 8,
    onProgress: ({ name, result }) => shown.push(`${name} ${result === undefined ? 'begins' : 'ends'}`),
  });
  const names = report.results.map((result) => result.name);
  assert.ok(names.length >= 12, names.join());
  assert.deepEqual(
    shown,
    names.flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
  const [first, ...others] = report.results;
  assert.ok(first?.isSample === true && first.rows > 0 && first.rows <= 1_000, 'a commit per row is a sample');
  assert.ok(others.every((result) => result.isSample || result.rows === 1_200));
  for (const result of report.results) {
    assert.ok(result.rowsPerSecond > 0 && result.ratio > 0 && result.clientShare > 0, result.name);
    assert.ok(Math.abs(result.fullMs - (result.ms / result.rows) * 1_200) < 1e-6, result.name);
  }
  assert.equal(report.results[0]?.ratio, 1);
  assert.deepEqual([report.rows, report.dims, report.skipped], [1_200, 8, []]);
  assert.deepEqual(readdirSync(folder), []);
});

test('a bench that is stopped in the middle of a way says so and leaves nothing behind', async () => {
  const controller = new AbortController();
  const stopped = bench({ to, rows: 50_000, dims: 4, only: ['commits'], signal: controller.signal, onProgress: () => controller.abort() });
  await assert.rejects(stopped, { code: 'SLUICE_CANCELLED' });
  assert.deepEqual(readdirSync(folder), []);
});

test('a load that is stopped inside a bench leaves nothing behind', async () => {
  const controller = new AbortController();
  const stopped = bench({
    to,
    rows: 50_000,
    dims: 16,
    only: ['from memory'],
    signal: controller.signal,
    onProgress: () => setTimeout(() => controller.abort(), 30),
  });
  await assert.rejects(stopped, { code: 'SLUICE_CANCELLED' });
  assert.deepEqual(readdirSync(folder), []);
});

for (const [what, size] of [
  ['no rows', { rows: 0 }],
  ['half a row', { rows: 1.5 }],
  ['more numbers than a hundred million', { rows: 1_000_000, dims: 101 }],
  ['more dimensions than a column takes', { rows: 1, dims: 16_001 }],
] as const) {
  test(`a bench of ${what} is refused before anything is made`, async () => {
    await assert.rejects(bench({ to, ...size }), { code: 'SLUICE_USAGE' });
    assert.ok(!existsSync(join(folder, 'library.db')));
  });
}

test('a way that does not exist, and a folder that does not, are refused by name', async () => {
  await assert.rejects(bench({ to, rows: 1, only: ['teleport'] }), { code: 'SLUICE_USAGE', message: /teleport/ });
  await assert.rejects(bench({ to: `sqlite:${join(folder, 'none', 'x.db')}`, rows: 1 }), { code: 'SLUICE_TARGET_DENIED', message: /none/ });
  assert.deepEqual(readdirSync(folder), []);
});

test('the rows of a bench are the same each time, keys ascend without a gap, and any stretch can be had', () => {
  const [first, second] = [createBenchRows(5_000, 6), createBenchRows(5_000, 6)];
  assert.deepEqual(first.batch(0, 500).values, second.batch(0, 500).values);
  const last = createBenchRows(10_000_000, 2_000);
  const { values, rowCount } = last.batch(9_999_000, last.batchRows);
  const [ids, titles, vectors] = values;
  assert.ok(ids?.kind === 'scalar' && titles?.kind === 'scalar' && vectors?.kind === 'vector');
  assert.deepEqual([ids.values.length, titles.values.length, vectors.values.length], [rowCount, rowCount, rowCount * 2_000]);
  assert.deepEqual(ids.values.slice(0, 2), [9_999_001, 9_999_002]);
});

test('objects, lines and batches of a bench hold the same values', () => {
  const rows = createBenchRows(700, 3);
  const objects = [...makeObjects(rows, 700)];
  const lines = [...makeLines(rows, 700)].map((line) => JSON.parse(line) as { id: number; title: string; embedding: number[] });
  assert.equal(objects.length, 700);
  objects.forEach(({ id, title, embedding }, index) => {
    const line = lines[index];
    assert.deepEqual([id, title], [index + 1, line?.title]);
    assert.ok(
      line !== undefined && embedding !== undefined && line.embedding.every((value, at) => Math.abs(value - Number(embedding[at])) < 1e-6),
    );
  });
  assert.ok(objects.every(({ title }) => Math.abs(title.length - 94) < 35));
});
