/** The meter's promises: honest rates, no absurd ETA, memory that does not grow, and the right bottleneck. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findBottleneck } from '../../src/load/report/bottleneck.ts';
import type { StageName } from '../../src/load/options.ts';
import { createProgressMeter, groupRejects } from '../../src/load/report/progress-meter.ts';
import type { MeterEvent, MeterStart, ProgressMeter } from '../../src/load/report/progress-meter.ts';
import { rejectCodes } from '../../src/rows/batch.ts';
import type { RejectCode } from '../../src/rows/batch.ts';

const nothing = { read: 0, written: 0, skipped: 0, rejected: 0 };

function startMeter(options: Partial<MeterStart> = {}): ProgressMeter {
  const defaults = {
    load: 'a',
    lanes: 1,
    totalBytes: 1_000_000,
    counts: nothing,
    bytes: 0,
    embedding: undefined,
    rejectsByCause: [],
    nowMs: 1_000,
  };
  const meter = createProgressMeter({ ...defaults, ...options });
  meter.observe({ kind: 'phase', phase: 'load' }, options.nowMs ?? 1_000);
  return meter;
}

function commit(rows: number, bytes: number): MeterEvent {
  return { kind: 'committed', counts: { read: rows, written: rows, skipped: 0, rejected: 0 }, bytes };
}

/** Commits a batch every `everyMs` until `untilMs`, both on the meter's clock, and returns the time of the last. */
function runSteadily(
  meter: ProgressMeter,
  { fromMs, untilMs, everyMs, rows }: { fromMs: number; untilMs: number; everyMs: number; rows: number },
): void {
  for (let atMs = fromMs + everyMs; atMs <= untilMs; atMs += everyMs) meter.observe(commit(rows, rows * 10), atMs);
}

test('the rate is that of the last five seconds, not of the whole load', () => {
  const meter = startMeter({ totalBytes: undefined });
  runSteadily(meter, { fromMs: 1_000, untilMs: 61_000, everyMs: 200, rows: 100 });
  assert.ok(Math.abs(meter.progress(61_000).rowsPerSecond - 500) < 20);
  runSteadily(meter, { fromMs: 61_000, untilMs: 71_000, everyMs: 200, rows: 10 });
  assert.ok(Math.abs(meter.progress(71_000).rowsPerSecond - 50) < 5);
});

test('rows of earlier sessions are in the counts and never in the rate', () => {
  const meter = startMeter({ counts: { read: 5_000_000, written: 4_999_000, skipped: 900, rejected: 100 }, bytes: 500_000 });
  assert.equal(meter.progress(1_000).rowsPerSecond, 0);
  assert.equal(meter.progress(1_000).etaMs, undefined);
  meter.observe(commit(100, 1_000), 2_000);
  const progress = meter.progress(2_000);
  assert.equal(progress.counts.read, 5_000_100);
  assert.equal(progress.bytes, 501_000);
  assert.equal(progress.rowsPerSecond, 100);
  assert.equal(progress.etaMs, 499_000);
});

test('time spent planning slows neither the rate nor the ETA', () => {
  const meter = createProgressMeter({
    load: 'a',
    lanes: 1,
    totalBytes: 2_000,
    counts: nothing,
    bytes: 0,
    embedding: undefined,
    rejectsByCause: [],
    nowMs: 0,
  });
  meter.observe({ kind: 'phase', phase: 'load' }, 60_000);
  meter.observe(commit(100, 1_000), 61_000);
  assert.equal(meter.progress(61_000).rowsPerSecond, 100);
  assert.equal(meter.progress(61_000).etaMs, 1_000);
  assert.equal(meter.progress(61_000).elapsedMs, 61_000);
});

test('batches that are rarer than the window still give a rate', () => {
  const meter = startMeter({ lanes: 2 });
  // Lanes tell of other things in between, so that the meter has a place to start from in every second.
  for (let atMs = 1_000; atMs < 34_000; atMs += 500) {
    meter.observe({ kind: 'queued', lane: 0, bytes: atMs }, atMs);
    if (atMs % 12_000 === 1_000) for (const lane of [1, 2]) meter.observe(commit(600, 6_000), atMs + lane);
  }
  const { rowsPerSecond } = meter.progress(34_000);
  assert.ok(rowsPerSecond > 40 && rowsPerSecond < 110, `${rowsPerSecond} rows/s`);
});

test('a load that stands still shows a falling rate and no ETA beyond a hundred days', () => {
  const meter = startMeter();
  meter.observe(commit(1, 1), 2_000);
  const rates = [3_000, 30_000, 3_000_000].map((atMs) => meter.progress(atMs).rowsPerSecond);
  assert.ok(rates[0]! > rates[1]! && rates[1]! > rates[2]!);
  assert.equal(meter.progress(30_000_000).etaMs, undefined);
});

test('the ETA of an index comes from the index alone', () => {
  const meter = startMeter();
  runSteadily(meter, { fromMs: 1_000, untilMs: 11_000, everyMs: 100, rows: 1_000 });
  meter.observe({ kind: 'phase', phase: 'index' }, 11_000);
  assert.equal(meter.progress(11_000).etaMs, undefined);
  meter.observe({ kind: 'indexed', done: 100, total: 400 }, 13_000);
  assert.equal(meter.progress(13_000).etaMs, 6_000);
});

