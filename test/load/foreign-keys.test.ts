/** Foreign keys that are only checked by COMMIT: the orphans of a batch are refused, and nothing else is. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { load } from '../../src/load/load.ts';
import type { LoadMode } from '../../src/target/driver.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { assertSettled, readSql, runSql } from '../fixtures/load-target.ts';

const deferred = 'DEFERRABLE INITIALLY DEFERRED';

interface TreeCase {
  readonly name: string;
  readonly ddl: string;
  readonly mode: LoadMode;
  readonly key?: readonly string[];
}

const trees: readonly TreeCase[] = [
  {
    name: 'a table with rowids',
    ddl: `CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree (id) ${deferred})`,
    mode: 'insert',
  },
  {
    name: 'a table without rowids',
    ddl: `CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree ${deferred}) WITHOUT ROWID`,
    mode: 'insert',
  },
  {
    name: 'an upsert',
    ddl: `CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree ${deferred})`,
    mode: 'upsert',
    key: ['id'],
  },
  {
    name: 'a table whose key is not the primary one',
    ddl: `CREATE TABLE tree (id INTEGER UNIQUE, up INTEGER REFERENCES tree (id) ${deferred})`,
    mode: 'insert',
  },
];

async function loadTree(
  context: TestContext,
  tree: TreeCase,
  rows: readonly object[],
): Promise<{ readonly target: string; readonly rejected: readonly unknown[] }> {
  const folder = makeFolder(context);
  const target = path.join(folder, 'target.db');
  const input = path.join(folder, 'rows.jsonl');
  writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  runSql(target, tree.ddl);
  const report = await load({ from: input, to: `sqlite:${target}`, table: 'tree', mode: tree.mode, key: tree.key });
  assert.equal(report.state, 'done');
  await assertSettled(target, 'tree');
  return { target, rejected: readSql(target, 'SELECT shard_row AS row, code FROM sluice_rejects ORDER BY shard_row') };
}

for (const tree of trees) {
  test(`${tree.name}: a child may stand before its parent in a batch, and orphans, with all that hangs from them, are refused`, async (context) => {
    const rows = [
      { id: 1, up: 3 },
      { id: 2, up: 99 },
      { id: 3, up: null },
      { id: 4, up: 2 },
      { id: 5, up: 4 },
      { id: 6, up: 1 },
    ];
    const { target, rejected } = await loadTree(context, tree, rows);
    assert.deepEqual(
      readSql(target, 'SELECT id FROM tree ORDER BY id').map((row) => row['id']),
      [1n, 3n, 6n],
    );
    assert.deepEqual(
      rejected,
      [1n, 3n, 4n].map((row) => ({ row, code: 'REFUSED_FOREIGN_KEY' })),
    );
  });

  test(`${tree.name}: a batch without orphans is written whole`, async (context) => {
    const rows = Array.from({ length: 300 }, (_, row) => ({ id: row, up: 299 - row }));
    const { target, rejected } = await loadTree(context, tree, rows);
    assert.deepEqual(rejected, []);
    assert.equal(readSql(target, 'SELECT * FROM tree').length, 300);
  });
}

test('a composite deferred key refuses the rows without a parent and takes those with a null in it', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'target.db');
  runSql(
    target,
    'CREATE TABLE "par ent" (a TEXT, "b""" INTEGER, PRIMARY KEY (a, "b"""))',
    `INSERT INTO "par ent" VALUES ('x', 1)`,
    `CREATE TABLE child (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, FOREIGN KEY (a, b) REFERENCES "par ent" ${deferred})`,
  );
  const rows = [
    { id: 1, a: 'x', b: 1 },
    { id: 2, a: 'x', b: 2 },
    { id: 3, a: null, b: 2 },
    { id: 4, a: 'y', b: 1 },
  ];
  const report = await load({ from: rows, to: `sqlite:${target}`, table: 'child' });
  assert.deepEqual(report.counts, { read: 4, written: 2, skipped: 0, rejected: 2 });
  assert.deepEqual(
    readSql(target, 'SELECT id FROM child').map((row) => row['id']),
    [1n, 3n],
  );
  await assertSettled(target, 'child');
});

test('replacing a table whose rows others refer to keeps the old one when a reference would break, and goes on once it is mended', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'target.db');
  const input = path.join(folder, 'rows.jsonl');
  writeFileSync(input, '{"id":1}\n{"id":2}\n');
  runSql(
    target,
    'CREATE TABLE parent (id INTEGER PRIMARY KEY)',
    'INSERT INTO parent VALUES (1), (7)',
    'CREATE TABLE child (id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent)',
    'INSERT INTO child VALUES (1, 1), (2, 7)',
  );
  const options = { from: input, to: `sqlite:${target}`, table: 'parent', mode: 'replace' } as const;
  await assert.rejects(load(options), { code: 'SLUICE_TARGET_FAILED' });
  assert.deepEqual(
    readSql(target, 'SELECT id FROM parent').map((row) => row['id']),
    [1n, 7n],
  );
  runSql(target, 'DELETE FROM child WHERE id = 2');
  const report = await load(options);
  assert.equal(report.state, 'done');
  assert.deepEqual(
    readSql(target, 'SELECT id FROM parent').map((row) => row['id']),
    [1n, 2n],
  );
  assert.deepEqual(readSql(target, 'SELECT * FROM child').length, 1);
  await assertSettled(target, 'parent');
});

test('a table that refers to itself is not replaced, and the plan says so', async (context) => {
  const target = path.join(makeFolder(context), 'target.db');
  runSql(target, 'CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES "Tree")');
  await assert.rejects(load({ from: [{ id: 1, up: null }], to: `sqlite:${target}`, table: 'tree', mode: 'replace' }), {
    code: 'SLUICE_PLAN_REFUSED',
  });
  assert.deepEqual(readSql(target, `SELECT name FROM sqlite_schema WHERE name LIKE 'sluice%'`), []);
});
