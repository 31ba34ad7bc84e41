/** A stretch of records that is cut between two rows is still the same rows, and its middle is a place that a reader goes on from. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Column } from '../../src/rows/schema.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import { openSource } from '../../src/source/open.ts';
import type { Records } from '../../src/source/source.ts';
import { countRecords, cutRecords } from '../../src/source/stretch-cut.ts';
import { makeFolder } from '../fixtures/load-folder.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`stretch cut test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

const columns: readonly Column[] = [
  { name: 'id', field: 'id', type: 'integer', isNullable: true },
  { name: 'note', field: 'note', type: 'text', isNullable: true },
];

/** Rows with their places and texts, and what was refused. */
function list(stretches: readonly Records[]): unknown {
  return stretches.map((records) => {
    const builder = createBatchBuilder(columns);
    const unfit = builder.add(records);
    const { places, rowCount, values } = builder.take();
    const rows = Array.from({ length: rowCount }, (_, row) => [
      values.map((column) => (column.kind === 'scalar' ? column.values[row] : undefined)),
      [places.rows[row], places.lines[row], places.offsets[row], places.raw(row)],
    ]);
    return { rows, rejects: [...records.rejects, ...unfit].map(({ row, line, offset, raw }) => [row, line, offset, raw]) };
  });
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

function join(lists: readonly unknown[]): { readonly rows: readonly unknown[]; readonly rejects: readonly unknown[] } {
  const parts = lists as readonly { readonly rows: readonly unknown[]; readonly rejects: readonly unknown[] }[];
  return { rows: parts.flatMap(({ rows }) => rows), rejects: parts.flatMap(({ rejects }) => rejects).toSorted(byText) };
}

for (const format of ['jsonl', 'csv'] as const) {
  test(`a cut stretch of ${format} holds every row once, and reading on from its middle yields the rest`, async (context) => {
    const file = path.join(makeFolder(context), `rows.${format}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('good', 'lines', 'bad', 'unfit', 'blank'), { minLength: 2, maxLength: 30 }),
        fc.nat(),
        async (kinds, at) => {
          const line = { good: '1,a', lines: '2,"b\n\nc"', bad: '3,"d"x,e', unfit: 'x,f', blank: '4,' };
          const json = { good: '{"id":1,"note":"a"}', lines: '{"id":2,"note":"b"}', bad: '{', unfit: '{"id":"x"}', blank: '{}' };
          const texts = kinds.map((kind) => (format === 'csv' ? line[kind] : json[kind]));
          writeFileSync(file, `${[...(format === 'csv' ? ['id,note'] : []), ...texts].join('\n')}\n`);
          const source = await openSource(file, { format });
          await source.sample();
          const [shard] = await Array.fromAsync(source.shards(1e9));
          assert.ok(shard !== undefined);
          const read = async (from: Records['end']): Promise<readonly Records[]> => Array.fromAsync(source.read(shard, from, { columns }));
          const start = { offset: shard.start, row: 0, line: 0 };
          const [whole] = await read(start);
          if (whole === undefined || countRecords(whole) < 2) return source.close();
          const count = 1 + (at % (countRecords(whole) - 1));
          const [head, tail] = cutRecords(whole, count);
          assert.deepEqual([countRecords(head), countRecords(tail)], [count, countRecords(whole) - count]);
          assert.equal(head.end.row, whole.end.row - countRecords(whole) + count);
          assert.deepEqual(tail.end, whole.end);
          assert.deepEqual(join([...(list([head, tail]) as unknown[])]), join(list([whole]) as unknown[]));
          assert.deepEqual(join(list(await read(head.end)) as unknown[]), join(list([tail]) as unknown[]));
          return source.close();
        },
      ),
      { seed, numRuns: 60 },
    );
  });
}
