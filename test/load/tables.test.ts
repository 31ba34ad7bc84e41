/** Tables with rules of their own: whatever a table does to single rows, a load in batches does the same, counts every row, and `verify` agrees. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import type { LoadMode } from '../../src/target/driver.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { loadRowByRow, type SampleRow } from '../fixtures/load-oracle.ts';
import { assertSettled, readSql, readTables, runSql } from '../fixtures/load-target.ts';
import { createRandom } from '../simulate/random.ts';

interface TableCase {
  readonly promise: string;
  readonly ddl: readonly string[];
  readonly table?: string;
  readonly key?: readonly string[];
  readonly modes?: readonly LoadMode[];
  /** Other columns than id, name, age. */
  readonly makeRow?: (row: number, chance: ReturnType<typeof createRandom>) => SampleRow;
}

const people = (columns: string, rest = ''): string => `CREATE TABLE people (${columns})${rest}`;
const plain = 'id INTEGER PRIMARY KEY, name TEXT, age INTEGER';
const both: readonly LoadMode[] = ['insert', 'upsert', 'skip', 'replace'];

const cases: readonly TableCase[] = [
  { promise: 'a plain table', ddl: [people(plain), `INSERT INTO people VALUES (3, 'old', 1)`], modes: both },
  {
    promise: 'a table with CHECK and NOT NULL',
    ddl: [people('id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER CHECK (age < 60)')],
    modes: both,
  },
  { promise: 'a second UNIQUE column', ddl: [people('id INTEGER PRIMARY KEY, name TEXT UNIQUE, age INTEGER')], modes: both },
  {
    promise: 'a unique index over an expression',
    ddl: [people(plain), 'CREATE UNIQUE INDEX low ON people (lower(name))'],
    modes: ['insert', 'skip'],
  },
  { promise: 'a partial unique index', ddl: [people(plain), 'CREATE UNIQUE INDEX part ON people (name) WHERE age > 30'] },
  { promise: 'a table WITHOUT ROWID', ddl: [people('id TEXT PRIMARY KEY, name TEXT, age INTEGER', ' WITHOUT ROWID')], modes: both },
  { promise: 'a STRICT table', ddl: [people(plain, ' STRICT')], modes: both },
  { promise: 'AUTOINCREMENT', ddl: [people('id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, age INTEGER')], modes: both },
  {
    promise: 'a composite key',
    ddl: [people('id INTEGER NOT NULL, name TEXT NOT NULL, age INTEGER, PRIMARY KEY (name, id)')],
    key: ['name', 'id'],
    modes: both,
  },
  {
    promise: 'a key that does not tell cases apart',
    ddl: [people('name TEXT COLLATE NOCASE PRIMARY KEY, id INTEGER, age INTEGER')],
    key: ['name'],
    modes: both,
    makeRow: (row, random) => ({ name: random.pick(['ann', 'Ann', 'bob', 'BOB', 'cy', `x${row}`]), id: row, age: row % 50 }),
  },
  {
    promise: 'a key of numbers written in different ways',
    ddl: [people('amount NUMERIC PRIMARY KEY, id INTEGER')],
    key: ['amount'],
    modes: both,
    makeRow: (row, random) => ({ amount: random.pick(['1', '1.0', '1.00', '2.5', '2.50', `${row}`]), id: row }),
  },
  { promise: 'generated columns', ddl: [people(`${plain}, double INTEGER AS (age * 2) STORED, half REAL AS (age / 2.0)`)], modes: both },
  {
    promise: 'a foreign key',
    ddl: [
      'CREATE TABLE houses (id INTEGER PRIMARY KEY)',
      'INSERT INTO houses VALUES (1), (2), (3), (10), (20)',
      people('id INTEGER PRIMARY KEY, name TEXT, age INTEGER REFERENCES houses'),
    ],
    modes: both,
  },
  { promise: 'ON CONFLICT IGNORE', ddl: [people('id INTEGER PRIMARY KEY ON CONFLICT IGNORE, name TEXT, age INTEGER CHECK (age < 60)')] },
  {
    promise: 'ON CONFLICT REPLACE',
    ddl: [people('id INTEGER PRIMARY KEY ON CONFLICT REPLACE, name TEXT, age INTEGER')],
    modes: ['insert', 'replace'],
  },
  {
    promise: 'a second column with ON CONFLICT REPLACE',
    ddl: [people('id INTEGER PRIMARY KEY, name TEXT UNIQUE ON CONFLICT REPLACE, age INTEGER')],
    modes: both,
  },
  {
    promise: 'ON CONFLICT ROLLBACK',
    ddl: [people('id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK, name TEXT NOT NULL ON CONFLICT ROLLBACK, age INTEGER')],
  },
  { promise: 'ON CONFLICT FAIL', ddl: [people('id INTEGER PRIMARY KEY ON CONFLICT FAIL, name TEXT, age INTEGER')] },
  ...['IGNORE', `ABORT, 'too old'`, `FAIL, 'too old'`, `ROLLBACK, 'too old'`].flatMap((raise) =>
    ['BEFORE', 'AFTER'].map((when): TableCase => ({
      promise: `a trigger that does RAISE(${raise.split(',')[0] ?? ''}) ${when} INSERT`,
      ddl: [
        people(plain),
        'CREATE TABLE audit (id INTEGER)',
        `CREATE TRIGGER watch ${when} INSERT ON people BEGIN INSERT INTO audit VALUES (new.id); SELECT RAISE(${raise}) WHERE new.age > 40; END`,
      ],
      modes: raise === 'IGNORE' ? ['insert'] : ['insert', 'upsert', 'skip'],
    })),
  ),
  {
    promise: 'a trigger that writes into a table with ON CONFLICT FAIL',
    ddl: [
      people(plain),
      'CREATE TABLE names (name TEXT UNIQUE ON CONFLICT FAIL)',
      'CREATE TRIGGER note AFTER INSERT ON people BEGIN INSERT INTO names VALUES (new.name); END',
    ],
  },
  {
    promise: 'a trigger that deletes and adds rows of the same table',
    ddl: [
      people(plain),
      `CREATE TRIGGER tidy AFTER INSERT ON people WHEN new.age > 40 BEGIN DELETE FROM people WHERE age < 5; INSERT INTO people (name) VALUES ('by trigger'); END`,
    ],
    makeRow: (row, random) => ({ id: 1_000_000 + row * 10_000, name: `n${row}`, age: random.between(0, 60) }),
  },
  {
    promise: 'odd names',
    ddl: [`CREATE TABLE "or""der by; 東" ("a""b" INTEGER PRIMARY KEY, "se lect" TEXT, "naïve [x]" INTEGER CHECK ("naïve [x]" < 60))`],
    table: 'or"der by; 東',
    key: ['a"b'],
    modes: both,
    makeRow: (row, random) => ({ 'a"b': random.between(0, row + 5), 'se lect': `n${row}`, 'naïve [x]': random.between(0, 70) }),
  },
  {
    promise: 'a name that is a keyword',
    ddl: ['CREATE TABLE "group" (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)', 'CREATE INDEX "order" ON "group" (name)'],
    table: 'group',
    modes: both,
  },
];

