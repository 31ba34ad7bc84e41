/** Pausing, continuing, cancelling and watching a load through its ledger, from the same process: what a user is told, and what becomes of the rows. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  cancel,
  load,
  pause,
  resume,
  status,
  unpause,
  watchStatus,
  type LoadOptions,
  type LoadReport,
  type Progress,
} from '../../src/index.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { assertSettled, readSql, runSql } from '../fixtures/load-target.ts';

interface Running {
  readonly file: string;
  readonly in: string;
  readonly options: LoadOptions;
  readonly report: Promise<LoadReport>;
  /** The newest progress. */
  readonly seen: () => Progress | undefined;
}

/** A load that would take a minute, running. */
async function startLoad(context: TestContext, more: Partial<LoadOptions> = {}): Promise<Running> {
  const file = path.join(makeFolder(context), 't.db');
  const url = `sqlite:${file}`;
  const from = Array.from({ length: 6_000 }, (_, id) => ({ id, note: 'n' }));
  let progress: Progress | undefined;
  const options: LoadOptions = {
    from,
    to: url,
    table: 't',
    key: ['id'],
    label: 'job',
    maxBatchRows: 50,
    rate: { rowsPerSecond: 100 },
    ...more,
  };
  const report = load({ ...options, onProgress: (one) => (progress = one) });
  // Whoever awaits it hears of a failure; until then it is nobody's.
  report.catch(() => undefined);
  while ((progress?.counts.read ?? 0) === 0) await Promise.race([sleep(20), report]);
  return { file, in: url, options, report, seen: () => progress };
}

async function waitUntil(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(20);
}

function countRows(file: string): number {
  return Number(readSql(file, 'SELECT count(*) AS n FROM t')[0]?.['n']);
}

test('a paused load commits what it has in hand, then nothing, until it is told to go on; cancelled it ends with all that was committed', async (context) => {
  const running = await startLoad(context);
  const { file, in: url, options, report, seen } = running;
  const asked = await pause({ in: url, load: 'job' });
  assert.deepEqual([asked.state, asked.label, asked.owners.length], ['pausing', 'job', 1]);
  await waitUntil(() => seen()?.heldBy === 'pause');
  await sleep(300);
  const rows = countRows(file);
  assert.equal((await status({ in: url }))[0]?.state, 'paused');
  await sleep(600);
  assert.equal(countRows(file), rows);
  assert.equal((await unpause({ in: url }))?.state, 'running');
  await waitUntil(() => countRows(file) > rows);
  assert.equal(await unpause({ in: url }), undefined);
  assert.equal((await cancel({ in: url, load: 'job' })).state, 'cancelled');
  const ended = await report;
  assert.deepEqual([ended.state, ended.isBalanced, ended.counts.read], ['cancelled', true, countRows(file)]);
  assert.ok(ended.decisions.some(({ choice }) => choice === 'by sluice cancel'));
  // The same command goes on, and nothing of the old commands is left.
  assert.deepEqual((await load({ ...options, rate: undefined })).state, 'done');
  assert.deepEqual(readSql(file, 'SELECT count(*) AS n FROM sluice_controls')[0], { n: 0n });
  await assertSettled(file, 't');
});

test('a paused load can be cancelled, and stopped by its own caller', async (context) => {
  for (const way of ['cancel', 'signal'] as const) {
    const stop = new AbortController();
    const { in: url, report, seen } = await startLoad(context, { signal: stop.signal });
    await pause({ in: url });
    await waitUntil(() => seen()?.heldBy === 'pause');
    if (way === 'cancel') await cancel({ in: url });
    else stop.abort();
    assert.equal((await report).state, 'cancelled');
    assert.equal((await status({ in: url }))[0]?.state, 'cancelled');
  }
});

test('a time limit stops a load as a cancel does, and what was read goes on later', async (context) => {
  const { file, report, options } = await startLoad(context, { maxDurationMs: 700 });
  const ended = await report;
  assert.deepEqual([ended.state, ended.counts.read], ['time_limit', countRows(file)]);
  assert.equal((await status({ in: options.to }))[0]?.state, 'time_limit');
  assert.match(ended.next, /^sluice resume /u);
  assert.equal((await load({ ...options, rate: undefined })).counts.read, 6_000);
});

test('the watch shows a load while it runs, and how it ended', async (context) => {
  const { in: url, report } = await startLoad(context);
  const states: string[] = [];
  for await (const loads of watchStatus({ in: url, intervalMs: 100 })) {
    const [only] = loads;
    assert.ok(only !== undefined && loads.length === 1);
    if (only.state !== states.at(-1)) states.push(only.state);
    if (states.length === 1 && only.rowsPerSecond !== undefined) await cancel({ in: url });
  }
  await report;
  assert.deepEqual(states, ['running', 'cancelled']);
  assert.deepEqual(await Array.fromAsync(watchStatus({ in: url })), [[]]);
});

test('commands that have nobody to reach say so, and what to do', async (context) => {
  const file = path.join(makeFolder(context), 't.db');
  const url = `sqlite:${file}`;
  await assert.rejects(pause({ in: url, load: 'x' }), { code: 'SLUICE_TARGET_MISSING' });
  const stop = new AbortController();
  const options: LoadOptions = { from: [{ id: 1 }, { id: 2 }], to: url, table: 't', key: ['id'], label: 'job', limit: 1 };
  await load({ ...options, signal: stop.signal });
  await assert.rejects(pause({ in: url, load: 'y' }), { code: 'SLUICE_LOAD_UNKNOWN' });
  await assert.rejects(pause({ in: url }), { code: 'SLUICE_USAGE', message: 'No load is running here.' });
  await assert.rejects(pause({ in: url, load: 'job' }), { code: 'SLUICE_USAGE', message: /Nobody works on load/u });
  assert.equal((await cancel({ in: url, load: 'job' })).state, 'cancelled');
  assert.equal((await status({ in: url, load: 'job' }))[0]?.state, 'cancelled');
  await load({ ...options, limit: undefined });
  await assert.rejects(cancel({ in: url, load: 'job' }), { code: 'SLUICE_USAGE', message: /is done; there is nothing to cancel/u });
  await assert.rejects(pause({ in: url, load: 'job' }), { code: 'SLUICE_USAGE', message: /is done; there is nothing to pause/u });
});

test('a ledger of before there were commands is read, and gets its tables when it is first commanded', async (context) => {
  const file = path.join(makeFolder(context), 't.db');
  const options: LoadOptions = { from: [{ id: 1 }, { id: 2 }], to: `sqlite:${file}`, table: 't', key: ['id'], label: 'job', limit: 1 };
  await load(options);
  runSql(
    file,
    'DROP TABLE sluice_controls',
    'DROP TABLE sluice_deletions',
    'DROP TABLE sluice_sessions',
    `UPDATE sluice_loads SET state = 'running'`,
  );
  assert.equal((await status({ in: options.to }))[0]?.state, 'interrupted');
  assert.deepEqual((await Array.fromAsync(watchStatus({ in: options.to })))[0]?.[0]?.state, 'interrupted');
  assert.equal((await cancel({ in: options.to, load: 'job' })).state, 'cancelled');
  assert.equal((await resume({ in: options.to, load: 'job', from: options.from })).state, 'done');
});
