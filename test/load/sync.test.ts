/** Mode sync on SQLite against an oracle of plain rows: any input over any borders of batch and shard, stopped and taken up, leaves the mirror of the source. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { load } from '../../src/load/load.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { resume, retry } from '../../src/load/resume.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import { search } from '../../src/search/search.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { assertSettled, readSql, runSql } from '../fixtures/load-target.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`sync test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

interface Row {
  readonly id: number | null;
  readonly name: string | null;
}

const anyRows = (minLength: number, maxLength: number): fc.Arbitrary<Row[]> =>
  fc.array(
    fc.record({
      id: fc.option(fc.integer({ min: 0, max: 50 }), { nil: null, freq: 40 }),
      name: fc.constantFrom('a', 'A', 'bad', 'a longer name', null),
    }),
    { minLength, maxLength },
  );

/** What the rows make of a table: the first row of a key speaks for it, and nothing is deleted beside a row whose key is null. */
function mirror(before: ReadonlyMap<number, string | null>, rows: readonly Row[]): { table: Map<number, string | null>; counts: number[] } {
  const table = new Map(before);
  const seen = new Set<number>();
  const [inserted, updated, unchanged, rejected] = [0, 1, 2, 3];
  const counts = [0, 0, 0, 0];
  const add = (at: number): void => void (counts[at] = (counts[at] ?? 0) + 1);
  for (const { id, name } of rows) {
    if (id === null || seen.has(id)) add(rejected);
    else if (before.has(id) && before.get(id) === name) add(unchanged);
    else if (name === 'bad') add(rejected);
    else {
      add(before.has(id) ? updated : inserted);
      table.set(id, name);
    }
    if (id !== null) seen.add(id);
  }
  const vanished = rows.some(({ id }) => id === null) ? [] : [...before.keys()].filter((id) => !seen.has(id));
  for (const id of vanished) table.delete(id);
  return { table, counts: [...counts, vanished.length] };
}

interface Run {
  readonly maxBatchRows: number;
  readonly lanes: number;
  readonly cancelAfter: number | undefined;
}

function countDown(turns: number, then: () => void): void {
  if (turns === 0) then();
  else setImmediate(() => countDown(turns - 1, then));
}

async function runCancelling(options: LoadOptions, cancelAfter: number | undefined): Promise<LoadReport> {
  const cancel = new AbortController();
  if (cancelAfter !== undefined) countDown(cancelAfter, () => cancel.abort());
  try {
    const report = await load({ ...options, signal: cancel.signal });
    return report.state === 'cancelled' ? await resume({ in: options.to }) : report;
  } catch (error) {
    if (!isSluiceError(error, 'SLUICE_CANCELLED')) throw error;
    return load(options);
  }
}

