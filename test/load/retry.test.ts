/** Refused rows again: from what the ledger kept, or from a mended file; each row is accounted for once, in the parent or in the child. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { resume, retry } from '../../src/load/resume.ts';
import { rejects } from '../../src/load/control/status.ts';
import type { LoadOptions, RejectRecord } from '../../src/load/options.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { assertSettled, readSql, runSql } from '../fixtures/load-target.ts';

interface Place {
  readonly folder: string;
  readonly target: string;
  readonly options: LoadOptions;
}

const strict = `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT CHECK (name <> 'odd'), age INTEGER)`;

/** 200 rows: every tenth is refused by the table, every twentieth has an age that is no number, two can't be read. */
function makePlace(context: TestContext, extension: 'csv' | 'jsonl'): Place {
  const folder = makeFolder(context);
  const target = path.join(folder, 'target.db');
  const input = path.join(folder, `rows.${extension}`);
  const rows = Array.from({ length: 200 }, (_, row) => ({
    id: row,
    name: row % 10 === 0 ? 'odd' : `name, "${row}"`,
    age: row % 20 === 3 ? 'old' : row,
  }));
  const lines =
    extension === 'jsonl'
      ? [...rows.map((row) => JSON.stringify(row)), '{"id": 900,', 'nonsense']
      : [
          'id,name,age',
          ...rows.map(({ id, name, age }) => `${id},"${name.replaceAll('"', '""')}",${age}`),
          '900,a,1,2',
          '901,"never closed',
        ];
  writeFileSync(input, lines.join('\n'));
  runSql(target, strict);
  return {
    folder,
    target,
    options: { from: input, to: `sqlite:${target}`, table: 'people', key: ['id'], maxBatchRows: 30, shardBytes: 700, lanes: 1 },
  };
}

/** Lets the table take the rows that it refused. */
function loosen(target: string): void {
  runSql(
    target,
    'ALTER TABLE people RENAME TO old',
    'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)',
    'INSERT INTO people SELECT * FROM old',
    'DROP TABLE old',
  );
}

async function collect(target: string, name?: string): Promise<readonly RejectRecord[]> {
  return Array.fromAsync(rejects({ in: `sqlite:${target}`, load: name }));
}

for (const extension of ['csv', 'jsonl'] as const) {
  test(`${extension}: rows that the table refused are loaded once it takes them, and the others stay refused`, async (context) => {
    const { target, options } = makePlace(context, extension);
    const parent = await load(options);
    assert.deepEqual(parent.counts, { read: 202, written: 170, skipped: 0, rejected: 32 });
    loosen(target);
    const child = await retry({ in: options.to, load: parent.load });
    assert.equal(child.state, 'done');
    // The two that can't be read stay with the parent; the ten without a number are refused again.
    assert.deepEqual(child.counts, { read: 30, written: 20, skipped: 0, rejected: 10 });
    assert.equal((await collect(target, parent.load)).length, 2);
    assert.deepEqual(
      [...new Set((await collect(target, child.load)).map(({ code }) => code))],
      [extension === 'csv' ? 'VALUE_FORMAT' : 'VALUE_TYPE'],
    );
    assert.equal(readSql(target, `SELECT * FROM people WHERE name = 'odd'`).length, 20);
    await assertSettled(target, 'people');
  });

  test(`${extension}: mended rows take the place of refused ones`, async (context) => {
    const { folder, target, options } = makePlace(context, extension);
    const parent = await load(options);
    const mended = path.join(folder, `mended.${extension}`);
    const rows = Array.from({ length: 32 }, (_, row) => ({ id: 10_000 + row, name: 'mended', age: row }));
    const lines =
      extension === 'jsonl' ? rows.map((row) => JSON.stringify(row)) : ['id,name,age', ...rows.map((row) => Object.values(row).join(','))];
    writeFileSync(mended, lines.join('\n'));
    const child = await retry({ in: options.to, load: parent.load, from: mended });
    assert.deepEqual(child.counts, { read: 32, written: 32, skipped: 0, rejected: 0 });
    assert.deepEqual(await collect(target, parent.load), []);
    assert.equal((await retry({ in: options.to, load: parent.load })).state, 'nothing_to_do');
    await assertSettled(target, 'people');
  });
}

test('rows that are refused again can be tried a third time, and the newest load with refused rows is the default', async (context) => {
  const { target, options } = makePlace(context, 'csv');
  await load(options);
  const child = await retry({ in: options.to });
  assert.deepEqual(child.counts, { read: 30, written: 0, skipped: 0, rejected: 30 });
  loosen(target);
  const grandchild = await retry({ in: options.to });
  assert.deepEqual(grandchild.counts, { read: 30, written: 20, skipped: 0, rejected: 10 });
  assert.deepEqual(readSql(target, 'SELECT count(*) AS n FROM sluice_loads WHERE parent IS NOT NULL'), [{ n: 2n }]);
  await assertSettled(target, 'people');
});

