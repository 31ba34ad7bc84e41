/** What a person sees of a running load: frames as strings, and the screen after redraws, notes and a new window size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import picocolors from 'picocolors';
import { layoutBlock, layoutLine } from '../../src/cli/progress-block.ts';
import {
  countTerminalLines,
  createBlockDisplay,
  createEventDisplay,
  createLineDisplay,
  resolveProgressWay,
} from '../../src/cli/progress-display.ts';
import { measureWidth } from '../../src/cli/text-width.ts';
import type { Progress } from '../../src/load/options.ts';
import { createScreen, createScreenOutput } from './screen.ts';

const colors = picocolors.createColors(false);

const running: Progress = {
  load: '4f2k9',
  phase: 'load',
  counts: { read: 61_200, written: 61_188, skipped: 0, rejected: 12 },
  bytes: 412_000_000,
  totalBytes: 790_000_000,
  elapsedMs: 48_000,
  rowsPerSecond: 48_200.4,
  etaMs: 65_000,
  lanes: 2,
  stageShare: { read: 0.22, check: 0.3, embed: 0, wait: 0.02, commit: 0.46 },
  queuedBytes: 12_400_000,
  embedding: undefined,
  rejectsByCause: [
    { class: 'unfit', code: 'VALUE_TYPE', column: 'age', message: 'text where a number belongs', count: 10 },
    { class: 'unreadable', code: 'ROW_JSON_INVALID', column: undefined, message: 'not JSON', count: 2 },
  ],
};
const embedding = { texts: 61_188, distinct: 60_000, cached: 12_000, embedded: 48_000 };

test('a block says how far, how fast, how long, where the time goes, what was rejected and what is slowest', () => {
  assert.deepEqual(layoutBlock(running, { width: 79, height: 23, colors }), [
    'loading ████████████████████░░░░░░░░░░░░░░░░░░░░  52 %',
    '  61,200 rows   412 MB of 790 MB   48,200 rows/s   1m 5s left   48s so far',
    '  read 22 %   check 30 %   wait 2 %   commit 46 %   queued 12.4 MB in 2 lanes',
    '  12 rejected',
    '  10 × VALUE_TYPE in age: text where a number belongs',
    '  2 × ROW_JSON_INVALID: not JSON',
    '  slowest: writing to the database',
  ]);
});

test('at forty columns everything is still there', () => {
  assert.deepEqual(layoutBlock({ ...running, embedding }, { width: 39, height: 23, colors }), [
    'loading █████████████░░░░░░░░░░░░  52 %',
    '  61,200 rows   412 MB of 790 MB',
    '  48,200 rows/s   1m 5s left',
    '  48s so far',
    '  read 22 %   check 30 %   embed 0 %',
    '  wait 2 %   commit 46 %',
    '  queued 12.4 MB in 2 lanes',
    '  61,188 texts, 60,000 different',
    '  cache 12,000 (20 %)   embedded 48,000',
    '  12 rejected',
    '  10 × VALUE_TYPE in age: text where a…',
    '  2 × ROW_JSON_INVALID: not JSON',
    '  slowest: writing to the database',
  ]);
});

test('a stream shows what is known, and neither a share nor an end', () => {
  const lines = layoutBlock({ ...running, totalBytes: undefined, etaMs: undefined }, { width: 79, height: 23, colors });
  assert.equal(lines[0], 'loading');
  assert.equal(lines[1], '  61,200 rows   412 MB   48,200 rows/s   48s so far');
});

test('an index shows its own progress', () => {
  const lines = layoutBlock(
    { ...running, phase: 'index', indexed: { done: 250, total: 1_000 }, etaMs: 200 },
    { width: 79, height: 23, colors },
  );
  assert.deepEqual(lines.slice(0, 2), [
    'building the vector index ██████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  25 %',
    '  250 of 1,000 rows indexed   1s left   48s so far',
  ]);
});

test('no line is wider and no block higher than the window, at any size and any numbers', () => {
  const progress = fc.record({
    phase: fc.constantFrom<Progress['phase']>('plan', 'load', 'index', 'verify', 'done'),
    bytes: fc.nat(2 ** 50),
    totalBytes: fc.option(fc.nat(2 ** 50), { nil: undefined }),
    rowsPerSecond: fc.double({ min: 0, max: 1e12, noNaN: true }),
    etaMs: fc.option(fc.double({ min: 0, max: 1e10, noNaN: true }), { nil: undefined }),
    indexed: fc.option(fc.record({ done: fc.nat(), total: fc.nat() }), { nil: undefined }),
    embedding: fc.constantFrom(undefined, embedding),
    message: fc.string({ unit: 'grapheme', maxLength: 200 }),
  });
  fc.assert(
    fc.property(progress, fc.integer({ min: 8, max: 200 }), fc.integer({ min: 1, max: 40 }), ({ message, ...changes }, width, height) => {
      const rejectsByCause = [{ ...running.rejectsByCause[0]!, message }];
      const lines = layoutBlock({ ...running, ...changes, rejectsByCause }, { width, height, colors: picocolors.createColors(true) });
      assert.ok(lines.length >= 1 && lines.length <= height);
      for (const line of lines) assert.ok(measureWidth(line) <= width, line);
    }),
    { verbose: 1 },
  );
});

test('redrawing leaves one block, a note stays above it, and the end leaves only the notes and a cursor', () => {
  const screen = createScreen();
  const display = createBlockDisplay(createScreenOutput(screen, { width: 80, height: 24 }));
  display.show(running);
  display.tick();
  assert.equal(screen.isCursorShown(), false);
  display.note('load 4f2k9', {});
  display.show({ ...running, counts: { ...running.counts, read: 70_000, rejected: 0 }, rejectsByCause: [] });
  display.tick();
  const lines = screen.lines();
  assert.equal(lines[0], 'load 4f2k9');
  assert.match(lines[1]!, /^loading █+░+ {2}52 %$/);
  assert.match(lines[2]!, /^ {2}70,000 rows/);
  assert.equal(lines.length, 5);
  display.end();
  display.end();
  assert.deepEqual(screen.lines(), ['load 4f2k9']);
  assert.equal(screen.isCursorShown(), true);
});

test('something stands on the screen before the library has said anything', () => {
  const screen = createScreen();
  const display = createBlockDisplay(createScreenOutput(screen, { width: 80, height: 24 }));
  assert.deepEqual(screen.lines(), ['planning', '  0s so far']);
  display.end();
});

test('lines that a narrower window has wrapped are taken away too', () => {
  assert.equal(countTerminalLines(['x'.repeat(79), 'y'], 80), 2);
  assert.equal(countTerminalLines(['x'.repeat(79), 'y', ''], 40), 4);
});

test('a log gets a line per five percent or ten seconds, and never more than one a second', () => {
  let nowMs = 0;
  const lines: string[] = [];
  const display = createLineDisplay({ write: (text) => lines.push(text) > 0 }, () => nowMs);
  for (; nowMs <= 100_000; nowMs += 100) display.show({ ...running, bytes: nowMs * 10, totalBytes: 10_000_000 });
  assert.equal(lines.length, 10);
  for (; nowMs <= 110_000; nowMs += 100) display.show({ ...running, bytes: nowMs * 100 - 9_000_000, totalBytes: 2_000_000 });
  assert.ok(lines.length >= 18 && lines.length <= 20, `${lines.length} lines`);
  const before = lines.length;
  display.show({ ...running, phase: 'index', indexed: { done: 0, total: 10 } });
  assert.equal(lines.length, before + 1);
  assert.ok(lines.every((line) => line.endsWith('\n') && !line.includes('\x1b')));
});

test('a log goes on although nothing is reported', () => {
  let nowMs = 0;
  const lines: string[] = [];
  const display = createLineDisplay({ write: (text) => lines.push(text) > 0 }, () => nowMs);
  display.show({ ...running, bytes: 0 });
  for (; nowMs <= 25_000; nowMs += 1_000) display.tick();
  assert.equal(lines.length, 2);
});

test('a line for a log has it all', () => {
  assert.equal(
    layoutLine(running),
    'loading 52 % · 61,200 rows · 412 MB of 790 MB · 48,200 rows/s · 1m 5s left · 48s so far · 12 rejected, most by VALUE_TYPE in age: text where a number belongs · slowest: writing to the database',
  );
});

test('programs get an event a second and one for each phase, with a schema version', () => {
  let nowMs = 0;
  const events: { event: string; schema: number; phase: string; bottleneck: string }[] = [];
  const display = createEventDisplay({ write: (text) => events.push(JSON.parse(text)) > 0 }, () => nowMs);
  for (; nowMs < 3_000; nowMs += 100) display.show(running);
  display.show({ ...running, phase: 'index' });
  assert.deepEqual(
    events.map(({ event, schema, phase }) => [event, schema, phase]),
    [
      ['progress', 1, 'load'],
      ['progress', 1, 'load'],
      ['progress', 1, 'load'],
      ['progress', 1, 'index'],
    ],
  );
  assert.equal(events[0]!.bottleneck, 'commit');
});

test('the way progress is shown follows the stream unless it is chosen', () => {
  assert.equal(resolveProgressWay({ isJson: false, progress: 'auto' }, true), 'tty');
  assert.equal(resolveProgressWay({ isJson: false, progress: 'auto' }, false), 'plain');
  assert.equal(resolveProgressWay({ isJson: true, progress: 'auto' }, true), 'json');
  assert.equal(resolveProgressWay({ isJson: true, progress: 'none' }, true), 'none');
});
