/** Statements for which SQLite undoes the whole transaction by itself: each is answered for itself, its neighbours stand, and the ledger says the same. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { batchFile } from '../../src/batch/batch-file.ts';
import type { FileAnswer } from '../../src/batch/options.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql, runSql } from '../fixtures/load-target.ts';

test('of 1,000 statements every second one undoes all: the others are applied once, in order, in one unit', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'a.db');
  const from = path.join(folder, 'a.sql');
  runSql(
    target,
    'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE ON CONFLICT ROLLBACK)',
    `CREATE TRIGGER guard BEFORE INSERT ON t WHEN NEW.n < 0 BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`,
  );
  const values = Array.from({ length: 1_000 }, (_, id) => (id % 4 === 1 ? -1 : id % 4 === 3 ? id - 1 : id));
  writeFileSync(from, values.map((n, id) => `INSERT INTO t VALUES (${id}, ${n});\n`).join(''));
  const told: FileAnswer[] = [];
  const report = await batchFile({ from, to: `sqlite:${target}`, onAnswers: (answers) => void told.push(...answers) });
  assert.deepEqual([report.session.units, report.isBalanced, report.counts.applied, report.counts.errors], [1, true, 500, 500]);
  assert.deepEqual(
    told.map((answer) => (answer.status === 'error' ? answer.error.code : answer.status)),
    values.map((_, id) => (id % 4 === 1 ? 'OTHER' : id % 4 === 3 ? 'UNIQUE' : 'applied')),
  );
  assert.deepEqual(
    readSql(target, 'SELECT id FROM t ORDER BY id').map(({ id }) => Number(id)),
    values.flatMap((_, id) => (id % 2 === 0 ? [id] : [])),
  );
  assert.equal((await verify({ in: `sqlite:${target}` })).isOk, true);
});
