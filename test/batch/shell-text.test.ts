/** Files that only a database's own shell understands are refused on the line that tells it; of rows of COPY before anything is run. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { batchFile } from '../../src/batch/batch-file.ts';
import { findShellText } from '../../src/batch/shell-text.ts';
import { isSluiceError, type SluiceError } from '../../src/errors.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql, runSql } from '../fixtures/load-target.ts';

async function fail(work: Promise<unknown>): Promise<SluiceError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(isSluiceError(error, 'SLUICE_SOURCE_INVALID'), String(error));
  return error;
}

test('rows of COPY in a dump are found before anything is run, whatever stands in front of them', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'a.db');
  const from = path.join(folder, 'dump.sql');
  runSql(target, 'CREATE TABLE t (id INTEGER)');
  const inserts = 'INSERT INTO t VALUES (1);\n'.repeat(20_000);
  writeFileSync(from, `${inserts}-- data\nCOPY public.t (id)\n  FROM stdin WITH (FORMAT text);\n1\n2\n\\.\n\n${inserts}`);
  const { message, hint } = await fail(batchFile({ from, to: `sqlite:${target}` }));
  assert.match(message, /dump\.sql, line 20002: COPY … FROM STDIN/);
  assert.match(hint ?? '', /^Nothing was run now\..*sluice load/);
  assert.deepEqual(readSql(target, `SELECT count(*) AS n FROM t`), [{ n: 0n }]);
  const stream = (async function* (): AsyncGenerator<string> {
    yield 'INSERT INTO t VALUES (1);COPY t FROM STDIN;\n1\n\\.\n';
  })();
  assert.match((await fail(batchFile({ from: stream, format: 'sql', to: `sqlite:${target}` }))).message, /stream, line 1: COPY/);
  assert.deepEqual(readSql(target, `SELECT count(*) AS n FROM t`), [{ n: 1n }], 'a stream can be read only once');
});

test('a line of a text that looks like the end of such rows is no reason to refuse a file', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'a.db');
  const from = path.join(folder, 'a.sql');
  runSql(target, 'CREATE TABLE t (x TEXT)');
  writeFileSync(from, `INSERT INTO t VALUES ('\nCOPY t FROM stdin;\n\\.\n'); /*\n\\.\n*/ INSERT INTO t VALUES (2)`);
  assert.equal((await batchFile({ from, to: `sqlite:${target}` })).counts.applied, 2);
});

test('commands of psql and sqlite3 are told from statements', () => {
  for (const dialect of ['sqlite', 'postgres'] as const) {
    assert.match(findShellText('\\restrict x\n\nSET y = 1', dialect)?.what ?? '', /^\\restrict is a command of psql/);
    assert.match(findShellText('.mode csv\nSELECT 1', dialect)?.what ?? '', /^\.mode is a command of the sqlite3 shell/);
    assert.notEqual(findShellText('copy t(a) from stdin', dialect), undefined);
    for (const sql of ['COPY t TO stdout', "COPY t FROM 'stdin'", 'CREATE TABLE stdin (x)', 'COPYING from stdin', 'SELECT 1'])
      assert.equal(findShellText(sql, dialect), undefined, sql);
  }
});

test('a file that ends inside a quote is refused there, after what stood before it was run', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'a.db');
  const from = path.join(folder, 'a.sql');
  runSql(target, 'CREATE TABLE t (x TEXT)');
  const to = `sqlite:${target}`;
  writeFileSync(from, `INSERT INTO t VALUES (1);\nINSERT INTO t VALUES ('two; INSERT INTO t VALUES (3);\n`);
  assert.match((await fail(batchFile({ from, to }))).message, /a\.sql, line 2: the file ends inside a quote/);
  writeFileSync(from, `INSERT INTO t VALUES (1);\nINSERT INTO t VALUES ('two'); INSERT INTO t VALUES (3) -- the "end`);
  assert.equal((await batchFile({ from, to })).counts.applied, 3);
  assert.deepEqual(readSql(target, `SELECT x FROM t`), [{ x: '1' }, { x: 'two' }, { x: '3' }]);
});
