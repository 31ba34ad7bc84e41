/** `sluice batch` as a person and a program meet it: answers on stdout, the account on stderr, an exit code for each end. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { runSluice, type Ended, type RunOptions } from './process.ts';

interface Place {
  readonly folder: string;
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ended>;
  readonly write: (name: string, text: string) => void;
  readonly query: (sql: string, database?: string) => readonly unknown[];
}

function makePlace(context: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-batch-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const query = (sql: string, name = 'a.db'): readonly unknown[] => {
    const database = new DatabaseSync(join(folder, name));
    try {
      return database
        .prepare(sql)
        .all()
        .flatMap((row) => Object.values(row));
    } finally {
      database.close();
    }
  };
  const place: Place = {
    folder,
    run: (args, options) =>
      runSluice(['batch', ...args, ...(args.includes('--to') ? [] : ['--to', 'sqlite:a.db'])], { cwd: folder, ...options }),
    write: (name, text) => writeFileSync(join(folder, name), text),
    query,
  };
  query('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)');
  return place;
}

function readJson(text: string): readonly Record<string, unknown>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('help names every option, with examples', async (context) => {
  const { run } = makePlace(context);
  const { exitCode, stdout } = await run(['--help', '--to', 'x']);
  assert.equal(exitCode, 0);
  for (const flag of [
    '--to',
    '--format',
    '--transaction',
    '--unit',
    '--on-conflict',
    '--status-rows',
    '--max-errors',
    '--timeout',
    '--label',
    '--again',
    '--json',
    '--status-file',
  ])
    assert.ok(stdout.includes(`  ${flag}`), flag);
  assert.ok(stdout.split('\nExamples:\n')[1]?.includes('  sluice batch statements.json --to sqlite:app.db --transaction\n'));
});

test('a person reads each failed statement with its line, a sum that adds up, and the next step', async (context) => {
  const { run, write, query } = makePlace(context);
  const bad = Array.from({ length: 12 }, () => 'INSERT INTO t VALUES (1, 2);').join('\n');
  write('a.sql', `INSERT INTO t VALUES (1, 'a');\n${bad}\nUPDATE t SET name = 'b' WHERE id = 9;\nSELECT * FROM t;\n`);
  const { exitCode, stdout, stderr } = await run(['a.sql']);
  assert.deepEqual([exitCode, stdout], [3, '']);
  assert.match(stderr, /^batch \S+; if it stops, go on with: sluice batch a\.sql --to sqlite:a\.db\n/);
  assert.match(stderr, /\n✗ statement 1 \(line 2\): UNIQUE: UNIQUE constraint failed: t\.id\n/);
  assert.equal(stderr.match(/^✗ statement/gm)?.length, 10);
  assert.match(stderr, /\n {2}and 2 more\n/);
  assert.match(stderr, /✓ 15 = 2 \+ 1 \+ 12: every statement is accounted for/);
  assert.match(stderr, /--json prints them/);
  assert.match(stderr, /→ sluice rejects --in sqlite:a\.db \S+ --summary\n$/);
  assert.deepEqual(query('SELECT name FROM t'), ['a']);
  const again = await run(['a.sql']);
  assert.equal(again.exitCode, 3);
  assert.match(again.stderr, /^nothing to do, an earlier run has done it/);
});

test('a program reads one answer a line on stdout, and the summary as JSON on stderr', async (context) => {
  const { run } = makePlace(context);
  const input =
    '["INSERT INTO t VALUES (?, ?)", 9007199254740993, "x"]\n"SELECT id FROM t"\n["INSERT INTO t VALUES (?, ?)", 9007199254740993, "y"]\n';
  const { exitCode, stdout, stderr } = await run(['-', '--format', 'jsonl', '--json', '--on-conflict', 'not-applied', '--status-rows'], {
    input,
  });
  assert.equal(exitCode, 0);
  assert.deepEqual(
    readJson(stdout).map(({ index, status }) => [index, status]),
    [
      [0, 'applied'],
      [1, 'applied'],
      [2, 'not_applied'],
    ],
  );
  assert.match(stdout, /"rows":\[\{"id":9007199254740993\}\]/);
  assert.match(stdout, /"row":\{"id":9007199254740993,"name":"x"\}/);
  const [summary] = readJson(stderr);
  assert.deepEqual([summary?.['event'], summary?.['state'], summary?.['isBalanced']], ['summary', 'done', true]);
});

test('each end has its exit code: nothing at all, usage, a broken file, too many errors, another target', async (context) => {
  const { run, write, query } = makePlace(context);
  write('ok.json', '["INSERT INTO t VALUES (1, NULL)", ["INSERT INTO t VALUES (?, ?)", [2, "two"]]]');
  assert.equal((await run(['ok.json', '--transaction'])).exitCode, 0);
  const usage = await run(['--unit', '0', '--on-conflict', 'maybe', '--to', 'sqlite:a.db', '--json']);
  assert.equal(usage.exitCode, 2);
  assert.deepEqual(Object.keys(readJson(usage.stdout)[0]?.['problems'] ?? []).length, 3);
  const untold = await run(['-'], { input: 'SELECT 1' });
  assert.deepEqual([untold.exitCode, /--format sql, json or jsonl/.test(untold.stderr)], [2, true]);
  write('broken.json', '["INSERT INTO t VALUES (3, NULL)",\n "INSERT INTO t VALUES (4, NULL)",\n nonsense]');
  const broken = await run(['broken.json']);
  assert.equal(broken.exitCode, 6);
  assert.match(
    broken.stderr,
    /broken\.json, line 3: not a statement.*\[SLUICE_SOURCE_INVALID\]\n {2}→ Mend line 3 .*Go on with: sluice batch broken\.json/s,
  );
  assert.deepEqual(query('SELECT id FROM t'), [1, 2, 3, 4]);
  write('many.sql', 'SELECT x;'.repeat(9));
  const stopped = await run(['many.sql', '--unit', '2', '--max-errors', '3']);
  assert.equal(stopped.exitCode, 4);
  assert.match(stopped.stderr, /stopped, too many statements failed.*4 = 0 \+ 0 \+ 4/s);
  assert.equal((await run(['gone.sql'])).exitCode, 2);
  assert.equal((await run(['ok.json', '--to', 'oracle:x'])).exitCode, 2);
});

test('names with uncommon characters are quoted in the command that goes on, which a shell understands', async (context) => {
  const { run, write, query } = makePlace(context);
  const name = `it's a "fïle" $(x) 🎈.sql`;
  write(name, `INSERT INTO t VALUES (1, 'ö; "x"');\nSELECT nowhere`);
  const { exitCode, stderr } = await run([name, '--max-errors', '0', '--label', 'nä me', '--status-file', 'stätus $1.jsonl']);
  assert.equal(exitCode, 4, stderr);
  assert.ok(
    stderr.includes(
      `sluice batch 'it'\\''s a "fïle" $(x) 🎈.sql' --max-errors 0 --status-file 'stätus $1.jsonl' --label 'nä me' --to sqlite:a.db\n`,
    ),
    stderr,
  );
  assert.deepEqual(query('SELECT name FROM t'), ['ö; "x"']);
});

test('Ctrl-C ends after the unit in flight, and the printed command goes on', async (context) => {
  const { run, write, query, folder } = makePlace(context);
  write('a.sql', Array.from({ length: 1_500 }, (_, id) => `INSERT INTO t VALUES (${id}, 'x');`).join('\n'));
  const args = ['a.sql', '--unit', '5', '--status-file', 's.jsonl'];
  const stopped = await run(args, { signalAt: { text: 'if it stops', signal: 'SIGINT' } });
  assert.equal(stopped.exitCode, 130, stopped.stderr);
  assert.match(stopped.stderr, /finishing the unit in flight.*interrupted: a\.sql/s);
  assert.ok(query('SELECT id FROM t').length < 1_500);
  const done = await run(args);
  assert.equal(done.exitCode, 0, done.stderr);
  assert.equal(query('SELECT id FROM t').length, 1_500);
  const lines = readJson(readFileSync(join(folder, 's.jsonl'), 'utf8'));
  assert.deepEqual(
    lines.map(({ index }) => index),
    Array.from({ length: 1_500 }, (_, index) => index),
  );
});

test('a million statements run in bounded memory', async (context) => {
  const { run, folder } = makePlace(context);
  const file = openSync(join(folder, 'many.jsonl'), 'w');
  const block = '"SELECT 1"\n["SELECT ?", 12345]\n'.repeat(5_000);
  for (let times = 0; times < 100; times++) writeSync(file, block);
  closeSync(file);
  const tell = `process.on('exit', () => process._rawDebug('peak ' + process.resourceUsage().maxRSS));`;
  const { exitCode, stderr } = await run(['many.jsonl', '--unit', '5000'], {
    nodeArguments: ['--import', `data:text/javascript,${encodeURIComponent(tell)}`],
  });
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /1,000,000 = 1,000,000 \+ 0 \+ 0/);
  // 280 MB were measured here, 72 MB of them before the first statement; all statements held at once take more than 1 GB.
  const peakKiB = Number(/peak (\d+)/.exec(stderr)?.[1]);
  assert.ok(peakKiB > 0 && peakKiB < 500 * 1024, `${peakKiB} KiB`);
});
