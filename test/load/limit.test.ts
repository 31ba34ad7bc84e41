/** `limit`: a load stops after exactly so many rows, the first of its input, whatever the format, the lanes and the borders; and goes on exactly there. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { assertSettled, readSql } from '../fixtures/load-target.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`limit test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

type Kind = 'jsonl' | 'csv' | 'objects' | 'sqlite';

/** Every `bad`-th row can't be read or does not fit; ids count the rows from 1. */
function writeInput(folder: string, kind: Kind, { count, bad }: { readonly count: number; readonly bad: number }): LoadOptions['from'] {
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const isBad = (id: number): boolean => id % bad === 0;
  const file = path.join(folder, `input.${kind}`);
  if (kind === 'objects') return ids.map((id) => (isBad(id) ? { id: 'x', note: 'bad' } : { id, note: 'n' }));
  if (kind === 'jsonl') writeFileSync(file, ids.map((id) => (isBad(id) ? '{"id":\n\n' : `{"id":${String(id)},"note":"n"}\n`)).join(''));
  else if (kind === 'csv') {
    const lines = ids.map((id) => (isBad(id) ? `${String(id)},a,b` : `${String(id)},"a\n\n${'x'.repeat(id % 40)}"`));
    writeFileSync(file, ['id,note', ...lines, ''].join('\n'));
  } else {
    const db = new DatabaseSync(file);
    db.exec('DROP TABLE IF EXISTS rows; CREATE TABLE rows (id INTEGER PRIMARY KEY, note TEXT)');
    const insert = db.prepare('INSERT INTO rows VALUES (?, ?)');
    for (const id of ids) insert.run(id, 'n');
    db.close();
    return `sqlite:${file}?table=rows`;
  }
  return file;
}

function readIds(target: string): readonly number[] {
  return readSql(target, 'SELECT id FROM t ORDER BY id').map(({ id }) => Number(id));
}

/** The good rows among the first `limit`. */
function expectIds(limit: number, bad: number): readonly number[] {
  return Array.from({ length: limit }, (_, index) => index + 1).filter((id) => id % bad !== 0);
}

test('a limit reads exactly the first rows of the input, and the next session goes on exactly there', async (context) => {
  const folder = makeFolder(context);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        kind: fc.constantFrom<Kind>('jsonl', 'csv', 'objects', 'sqlite'),
        count: fc.integer({ min: 1, max: 400 }),
        bad: fc.constantFrom(3, 7, 1_000),
        lanes: fc.constantFrom(1, 3),
        maxBatchRows: fc.constantFrom(1, 7, 1_000),
        limits: fc.array(fc.integer({ min: 1, max: 450 }), { minLength: 1, maxLength: 4 }),
      }),
      async ({ kind, count, bad, lanes, maxBatchRows, limits }) => {
        const badOf = kind === 'sqlite' ? 1_000 : bad;
        const target = path.join(folder, `target-${String(run++)}.db`);
        const from = writeInput(folder, kind, { count, bad: badOf });
        const options: LoadOptions = {
          from,
          to: `sqlite:${target}`,
          table: 't',
          types: { id: 'integer', note: 'text' },
          label: `l${String(run)}`,
          lanes,
          maxBatchRows,
          ...(kind === 'objects' || kind === 'sqlite' ? {} : { shardBytes: 256 }),
        };
        let reached = 0;
        for (const limit of limits) {
          const report = await load({ ...options, limit });
          reached = Math.min(count, Math.max(reached, limit));
          assert.equal(report.counts.read, reached);
          assert.ok(report.isBalanced);
          if (reached < count) assert.equal(report.state, 'limit');
          assert.deepEqual(readIds(target), expectIds(reached, badOf));
          if (report.state === 'done') break;
        }
        await load(options);
        assert.deepEqual(readIds(target), expectIds(count, badOf));
        await assertSettled(target, 't');
      },
    ),
    { seed, numRuns: 20 },
  );
});

