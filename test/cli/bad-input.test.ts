/** Bad input through the real command line: what is refused is told exactly where it stood, and nothing is left out in silence. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { runSluice, type Ended } from './process.ts';

interface Place {
  readonly run: (...args: string[]) => Promise<Ended>;
  readonly write: (name: string, text: string | Uint8Array) => void;
  readonly read: (name: string) => Buffer;
  readonly query: (sql: string) => unknown[];
}

function makePlace(context: TestContext, env: Readonly<Record<string, string>> = {}): Place {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bad-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return {
    run: (...args) => runSluice(args, { cwd: folder, env }),
    write: (name, text) => writeFileSync(join(folder, name), text),
    read: (name) => readFileSync(join(folder, name)),
    query: (sql) => {
      const database = new DatabaseSync(join(folder, 'a.db'), { readOnly: true });
      try {
        return database
          .prepare(sql)
          .all()
          .map((row) => Object.values(row));
      } finally {
        database.close();
      }
    },
  };
}

const into = ['--to', 'sqlite:a.db', '--table', 't'];

/** What a row of the input is made of, and the code that its reject has; undefined for a row that is written. */
const rowKinds: readonly (readonly [string | undefined, (id: number) => string])[] = [
  [undefined, (id) => `${id},"two\r\nlines, ""quoted""",${id}\r\n`],
  ['ROW_FIELD_COUNT', (id) => `${id},only\n`],
  [undefined, (id) => `\n${id},after a blank line,${id}\n`],
  ['ROW_QUOTE_STRAY', (id) => `${id},"a"b,${id}\n`],
  ['ROW_UTF8_INVALID', (id) => `${id},\xff,${id}\n`],
  ['VALUE_FORMAT', (id) => `${id},ü,${id}x\n`],
  ['VALUE_RANGE', (id) => `${id},a,9223372036854775808\n`],
  ['VALUE_NULL', () => `,a,1\n`],
  ['REFUSED_UNIQUE', () => `0,a,1\n`],
];

test('a reject of a file of many shards stands at its byte, its line and its row, and all its neighbours are written', async (context) => {
  const { run, write, read, query } = makePlace(context);
  // Latin-1 here is bytes: the umlaut of a good row becomes its two bytes, the lone 0xff stays invalid.
  let text = 'id,name,n\n';
  const expected = new Map<number, string>();
  for (let id = 0; id < 30_000; id++) {
    const [code, make] = rowKinds[id % 37 === 5 ? ((id / 37) % 9) | 0 : id % 2 === 0 ? 0 : 2] ?? rowKinds[0]!;
    if (code !== undefined) expected.set(text.length, code);
    text += Buffer.from(make(id).replace('ü', '\xc3\xbc'), 'latin1').toString('latin1');
  }
  write('b.csv', Buffer.from(text, 'latin1'));
  const loaded = await run('load', 'b.csv', ...into, '--key', 'id', '--column', 'id:integer', '--column', 'n:integer', '--lanes', '2');
  assert.equal(loaded.exitCode, 3, loaded.stderr);
  const file = read('b.csv');
  const found = new Map<number, string>();
  let [at, newlines] = [0, 0];
  for (const line of (await run('rejects', '--in', 'sqlite:a.db')).stdout.trim().split('\n')) {
    const { code, offset, line: lineNumber, raw } = JSON.parse(line);
    found.set(offset, code);
    for (; at < offset; at++) if (file[at] === 10) newlines++;
    assert.equal(lineNumber, newlines + 1, `line of the row at byte ${offset}`);
    if (code !== 'ROW_UTF8_INVALID') assert.equal(file.toString('utf8', offset, offset + Buffer.byteLength(raw)), raw);
  }
  assert.deepEqual(found, expected);
  assert.deepEqual(query('SELECT count(*), count(DISTINCT id) FROM t'), [[30_000 - expected.size, 30_000 - expected.size]]);
  assert.deepEqual(query('SELECT count(*) > 1 FROM sluice_shards'), [[1]]);
  assert.equal((await run('verify', '--in', 'sqlite:a.db')).exitCode, 0);
});

