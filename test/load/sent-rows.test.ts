/** Rows that cross threads are the rows that were read, whatever their values, and are cut where others are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packRows, unpackRows } from '../../src/load/lane/sent-rows.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import { cutRecords } from '../../src/source/stretch-cut.ts';
import { chooseSeed } from '../rows/records.ts';
import { columns, connect, readLines, shard, show, start, take } from './read-ahead-place.ts';

const word = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 6 }), fc.constantFrom('', 'null', '"', '\n'));
const line = fc.oneof(
  { weight: 8, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom('{"id":', '[1]', '', '{"id":1.5}', '{"name":"without a key"}', '{"id":"x"}') },
);
const row = fc.record(
  {
    id: fc.oneof(fc.integer(), fc.constantFrom(9_007_199_254_740_993n, -0)),
    name: fc.option(word),
    share: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    blob: fc.option(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('base64'))),
    is_new: fc.option(fc.boolean()),
    extra: fc.option(fc.jsonValue({ maxDepth: 1 })),
    place: fc.option(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 3, maxLength: 3 })),
    late: fc.constant(1),
  },
  { requiredKeys: ['id'] },
);
const text = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? JSON.rawJSON(String(one)) : one));
// Stretches without a refused row go by another way than those with one.
const linesOf = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(line, row), { maxLength: 200, size: 'max' }))
  .map(([isClean, lines]) => lines.map(([other, value]) => (isClean ? undefined : other) ?? text(value)));

test('rows that another thread has read and checked are the rows that the lane would have', async (context) => {
  await fc.assert(
    fc.asyncProperty(linesOf, async (lines) => {
      const link = connect(context, { read: () => readLines(lines) });
      const [own, sent] = [await take(readLines(lines)), await take(link.rows.read(shard, start, { columns }))];
      assert.deepEqual(show(sent), show(own));
      const isLate = lines.some((one) => one.startsWith('{') && one.endsWith('}') && one.includes('"late":1'));
      assert.equal(link.warnings.length, isLate ? 1 : 0, 'the field that no column takes is told of');
      link.lane.close();
    }),
    { seed: chooseSeed(context), numRuns: 60, endOnFailure: true },
  );
});

test('sent rows are cut between any two, as a limit or a rate cuts them', async (context) => {
  const sample = fc.tuple(linesOf, fc.nat());
  await fc.assert(
    fc.asyncProperty(sample, async ([lines, at]) => {
      for await (const records of readLines(lines)) {
        const { sent, transfer } = packRows(createBatchBuilder(columns), records);
        const whole = unpackRows(structuredClone(sent, { transfer }));
        const total = whole.rowCount + whole.rejects.length;
        if (total < 2) continue;
        const [head, tail] = cutRecords(whole, 1 + (at % (total - 1)));
        const builder = createBatchBuilder(columns);
        builder.add(head);
        builder.add(tail);
        const [cut, other] = [builder.take(), createBatchBuilder(columns)];
        other.add(whole);
        const expected = other.take();
        assert.deepEqual(
          show({ batch: { ...cut, byteCount: 0 }, rejects: [], ends: [] }),
          show({ batch: { ...expected, byteCount: 0 }, rejects: [], ends: [] }),
        );
        assert.deepEqual([...head.rejects, ...tail.rejects], whole.rejects);
      }
    }),
    { seed: chooseSeed(context), numRuns: 40, endOnFailure: true },
  );
});