test('with several lanes of threads, and more rows than one lane is used for, the first rows are the ones that are read', async (context) => {
  const folder = makeFolder(context);
  const count = 130_000;
  const from = writeInput(folder, 'jsonl', { count, bad: count + 1 });
  const target = path.join(folder, 'target.db');
  const options: LoadOptions = { from, to: `sqlite:${target}`, table: 't', key: ['id'], lanes: 3 };
  for (const limit of [60_001, 60_002, 111_111]) {
    const report = await load({ ...options, limit });
    assert.deepEqual([report.state, report.counts.read, report.counts.written], ['limit', limit, limit]);
    assert.deepEqual(readSql(target, 'SELECT count(*) AS n, max(id) AS last FROM t')[0], { n: BigInt(limit), last: BigInt(limit) });
  }
  assert.equal((await resume({ in: `sqlite:${target}` })).counts.read, count);
  await assertSettled(target, 't');
});

test('texts behind the limit are not embedded', async (context) => {
  const folder = makeFolder(context);
  const from = Array.from({ length: 500 }, (_, id) => ({ id, text: `text ${String(id)}` }));
  const options: LoadOptions = {
    from,
    to: `sqlite:${path.join(folder, 't.db')}`,
    table: 't',
    label: 'one',
    embed: { column: 'text', with: 'hash', dimensions: 16 },
    cache: false,
    lanes: 3,
    maxBatchRows: 40,
    limit: 101,
  };
  const report = await load(options);
  assert.deepEqual([report.counts.written, report.embedding?.texts, report.embedding?.embedded], [101, 101, 101]);
});

test('the bytes of sessions that stop at a limit add up to the file, and never to more', async (context) => {
  const folder = makeFolder(context);
  const file = path.join(folder, 'rows.jsonl');
  const text = Array.from({ length: 5_000 }, (_, id) => `{"id":${String(id)},"note":"${'x'.repeat(id % 90)}"}\n`).join('');
  writeFileSync(file, text);
  const options = { from: file, to: `sqlite:${path.join(folder, 't.db')}`, table: 't', key: ['id'] } as const;
  const sessions = [700, 701, 4_000, undefined].map((limit) => () => load({ ...options, limit }));
  let bytes = 0;
  for (const run of sessions) {
    const { counts, session } = await run();
    bytes += session.bytes;
    assert.equal(
      bytes,
      text
        .split('\n')
        .slice(0, counts.read)
        .reduce((sum, line) => sum + line.length + 1, 0),
    );
  }
  assert.equal(bytes, text.length);
});

test('a replaced table is published only once the whole source was read', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 't.db');
  const from = (name: string): LoadOptions['from'] => Array.from({ length: 90 }, (_, id) => ({ id, name }));
  const options: LoadOptions = { from: from('new'), to: `sqlite:${target}`, table: 't', mode: 'replace', label: 'two' };
  await load({ ...options, from: from('old'), label: 'one' });
  const names = (): readonly unknown[] => readSql(target, 'SELECT DISTINCT name FROM t').map(({ name }) => name);
  assert.equal((await load({ ...options, limit: 50 })).state, 'limit');
  assert.deepEqual(names(), ['old']);
  const report: LoadReport = await load(options);
  assert.deepEqual([report.state, report.counts.written, names()], ['done', 90, ['new']]);
});

test('a limit of as many rows as there are is a load that is done', async (context) => {
  const folder = makeFolder(context);
  const from = writeInput(folder, 'csv', { count: 40, bad: 1_000 });
  const report = await load({ from, to: `sqlite:${path.join(folder, 't.db')}`, table: 't', format: 'csv', limit: 40, shardBytes: 256 });
  assert.deepEqual([report.state, report.counts.read], ['done', 40]);
});

for (const wrong of [{ limit: 0 }, { limit: 1.5 }, { maxDurationMs: 0 }, { rate: {} }, { rate: { rowsPerSecond: -1 } }]) {
  test(`${JSON.stringify(wrong)} is refused before anything is opened`, async (context) => {
    const to = `sqlite:${path.join(makeFolder(context), 't.db')}`;
    await assert.rejects(load({ from: [{ id: 1 }], to, table: 't', ...wrong }), { code: 'SLUICE_USAGE' });
  });
}
