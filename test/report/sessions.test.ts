/** Every session of a load leaves its report in the ledger, however it ended, and every report has the published shape. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { setImmediate as breathe } from 'node:timers/promises';
import { reportSchema } from '../../scripts/report-schema.ts';
import { findFailureReport, load, renderReport, report, resume } from '../../src/index.ts';
import type { LoadReport } from '../../src/index.ts';
import { runSluice } from '../cli/process.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-report-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const makeUrl = (): string => `sqlite:${path.join(folder, `${made++}.db`)}`;

/** What a program reads of the report: JSON has no undefined. */
function checkShape(answered: LoadReport): void {
  const parsed = reportSchema.safeParse(JSON.parse(JSON.stringify(answered)));
  assert.deepEqual(parsed.success ? [] : parsed.error.issues, []);
}

function writeRows(count: number): string {
  const file = path.join(folder, `rows-${count}.jsonl`);
  if (!existsSync(file)) writeFileSync(file, Array.from({ length: count }, (_, id) => `{"id":${id},"text":"row ${id}"}\n`).join(''));
  return file;
}

test('a load that is done has its report in the ledger, the same that it answered, with times, place and shape', async () => {
  const to = makeUrl();
  const embed = { column: 'text', with: 'hash', dimensions: 16 } as const;
  const answered = await load({
    from: [
      { id: 1, text: 'a' },
      { id: 1, text: 'b' },
      { id: 2, text: 'c' },
    ],
    to,
    table: 't',
    key: ['id'],
    embed,
    cache: false,
  });
  checkShape(answered);
  assert.equal(answered.environment?.target, 'sqlite');
  assert.match(answered.environment?.targetVersion ?? '', /^SQLite 3\./u);
  assert.equal(
    answered.timeline?.rows.reduce((sum, count) => sum + count, 0),
    3,
  );
  assert.equal(
    answered.commits.histogram?.reduce((sum, { count }) => sum + count, 0),
    answered.commits.count,
  );
  const stored = await report({ in: to });
  assert.deepEqual(stored.sessions, [{ session: 1, report: JSON.parse(JSON.stringify(answered)) as LoadReport }]);
  assert.equal(stored.sessionCount, 1);
  assert.deepEqual(
    stored.samples.map(({ code, column, row, raw }) => ({ code, column, row, raw })),
    [{ code: 'REFUSED_UNIQUE', column: 'id', row: 2, raw: '{"id":1,"text":"b"}' }],
  );
  const bare = await report({ in: to, rows: false });
  assert.deepEqual(
    bare.samples.map(({ raw }) => raw),
    [undefined],
  );
  assert.ok(renderReport(stored).includes('&quot;text&quot;:&quot;b&quot;'));
  assert.ok(!renderReport(bare).includes('&quot;text&quot;:&quot;b&quot;'));
  checkShape(await load({ from: writeRows(5), to, table: 'u' }));
  checkShape(await load({ from: writeRows(5), to, table: 'u' }));
});

/** Rows that call back half-way: a load is stopped at the same place on every machine. */
async function* yieldRows(count: number, atHalf?: () => void): AsyncGenerator<{ id: number }> {
  for (let id = 0; id < count; id++) {
    if (id % 500 === 0) await breathe();
    if (id === count / 2) atHalf?.();
    yield { id };
  }
}

test('a load that is cancelled and resumed has a report for each session, and the whole account', async () => {
  const to = makeUrl();
  const controller = new AbortController();
  const from = yieldRows(20_000, () => controller.abort());
  const stopped = await load({ from, to, table: 't', maxBatchRows: 500, signal: controller.signal });
  assert.equal(stopped.state, 'cancelled');
  const done = await resume({ in: to, from: yieldRows(20_000) });
  for (const each of [stopped, done]) checkShape(each);
  const stored = await report({ in: to, load: done.load });
  assert.deepEqual(
    stored.sessions.map(({ session, report: { state } }) => [session, state]),
    [
      [1, 'cancelled'],
      [2, 'done'],
    ],
  );
  assert.equal(stored.status.counts.read, 20_000);
  const page = renderReport(stored);
  assert.match(page, /Stopped on request/u);
  assert.match(page, /20,000/u);
});

test('a load that fails has its report with the error, and in the ledger', async () => {
  const to = makeUrl();
  const fail = (): void => {
    throw new Error('the source is gone');
  };
  const error: unknown = await load({ from: yieldRows(6_000, fail), to, table: 't', maxBatchRows: 100 }).catch((thrown: unknown) => thrown);
  const failed = findFailureReport(error);
  assert.ok(failed !== undefined);
  checkShape(failed);
  assert.equal(failed.state, 'failed');
  assert.equal(failed.isBalanced, true);
  assert.match(failed.next, /^sluice resume /u);
  const stored = await report({ in: to });
  assert.deepEqual(
    stored.sessions.map(({ report: { state, failure } }) => [state, failure?.code]),
    [['failed', failed.failure?.code]],
  );
  assert.match(renderReport(stored), /What failed:/u);
  assert.equal(findFailureReport(new Error('another')), undefined);
});

