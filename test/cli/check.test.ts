/** `sluice plan --check` and `sluice preview` as a person and a program see them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runSluice } from './process.ts';

const rows = 'id,name,age\n1,a,3\n2,b,x\n3,c,\n2,dd,9\n1,e,1\n007,g,04\n5,f\n';

test('plan --check lists every bad row and every doubled key, ends with 3 and writes nothing', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'rows.csv'), rows);
  const where = ['--to', `sqlite:${path.join(folder, 'none.db')}`, '--table', 't', '--key', 'id', '--column', 'age:integer'];
  const { exitCode, stdout } = await runSluice(['plan', path.join(folder, 'rows.csv'), ...where, '--check', '--column', 'id:integer']);
  assert.equal(exitCode, 3);
  assert.match(stdout, /1 × VALUE_FORMAT in age/u);
  assert.match(stdout, /1 × ROW_FIELD_COUNT.*\n\s+line 8/u);
  assert.match(stdout, /1 row with a key \(id\) that an earlier row has\n\s+row 5 as row 1/u);
  assert.match(stdout, /7 rows read: 2 bad, 1 with a key that came before; nothing was written/u);
  assert.equal(existsSync(path.join(folder, 'none.db')), false);
});

test('a check of good rows ends with 0, and as JSON it is the report of the library', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'rows.csv'), 'id,name\n1,a\n2,b\n');
  const where = ['--to', `sqlite:${path.join(folder, 'none.db')}`, '--table', 't', '--key', 'id'];
  const { exitCode, stdout } = await runSluice(['plan', path.join(folder, 'rows.csv'), ...where, '--check', '--json']);
  assert.equal(exitCode, 0);
  const report = JSON.parse(stdout) as { readonly schema: number; readonly counts: unknown };
  assert.equal(report.schema, 1);
  assert.deepEqual(report.counts, { read: 2, fit: 2, rejected: 0, duplicates: 0 });
});

test('plan --check --write writes the load that was checked, and a file that is there is told before anything is read', async (context) => {
  const folder = makeFolder(context);
  const [input, file] = [path.join(folder, 'rows.csv'), path.join(folder, 'load.yaml')];
  writeFileSync(input, 'id,name\n1,a\n2,b\n');
  const args = ['plan', input, '--to', `sqlite:${path.join(folder, 'none.db')}`, '--table', 't', '--check', '--write', file];
  assert.equal((await runSluice(args)).exitCode, 0);
  assert.match(readFileSync(file, 'utf8'), /^table: t$/mu);
  const again = await runSluice(args);
  assert.equal(again.exitCode, 2);
  assert.match(again.stderr, /is there already.*\n.*--force/u);
  assert.doesNotMatch(again.stderr, /2 rows/u);
});

test('options of a check without --check are refused', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'rows.csv'), 'id\n1\n');
  const { exitCode, stderr } = await runSluice([
    'plan',
    path.join(folder, 'rows.csv'),
    '--to',
    'sqlite:x.db',
    '--table',
    't',
    '--positions',
    '3',
  ]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /--positions: only with --check/u);
});

test('preview shows values as they would be stored, those that change with what they were, and what would be rejected', async (context) => {
  const folder = makeFolder(context);
  writeFileSync(path.join(folder, 'rows.csv'), rows);
  const where = ['--to', `sqlite:${path.join(folder, 'none.db')}`, '--table', 't', '--column', 'id:integer', '--column', 'age:integer'];
  const { exitCode, stdout } = await runSluice(['preview', path.join(folder, 'rows.csv'), ...where]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /7 ≠ 007\s+g\s+4 ≠ 04/u);
  assert.match(stdout, /row 2 \(line 3\): VALUE_FORMAT in age/u);
  assert.match(stdout, /7 rows; 2 values changed on the way .*; 2 would be rejected; nothing was written/u);
  assert.equal(existsSync(path.join(folder, 'none.db')), false);
});

test('without a table the input is looked at alone, and what that means is said', async (context) => {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.csv');
  writeFileSync(input, rows);
  const checked = await runSluice(['plan', input, '--check', '--key', 'id', '--column', 'age:integer', '--column', 'id:integer']);
  assert.equal(checked.exitCode, 3);
  assert.match(checked.stdout, /target +none, as a new table would have it/u);
  assert.match(checked.stdout, /No table was named: .*a new table would give them/u);
  assert.match(checked.stdout, /7 rows read: 2 bad, 1 with a key that came before; nothing was written/u);
  const shown = await runSluice(['preview', input, '-n', '1']);
  assert.equal(shown.exitCode, 0);
  assert.match(shown.stdout, /row +id text +name text +age text/u);
  assert.match(shown.stdout, /No table was named/u);
  assert.deepEqual(readdirSync(folder), ['rows.csv']);
});

test('one of --to and --table needs the other, and a file to write the load into needs both', async (context) => {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.csv');
  writeFileSync(input, rows);
  const missing = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stderr } = await runSluice([...args]);
    assert.equal(exitCode, 2);
    return stderr;
  };
  assert.match(await missing('preview', input, '--to', 'sqlite:x.db'), /--table is missing/u);
  assert.match(await missing('plan', input, '--check', '--table', 't'), /--to is missing/u);
  assert.match(
    await missing('plan', input, '--check', '--write', path.join(folder, 'load.yaml')),
    /--to is missing[^]*--table is missing/u,
  );
  assert.match(await missing('plan', input), /--to is missing/u);
});
