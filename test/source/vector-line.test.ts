/** JSON lines whose vector is cut out give the rows that parsing the whole line gives. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Batch, Reject } from '../../src/rows/batch.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Column } from '../../src/rows/schema.ts';
import { openSource } from '../../src/source/open.ts';

const columns: readonly Column[] = [
  { name: 'id', field: 'id', type: 'integer', isNullable: true },
  { name: 'text', field: 'text', type: 'text', isNullable: true },
  { name: 'meta', field: 'meta', type: 'json', isNullable: true },
  { name: 'v', field: 'v', type: 'vector', dimensions: 2, isNullable: true },
];
/** Two vectors turn the quick way off. */
const slowColumns: readonly Column[] = [...columns, { name: 'w', field: 'w', type: 'vector', dimensions: 1, isNullable: true }];

async function readAll(lines: readonly string[], wanted: readonly Column[]): Promise<{ batch: Batch; rejects: readonly Reject[] }> {
  const source = await openSource([Buffer.from(lines.join('\n'))], { format: 'jsonl' });
  const builder = createBatchBuilder(wanted);
  const rejects: Reject[] = [];
  const shard = { ordinal: 0, file: 0, start: 0, head: '', tail: '' };
  for await (const records of source.read(shard, { offset: 0, row: 0, line: 0 }, { columns: wanted })) {
    rejects.push(...records.rejects, ...builder.add(records));
  }
  await source.close();
  return { batch: builder.take(), rejects };
}

const vector = fc.oneof(
  fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 1, maxLength: 3 }).map((numbers) => JSON.stringify(numbers)),
  fc.constantFrom('[1, 2]', '[ 1,2 ]', '[1,2e1]', 'null', '"AACAPwAAAEA="', '[1,"2"]', '[1,null]', '[[1],2]', '{"v":[1,2]}', '[1,2', '1'),
);
const text = fc.constantFrom('"plain"', '"say \\"v\\":[1,2]"', '"\\\\\\"v\\":[3,4]"', '"Grüße 🌍"', '""');
const meta = fc.constantFrom('{"v":[1,2]}', '[{"v":[5,6]}]', 'null', '12345678901234567890');
const line = fc
  .record({
    vector,
    text,
    meta,
    gap: fc.constantFrom('', ' '),
    order: fc.shuffledSubarray(['id', 'text', 'meta', 'v'], { minLength: 2 }),
    twice: fc.boolean(),
  })
  .map(({ vector: v, text: t, meta: m, gap, order, twice }) => {
    const values: Readonly<Record<string, string>> = { id: '7', text: t, meta: m, v };
    const names = twice ? [...order, 'v'] : order;
    return `{${names.map((name) => `"${name}":${gap}${values[name] ?? ''}`).join(`,${gap}`)}}`;
  });

describe('vectors of JSON lines', () => {
  it('whatever stands around and in them, rows and rejects are those of the slow way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 12 }), async (lines) => {
        const quick = await readAll(lines, columns);
        const slow = await readAll(lines, slowColumns);
        assert.deepEqual(quick.rejects, slow.rejects);
        assert.deepEqual(quick.batch.values, slow.batch.values.slice(0, columns.length));
      }),
      { numRuns: 500 },
    );
  });
});
