/** What makes two loads the same: the same command writes once, a label loads once, and a file that changed is not resumed. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { writeCsv } from '../fixtures/load-rows.ts';
import { assertSettled, readContent, readSql, runSql } from '../fixtures/load-target.ts';

interface Place {
  readonly folder: string;
  readonly input: string;
  readonly target: string;
  readonly options: LoadOptions;
}

function makePlace(context: TestContext): Place {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.csv');
  const target = path.join(folder, 'target.db');
  writeCsv(input, { rows: 2_000, texts: 50, seed: 3 });
  return {
    folder,
    input,
    target,
    options: { from: input, to: `sqlite:${target}`, table: 'people', key: ['id'], maxBatchRows: 100, shardBytes: 4_096, lanes: 1 },
  };
}

/** Runs a load that is cancelled after its first commits. */
async function cancelEarly(options: LoadOptions): Promise<LoadReport> {
  const cancel = new AbortController();
  const watch = setInterval(() => {
    const file = options.to.slice('sqlite:'.length);
    if (statSync(file, { throwIfNoEntry: false }) !== undefined && countCommitted(file) > 0) cancel.abort();
  }, 1);
  try {
    const report = await load({ ...options, signal: cancel.signal });
    assert.equal(report.state, 'cancelled');
    return report;
  } finally {
    clearInterval(watch);
  }
}

function countCommitted(file: string): number {
  try {
    return Number(readSql(file, 'SELECT sum(read_count) AS n FROM sluice_shards')[0]?.['n'] ?? 0);
  } catch (error) {
    // The file is there before the ledger is.
    assert.match(String(error), /no such table/u);
    return 0;
  }
}

test('the same load a second time writes nothing and says so', async (context) => {
  const { target, options } = makePlace(context);
  await load(options);
  const before = readFileSync(target);
  const report = await load(options);
  assert.equal(report.state, 'nothing_to_do');
  assert.deepEqual(report.session, { ...report.session, read: 0, written: 0, bytes: 0 });
  assert.deepEqual(readFileSync(target), before);
  assert.equal((await resume({ in: options.to })).state, 'nothing_to_do');
  assert.deepEqual(readFileSync(target), before);
});

test('other sizes, lanes and limits do not make another load of it; another table or mode does', async (context) => {
  const { options } = makePlace(context);
  await load(options);
  assert.equal((await load({ ...options, maxBatchRows: 7, lanes: 2, shardBytes: 999, maxRejects: 5 })).state, 'nothing_to_do');
  assert.equal((await load({ ...options, table: 'others' })).state, 'done');
  assert.equal((await load({ ...options, mode: 'upsert' })).state, 'done');
});

test('`again` loads once more', async (context) => {
  const { target, options } = makePlace(context);
  const first = await load(options);
  const again = await load({ ...options, mode: 'upsert', again: true });
  assert.equal(again.state, 'done');
  assert.equal(again.counts.written, first.counts.written + first.rejectsByClass.refused);
  const third = await load({ ...options, mode: 'upsert', again: true });
  assert.notEqual(third.load, again.load);
  await assertSettled(target, 'people');
});

test('the same label never loads twice, with whatever file and however often', async (context) => {
  const { folder, target, options } = makePlace(context);
  await load({ ...options, label: 'monday' });
  const other = path.join(folder, 'other.csv');
  writeCsv(other, { rows: 50, texts: 5, seed: 9 });
  assert.equal((await load({ ...options, from: other, label: 'monday' })).state, 'nothing_to_do');
  assert.equal((await load({ ...options, from: [{ id: 1 }], label: 'monday' })).state, 'nothing_to_do');
  await assert.rejects(load({ ...options, label: 'monday', again: true }), { code: 'SLUICE_PLAN_REFUSED' });
  await assert.rejects(load({ ...options, label: 'monday', table: 'others' }), { code: 'SLUICE_PLAN_REFUSED' });
  assert.equal(readSql(target, 'SELECT count(*) AS n FROM sluice_loads')[0]?.['n'], 1n);
});

test('a cancelled load goes on by the same command as well as by resume', async (context) => {
  const { target, options } = makePlace(context);
  const clean = path.join(path.dirname(target), 'clean.db');
  await load({ ...options, to: `sqlite:${clean}` });
  const first = await cancelEarly(options);
  assert.ok(first.counts.read < 2_000 && first.isBalanced);
  const report = await load(options);
  assert.equal(report.load, first.load);
  assert.equal(report.counts.read, report.session.read + first.counts.read);
  assert.deepEqual(readContent(target, 'people'), readContent(clean, 'people'));
  await assertSettled(target, 'people');
});

