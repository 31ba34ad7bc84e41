/** --atomic on SQLite: the table that the same load would have made without it, seen all at once or not at all, whatever stops it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { resume } from '../../src/load/resume.ts';
import type { Column } from '../../src/rows/schema.ts';
import { packBatch, unpackBatch } from '../../src/target/sqlite/waiting-batch.ts';
import { chooseMoments, crashAndGoOn, prepareStage, runInPairs, type Scenario } from '../fixtures/load-crash.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { assertSettled, readSql, runSql } from '../fixtures/load-target.ts';
import { createRandom } from '../simulate/random.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`atomic test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

interface Row {
  readonly id: number;
  readonly name: string | null;
  readonly parent: number | null;
}

/** Tables that do something to their rows, each with a row that stays. */
const tables = {
  plain: [`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER)`],
  strict: [`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE CHECK (name <> 'bad'), parent INTEGER) STRICT`],
  rowless: [
    `CREATE TABLE t (id INTEGER, name TEXT NOT NULL, parent INTEGER, PRIMARY KEY (id)) WITHOUT ROWID`,
    `CREATE INDEX t_name ON t (name)`,
  ],
  triggered: [
    `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER)`,
    `CREATE TRIGGER watch BEFORE INSERT ON t WHEN new.name = 'bad' BEGIN SELECT RAISE(IGNORE); END`,
    `CREATE TRIGGER stop BEFORE INSERT ON t WHEN new.name = 'worse' BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END`,
  ],
  // Deferred to COMMIT, which names no row.
  parents: [
    `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED)`,
    `CREATE TABLE people (id INTEGER PRIMARY KEY)`,
    `INSERT INTO people VALUES (1), (2)`,
  ],
  generated: [
    `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER, twice INTEGER AS (2 * id) STORED, at TEXT DEFAULT 'then')`,
  ],
};

const anyRows = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 60 }),
    name: fc.constantFrom('a', 'ä', '漢字', 'bad', 'worse', null),
    parent: fc.constantFrom(null, 1, 2, 3),
  }),
  { minLength: 1, maxLength: 60 },
);

const readAll = (file: string): unknown => readSql(file, 'SELECT * FROM t ORDER BY id');
const countsOf = ({ counts, sync }: LoadReport): unknown => ({ counts, sync });
const rejectsOf = (file: string): unknown =>
  readSql(
    file,
    'SELECT shard_row, byte_offset, shard_line, class, code, column_name, message FROM sluice_rejects ORDER BY shard, shard_row',
  );

test('any rows in any mode make the table, the counts and the rejects of the same load without --atomic', async (context) => {
  const folder = makeFolder(context);
  let runs = 0;
  const kinds = fc.constantFrom(...(Object.keys(tables) as (keyof typeof tables)[]));
  const modes = fc.constantFrom('insert', 'upsert', 'skip', 'sync' as const);
  const anyLoad = fc.record({ kind: kinds, mode: modes, rows: anyRows, maxBatchRows: fc.integer({ min: 2, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(anyLoad, async ({ kind, mode, rows, maxBatchRows }) => {
      const found: unknown[] = [];
      const input = path.join(folder, `${(runs += 1)}.jsonl`);
      writeFileSync(input, rows.map((row) => `${JSON.stringify(row satisfies Row)}\n`).join(''));
      for (const isAtomic of [false, true]) {
        const file = path.join(folder, `${runs}-${isAtomic}.db`);
        runSql(file, ...tables[kind], `INSERT INTO t (id, name, parent) VALUES (7, 'stays', NULL)`);
        const options: LoadOptions = {
          from: input,
          to: `sqlite:${file}`,
          table: 't',
          key: ['id'],
          mode,
          maxBatchRows,
          ...(mode === 'sync' ? { maxDeletes: '100%' } : {}),
        };
        const report = await load({ ...options, target: { isAtomic } });
        await assertSettled(file, 't', `${kind}, ${mode}`);
        found.push({ table: readAll(file), counts: countsOf(report), rejects: rejectsOf(file) });
      }
      assert.deepEqual(found[1], found[0]);
    }),
    { seed, numRuns: 60 },
  );
});

test('a batch that waits comes back value by value the same', () => {
  const scalars = {
    integer: fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n - 1n })),
    real: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(-0)),
    text: fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('\ud800 half')),
    boolean: fc.boolean(),
    bytes: fc.uint8Array(),
  };
  const column = fc
    .constantFrom(...(Object.keys(scalars) as (keyof typeof scalars)[]))
    .chain((type) =>
      fc.tuple(fc.constant(type), fc.array(fc.option(scalars[type] as fc.Arbitrary<string>), { minLength: 5, maxLength: 5 })),
    );
  fc.assert(
    fc.property(
      fc.array(column, { maxLength: 4 }),
      fc.array(fc.float({ noNaN: true }), { minLength: 10, maxLength: 10 }),
      (made, floats) => {
        const columns: Column[] = made.map(([type], at) => ({ name: `c${at}`, field: `c${at}`, type, isNullable: true }));
        columns.push({ name: 'v', field: 'v', type: 'vector', dimensions: 2, isNullable: true });
        const batch = {
          columns,
          values: [
            ...made.map(([, values]) => ({ kind: 'scalar' as const, values })),
            { kind: 'vector' as const, dimensions: 2, values: Float32Array.from(floats), nulls: Uint8Array.of(0, 1, 0, 0, 0) },
          ],
          rowCount: 5,
          byteCount: 0,
          places: {
            offsets: Float64Array.of(0, 9, 2 ** 40, 2 ** 41, 2 ** 50),
            rows: Float64Array.of(3, 4, 5, 6, 7),
            lines: Float64Array.of(3, 4, 9, 10, 11),
            raw: () => '',
          },
        };
        const again = unpackBatch(packBatch(batch), columns);
        assert.deepEqual(again.values, batch.values);
        const { offsets, rows, lines } = again.places;
        assert.deepEqual({ offsets, rows, lines }, { offsets: batch.places.offsets, rows: batch.places.rows, lines: batch.places.lines });
      },
    ),
    { seed, numRuns: 300 },
  );
});