function makePerson(row: number, random: ReturnType<typeof createRandom>): SampleRow {
  return {
    id: random.chance(0.2) ? random.between(0, row) : row + 1000,
    name: random.chance(0.1) ? null : random.chance(0.2) ? `N${random.between(0, 9)}` : `n${row}`,
    age: random.chance(0.1) ? null : random.between(0, 70),
  };
}

test('a column that SQLite makes numbers of takes what stays exact, and refuses the rest', async (context) => {
  const target = path.join(makeFolder(context), 'target.db');
  runSql(target, 'CREATE TABLE t (id INTEGER PRIMARY KEY, amount NUMERIC, data JSON, ratio DOUBLE)');
  const exact = ['1.10', '-0.125', '9007199254740993', '-9223372036854775808', '123456789012345'];
  const inexact = ['9223372036854775808', '0.1234567890123456', '12345678901234.567'];
  const rows = [...exact, ...inexact].map((amount, id) => ({ id, amount }));
  const report = await load({ from: rows, to: `sqlite:${target}`, table: 't' });
  assert.deepEqual(report.counts, { read: 8, written: 5, skipped: 0, rejected: 3 });
  assert.deepEqual(
    readSql(target, 'SELECT amount FROM t ORDER BY id').map(({ amount }) => String(amount)),
    ['1.1', '-0.125', '9007199254740993', '-9223372036854775808', '123456789012345'],
  );
  const lines = [
    '{"id":100,"data":[1.00000000000000000001]}',
    '{"id":101,"data":12345678901234567890}',
    '{"id":102,"data":1e999}',
    '{"id":103,"data":7}',
  ];
  const input = path.join(path.dirname(target), 'rows.jsonl');
  writeFileSync(input, lines.join('\n'));
  const second = await load({ from: input, to: `sqlite:${target}`, table: 't' });
  assert.deepEqual(second.counts, { read: 4, written: 2, skipped: 0, rejected: 2 });
  assert.deepEqual([...new Set(second.rejectsByCause.map(({ code }) => code))], ['VALUE_INEXACT']);
});

for (const [index, one] of cases.entries()) {
  for (const mode of one.modes ?? ['insert']) {
    test(`${one.promise}: mode ${mode} in batches does what single rows would do`, async (context) => {
      const folder = makeFolder(context);
      const random = createRandom(index * 31 + mode.length);
      const rows = Array.from({ length: 220 }, (_, row) => (one.makeRow ?? makePerson)(row, random));
      const table = one.table ?? 'people';
      const key = one.key ?? ['id'];
      const expected = path.join(folder, 'expected.db');
      const input = path.join(folder, 'rows.jsonl');
      const counts = loadRowByRow(expected, { ddl: one.ddl, table, mode, key, rows });
      writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      // Once with many small shards, and once with batches that fill whole statements.
      for (const shardBytes of [600, 100_000]) {
        const found = path.join(folder, `found-${shardBytes}.db`);
        runSql(found, ...one.ddl);
        const named = mode === 'insert' || mode === 'replace' ? undefined : key;
        const report = await load({ from: input, to: `sqlite:${found}`, table, mode, key: named, shardBytes, lanes: 1 });
        assert.deepEqual(readTables(found), readTables(expected));
        const { read, ...became } = report.counts;
        assert.equal(read, rows.length);
        assert.deepEqual(became, counts);
        await assertSettled(found, table);
      }
    });
  }
}