test('whatever happens, in whatever order, no number is negative, infinite or not a number', () => {
  const event: fc.Arbitrary<MeterEvent> = fc.oneof(
    fc.record({
      kind: fc.constant('stage' as const),
      stage: fc.constantFrom<StageName>('read', 'check', 'embed', 'wait', 'commit'),
      ms: fc.double({ min: 0, max: 1e6, noNaN: true }),
    }),
    fc.tuple(fc.nat(1e6), fc.nat(1e9)).map(([rows, bytes]) => commit(rows, bytes)),
    fc.record({ kind: fc.constant('queued' as const), lane: fc.nat(8), bytes: fc.nat(1e8) }),
    fc.record({ kind: fc.constant('indexed' as const), done: fc.nat(1e6), total: fc.nat(1e6) }),
    fc.record({
      kind: fc.constant('phase' as const),
      phase: fc.constantFrom('plan' as const, 'load' as const, 'index' as const, 'verify' as const, 'done' as const),
    }),
  );
  // Steps back in time are among them: a clock may be set.
  const steps = fc.array(fc.tuple(event, fc.integer({ min: -1_000, max: 20_000 })), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.option(fc.nat(1e9), { nil: undefined }), (events, totalBytes) => {
      const meter = startMeter({ totalBytes, nowMs: 0 });
      let nowMs = 0;
      for (const [each, stepMs] of events) {
        nowMs += stepMs;
        meter.observe(each, nowMs);
        const { rowsPerSecond, etaMs = 0, elapsedMs, stageShare, queuedBytes } = meter.progress(nowMs);
        for (const value of [rowsPerSecond, etaMs, elapsedMs, queuedBytes, ...Object.values(stageShare)]) {
          assert.ok(Number.isFinite(value) && value >= 0, `${value}`);
        }
        assert.ok(Object.values(stageShare).reduce((sum, share) => sum + share, 0) < 1 + 1e-9);
      }
    }),
    { verbose: 1 },
  );
});

test('causes beyond the limit are counted by their code, and none is lost', () => {
  const codes = Object.keys(rejectCodes) as RejectCode[];
  const rejects = Array.from({ length: 5_000 }, (_, index) => ({ code: codes[index % codes.length]!, message: `cause ${index}` }));
  const causes = groupRejects(rejects);
  assert.ok(causes.length <= 64 + codes.length);
  assert.equal(
    causes.reduce((sum, cause) => sum + cause.count, 0),
    5_000,
  );
  const meter = startMeter();
  for (const atMs of [1_100, 1_200]) meter.observe({ ...commit(0, 0), kind: 'committed', counts: nothing, bytes: 0, causes }, atMs);
  assert.equal(
    meter.progress(1_200).rejectsByCause.reduce((sum, cause) => sum + cause.count, 0),
    10_000,
  );
});

test('equal causes are one, the most frequent first', () => {
  const twice = { code: 'VALUE_TYPE', column: 'age', message: 'text' } as const;
  const causes = groupRejects([{ code: 'VALUE_NULL', column: 'age', message: 'null' }, twice, twice]);
  assert.deepEqual(causes, [
    { class: 'unfit', ...twice, count: 2 },
    { class: 'unfit', code: 'VALUE_NULL', column: 'age', message: 'null', count: 1 },
  ]);
});

test('shares of stages speak of the last seconds and add up to one', () => {
  const meter = startMeter();
  meter.observe({ kind: 'stage', stage: 'read', ms: 100_000 }, 1_500);
  meter.observe(commit(1, 1), 1_600);
  for (let atMs = 2_000; atMs <= 20_000; atMs += 100) {
    meter.observe({ kind: 'stage', stage: 'commit', ms: 75 }, atMs);
    meter.observe({ kind: 'stage', stage: 'check', ms: 25 }, atMs);
    meter.observe(commit(1, 1), atMs);
  }
  const { stageShare } = meter.progress(20_000);
  assert.equal(stageShare.read, 0);
  assert.ok(Math.abs(stageShare.commit - 0.75) < 1e-9);
  assert.ok(Math.abs(stageShare.check - 0.25) < 1e-9);
});

test('the bottleneck is the stage that takes most, and the writer when lanes queue for it', () => {
  const shares = { read: 0, check: 0, embed: 0, wait: 0, commit: 0 };
  assert.equal(findBottleneck({ lanes: 2, stageShare: shares }), undefined);
  assert.equal(findBottleneck({ lanes: 2, stageShare: { ...shares, read: 0.2, check: 0.5, commit: 0.3 } }), 'check');
  assert.equal(findBottleneck({ lanes: 1, stageShare: { ...shares, embed: 0.9, commit: 0.1 } }), 'embed');
  // Four lanes that each commit for a quarter of their time keep the one writer busy all the time.
  assert.equal(findBottleneck({ lanes: 4, stageShare: { ...shares, read: 0.35, wait: 0.4, commit: 0.25 } }), 'commit');
  // Waiting for the order of the input is not the writer's fault.
  assert.equal(findBottleneck({ lanes: 4, stageShare: { ...shares, read: 0.5, wait: 0.45, commit: 0.05 } }), 'read');
});