test('nobody sees a part of an atomic load that was stopped, over its reject limit, or over its delete limit; a resume publishes all of it', async (context) => {
  const folder = makeFolder(context);
  const rows = Array.from({ length: 300 }, (_, id) => ({ id, name: id % 100 === 50 ? 'bad' : `n${id}`, parent: null }));
  const input = path.join(folder, 'rows.jsonl');
  writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  for (const made of [[], tables.strict, [...tables.strict, `INSERT INTO t VALUES (1000, 'stays', 1), (1001, 'too', 1)`]]) {
    const file = path.join(folder, `${made.length}.db`);
    if (made.length > 0) runSql(file, ...made);
    const options: LoadOptions = {
      from: input,
      to: `sqlite:${file}`,
      table: 't',
      key: ['id'],
      maxBatchRows: 20,
      shardBytes: 1000,
      target: { isAtomic: true },
    };
    const seen = (): unknown =>
      readSql(file, `SELECT name FROM sqlite_schema WHERE name = 't'`).length > 0 && readSql(file, 'SELECT id FROM t').length;
    const before = made.length === 0 ? false : made.length === 1 ? 0 : 2;
    const limited = await load({ ...options, limit: 100 });
    assert.deepEqual([limited.state, seen()], ['limit', before]);
    const strict = made.length > 0;
    const refused = await resume({ in: options.to, maxRejects: strict ? 2 : 0 });
    if (strict) assert.deepEqual([refused.state, seen()], ['reject_limit', before]);
    const report = strict ? await resume({ in: options.to, maxRejects: 3 }) : refused;
    assert.deepEqual([report.state, report.counts.written, seen()], ['done', strict ? 297 : 300, (strict ? 297 : 300) + Number(before)]);
    await assertSettled(file, 't', `${made.length} statements before`);
  }
  const file = path.join(folder, '2.db');
  const sync: LoadOptions = {
    from: [{ id: 1000, name: 'changed', parent: 1 }],
    to: `sqlite:${file}`,
    table: 't',
    key: ['id'],
    mode: 'sync',
    target: { isAtomic: true },
    label: 's',
  };
  await assert.rejects(load(sync), (error) => isSluiceError(error, 'SLUICE_DELETE_LIMIT') && /Nothing was published/u.test(error.message));
  assert.deepEqual(
    readSql(file, 'SELECT name FROM t WHERE id = 1000').map(({ name }) => name),
    ['stays'],
  );
});