test('a file that changed since is not resumed, and the shard that differs is named', async (context) => {
  const { input, target, options } = makePlace(context);
  const first = await cancelEarly(options);
  const before = readFileSync(input);
  const bytes = Buffer.from(before);
  bytes[bytes.length - 3] = '7'.charCodeAt(0) === bytes[bytes.length - 3] ? '8'.charCodeAt(0) : '7'.charCodeAt(0);
  writeFileSync(input, bytes);
  await assert.rejects(
    resume({ in: options.to }),
    (error) => isSluiceError(error, 'SLUICE_SOURCE_CHANGED') && /shard \d+/u.test(error.message) && error.message.includes(input),
  );
  await assert.rejects(load(options), { code: 'SLUICE_PLAN_REFUSED' });
  appendFileSync(input, '999999,more,1\n');
  await assert.rejects(
    resume({ in: options.to }),
    (error) => isSluiceError(error, 'SLUICE_SOURCE_CHANGED') && error.message.includes('bytes'),
  );
  writeFileSync(input, before);
  const report = await resume({ in: options.to, load: first.load });
  assert.equal(report.state, 'done');
  await assertSettled(target, 'people');
});

test('a file that was only touched is resumed', async (context) => {
  const { input, target, options } = makePlace(context);
  await cancelEarly(options);
  utimesSync(input, new Date(), new Date());
  assert.equal((await resume({ in: options.to })).state, 'done');
  await assertSettled(target, 'people');
});

test('a changed file begins anew with `again`, beside the load that was left', async (context) => {
  const { input, options } = makePlace(context);
  const first = await cancelEarly(options);
  appendFileSync(input, '999999,more,1\n');
  const report = await load({ ...options, mode: 'upsert', again: true });
  assert.equal(report.state, 'done');
  assert.notEqual(report.load, first.load);
});

async function* yieldRows(count: number, failAt = Infinity): AsyncGenerator<object> {
  for (let row = 0; row < count; row++) {
    if (row === failAt) throw new Error('the stream broke');
    yield { id: row, name: `n${row}` };
    if (row % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a labelled stream that broke goes on behind what was committed when it is given again', async (context) => {
  const { target, options } = makePlace(context);
  const labelled = { ...options, label: 'stream' };
  await assert.rejects(load({ ...labelled, from: yieldRows(30_000, 25_000) }));
  const committed = countCommitted(target);
  assert.ok(committed > 0 && committed <= 25_000);
  const report = await load({ ...labelled, from: yieldRows(30_000) });
  assert.equal(report.state, 'done');
  assert.equal(report.session.read, 30_000 - committed);
  assert.deepEqual(report.counts, { read: 30_000, written: 30_000, skipped: 0, rejected: 0 });
  assert.equal((await load({ ...labelled, from: yieldRows(10) })).state, 'nothing_to_do');
  await assertSettled(target, 'people');
});

test('a stream that broke is resumed with its rows given again, and not without them', async (context) => {
  const { target, options } = makePlace(context);
  await assert.rejects(load({ ...options, from: yieldRows(30_000, 25_000) }));
  await assert.rejects(resume({ in: options.to }), { code: 'SLUICE_USAGE' });
  const report = await resume({ in: options.to, from: yieldRows(30_000) });
  assert.deepEqual(report.counts, { read: 30_000, written: 30_000, skipped: 0, rejected: 0 });
  await assertSettled(target, 'people');
});

test('an unfinished load of a file is not resumed with a stream, nor one of a stream with a file', async (context) => {
  const { input, target, options } = makePlace(context);
  await cancelEarly({ ...options, label: 'file' });
  await assert.rejects(load({ ...options, label: 'file', from: yieldRows(90_000) }), { code: 'SLUICE_SOURCE_CHANGED' });
  await assert.rejects(resume({ in: options.to, load: 'file', from: yieldRows(90_000) }), { code: 'SLUICE_SOURCE_CHANGED' });
  await assert.rejects(load({ ...options, label: 'stream', from: yieldRows(30_000, 25_000) }));
  assert.ok(Number(readSql(target, `SELECT read_count AS n FROM sluice_load_status WHERE label = 'stream'`)[0]?.['n']) > 0);
  await assert.rejects(load({ ...options, label: 'stream', from: input }), { code: 'SLUICE_SOURCE_CHANGED' });
  assert.equal((await resume({ in: options.to, load: 'file' })).state, 'done');
});

test('a failure inside a process does not keep the same process from going on at once', async (context) => {
  const { target, options } = makePlace(context);
  runSql(target, 'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)');
  await assert.rejects(load({ ...options, from: yieldRows(30_000, 25_000), label: 'x' }));
  assert.deepEqual(readSql(target, 'SELECT owner FROM sluice_shards'), [{ owner: null }]);
  assert.deepEqual(readSql(target, 'SELECT state FROM sluice_loads'), [{ state: 'failed' }]);
  assert.equal((await load({ ...options, from: yieldRows(30_000), label: 'x' })).state, 'done');
});