test('a retry that was stopped goes on, by retry as by resume, and loads each row once', async (context) => {
  for (const goOn of ['retry', 'resume'] as const) {
    const { target, options } = makePlace(context, 'jsonl');
    const parent = await load(options);
    loosen(target);
    const child = await retry({ in: options.to, load: parent.load, signal: AbortSignal.abort() });
    assert.equal(child.state, 'cancelled');
    assert.equal((await collect(target, parent.load)).length, 2);
    const report = goOn === 'retry' ? await retry({ in: options.to, load: parent.load }) : await resume({ in: options.to });
    assert.equal(report.load, child.load);
    assert.deepEqual(report.counts, { read: 30, written: 20, skipped: 0, rejected: 10 });
    await assertSettled(target, 'people');
  }
});

test('a retry of mended rows that was stopped goes on with their file, and not with the rows as they were', async (context) => {
  const { folder, target, options } = makePlace(context, 'jsonl');
  const parent = await load(options);
  const mended = path.join(folder, 'mended.jsonl');
  writeFileSync(
    mended,
    Array.from({ length: 300 }, (_, row) => `{"id":${5_000 + row},"name":"${row === 0 ? 'odd' : 'even'}","age":1}\n`).join(''),
  );
  const child = await retry({ in: options.to, load: parent.load, from: mended, maxRejects: 0 });
  assert.equal(child.state, 'reject_limit');
  assert.ok(child.counts.read < 300);
  const report = await resume({ in: options.to, load: child.load, maxRejects: 1 });
  assert.deepEqual(report.counts, { read: 300, written: 299, skipped: 0, rejected: 1 });
  await assertSettled(target, 'people');
});

test('without the rows kept there is nothing to try again, and a mended file is asked for', async (context) => {
  const { target, options } = makePlace(context, 'jsonl');
  const parent = await load({ ...options, rejectsWithoutRows: true });
  const kept = await collect(target, parent.load);
  assert.equal(kept.length, 32);
  assert.ok(kept.every(({ raw, isCut }) => raw === null && !isCut));
  await assert.rejects(
    retry({ in: options.to, load: parent.load }),
    (error) => isSluiceError(error, 'SLUICE_USAGE') && error.hint?.includes('--from') === true,
  );
  assert.equal(readSql(target, 'SELECT count(*) AS n FROM sluice_loads')[0]?.['n'], 1n);
});

test('a row that was kept cut is not tried again as if it were whole', async (context) => {
  const folder = makeFolder(context);
  const target = path.join(folder, 'target.db');
  const input = path.join(folder, 'rows.jsonl');
  const long = 'ä'.repeat(60_000);
  writeFileSync(
    input,
    [
      { id: 1, text: 'short' },
      { id: 'x', text: 'kept' },
      { id: 'y', text: long },
    ]
      .map((row) => JSON.stringify(row))
      .join('\n'),
  );
  const options = { from: input, to: `sqlite:${target}`, table: 't', types: { id: 'integer' } } as const;
  const parent = await load(options);
  assert.equal(parent.counts.rejected, 2);
  const [, cut] = await collect(target, parent.load);
  assert.ok(cut?.isCut === true && Buffer.byteLength(cut.raw ?? '') <= 65_536 && !cut.raw?.includes('\ufffd'));
  const child = await retry({ in: options.to, load: parent.load });
  assert.deepEqual(child.counts, { read: 1, written: 0, skipped: 0, rejected: 1 });
  assert.equal((await collect(target, parent.load)).length, 1);
});

test('refused rows are told with line and offset of the whole file, over shards and batches', async (context) => {
  const { target, options } = makePlace(context, 'jsonl');
  await load({ ...options, shardBytes: 300, maxBatchRows: 4 });
  const found = await collect(target);
  assert.deepEqual(
    found.slice(0, 4).map(({ line, row, code }) => ({ line, row, code })),
    [
      { line: 1, row: 1, code: 'REFUSED_CHECK' },
      { line: 4, row: 4, code: 'VALUE_TYPE' },
      { line: 11, row: 11, code: 'REFUSED_CHECK' },
      { line: 21, row: 21, code: 'REFUSED_CHECK' },
    ],
  );
  assert.deepEqual(
    found.slice(-2).map(({ line, row, code, raw }) => ({ line, row, code, raw })),
    [
      { line: 201, row: 201, code: 'ROW_JSON_INVALID', raw: '{"id": 900,' },
      { line: 202, row: 202, code: 'ROW_JSON_INVALID', raw: 'nonsense' },
    ],
  );
});