test('any rows, over any borders, stopped and taken up, make the table a mirror and count what became of each', async (context) => {
  const folder = makeFolder(context);
  let runs = 0;
  const runsOf = fc.record<Run>({
    maxBatchRows: fc.constantFrom(1, 3, 40, 1000),
    lanes: fc.constantFrom(1, 1, 1, 3),
    cancelAfter: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(anyRows(0, 30), anyRows(1, 120), runsOf, async (stored, rows, run) => {
      const name = String(runs++);
      const [file, input] = [path.join(folder, `${name}.db`), path.join(folder, `${name}.jsonl`)];
      const before = new Map(stored.flatMap(({ id, name: value }) => (id === null || value === 'bad' ? [] : [[id, value] as const])));
      runSql(
        file,
        `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE CHECK (name <> 'bad'))`,
        ...[...before].map(([id, value]) => `INSERT INTO people VALUES (${id}, ${value === null ? 'NULL' : `'${value}'`})`),
      );
      writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      const { maxBatchRows, lanes, cancelAfter } = run;
      const options: LoadOptions = {
        from: input,
        to: `sqlite:${file}`,
        table: 'people',
        mode: 'sync',
        maxDeletes: '100%',
        lanes,
        maxBatchRows,
        shardBytes: 256,
      };
      const report = await runCancelling(options, cancelAfter);
      const expected = mirror(before, rows);
      assert.equal(report.state, 'done');
      const { inserted = 0, updated = 0, unchanged = 0, deleted = 0 } = report.sync ?? {};
      assert.deepEqual([inserted, updated, unchanged, report.counts.rejected, deleted], expected.counts);
      const found = readSql(file, 'SELECT id, name FROM people ORDER BY id').map((row) => [Number(row['id']), row['name']]);
      assert.deepEqual(
        found,
        [...expected.table].sort(([a], [b]) => a - b),
      );
      assert.deepEqual(readSql(file, `SELECT name FROM sqlite_schema WHERE name LIKE 'sluice_seen%'`), []);
      await assertSettled(file, 'people');
    }),
    { seed, numRuns: 40 },
  );
});

const rowsOf = (names: readonly string[]): LoadOptions['from'] => names.map((id) => ({ id, n: id.length }));

function syncOf(file: string, more: Partial<LoadOptions>): LoadOptions {
  return { from: [], to: `sqlite:${file}`, table: 't', mode: 'sync', maxDeletes: '100%', ...more };
}

test('keys are equal where the table says so: in another case, as text or as number, of several columns', async (context) => {
  const folder = makeFolder(context);
  const tables = [
    'CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER)',
    'CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER) WITHOUT ROWID',
    'CREATE TABLE t (rowid INTEGER, id TEXT COLLATE NOCASE UNIQUE NOT NULL, n INTEGER)',
  ];
  for (const [index, ddl] of tables.entries()) {
    const file = path.join(folder, `${index}.db`);
    runSql(file, ddl, `INSERT INTO t (id, n) VALUES ('Anna', 4), ('bert', 4), ('Cyd', 3)`);
    const report = await load(syncOf(file, { from: rowsOf(['ANNA', 'Bert', 'bert', 'Dora']), key: ['id'] }));
    assert.deepEqual(report.sync, { inserted: 1, updated: 0, unchanged: 2, deleted: 1 }, ddl);
    assert.equal(report.counts.rejected, 1);
    assert.deepEqual(
      readSql(file, 'SELECT id FROM t ORDER BY id').map((row) => row['id']),
      ['Anna', 'bert', 'Dora'],
    );
    await assertSettled(file, 't');
  }
});

test('a trigger or a deferred foreign key that keeps a row is told, nothing is deleted, and a resume goes on once it is mended', async (context) => {
  const folder = makeFolder(context);
  const keepers = [
    [`CREATE TRIGGER keep BEFORE DELETE ON t BEGIN SELECT RAISE(IGNORE); END`, 'DROP TRIGGER keep'],
    [`CREATE TRIGGER keep BEFORE DELETE ON t WHEN old.id = 'b' BEGIN SELECT RAISE(ABORT, 'kept'); END`, 'DROP TRIGGER keep'],
    [`CREATE TABLE child (id TEXT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED); INSERT INTO child VALUES ('b')`, 'DROP TABLE child'],
  ] as const;
  for (const [index, [keep, mend]] of keepers.entries()) {
    const file = path.join(folder, `${index}.db`);
    const input = path.join(folder, `${index}.jsonl`);
    runSql(file, 'CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)', `INSERT INTO t VALUES ('a', 1), ('b', 1), ('c', 1)`, keep);
    writeFileSync(input, '{"id":"a","n":2}\n');
    await assert.rejects(
      load(syncOf(file, { from: input })),
      (error) => isSluiceError(error, 'SLUICE_TARGET_FAILED') && /None was deleted/u.test(error.message),
    );
    assert.equal(readSql(file, 'SELECT id FROM t').length, 3);
    runSql(file, mend);
    const report = await resume({ in: `sqlite:${file}` });
    assert.deepEqual(report.sync, { inserted: 0, updated: 1, unchanged: 0, deleted: 2 });
    await assertSettled(file, 't');
  }
});

test('generated columns and defaults stay the table’s own, and a vanished row takes its children with it where they say so', async (context) => {
  const file = path.join(makeFolder(context), 'own.db');
  runSql(
    file,
    `CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER, twice INTEGER GENERATED ALWAYS AS (2 * n) STORED, at TEXT DEFAULT 'now')`,
    'CREATE TABLE child (id TEXT REFERENCES t (id) ON DELETE CASCADE)',
    `INSERT INTO t (id, n) VALUES ('a', 1), ('bb', 9), ('gone', 1)`,
    `INSERT INTO child VALUES ('gone')`,
  );
  const report = await load(syncOf(file, { from: rowsOf(['a', 'bb']) }));
  assert.deepEqual(report.sync, { inserted: 0, updated: 1, unchanged: 1, deleted: 1 });
  assert.deepEqual(
    readSql(file, 'SELECT id, twice, at FROM t ORDER BY id').map((row) => Object.values(row).join()),
    ['a,2,now', 'bb,4,now'],
  );
  assert.equal(readSql(file, 'SELECT * FROM child').length, 0);
});

test('after a sync the vector index answers for the rows that came, changed and went', async (context) => {
  const file = path.join(makeFolder(context), 'index.db');
  const texts = (names: readonly string[]): LoadOptions['from'] => names.map((body, id) => ({ id, body }));
  const more: Partial<LoadOptions> = {
    key: ['id'],
    embed: { column: 'body', with: 'hash', dimensions: 32 },
    index: { build: 'always' },
    cache: false,
  };
  await load(syncOf(file, { from: texts(['red apple', 'green pear', 'blue plum', 'old boot']), ...more }));
  const report = await load(syncOf(file, { from: texts(['red apple', 'yellow lemon', 'blue plum']), ...more }));
  assert.deepEqual(report.sync, { inserted: 0, updated: 1, unchanged: 2, deleted: 1 });
  assert.equal(report.embedding?.embedded, 1);
  const find = async (query: string): Promise<unknown> => {
    const { hits } = await search({ in: `sqlite:${file}`, table: 't', query, k: 4, way: 'index' });
    assert.equal(hits.length, 3);
    return hits[0]?.columns['body'];
  };
  assert.equal(await find('yellow lemon'), 'yellow lemon');
  assert.notEqual(await find('old boot'), 'old boot');
});

test('what a sync refused is tried again without anything being deleted', async (context) => {
  const file = path.join(makeFolder(context), 'retry.db');
  runSql(file, 'CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER CHECK (n < 4))', `INSERT INTO t VALUES ('a', 1), ('bb', 1)`);
  const report = await load(syncOf(file, { from: rowsOf(['a', 'bbbb']), maxDeletes: 1 }));
  assert.deepEqual(report.sync, { inserted: 0, updated: 0, unchanged: 1, deleted: 1 });
  runSql(
    file,
    'ALTER TABLE t RENAME TO old',
    'CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)',
    'INSERT INTO t SELECT * FROM old',
    'DROP TABLE old',
  );
  const again = await retry({ in: `sqlite:${file}` });
  assert.deepEqual(again.counts, { read: 1, written: 1, skipped: 0, rejected: 0 });
  assert.equal(again.sync, undefined);
  assert.equal(readSql(file, 'SELECT * FROM t').length, 2);
});

test('a plan says what a sync does, and what stands against it', async (context) => {
  const file = path.join(makeFolder(context), 'plan.db');
  runSql(file, 'CREATE TABLE t (id TEXT, n INTEGER)');
  const made = await plan(syncOf(file, { from: rowsOf(['a']), key: ['id'] }));
  assert.ok(made.problems.some((problem) => problem.includes('no primary key')));
  runSql(file, 'CREATE UNIQUE INDEX one ON t (id)');
  const ready = await plan(syncOf(file, { from: rowsOf(['a']), key: ['id'], maxDeletes: 7 }));
  assert.deepEqual(ready.problems, []);
  assert.ok(ready.decisions.some(({ what, choice }) => what === 'delete limit' && choice === '7'));
  await assert.rejects(load({ ...syncOf(file, { from: rowsOf(['a']) }), mode: 'upsert' }), (error) => isSluiceError(error, 'SLUICE_USAGE'));
});

test('a resume with limits of its own names those among its decisions', async (context) => {
  const folder = makeFolder(context);
  const [target, file] = [path.join(folder, 't.db'), path.join(folder, 'rows.jsonl')];
  const write = (ids: readonly number[]): void => writeFileSync(file, ids.map((id) => `${JSON.stringify({ id, name: 'a' })}\n`).join(''));
  write([1, 2, 3, 4]);
  const options = syncOf(target, { from: file, key: ['id'], maxDeletes: 1 });
  assert.equal((await load(options)).state, 'done');
  write([1]);
  await assert.rejects(load(options), { code: 'SLUICE_DELETE_LIMIT' });
  const report = await resume({ in: options.to, maxDeletes: 3, lanes: 2 });
  assert.equal(report.state, 'done');
  const chosen = (what: string): readonly string[] => report.decisions.filter((each) => each.what === what).map(({ choice }) => choice);
  assert.deepEqual(chosen('delete limit'), ['3']);
  assert.deepEqual(chosen('lanes'), ['2']);
});
