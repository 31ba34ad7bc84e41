/** What pages are drawn by: round ticks, stretches that lose nothing, and colours with enough contrast in light and in dark. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CommittedNews } from '../../src/load/lane/news.ts';
import { createHistogram, countLatency, readHistogram } from '../../src/load/report/latency-histogram.ts';
import { addToTimeline, createTimeline, readTimeline } from '../../src/load/report/timeline.ts';
import { formatTick, listTicks, listTimeTicks } from '../../src/report/axis.ts';
import { palettes } from '../../src/report/page-style.ts';
import { endStretch, showTimeline, toRates, toShares } from '../../src/report/shown-timeline.ts';
import { makeReport } from './reports.ts';

function makeNews(read: number): CommittedNews {
  return {
    kind: 'committed',
    counts: { read, written: read, skipped: 0, rejected: 0 },
    bytes: 10 * read,
    embedding: { texts: 0, distinct: 0, cached: 0, embedded: 0 },
    causes: [],
    stageMs: { read: 1, check: 2, embed: 0, wait: 3, commit: 4 },
    commitMs: 4,
    batchBytes: 100,
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

test('a timeline never has more than 240 stretches, and its sums are those of all batches, however long the session', () => {
  const gaps = fc.array(fc.tuple(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 3_600_000 })), fc.nat(10_000)), {
    maxLength: 400,
  });
  fc.assert(
    fc.property(gaps, (steps) => {
      const timeline = createTimeline(1_000);
      let nowMs = 1_000;
      const moments: { readonly atMs: number; readonly rows: number }[] = [];
      for (const [gap, rows] of steps) {
        addToTimeline(timeline, makeNews(rows), (nowMs += gap));
        moments.push({ atMs: nowMs - 1_000, rows });
      }
      const read = readTimeline(timeline);
      if (steps.length === 0) return assert.equal(read, undefined);
      assert.ok(read !== undefined && read.rows.length <= 240 && read.rows.length * read.binMs >= nowMs - 1_000);
      // Each batch stands in the stretch of its moment.
      const expected = read.rows.map((_, index) => moments.filter(({ atMs }) => Math.floor(atMs / read.binMs) === index));
      assert.deepEqual(
        read.rows,
        expected.map((inside) => sum(inside.map(({ rows }) => rows))),
      );
      assert.equal(sum(read.stageMs.commit), 4 * steps.length);
      assert.ok(Object.values(read.stageMs).every((values) => values.length === read.rows.length));
    }),
    { numRuns: 60 },
  );
});

test('what is drawn of a timeline has all its rows, ends with the session, and has no rate of an instant', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000), { minLength: 3, maxLength: 240 }), fc.double({ min: 0.001, max: 1, noNaN: true }), (rows, part) => {
      const zeros = rows.map(() => 0);
      const binMs = 100;
      const loadMs = (rows.length - 1 + part) * binMs;
      const base = makeReport();
      const stageMs = { read: rows, check: zeros, embed: zeros, wait: zeros, commit: rows };
      const report = { ...base, session: { ...base.session, loadMs }, timeline: { binMs, rows, bytes: rows, rejected: zeros, stageMs } };
      const shown = showTimeline(report);
      assert.ok(shown !== undefined && shown.rows.length <= 120);
      assert.equal(sum(shown.rows), sum(rows));
      assert.ok(Math.abs(endStretch(shown, shown.rows.length - 1) - loadMs) <= shown.binMs / 2 + 1e-6);
      const lengths = shown.rows.map((_, index) => endStretch(shown, index) - index * shown.binMs);
      assert.ok(lengths.every((length) => length >= shown.binMs / 2 - 1e-6));
      const rates = toRates(shown, shown.rows);
      assert.ok(rates.every((rate, index) => Math.abs((rate * (lengths[index] ?? 0)) / 1_000 - (shown.rows[index] ?? 0)) < 1e-6));
      assert.ok(toShares(shown, 'commit').every((share) => share >= 0 && share <= 1));
    }),
  );
});

test('commit times are counted exactly, each in the first step that holds it', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 200 }), (times) => {
      const counts = createHistogram();
      for (const ms of times) countLatency(counts, ms);
      const steps = readHistogram(counts);
      assert.equal(sum(steps.map(({ count }) => count)), times.length);
      for (const { upToMs } of steps) {
        if (upToMs === undefined) continue;
        const below = sum(steps.filter((step) => (step.upToMs ?? Infinity) <= upToMs).map(({ count }) => count));
        assert.equal(below, times.filter((ms) => ms <= upToMs).length);
      }
    }),
  );
});

test('ticks are 1, 2 or 5 times a power of ten, begin at 0, reach the largest value, and are few', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e15, noNaN: true }), (max) => {
      const ticks = listTicks(max, 4);
      assert.ok(ticks[0] === 0 && ticks.length <= 6);
      assert.ok((ticks.at(-1) ?? 0) >= max * (1 - 1e-9));
      assert.match((ticks[1] ?? 0).toExponential(), /^[125]e/u);
    }),
  );
});

test('ticks of time are moments that people name, inside of the session, with different words', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e10, noNaN: true }), (endMs) => {
      const ticks = listTimeTicks(endMs, 6);
      assert.ok(ticks.length >= 1 && ticks.length <= 7 && (ticks.at(-1) ?? 0) <= endMs * (1 + 1e-9));
      const words = ticks.map((tick) => formatTick(tick, endMs));
      assert.equal(new Set(words).size, words.length, words.join());
    }),
  );
});

/** Relative luminance and contrast as WCAG 2 defines them. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((left, right) => right - left);
  return (high + 0.05) / (low + 0.05);
}

for (const [name, palette] of Object.entries(palettes)) {
  test(`text has a contrast of 4.5 : 1 and marks of 3 : 1 in ${name} surroundings`, () => {
    for (const ground of ['paper', 'panel']) {
      for (const text of ['ink', 'soft', 'link', 'good', 'bad', 'warn'])
        assert.ok(contrast(palette[text] ?? '', palette[ground] ?? '') >= 4.5, `${text} on ${ground}`);
      for (const mark of ['main', 'second', 'read', 'check', 'embed', 'wait', 'commit'])
        assert.ok(contrast(palette[mark] ?? '', palette[ground] ?? '') >= 3, `${mark} on ${ground}`);
    }
  });
}