test('a ledger of an earlier version gets its place for reports; until then there are none, and the account is there', async () => {
  const to = makeUrl();
  await load({ from: [{ id: 1 }], to, table: 't' });
  const db = new DatabaseSync(to.slice('sqlite:'.length));
  db.exec(`DROP TABLE sluice_sessions; UPDATE sluice_loads SET state = 'cancelled'`);
  db.close();
  const before = await report({ in: to });
  assert.deepEqual([before.sessions.length, before.sessionCount], [0, 1]);
  assert.match(renderReport(before), /No session of this load left a report/u);
  const done = await resume({ in: to, from: [{ id: 1 }] });
  assert.ok(!done.decisions.some(({ what }) => what === 'warning'));
  assert.equal((await report({ in: to })).sessions.length, 1);
});

test('a load in mode sync has its counts in the report and in the page', async () => {
  const to = makeUrl();
  const options = { to, table: 't', key: ['id'], mode: 'sync', maxDeletes: 1 } as const;
  await load({
    ...options,
    from: [
      { id: 1, v: 'a' },
      { id: 2, v: 'b' },
      { id: 3, v: 'c' },
    ],
  });
  const answered = await load({
    ...options,
    from: [
      { id: 1, v: 'a' },
      { id: 2, v: 'x' },
      { id: 4, v: 'd' },
    ],
  });
  checkShape(answered);
  assert.deepEqual(answered.sync, { inserted: 1, updated: 1, unchanged: 1, deleted: 1 });
  assert.match(renderReport(await report({ in: to })), /1 row that the source no longer has was deleted/u);
});

test('of a load that is resumed very often, the newest hundred reports are kept', async () => {
  const to = makeUrl();
  await load({ from: [{ id: 1 }], to, table: 't' });
  const db = new DatabaseSync(to.slice('sqlite:'.length));
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
    INSERT INTO sluice_sessions SELECT load, i, report, ended_at FROM sluice_sessions, n; UPDATE sluice_loads SET state = 'cancelled'`);
  db.close();
  await resume({ in: to, from: [{ id: 1 }] });
  const { sessions } = await report({ in: to });
  assert.deepEqual([sessions.length, sessions.at(-1)?.session], [100, 151]);
});

test('a report of ten thousand rejects has three samples of a cause with their lines', async () => {
  const to = makeUrl();
  const file = path.join(folder, 'bad.jsonl');
  writeFileSync(file, Array.from({ length: 10_000 }, (_, id) => (id % 2 === 0 ? `{"id":"x${id}"}\n` : '{broken\n')).join(''));
  const answered = await load({ from: file, to, table: 't', types: { id: 'integer' } });
  checkShape(answered);
  const { samples } = await report({ in: to });
  assert.deepEqual(
    samples.map(({ code, line }) => [code, line]),
    [1, 2, 3, 4, 5, 6].map((line) => [line % 2 === 1 ? 'VALUE_TYPE' : 'ROW_JSON_INVALID', line]),
  );
});

test('--report writes a page or JSON by the name of its file, and sluice report the same later', async () => {
  const to = makeUrl();
  const file = path.join(folder, 'cli.jsonl');
  writeFileSync(file, '{"id":1,"t":"secret row"}\n{"id":1,"t":"secret row"}\n');
  const run = (args: readonly string[]): ReturnType<typeof runSluice> => runSluice(args, { cwd: folder });
  const html = await run(['load', 'cli.jsonl', '--to', to, '--table', 't', '--key', 'id', '--report', 'a.html']);
  assert.equal(html.exitCode, 3);
  assert.match(readFileSync(path.join(folder, 'a.html'), 'utf8'), /^<!doctype html>[\s\S]*secret row/u);
  await run(['load', 'cli.jsonl', '--to', to, '--table', 't', '--key', 'id', '--again', '--report', 'b.html', '--no-report-rows']);
  assert.doesNotMatch(readFileSync(path.join(folder, 'b.html'), 'utf8'), /secret row/u);
  const json = await run(['load', 'cli.jsonl', '--to', to, '--table', 'u', '--report', 'c.json']);
  assert.equal(json.exitCode, 0);
  checkShape(JSON.parse(readFileSync(path.join(folder, 'c.json'), 'utf8')) as LoadReport);
  const shown = await run(['report', '--in', to]);
  assert.match(shown.stdout, /^done: cli\.jsonl → /u);
  const page = await run(['report', '--in', to, '--html', 'd.html', '--json']);
  assert.match(readFileSync(path.join(folder, 'd.html'), 'utf8'), /<h1>cli\.jsonl → u<\/h1>/u);
  assert.equal((JSON.parse(page.stdout) as { sessions: readonly unknown[] }).sessions.length, 1);
  const nowhere = await run(['report', '--in', to, '--html', path.join('none', 'd.html')]);
  assert.deepEqual([nowhere.exitCode, /can't be written to/u.test(nowhere.stderr)], [2, true]);
  const unknown = await run(['report', 'nobody', '--in', to]);
  assert.match(unknown.stderr, /SLUICE_LOAD_UNKNOWN/u);
});
