/** Quantities as a person reads them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBytes, formatCount, formatCountOf, formatDuration, formatElapsed, formatRate, formatShare } from '../../src/cli/quantity.ts';

const durations: readonly (readonly [ms: number, text: string])[] = [
  [-5, '0s'],
  [0, '0s'],
  [499, '0s'],
  [500, '1s'],
  [45_000, '45s'],
  [59_499, '59s'],
  [59_500, '1m'],
  [130_000, '2m 10s'],
  [3_599_400, '59m 59s'],
  [3_599_500, '1h'],
  [3_900_000, '1h 5m'],
  [3_929_000, '1h 5m'],
  [3_930_000, '1h 6m'],
  [86_399_000, '1d'],
  [90_000_000, '1d 1h'],
  [8_640_000_000, '100d'],
];

test('a duration is rounded to two units, and rounding carries over', () => {
  for (const [ms, text] of durations) assert.equal(formatDuration(ms), text, `${ms} ms`);
});

test('no duration is off by more than half of its smaller unit', () => {
  const seconds = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 10 }), (ms) => {
      const parts = [...formatDuration(ms).matchAll(/(\d+)([dhms])/g)].map(
        ([, count, unit]) => Number(count) * seconds[unit as keyof typeof seconds],
      );
      const shown = parts.reduce((sum, part) => sum + part, 0);
      assert.ok(parts.length <= 2);
      const step = ms >= 86_370_000 ? 3_600 : ms >= 3_599_500 ? 60 : 1;
      assert.ok(Math.abs(shown - ms / 1_000) <= step / 2, `${ms} ms as ${formatDuration(ms)}`);
    }),
    { verbose: 1 },
  );
});

test('bytes have three digits at most, in decimal units', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0 B'],
    [812, '812 B'],
    [999, '999 B'],
    [1_000, '1 kB'],
    [7_700, '7.7 kB'],
    [99_960, '100 kB'],
    [999_499, '999 kB'],
    [999_999, '1 MB'],
    [1.5e12, '1.5 TB'],
    [-1, '0 B'],
  ];
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
});

test('what is not all is never shown as 100 %, and what is not nothing never as 0 %', () => {
  assert.deepEqual([0, 0.001, 0.5, 0.999, 1, 1.2, Number.NaN, -1].map(formatShare), [
    '0 %',
    '<1 %',
    '50 %',
    '99 %',
    '100 %',
    '100 %',
    '0 %',
    '0 %',
  ]);
});

test('counts have separators and their nouns a number', () => {
  assert.equal(formatCount(1_234_567), '1,234,567');
  assert.equal(formatCount(9_223_372_036_854_775_807n), '9,223,372,036,854,775,807');
  assert.deepEqual(
    [formatCountOf(1, 'row'), formatCountOf(0, 'row'), formatCountOf(2, 'query', 'queries')],
    ['1 row', '0 rows', '2 queries'],
  );
});

test('rates and measured times stay short', () => {
  assert.deepEqual([0, Number.NaN, 3.14159, 99.97, 48_200.4].map(formatRate), ['0', '0', '3.1', '100', '48,200']);
  assert.deepEqual([0.83, 999.6, 12_345, 59_960].map(formatElapsed), ['0.8 ms', '1 s', '12.3 s', '1m']);
});
