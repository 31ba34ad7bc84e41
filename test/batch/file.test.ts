/** `batchFile()`: units, the ledger's account of them, and how a batch goes on after whatever stopped it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { batchFile } from '../../src/batch/batch-file.ts';
import type { BatchFileOptions, BatchReport, FileAnswer } from '../../src/batch/options.ts';
import { isSluiceError } from '../../src/errors.ts';
import { resume, retry } from '../../src/load/resume.ts';
import { rejects, status } from '../../src/load/control/status.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql, runSql } from '../fixtures/load-target.ts';
import { tables } from './statement-file.ts';

interface Place {
  readonly file: (name: string, text?: string) => string;
  readonly to: string;
  readonly run: (name: string, options?: Partial<BatchFileOptions>) => Promise<BatchReport>;
  /** All values, one after another. */
  readonly query: (sql: string) => readonly number[];
}

function makePlace(context: TestContext): Place {
  const folder = makeFolder(context);
  const target = path.join(folder, 'a.db');
  runSql(target, 'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)', ...tables);
  const file = (name: string, text?: string): string => {
    if (text !== undefined) writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const to = `sqlite:${target}`;
  return {
    file,
    to,
    run: (name, options) => batchFile({ from: file(name), to, ...options }),
    query: (sql) => readSql(target, sql).flatMap((row) => Object.values(row).map(Number)),
  };
}

function inserts(from: number, count: number): string {
  return Array.from({ length: count }, (_, index) => `INSERT INTO t (id) VALUES (${from + index});\n`).join('');
}

/** Options that stop a batch after its first unit. */
function stopEarly(): Pick<BatchFileOptions, 'signal' | 'onAnswers'> {
  const controller = new AbortController();
  return { signal: controller.signal, onAnswers: () => controller.abort() };
}

function readLines(file: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('the ledger accounts for every statement: status, rejects and verify say the same as the report', async (context) => {
  const { file, run, to } = makePlace(context);
  file(
    'a.sql',
    `${inserts(1, 5)}INSERT INTO t (id) VALUES (3);\nUPDATE t SET n = 1 WHERE id = 99;\nSELECT nowhere FROM t; ${inserts(10, 4)}`,
  );
  const told: FileAnswer[] = [];
  const report = await run('a.sql', { unit: 4, statusFile: file('status.jsonl'), onAnswers: (answers) => void told.push(...answers) });
  assert.equal(report.state, 'done');
  assert.deepEqual(report.counts, { read: 12, applied: 9, notApplied: 1, errors: 2, rolledBack: 0, notAttempted: 0, unknown: 0 });
  assert.deepEqual(
    [report.isBalanced, report.session.units, report.failures.map(({ index, line, code }) => [index, line, code])],
    [
      true,
      3,
      [
        [5, 6, 'UNIQUE'],
        [7, 8, 'UNKNOWN_COLUMN'],
      ],
    ],
  );
  const [found] = await status({ in: to });
  assert.deepEqual(found?.counts, { read: 12, written: 9, skipped: 1, rejected: 2 });
  assert.deepEqual([found?.mode, found?.state, found?.shards], ['batch', 'done', { total: 1, done: 1 }]);
  const refused = [];
  for await (const { code, line, row, raw } of rejects({ in: to })) refused.push([code, line, row, raw]);
  assert.deepEqual(refused, [
    ['UNIQUE', 6, 6, 'INSERT INTO t (id) VALUES (3)'],
    ['UNKNOWN_COLUMN', 8, 8, 'SELECT nowhere FROM t'],
  ]);
  assert.equal((await verify({ in: to })).isOk, true);
  assert.deepEqual(
    readLines(file('status.jsonl')).map(({ index, status: of, line }) => [index, of, line]),
    told.map(({ index, status: of, line }) => [index, of, line]),
  );
  assert.deepEqual(
    told.map(({ index }) => index),
    Array.from({ length: 12 }, (_, index) => index),
  );
});

test('a file that was run is not run again unless it is asked for, or changed nothing', async (context) => {
  const { file, run, query } = makePlace(context);
  file('a.sql', 'UPDATE tally SET n = n + 1;');
  assert.equal((await run('a.sql')).state, 'done');
  const again = await run('a.sql');
  assert.deepEqual([again.state, again.counts.applied], ['nothing_to_do', 1]);
  assert.match(again.next, /--again$/);
  assert.equal((await run('a.sql', { again: true })).state, 'done');
  file('q.jsonl', '"SELECT * FROM tally"\n');
  for (let times = 0; times < 2; times++) assert.equal((await run('q.jsonl')).state, 'done');
  file('bad.sql', 'UPDATE tally SET n = 50; INSERT INTO later VALUES (1);');
  const failed = await run('bad.sql', { transaction: true });
  assert.deepEqual([failed.counts.rolledBack, failed.counts.errors, failed.counts.applied], [1, 1, 0]);
  assert.deepEqual(query('SELECT n FROM tally'), [2, 2]);
});

test('all or nothing by units: only the unit with the error is undone', async (context) => {
  const { file, run, query } = makePlace(context);
  file('a.sql', `${inserts(1, 4)}${inserts(5, 2)}${inserts(1, 1)}${inserts(7, 1)}${inserts(9, 3)}`);
  const { counts, isBalanced } = await run('a.sql', { transaction: true, unit: 4, statusFile: file('s.jsonl') });
  assert.deepEqual([counts.applied, counts.rolledBack, counts.errors, counts.notAttempted, isBalanced], [7, 2, 1, 1, true]);
  assert.deepEqual(query('SELECT id FROM t'), [1, 2, 3, 4, 9, 10, 11]);
  assert.deepEqual(
    readLines(file('s.jsonl'))
      .map(({ status: of }) => of)
      .slice(4, 8),
    ['rolled_back', 'rolled_back', 'error', 'not_attempted'],
  );
});

test('too many errors stop the batch, the same call does nothing more, and a higher limit goes on', async (context) => {
  const { file, run, query, to } = makePlace(context);
  file('a.sql', `${inserts(1, 6)}${inserts(1, 6)}${inserts(7, 4)}`);
  const stopped = await run('a.sql', { unit: 2, maxErrors: 3 });
  assert.deepEqual([stopped.state, stopped.counts.read, stopped.counts.errors], ['error_limit', 10, 4]);
  const same = await run('a.sql', { unit: 2, maxErrors: 3 });
  assert.deepEqual([same.state, same.session.read], ['error_limit', 0]);
  assert.equal((await status({ in: to }))[0]?.state, 'reject_limit');
  const rest = await run('a.sql', { unit: 5, maxErrors: 6 });
  assert.deepEqual([rest.state, rest.counts.read, rest.counts.errors, rest.session.read], ['done', 16, 6, 6]);
  assert.equal(query('SELECT id FROM t').length, 10);
});

test('after a fault of the file what stood before it is applied, and the mended file goes on there', async (context) => {
  const { file, run, query, to } = makePlace(context);
  const line = (id: number): string => `${JSON.stringify(['INSERT INTO t VALUES (?, ?)', id, 9007199254740993n.toString()])}\n`;
  const good = Array.from({ length: 5 }, (_, id) => line(id)).join('');
  file('a.jsonl', `${good}["INSERT INTO t VALUES (5, 5)"\n${line(6)}`);
  const options = { unit: 2, statusFile: file('s.jsonl') };
  await assert.rejects(run('a.jsonl', options), (error: unknown) => {
    assert.ok(isSluiceError(error, 'SLUICE_SOURCE_INVALID'));
    assert.match(`${error.message} ${error.hint}`, /line 6: invalid JSON.*Mend line 6.*Go on with: sluice batch .*a\.jsonl/s);
    return true;
  });
  assert.deepEqual([query('SELECT id FROM t').length, readLines(file('s.jsonl')).length], [5, 5]);
  assert.equal((await status({ in: to }))[0]?.state, 'failed');
  await assert.rejects(
    resume({ in: to }),
    (error: unknown) => isSluiceError(error, 'SLUICE_USAGE') && /sluice batch .*a\.jsonl/.test(error.hint ?? ''),
  );
  await assert.rejects(retry({ in: to }), (error: unknown) => isSluiceError(error, 'SLUICE_USAGE'));
  file('a.jsonl', `${good}["INSERT INTO t VALUES (5, 5)"]\n${line(6)}`);
  const report = await run('a.jsonl', options);
  assert.deepEqual([report.state, report.counts.applied, report.session.read], ['done', 7, 2]);
  assert.deepEqual(query('SELECT id FROM t'), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(
    readLines(file('s.jsonl')).map(({ index }) => index),
    [0, 1, 2, 3, 4, 5, 6],
  );
});

test('a file whose statements were changed where they were run is refused, and nothing of it is run', async (context) => {
  const { file, run, query } = makePlace(context);
  file('a.sql', `${inserts(1, 4)}SELECT nowhere`);
  file('b.sql', `${inserts(1, 4)}`);
  await run('a.sql', { unit: 2, ...stopEarly() });
  file('a.sql', inserts(50, 10));
  await assert.rejects(run('a.sql'), (error: unknown) => isSluiceError(error, 'SLUICE_SOURCE_CHANGED'));
  assert.equal(query('SELECT id FROM t WHERE id >= 50').length, 0);
  assert.equal((await run('a.sql', { again: true })).counts.applied, 10);
});

test('a cancelled batch ends after its unit, and a stream goes on by its label or by the id of its batch', async (context) => {
  const { file, to, query } = makePlace(context);
  const text = inserts(1, 9);
  async function* stream(): AsyncGenerator<string> {
    yield text.slice(0, 40);
    yield text.slice(40);
  }
  for (const label of ['nightly', undefined]) {
    runSql(file('a.db'), 'DELETE FROM t');
    const options: BatchFileOptions = {
      from: stream(),
      to,
      format: 'sql',
      unit: 2,
      label,
      ...stopEarly(),
    };
    const stopped = await batchFile(options);
    assert.deepEqual([stopped.state, stopped.counts.applied], ['cancelled', 2]);
    assert.match(stopped.next, new RegExp(`^sluice batch - --format sql --unit 2 --label ${label ?? stopped.batch} --to `));
    const done = await batchFile({ from: stream(), to, format: 'sql', unit: 2, label: label ?? stopped.batch });
    assert.deepEqual([done.state, done.counts.applied, done.batch], ['done', 9, stopped.batch]);
    assert.equal(query('SELECT id FROM t').length, 9);
    const same = await batchFile({ from: stream(), to, format: 'sql', label: label ?? stopped.batch });
    assert.equal(same.state, 'nothing_to_do');
  }
});

test('two sessions of one batch at the same time run each statement once', async (context) => {
  const { file, run, query } = makePlace(context);
  file('a.sql', 'UPDATE tally SET n = n + 1 WHERE id = 1;\n'.repeat(60));
  const [first, second] = await Promise.all([run('a.sql', { unit: 5 }), run('a.sql', { unit: 5 })]);
  assert.deepEqual([first.batch, first.state === 'done' || first.state === 'nothing_to_do'], [second.batch, true]);
  assert.deepEqual([query('SELECT n FROM tally WHERE id = 1'), first.isBalanced], [[60], true]);
});

test('a session whose batch was taken by another commits nothing more', async (context) => {
  const { file, run, query } = makePlace(context);
  file('a.sql', inserts(1, 9));
  const takeOver = (): void => runSql(file('a.db'), 'UPDATE sluice_shards SET epoch = epoch + 1');
  await assert.rejects(run('a.sql', { unit: 3, statusFile: file('s.jsonl'), onAnswers: takeOver }), (error: unknown) =>
    isSluiceError(error, 'SLUICE_FENCED'),
  );
  assert.deepEqual([query('SELECT id FROM t').length, readLines(file('s.jsonl')).length], [3, 3]);
  assert.equal((await run('a.sql', { statusFile: file('s.jsonl') })).counts.applied, 9);
  assert.deepEqual(
    readLines(file('s.jsonl')).map(({ index }) => index),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
});

test('a status file that lost lines is refused, and another one begins where the batch goes on', async (context) => {
  const { file, run } = makePlace(context);
  file('a.sql', inserts(1, 8));
  await run('a.sql', { unit: 3, statusFile: file('s.jsonl'), ...stopEarly() });
  file('s.jsonl', '{"index":0}\n');
  await assert.rejects(run('a.sql', { statusFile: file('s.jsonl') }), (error: unknown) => isSluiceError(error, 'SLUICE_USAGE'));
  await run('a.sql', { statusFile: file('other.jsonl') });
  assert.deepEqual(
    readLines(file('other.jsonl')).map(({ index }) => index),
    [3, 4, 5, 6, 7],
  );
  await assert.rejects(run('a.sql', { again: true, statusFile: file('no/such/folder/s.jsonl') }), (error: unknown) =>
    isSluiceError(error, 'SLUICE_USAGE'),
  );
  assert.equal(existsSync(file('no')), false);
});

test('options that can not be are refused all at once, and a whole file in one transaction has a limit', async (context) => {
  const { file, run } = makePlace(context);
  file('a.sql', '');
  await assert.rejects(
    run('a.sql', { unit: 0, maxErrors: -1, label: '' }),
    (error: unknown) => isSluiceError(error, 'SLUICE_USAGE') && error.problems.length === 3,
  );
  assert.equal((await run('a.sql')).counts.read, 0);
  await assert.rejects(batchFile({ from: file('a.txt', ''), to: 'sqlite:x.db' }), (error: unknown) =>
    isSluiceError(error, 'SLUICE_FORMAT_UNKNOWN'),
  );
  const long = `SELECT '${'x'.repeat(1024 * 1024)}';\n`;
  async function* endless(): AsyncGenerator<string> {
    for (;;) yield long;
  }
  await assert.rejects(
    batchFile({ from: endless(), format: 'sql', to: `sqlite:${file('b.db')}`, transaction: true }),
    (error: unknown) => isSluiceError(error, 'SLUICE_USAGE') && /--unit/.test(error.hint ?? ''),
  );
});
