/** The contract of a load with a table that exists: columns are added, widened or refused as asked, before the first row, and everything is told. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { assertSettled, readSql, runSql } from '../fixtures/load-target.ts';

const people = [`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)`, `INSERT INTO t VALUES (1, 'old', 7)`];
const tell = (decisions: readonly { readonly what: string; readonly choice: string }[], what: string): readonly string[] =>
  decisions.filter((one) => one.what === what).map(({ choice }) => choice);

test('fields without a column are added with their types, also those that the load fills itself, and rows that were there keep null', async (context) => {
  const folder = makeFolder(context);
  for (const more of [{}, { mode: 'upsert', target: { isAtomic: true } }, { mode: 'replace' }] as const) {
    const file = path.join(folder, `${JSON.stringify(more).length}.db`);
    runSql(file, ...people);
    const options: LoadOptions = {
      from: [{ id: 2, name: 'new', n: 1, born: '2020-01-02', tags: [1, 2, 3] }],
      to: `sqlite:${file}`,
      table: 't',
      key: ['id'],
      embed: { column: 'name', with: 'hash', dimensions: 16, into: 'meaning' },
      provenance: true,
      onNewColumn: 'add',
      ...more,
    };
    const told = await plan(options);
    assert.deepEqual(told.problems, []);
    assert.deepEqual(readSql(file, `SELECT name FROM pragma_table_info('t')`).length, 3, 'a plan changes nothing');
    const report = await load(options);
    assert.deepEqual(tell(report.decisions, 'column added'), tell(told.decisions, 'column added'));
    assert.deepEqual(tell(report.decisions, 'column added'), [
      'born, date',
      'tags, vector(3)',
      'meaning, vector(16)',
      'sluice_load, text',
      'sluice_file, text',
      'sluice_line, integer',
    ]);
    const rows = readSql(
      file,
      'SELECT id, born, length(tags) AS tags, length(meaning) AS meaning, sluice_load IS NULL AS old FROM t ORDER BY id',
    );
    const added = { id: 2n, born: '2020-01-02', tags: 12n, meaning: 64n, old: 0n };
    assert.deepEqual(rows, more.mode === 'replace' ? [added] : [{ id: 1n, born: null, tags: null, meaning: null, old: 1n }, added]);
    await assertSettled(file, 't', JSON.stringify(more));
  }
});

test('refuse: a field of the sample stops the plan, one beyond it makes a reject with its place and row', async (context) => {
  const folder = makeFolder(context);
  const file = path.join(folder, 't.db');
  runSql(file, ...people);
  const options: LoadOptions = { from: [{ id: 2, late: 1 }], to: `sqlite:${file}`, table: 't', onNewColumn: 'refuse' };
  assert.match((await plan(options)).problems.join(), /no column for late/u);
  const input = path.join(folder, 'rows.jsonl');
  const rows = Array.from({ length: 40_000 }, (_, id) =>
    JSON.stringify(id === 9_000 ? { id: 10_000 + id, late: 'x' } : { id: 10_000 + id, name: 'a name that fills the file' }),
  );
  writeFileSync(input, `${rows.join('\n')}\n`);
  const report = await load({ ...options, from: input });
  assert.deepEqual(report.counts, { read: 40_000, written: 39_999, skipped: 0, rejected: 1 });
  const [reject] = readSql(file, 'SELECT code, class, row_number, raw FROM sluice_reject_places');
  assert.deepEqual(reject, { code: 'FIELD_UNKNOWN', class: 'unfit', row_number: 9_001n, raw: rows[9_000] });
  await assertSettled(file, 't', 'after a refused field');
});

test('an integer column is widened for what the sample holds where nothing is lost, and refused with the reason where something would be', async (context) => {
  const folder = makeFolder(context);
  const widen = async (before: readonly string[], n: unknown): Promise<readonly string[]> => {
    const file = path.join(folder, 't.db');
    runSql(file, 'DROP TABLE IF EXISTS t', 'DROP VIEW IF EXISTS v', ...people, ...before);
    const options: LoadOptions = { from: [{ id: 2, name: 'b', n }], to: `sqlite:${file}`, table: 't', onTypeChange: 'widen', again: true };
    const told = await plan(options);
    if (told.problems.length > 0) return told.problems;
    const report = await load(options);
    assert.equal(report.counts.written, 1);
    return [
      ...tell(report.decisions, 'column widened'),
      ...readSql(file, 'SELECT typeof(n) AS type, n FROM t ORDER BY id').map(({ type, n: value }) => `${String(type)} ${String(value)}`),
    ];
  };
  assert.deepEqual(await widen([], 3.5), ['n, INTEGER to real', 'real 7', 'real 3.5']);
  assert.deepEqual(await widen([], 'seven'), ['n, INTEGER to text', 'text 7', 'text seven']);
  assert.deepEqual(await widen([], 8), ['integer 7', 'integer 8']);
  assert.match((await widen(['CREATE VIEW v AS SELECT n FROM t'], 3.5)).join(), /can't be widened from INTEGER: views may read it \(v\)/u);
  assert.match((await widen(['CREATE INDEX t_n ON t (n)'], 3.5)).join(), /indexes stand on it \(t_n\)/u);
  assert.match((await widen([`INSERT INTO t VALUES (9, 'big', ${2n ** 60n})`], 3.5)).join(), /too large for a double/u);
});
