/** The four modes against an oracle of single rows, with keys doubled inside the input, over every border of batch, statement and shard. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import type { LoadMode } from '../../src/target/driver.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { loadRowByRow, type SampleRow } from '../fixtures/load-oracle.ts';
import { assertSettled, readTables, runSql } from '../fixtures/load-target.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`modes test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

const ddl = [
  `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT CHECK (name <> 'bad'), age INTEGER, born INTEGER)`,
  `INSERT INTO people VALUES (1, 'old', 90, 1900), (2, 'old', 91, 1901), (30, 'old', 92, 1902)`,
];

const rowsOf = (length: { minLength: number; maxLength: number }): fc.Arbitrary<SampleRow[]> =>
  fc.array(
    fc.record({
      id: fc.integer({ min: 0, max: 60 }),
      name: fc.constantFrom('a', 'b', 'bad', 'a longer name, with "quotes"\nand a line', null),
      age: fc.option(fc.integer({ min: 0, max: 99 }), { nil: null }),
    }),
    length,
  );

const modes = fc.constantFrom<LoadMode>('insert', 'upsert', 'skip', 'replace');

interface Run {
  readonly rows: readonly SampleRow[];
  readonly mode: LoadMode;
  readonly maxBatchRows: number;
  readonly lanes: number;
  readonly format: 'jsonl' | 'csv';
  /** 256, so that borders of shards are everywhere, or so much that blocks of rows are written by one statement. */
  readonly shardBytes: 256 | 100_000;
  /** Turns of the event loop after which the load is cancelled; never when undefined. */
  readonly cancelAfter?: number | undefined;
}

function writeRows(file: string, { rows, format }: Run): void {
  if (format === 'jsonl') {
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    return;
  }
  const cell = (value: unknown): string => (value === null ? '' : `"${String(value).replaceAll('"', '""')}"`);
  writeFileSync(file, ['id,name,age', ...rows.map((row) => [row['id'], row['name'], row['age']].map(cell).join(','))].join('\n'));
}

/** Loads the rows, cancelling and resuming if asked, and compares table and counts with the oracle's. */
async function compare(folder: string, run: Run, name: string): Promise<void> {
  const expected = path.join(folder, `expected-${name}.db`);
  const found = path.join(folder, `found-${name}.db`);
  const input = path.join(folder, `rows-${name}.${run.format}`);
  const counts = loadRowByRow(expected, { ddl, table: 'people', mode: run.mode, key: ['id'], rows: run.rows });
  writeRows(input, run);
  runSql(found, ...ddl);
  const report = await loadCancelling(run, { input, found });
  assert.equal(report.state, 'done');
  assert.deepEqual(readTables(found), readTables(expected));
  const { read, ...became } = report.counts;
  assert.equal(read, run.rows.length);
  assert.deepEqual(became, counts);
  await assertSettled(found, 'people');
}

async function loadCancelling(run: Run, { input, found }: { readonly input: string; readonly found: string }): ReturnType<typeof load> {
  const cancel = new AbortController();
  const { mode, lanes, maxBatchRows } = run;
  if (run.cancelAfter !== undefined) countDown(run.cancelAfter, () => cancel.abort());
  const options: LoadOptions = {
    from: input,
    to: `sqlite:${found}`,
    table: 'people',
    mode,
    key: ['id'],
    lanes,
    maxBatchRows,
    shardBytes: run.shardBytes,
  };
  try {
    const report = await load({ ...options, signal: cancel.signal });
    return report.state === 'cancelled' ? await resume({ in: options.to }) : report;
  } catch (error) {
    // Cancelled before it was entered, there is no load that could be resumed.
    if (!isSluiceError(error, 'SLUICE_CANCELLED')) throw error;
    return load(options);
  }
}

function countDown(turns: number, then: () => void): void {
  if (turns === 0) then();
  else setImmediate(() => countDown(turns - 1, then));
}

test('any rows in any mode, cut into small batches and shards, end as row by row', async (context) => {
  const folder = makeFolder(context);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        rows: rowsOf({ minLength: 1, maxLength: 250 }),
        mode: modes,
        maxBatchRows: fc.integer({ min: 1, max: 230 }),
        lanes: fc.constant(1),
        shardBytes: fc.constantFrom<256 | 100_000>(256, 100_000),
        format: fc.constantFrom<'jsonl' | 'csv'>('jsonl', 'csv'),
        cancelAfter: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
      }),
      async (run) => {
        await compare(folder, run, String(runs++));
      },
    ),
    { seed, numRuns: 60 },
  );
});

test('any rows in any mode over three lanes end as row by row', async (context) => {
  const folder = makeFolder(context);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(rowsOf({ minLength: 60, maxLength: 250 }), modes, fc.constantFrom(1, 7, 40), async (rows, mode, maxBatchRows) => {
      await compare(folder, { rows, mode, maxBatchRows, lanes: 3, shardBytes: 256, format: 'jsonl' }, String(runs++));
    }),
    { seed, numRuns: 8 },
  );
});

test('a refused row does not stand in the way of a later one with its key, in any mode', async (context) => {
  const folder = makeFolder(context);
  const rows = Array.from({ length: 200 }, (_, row) => ({ id: 100 + Math.floor(row / 2), name: row % 2 === 0 ? 'bad' : 'good', age: row }));
  for (const mode of ['insert', 'upsert', 'skip', 'replace'] as const) {
    await compare(folder, { rows, mode, maxBatchRows: 1_000, lanes: 1, shardBytes: 100_000, format: 'jsonl' }, mode);
  }
});

test('a mode that needs a key is refused without one, and nothing is written', async (context) => {
  const target = path.join(makeFolder(context), 'target.db');
  for (const mode of ['upsert', 'skip'] as const) {
    const refusal = load({ from: [{ a: 1 }], to: `sqlite:${target}`, table: 't', mode });
    await assert.rejects(refusal, (error) => isSluiceError(error, 'SLUICE_PLAN_REFUSED') && error.problems.length > 0);
  }
  assert.deepEqual(readTables(target), {});
});
