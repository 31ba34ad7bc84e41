/** A file that only reads needs no ledger: it runs where sluice may not write, and nothing that may write does. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { batchFile } from '../../src/batch/batch-file.ts';
import type { FileAnswer } from '../../src/batch/options.ts';
import { isSluiceError } from '../../src/errors.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { createDatabase, readSql, runSql, skipReason } from '../postgres/server.ts';

test(
  'PostgreSQL: a role that may only read runs a file of reads, and a write among them is refused before its unit',
  { skip: skipReason },
  async (context) => {
    const database = await createDatabase();
    const role = `reader_${String(process.pid)}`;
    context.after(async () => {
      await database.dispose();
      await runSql(process.env['DATABASE_URL'] ?? '', `DROP ROLE IF EXISTS ${role}`);
    });
    await runSql(
      database.url,
      `DROP ROLE IF EXISTS ${role}`,
      `CREATE ROLE ${role} LOGIN PASSWORD 'reader'`,
      'REVOKE CREATE ON SCHEMA public FROM public',
      'CREATE TABLE t (id INTEGER PRIMARY KEY)',
      'INSERT INTO t VALUES (1), (2), (3)',
      'CREATE SEQUENCE s',
      `GRANT SELECT, INSERT ON t TO ${role}`,
      `GRANT USAGE, SELECT ON s TO ${role}`,
    );
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'reader'];
    const to = url.href;
    const folder = makeFolder(context);
    const from = path.join(folder, 'a.sql');
    const statusFile = path.join(folder, 's.jsonl');
    writeFileSync(from, `SELECT id FROM t;\nSELECT nextval('s');\nSELECT nowhere;\nSELECT count(*) AS n FROM t`);
    const told: FileAnswer[] = [];
    const report = await batchFile({ from, to, unit: 3, statusFile, onAnswers: (answers) => void told.push(...answers) });
    assert.deepEqual(
      told.map((answer) => [answer.index, answer.line, answer.status]),
      [
        [0, 1, 'applied'],
        [1, 2, 'error'],
        [2, 3, 'error'],
        [3, 4, 'applied'],
      ],
    );
    assert.deepEqual([report.state, report.isBalanced, report.counts.read, report.counts.errors], ['done', true, 4, 2]);
    assert.deepEqual(
      readFileSync(statusFile, 'utf8')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as FileAnswer).index),
      [0, 1, 2, 3],
    );
    assert.deepEqual(
      await readSql(database.url, 'SELECT is_called FROM s'),
      [{ is_called: false }],
      'what a function would write is refused',
    );
    writeFileSync(from, 'SELECT id FROM t;\nINSERT INTO t VALUES (4);\n');
    await assert.rejects(batchFile({ from, to }), (error: unknown) => {
      assert.ok(isSluiceError(error, 'SLUICE_TARGET_DENIED'), String(error));
      assert.match(error.problems[0] ?? '', /the statement on line 2 of .*a\.sql is not one that only reads/);
      return true;
    });
    assert.deepEqual(await readSql(database.url, 'SELECT count(*)::int AS n FROM t'), [{ n: 3 }]);
  },
);
