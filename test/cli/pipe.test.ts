/** The command line through pipes: data on stdout, all else on stderr, no codes, stable exit codes. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { runSluice } from './process.ts';
import type { Ended } from './process.ts';

let folder = '';
const into = ['--to', 'sqlite:a.db', '--table', 'docs'];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-pipe-'));
  const lines = Array.from({ length: 2_000 }, (_, id) =>
    id % 200 === 7 ? `{"id":${id},"text":` : JSON.stringify({ id, text: `text ${id}` }),
  );
  writeFileSync(join(folder, 'rows.jsonl'), `${lines.join('\n')}\n`);
});

after(() => rmSync(folder, { recursive: true, force: true }));

function run(args: readonly string[], options: Parameters<typeof runSluice>[1] = {}): Promise<Ended> {
  return runSluice(args, { cwd: folder, ...options });
}

test('a load writes nothing to stdout, tells how to resume, accounts for every row, and ends with 3 when some were rejected', async () => {
  const { exitCode, stdout, stderr } = await run([
    'load',
    'rows.jsonl',
    ...into,
    '--key',
    'id',
    '--embed',
    'text',
    '--with',
    'hash',
    '--no-cache',
    '--report',
    'report.json',
  ]);
  assert.equal(exitCode, 3, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /^load (\S+); if it stops, go on with: sluice resume --in sqlite:a\.db \1$/m);
  assert.match(stderr, /✓ 2,000 = 1,990 \+ 0 \+ 10: every row is accounted for/);
  assert.ok(!stderr.includes('\x1b'));
  const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
  assert.deepEqual([report.schema, report.state, report.counts], [1, 'done', { read: 2_000, written: 1_990, skipped: 0, rejected: 10 }]);
});

test('the same load again has nothing to do, says so, and ends with 0', async () => {
  const { exitCode, stderr } = await run(['load', 'rows.jsonl', ...into, '--key', 'id', '--embed', 'text', '--with', 'hash', '--no-cache']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /^nothing to do/);
});

test('rejects are JSON lines with their rows, and their causes a table', async () => {
  const rows = await run(['rejects', '--in', 'sqlite:a.db']);
  const records = rows.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(rows.exitCode, 0);
  assert.deepEqual(records.map(({ line, raw }) => [line, raw]).slice(0, 2), [
    [8, '{"id":7,"text":'],
    [208, '{"id":207,"text":'],
  ]);
  const causes = await run(['rejects', '--in', 'sqlite:a.db', '--summary']);
  assert.match(causes.stdout, /^rows +class +code +column +message\n +10 +unreadable +ROW_JSON_INVALID/);
});

test('a search prints its hits, nearest first, and JSON when asked', async () => {
  const table = await run(['search', 'text 77', '--in', 'sqlite:a.db', '--table', 'docs', '-k', '3', '--explain']);
  assert.equal(table.exitCode, 0, table.stderr);
  assert.match(table.stdout, /^id +score +text\n77 +1\.0000 +text 77\n/);
  assert.match(table.stdout, /\nway: exact/);
  const { stdout } = await run(['search', 'text 77', '--in', 'sqlite:a.db', '--table', 'docs', '-k', '3', '--json']);
  const result = JSON.parse(stdout);
  assert.equal(result.schema, 1);
  assert.deepEqual([result.hits.length, result.hits[0].key, result.hits[0].columns.text], [3, { id: 77 }, 'text 77']);
});

test('with --json stdout is events and the summary, one object a line, and stderr is empty', async () => {
  const { exitCode, stdout, stderr } = await run(['load', '-', '--format', 'csv', '--to', 'sqlite:b.db', '--table', 'people', '--json'], {
    input: 'name,age\nAda,36\nAlan,41\n',
  });
  assert.equal(exitCode, 0, stdout);
  assert.equal(stderr, '');
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(events.every(({ event, schema }) => typeof event === 'string' && schema === 1));
  assert.equal(events[0].event, 'started');
  const summary = events.at(-1);
  assert.deepEqual([summary.event, summary.state, summary.counts.written, summary.isBalanced], ['summary', 'done', 2, true]);
});

test('status and verify tell of the loads, and verify ends with 7 when the table is not what the ledger says', async () => {
  const status = await run(['status', '--in', 'sqlite:b.db', '--json']);
  assert.deepEqual(
    JSON.parse(status.stdout).loads.map(({ state, table }: Record<string, unknown>) => [state, table]),
    [['done', 'people']],
  );
  const right = await run(['verify', '--in', 'sqlite:b.db']);
  assert.equal(right.exitCode, 0, right.stdout);
  const database = new DatabaseSync(join(folder, 'b.db'));
  database.exec(`DELETE FROM people WHERE name = 'Ada'`);
  database.close();
  const wrong = await run(['verify', '--in', 'sqlite:b.db']);
  assert.equal(wrong.exitCode, 7, wrong.stdout);
  assert.match(wrong.stdout, /✗ rows in the table: expected 2, found 1/);
});

test('plan writes nothing, shows the table, and ends with 2 and every problem when the load would be refused', async () => {
  const good = await run(['plan', 'rows.jsonl', '--to', 'sqlite:none.db', '--table', 'docs', '--json']);
  assert.equal(good.exitCode, 0, good.stderr);
  assert.deepEqual(JSON.parse(good.stdout).problems, []);
  assert.throws(() => readFileSync(join(folder, 'none.db')), { code: 'ENOENT' });
  const bad = await run(['plan', 'rows.jsonl', '--to', 'sqlite:none.db', '--table', 'docs', '--key', 'nokey', '--map', 'a=nofield']);
  assert.equal(bad.exitCode, 2);
  assert.match(bad.stdout, /nokey/);
  assert.match(bad.stdout, /nofield/);
});

test('a reader that has read enough ends the output quietly', async () => {
  const { exitCode, stderr } = await run(['rejects', '--in', 'sqlite:a.db'], { closesStdout: true });
  assert.deepEqual([exitCode, stderr], [0, '']);
});

test('SIGTERM interrupts like Ctrl-C, also while a pipe is waited for: 130, and the way on is told', async () => {
  const { exitCode, stderr } = await run(['load', '-', '--format', 'jsonl', '--to', 'sqlite:c.db', '--table', 't', '--label', 'pipe'], {
    input: '{"id":1}\n'.repeat(2_000),
    keepsInputOpen: true,
    signalAt: { text: 'if it stops', signal: 'SIGTERM' },
  });
  assert.equal(exitCode, 130, stderr);
  assert.match(stderr, /resume with: sluice resume --in sqlite:c\.db/);
});

test('every refusal has its exit code, its reason and a next step, on stderr or as an event', async () => {
  const cases: readonly (readonly [args: readonly string[], exitCode: number, message: RegExp])[] = [
    [['load', 'missing.jsonl', ...into], 2, /missing\.jsonl.*\[SLUICE_SOURCE_MISSING\]\n {2}→ /],
    [['load', 'rows.jsonl', '--to', 'foo:a.db', '--table', 'docs'], 2, /\[SLUICE_SCHEME_UNKNOWN\]\n {2}→ .*sqlite:/],
    [['load', 'rows.jsonl', '--to', 'sqlite:d.db', '--table', 'docs', '--max-rejects', '3'], 4, /too many rows were rejected/],
    [['status', '--in', 'sqlite:nowhere.db'], 2, /\[SLUICE_TARGET_MISSING\]\n {2}→ /],
    [['search', 'x', '--in', 'sqlite:a.db', '--table', 'nope'], 2, /\[SLUICE_TABLE_UNKNOWN\]\n {2}→ /],
  ];
  for (const [args, exitCode, message] of cases) {
    const ended = await run(args);
    assert.equal(ended.exitCode, exitCode, `${args.join(' ')}\n${ended.stderr}`);
    assert.match(ended.stderr, message);
    assert.equal(ended.stdout, '');
  }
  const asJson = await run(['load', 'missing.jsonl', ...into, '--json']);
  const event = JSON.parse(asJson.stdout);
  assert.deepEqual(
    [event.event, event.schema, event.code, event.exitCode, asJson.exitCode, asJson.stderr],
    ['error', 1, 'SLUICE_SOURCE_MISSING', 2, 2, ''],
  );
});