test('a field that appears only far into the file is told of, and is loaded when a type is given for it', async (context) => {
  const { run, write, query } = makePlace(context);
  const lines = Array.from({ length: 60_000 }, (_, id) => JSON.stringify(id === 31_000 ? { id, late: 'here' } : { id }));
  write('late.jsonl', lines.join('\n'));
  const silent = await run('load', 'late.jsonl', ...into);
  assert.equal(silent.exitCode, 0, silent.stderr);
  assert.match(silent.stderr, /warning +The field "late" appears in rows beyond the sample/);
  const told = await run('load', 'late.jsonl', '--to', 'sqlite:a.db', '--table', 'u', '--column', 'late:text');
  assert.equal(told.exitCode, 0, told.stderr);
  assert.deepEqual(query('SELECT id FROM u WHERE late IS NOT NULL'), [[31_000]]);
});

test('mended rows may be JSON lines whatever the load read, come in several files, and a file is never loaded twice', async (context) => {
  const { run, write, query } = makePlace(context);
  write('rows.csv', 'id,n\n1,5\n2,x\n3,"u"v\n4,9\n');
  assert.equal((await run('load', 'rows.csv', ...into, '--column', 'n:integer')).exitCode, 3);
  write('first.jsonl', '{"n":7,"id":2}\n');
  write('second.csv', 'n,id\n8,3\n');
  const retry = ['retry', '--in', 'sqlite:a.db', '--from'];
  const first = await run(...retry, 'first.jsonl');
  assert.equal(first.exitCode, 0, first.stderr);
  assert.match(first.stderr, /takes over +the 2 open rejects/);
  assert.equal((await run(...retry, 'second.csv')).exitCode, 0);
  for (const name of ['first.jsonl', 'second.csv']) assert.match((await run(...retry, name)).stderr, /^nothing to do/);
  assert.deepEqual(
    query('SELECT id, n FROM t ORDER BY id'),
    [5, 7, 8, 9].map((n, at) => [at + 1, n]),
  );
});

test('rejects as they were printed are no mended rows, and a retry of them writes nothing', async (context) => {
  const { run, write, query } = makePlace(context);
  write('rows.csv', 'id,n\n1,5\n2,x\n');
  assert.equal((await run('load', 'rows.csv', ...into, '--column', 'n:integer')).exitCode, 3);
  write('rejects.jsonl', (await run('rejects', '--in', 'sqlite:a.db')).stdout);
  const { exitCode, stderr } = await run('retry', '--in', 'sqlite:a.db', '--from', 'rejects.jsonl');
  assert.equal(exitCode, 2, stderr);
  assert.match(stderr, /none of the fields of load .*: id, n/);
  assert.deepEqual(query('SELECT count(*) FROM t'), [[1]]);
  assert.deepEqual(query('SELECT sum(open_rejects) FROM sluice_load_status'), [[1]]);
});

test('fields that no column of the table takes are told of by the load as by the plan', async (context) => {
  const { run, write } = makePlace(context);
  write('one.jsonl', '{"id":1}\n');
  write('two.jsonl', '{"id":2,"extra":1}\n');
  await run('load', 'one.jsonl', ...into);
  assert.match((await run('load', 'two.jsonl', ...into)).stderr, /warning +Fields that no column takes: extra\./);
});

test('a pipe gets no colours, also where a CI sets its variable', async (context) => {
  const { run, write } = makePlace(context, { CI: '1' });
  write('rows.csv', 'id\n1\n');
  for (const args of [
    ['load', 'rows.csv', ...into],
    ['status', '--in', 'sqlite:a.db'],
    ['load', 'nothing.csv', ...into],
  ]) {
    const { stdout, stderr } = await run(...args);
    assert.ok(!`${stdout}${stderr}`.includes('\x1b'), args.join(' '));
  }
});

test('a target after two slashes is refused instead of put into the root folder', async (context) => {
  const { run, write } = makePlace(context);
  write('rows.csv', 'id\n1\n');
  const { exitCode, stderr } = await run('load', 'rows.csv', '--to', 'sqlite://a.db', '--table', 't');
  assert.equal(exitCode, 2);
  assert.match(stderr, /sqlite:\/\/a\.db names a host.*SLUICE_USAGE/s);
});
