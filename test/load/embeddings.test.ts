/** Several columns of texts become several columns of vectors: each with its own nulls, its own index and its own searches. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import { search } from '../../src/search/search.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql } from '../fixtures/load-target.ts';

const hash = { with: 'hash', dimensions: 16, emptyText: 'null' } as const;
const from = [
  { id: 1, title: 'heart', body: 'a pump of blood' },
  { id: 2, title: 'car', body: '' },
  { id: 3, title: '', body: 'four wheels' },
  { id: 4, title: 'heart', body: 'four wheels' },
];

test('two texts of a row become two vectors, and equal texts are asked for once each', async (context) => {
  const file = join(makeFolder(context), 'a.db');
  const common = { to: `sqlite:${file}`, table: 'docs', key: ['id'], cache: false } as const;
  const embed = [
    { ...hash, column: 'title' },
    { ...hash, column: 'body', into: 'meaning' },
  ];
  const report = await load({ ...common, from, embed });
  assert.deepEqual([report.counts.written, report.embedding?.texts, report.embedding?.distinct], [4, 6, 4]);
  const stored = readSql(file, 'SELECT id, title_vector AS a, meaning AS b FROM docs ORDER BY id');
  assert.deepEqual(
    stored.map(({ a, b }) => [a === null, b === null]),
    [
      [false, false],
      [false, true],
      [true, false],
      [false, false],
    ],
  );
  assert.deepEqual([stored[0]?.['a'], stored[2]?.['b']], [stored[3]?.['a'], stored[3]?.['b']]);
  // One column alone gives the same vectors.
  await load({ ...common, table: 'one', from, embed: { ...hash, column: 'body', into: 'meaning' } });
  assert.deepEqual(readSql(file, 'SELECT meaning FROM one ORDER BY id'), readSql(file, 'SELECT meaning FROM docs ORDER BY id'));
  const ask = { in: common.to, table: 'docs', query: 'four wheels', k: 1 } as const;
  assert.equal((await search({ ...ask, column: 'meaning' })).hits[0]?.key['id'], 3);
  await assert.rejects(search(ask), { code: 'SLUICE_USAGE', hint: /title_vector, meaning/u });
});

test('a row is refused once, by the first of its texts that can not be embedded', async (context) => {
  const file = join(makeFolder(context), 'a.db');
  const strict = { ...hash, emptyText: 'reject' } as const;
  const report = await load({
    from: [...from, { id: 5, title: ' ', body: ' ' }],
    to: `sqlite:${file}`,
    table: 'docs',
    key: ['id'],
    cache: false,
    embed: [
      { ...strict, column: 'title' },
      { ...strict, column: 'body' },
    ],
  });
  assert.deepEqual([report.counts.written, report.counts.rejected], [2, 3]);
  assert.deepEqual(
    report.rejectsByCause.map(({ column, count }) => [column, count]).toSorted((left, right) => Number(left[1]) - Number(right[1])),
    [
      ['body', 1],
      ['title', 2],
    ],
  );
});

test('a sync embeds only what changed, in each column, and two embeddings for one column are refused', async (context) => {
  const file = join(makeFolder(context), 'a.db');
  const common = { to: `sqlite:${file}`, table: 'docs', key: ['id'], cache: false, mode: 'sync' } as const;
  const embed = [
    { ...hash, column: 'title' },
    { ...hash, column: 'body' },
  ];
  await load({ ...common, from, embed, label: 'one' });
  const again = await load({
    ...common,
    from: from.map((row) => (row.id === 4 ? { ...row, body: 'two wheels' } : row)),
    embed,
    again: true,
  });
  assert.deepEqual([again.sync?.updated, again.sync?.unchanged, again.embedding?.texts], [1, 3, 2]);
  const clash = load({
    ...common,
    table: 'other',
    from,
    embed: [
      { ...hash, column: 'title', into: 'v' },
      { ...hash, column: 'body', into: 'V' },
    ],
  });
  await assert.rejects(clash, { code: 'SLUICE_PLAN_REFUSED', message: /its own/u });
});
