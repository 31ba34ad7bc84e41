/** Loads that are stopped by their caller or by the reject limit: they end in good order, and what follows completes them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { writeCsv } from '../fixtures/load-rows.ts';
import { assertSettled, readContent, readSql, runSql, type Content } from '../fixtures/load-target.ts';
import { createRandom } from '../simulate/random.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`stopping test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

const ddl = [
  'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)',
  'CREATE INDEX by_name ON people (name)',
  'CREATE INDEX by_age ON people (age, name)',
];

interface Place {
  readonly target: string;
  readonly options: LoadOptions;
}

function makePlace(folder: string, name: string): Place {
  const target = path.join(folder, `${name}.db`);
  runSql(target, ...ddl);
  return {
    target,
    options: {
      from: path.join(folder, 'rows.csv'),
      to: `sqlite:${target}`,
      table: 'people',
      key: ['id'],
      types: { age: 'integer' },
      lanes: 2,
      maxBatchRows: 4_000,
    },
  };
}

function listIndexes(target: string): unknown {
  return readSql(target, `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND name LIKE 'by%' ORDER BY name`);
}

/** Cancels and resumes until the load is done; returns how often it was stopped. */
async function loadStopping({ options, target }: Place, random: ReturnType<typeof createRandom>): Promise<number> {
  for (let stops = 0; ; stops++) {
    const cancel = new AbortController();
    void sleep(random.between(0, 300) * (stops + 1), undefined, { ref: false }).then(() => cancel.abort());
    const state = await goOn({ ...options, signal: cancel.signal });
    if (state === 'done' || state === 'nothing_to_do') return stops;
    if (state === 'cancelled') {
      assert.deepEqual(listIndexes(target), listExpected());
      assert.equal(readSql(target, "SELECT count(*) AS n FROM sluice_shards WHERE owner IS NOT NULL AND state <> 'done'")[0]?.['n'], 0n);
    }
  }
}

function listExpected(): unknown {
  return [
    { name: 'by_age', sql: ddl[2] },
    { name: 'by_name', sql: ddl[1] },
  ];
}

async function goOn(options: LoadOptions): Promise<string> {
  try {
    return (await load(options)).state;
  } catch (error) {
    // Cancelled before the load was entered.
    if (!isSluiceError(error, 'SLUICE_CANCELLED')) throw error;
    return 'not begun';
  }
}

test('a load that is cancelled at random moments, again and again, ends as one that never was', async (context: TestContext) => {
  const folder = makeFolder(context);
  writeCsv(path.join(folder, 'rows.csv'), { rows: 52_000, texts: 300, seed });
  const clean = makePlace(folder, 'clean');
  await load(clean.options);
  const expected: Content = readContent(clean.target, 'people');
  const random = createRandom(seed);
  for (const name of ['first', 'second', 'third']) {
    const place = makePlace(folder, name);
    await loadStopping(place, random);
    const found = readContent(place.target, 'people');
    assert.equal(found.rows.join('\n') === expected.rows.join('\n'), true, `rows differ, seed ${seed}`);
    assert.deepEqual({ ...found, rows: [] }, { ...expected, rows: [] });
    await assertSettled(place.target, 'people');
  }
});

test('a load that was cancelled before it began has written nothing', async (context) => {
  const target = path.join(makeFolder(context), 'target.db');
  await assert.rejects(load({ from: [{ id: 1 }], to: `sqlite:${target}`, table: 't', signal: AbortSignal.abort() }), {
    code: 'SLUICE_CANCELLED',
  });
});

interface LimitCase {
  readonly maxRejects: LoadOptions['maxRejects'];
  readonly higher: LoadOptions['maxRejects'];
}

for (const { maxRejects, higher } of [
  { maxRejects: 5, higher: 100_000 },
  { maxRejects: '1%', higher: '50%' },
] satisfies readonly LimitCase[]) {
  test(`more than ${maxRejects} rejects stop the load with its indexes back, and a higher limit completes it`, async (context) => {
    const folder = makeFolder(context);
    const lines = Array.from({ length: 60_000 }, (_, row) => `${row},n${row % 100},${row % 10 === 7 ? 'old' : row % 100}`);
    writeFileSync(path.join(folder, 'rows.csv'), ['id,name,age', ...lines].join('\n'));
    const { target, options } = makePlace(folder, 'target');
    const stopped = await load({ ...options, maxRejects });
    assert.equal(stopped.state, 'reject_limit');
    assert.ok(stopped.isBalanced && stopped.counts.read < 60_000);
    assert.match(
      stopped.next,
      new RegExp(`^sluice resume .* --max-rejects ${String(2 * stopped.counts.rejected)}$`, 'u'),
      'not the limit that stopped it',
    );
    assert.deepEqual(listIndexes(target), listExpected());
    assert.deepEqual(readSql(target, 'SELECT state FROM sluice_loads'), [{ state: 'reject_limit' }]);
    assert.equal((await resume({ in: options.to })).state, 'reject_limit');
    const done = await resume({ in: options.to, maxRejects: higher });
    assert.equal(done.state, 'done');
    assert.deepEqual(done.counts, { read: 60_000, written: 54_000, skipped: 0, rejected: 6_000 });
    assert.deepEqual(listIndexes(target), listExpected());
    await assertSettled(target, 'people');
  });
}

test('a limit of 0 takes no reject, and as many rejects as the limit are taken', async (context) => {
  const folder = makeFolder(context);
  const rows = [
    { id: 1, age: 1 },
    { id: 2, age: 'x' },
    { id: 3, age: 3 },
  ];
  const options = { from: rows, to: `sqlite:${path.join(folder, 'a.db')}`, table: 't', types: { age: 'integer' } } as const;
  assert.equal((await load({ ...options, maxRejects: 0 })).state, 'reject_limit');
  assert.equal((await load({ ...options, to: `sqlite:${path.join(folder, 'b.db')}`, maxRejects: 1 })).state, 'done');
});