test('a table that appears, fills or vanishes while an atomic load runs is not overwritten, and lost rows are not reported as loaded', async (context) => {
  const folder = makeFolder(context);
  const from = path.join(folder, 'rows.jsonl');
  writeFileSync(from, Array.from({ length: 50 }, (_, id) => `${JSON.stringify({ id })}\n`).join(''));
  const cases = [
    { before: [], meanwhile: [`CREATE TABLE t (id INTEGER PRIMARY KEY)`], code: 'SLUICE_TARGET_FAILED' },
    { before: [`CREATE TABLE t (id INTEGER PRIMARY KEY)`], meanwhile: [`INSERT INTO t VALUES (7)`], code: 'SLUICE_TARGET_FAILED' },
    {
      before: [`CREATE TABLE t (id INTEGER PRIMARY KEY)`, `INSERT INTO t VALUES (99)`],
      meanwhile: [`DROP TABLE t`],
      code: 'SLUICE_TABLE_UNKNOWN',
    },
  ] as const;
  for (const [at, { before, meanwhile, code }] of cases.entries()) {
    const file = path.join(folder, `${at}.db`);
    if (before.length > 0) runSql(file, ...before);
    await load({ from, to: `sqlite:${file}`, table: 't', key: ['id'], limit: 20, maxBatchRows: 10, target: { isAtomic: true } });
    runSql(file, ...meanwhile);
    await assert.rejects(resume({ in: `sqlite:${file}` }), { code });
  }
  const file = path.join(folder, 'dropped.db');
  await load({ from, to: `sqlite:${file}`, table: 't', key: ['id'], limit: 20, maxBatchRows: 10, target: { isAtomic: true } });
  const [waiting] = readSql(file, `SELECT name FROM sqlite_schema WHERE name LIKE 'sluice_new_%'`);
  runSql(file, `DROP TABLE "${String(waiting?.['name'])}"`);
  await assert.rejects(resume({ in: `sqlite:${file}` }), { code: 'SLUICE_TABLE_UNKNOWN' });
});

test('the plan says how an atomic load becomes visible, and that indexes stay for readers', async (context) => {
  const folder = makeFolder(context);
  const file = path.join(folder, 't.db');
  runSql(file, ...tables.rowless, `INSERT INTO t VALUES (1, 'a', 1)`);
  const options: LoadOptions = {
    from: [{ id: 5, name: 'x', parent: 1 }],
    to: `sqlite:${file}`,
    table: 't',
    target: { isAtomic: true, indexes: 'rebuild' },
  };
  const told = await plan(options);
  assert.deepEqual(told.problems, []);
  assert.deepEqual(told.table.deferredIndexes, []);
  assert.match(told.decisions.find(({ what }) => what === 'indexes')?.choice ?? '', /inside the transaction/u);
  assert.match(told.decisions.find(({ what }) => what === 'atomic')?.why ?? '', /rows that stay/u);
  await load(options);
  assert.equal(readSql(file, `SELECT 1 FROM sqlite_schema WHERE name = 't_name'`).length, 1);
  assert.match((await plan({ ...options, table: 'other' })).decisions.find(({ what }) => what === 'atomic')?.choice ?? '', /new table/u);
});

const scenarios: readonly Pick<Scenario, 'name' | 'before' | 'options'>[] = [
  { name: 'an atomic load into a new table', before: [], options: { key: ['id'] } },
  {
    name: 'an atomic insert beside rows, some of which are in its way',
    before: [...tables.strict, `CREATE INDEX t_parent ON t (parent)`, `INSERT INTO t VALUES (3, 'three', 1), (9000, 'stays', 2)`],
    options: { key: ['id'], target: { isAtomic: true, indexes: 'rebuild' } },
  },
  {
    name: 'an atomic sync',
    before: [
      ...tables.plain,
      `WITH RECURSIVE c (id) AS (VALUES (0) UNION ALL SELECT id + 1 FROM c WHERE id < 700) INSERT INTO t SELECT id, 'n' || id, id % 7 FROM c`,
    ],
    options: { key: ['id'], mode: 'sync' },
  },
];

for (const { name, before, options } of scenarios) {
  test(`${name}: killed at any moment and taken up again, it ends as if nothing had happened`, async (context) => {
    const random = createRandom(seed + name.length);
    const scenario: Scenario = {
      name,
      table: 't',
      moments: 6,
      delays: 1,
      extension: 'jsonl',
      before,
      options: { maxBatchRows: 60, lanes: 1, shardBytes: 4_000, target: { isAtomic: true }, ...options },
      writeInput: (file) =>
        writeFileSync(
          file,
          Array.from(
            { length: 660 },
            (_, id) => `${JSON.stringify({ id: id === 400 ? 5 : id, name: id % 150 === 149 ? 'bad' : `n${id}`, parent: id % 5 })}\n`,
          ).join(''),
        ),
    };
    const stage = await prepareStage(scenario, makeFolder(context));
    const moments = chooseMoments(stage.calls, random, scenario.moments);
    await runInPairs(
      moments.map(
        (moment) => () => crashAndGoOn(stage, { moment }, `killed ${moment.when} call ${moment.at} of «${moment.call}», seed ${seed}`),
      ),
    );
  });
}
