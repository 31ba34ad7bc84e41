/** Texts of delimited text are told by their bytes: what is told of them is what the texts themselves tell, whatever stands between and beside them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeColumn } from '../../src/check/column-statistics.ts';
import { createScanner, type ScanPlan } from '../../src/check/scan.ts';
import type { Column } from '../../src/rows/schema.ts';
import type { Records, Source } from '../../src/source/source.ts';
import { chooseSeed, makeColumn, makeTextRecords, makeValueRecords, type Field } from '../rows/records.ts';

const columns: readonly Column[] = [
  makeColumn('id', 'integer'),
  makeColumn('name', 'text'),
  makeColumn('note', 'text'),
  makeColumn('strict', 'text', { field: 'note', isNullable: false }),
  makeColumn('missing', 'text'),
];
const bare: ScanPlan = {
  columns: columns.filter(({ isNullable }) => isNullable),
  key: [],
  hasStatistics: true,
  countedByKey: undefined,
  texts: [],
  positions: 3,
  records: { seed: [1, 2, 3, 4], maxBytes: 2 ** 28, file: '' },
};
/** What asks for the values of a text beside the statistics. */
const plans: readonly ScanPlan[] = [
  bare,
  { ...bare, columns },
  { ...bare, key: [1] },
  { ...bare, texts: [{ column: 2, emptyText: 'reject', prefix: '', maxInputBytes: 30 }] },
];

async function tell(plan: ScanPlan, stretches: readonly Records[]): Promise<unknown> {
  const source = { read: () => stretches } as unknown as Source;
  const scanner = createScanner(source, plan);
  const shard = { ordinal: 0, file: 0, start: 0, end: 1, head: '', tail: '' };
  const { causes, isWhole, read, rejected } = await scanner.scan({ shard }, new AbortController().signal);
  const { statistics } = scanner.end();
  const found = statistics.map((one, index) => [
    describeColumn(plan.columns[index] as Column, one, undefined),
    one.distinct?.registers,
    one.distinct?.slots?.toSorted(),
  ]);
  // Objects are refused for their type where text is for its form.
  const places = causes.map(({ class: kind, column, count, places: at }) => [kind, column, count, at.map(({ row: one }) => one)]);
  return { isWhole, read, rejected, found, places: places.toSorted((a, b) => String(a).localeCompare(String(b))) };
}

const short = fc.stringMatching(/^[a-z ~!]{0,9}$/u);
const text = fc.oneof(
  { weight: 12, arbitrary: short },
  { weight: 1, arbitrary: fc.tuple(short, fc.integer({ min: 120, max: 140 })).map(([end, count]) => `${'m'.repeat(count)}${end}`) },
  { weight: 1, arbitrary: fc.constantFrom('näher', '東京', '\u0000', '\u007f', 'NULL', '"', 'a""b') },
);
/** A cell, and the text that it is: null where it is empty and not quoted. */
const cell: fc.Arbitrary<readonly [Field, string | null]> = fc.tuple(text, fc.boolean()).map(([value, isQuoted]) => {
  if (isQuoted || value.includes('"')) return [{ quoted: value }, value];
  return [value, value === '' ? null : value];
});
const row = fc.tuple(fc.oneof({ weight: 9, arbitrary: fc.nat(9).map(String) }, { weight: 1, arbitrary: fc.constant('x') }), cell, cell);
const stretches = fc.oneof(
  fc.array(fc.array(row, { maxLength: 30 }), { maxLength: 12 }),
  // More values than are counted exactly.
  fc.array(fc.array(row, { minLength: 300, maxLength: 500 }), { minLength: 6, maxLength: 6 }),
);

test('texts told by their bytes are told as the texts are', async (context) => {
  await fc.assert(
    fc.asyncProperty(stretches, fc.constantFrom(...plans), async (list, plan) => {
      const fields = ['note', 'id', 'name'];
      const delimited = list.map((rows) =>
        makeTextRecords(
          rows.map(([id, name, note]) => [note[0], id, name[0]]),
          { fields },
        ),
      );
      const objects = list.map((rows) =>
        makeValueRecords(rows.map(([id, name, note]) => ({ id: id === 'x' ? id : Number(id), name: name[1], note: note[1] }))),
      );
      assert.deepEqual(await tell(plan, delimited), await tell(plan, objects));
    }),
    { seed: chooseSeed(context), numRuns: 60, endOnFailure: true },
  );
});
