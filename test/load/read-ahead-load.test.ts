/** Loads of one compressed file, which a thread of its own reads: the table, the rejects and the ledger are those of a lane that reads for itself. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { plan } from '../../src/load/plan/plan.ts';
import { resume } from '../../src/load/resume.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { compressedTable, writeCompressed } from '../fixtures/load-rows.ts';
import { assertSettled, readContent, readSql, runSql } from '../fixtures/load-target.ts';
import { createRandom } from '../simulate/random.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`read ahead test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

function writeRows(folder: string): string {
  const file = path.join(folder, 'rows.jsonl.gz');
  writeCompressed(file, { rows: 16_000, seed });
  return file;
}

/** A load into a file of its own. */
interface Loading {
  readonly file: string;
  readonly options: LoadOptions;
}

function prepare(folder: string, from: string, lanes: number): Loading {
  const file = path.join(folder, `${String(lanes)}-${randomBytes(4).toString('hex')}.db`);
  runSql(file, compressedTable);
  return { file, options: { from, to: `sqlite:${file}`, table: 't', key: ['id'], lanes, maxBatchRows: 1_500, maxRejects: '5%' } };
}

interface Place {
  readonly folder: string;
  readonly from: string;
  /** What a lane that reads for itself made of it. */
  readonly expected: ReturnType<typeof readContent>;
}

async function makePlace(context: TestContext): Promise<Place> {
  const folder = makeFolder(context);
  const from = writeRows(folder);
  const alone = prepare(folder, from, 1);
  await load(alone.options);
  return { folder, from, expected: readContent(alone.file, 't') };
}

test('a load whose reading is a thread of its own is planned so, and leaves what one without leaves', async (context) => {
  const { expected, folder, from } = await makePlace(context);
  const ahead = prepare(folder, from, 2);
  const { decisions } = await plan(ahead.options);
  assert.match(decisions.find(({ what }) => what === 'reading')?.choice ?? '', /a thread of its own/u);
  const report = await load(ahead.options);
  assert.equal(report.state, 'done');
  const found = readContent(ahead.file, 't');
  assert.ok(found.rejects.length > 50, 'rows of every kind are refused');
  const codes = [...new Set(found.rejects.map(({ code }) => String(code)))];
  assert.deepEqual(
    codes.toSorted((a, b) => a.localeCompare(b)),
    ['REFUSED_CHECK', 'REFUSED_UNIQUE', 'ROW_JSON_INVALID', 'VALUE_TYPE'],
  );
  assert.deepEqual(found, expected);
  await assertSettled(ahead.file, 't');
});

test('cancelled at random moments and taken up again, it ends as one that never was', async (context) => {
  const { expected, folder, from } = await makePlace(context);
  const random = createRandom(seed);
  for (let run = 0; run < 2; run++) {
    const place = prepare(folder, from, 2);
    for (let state = 'cancelled', stops = 1; state === 'cancelled'; stops++) {
      const cancel = new AbortController();
      void sleep(random.between(0, 250) * stops, undefined, { ref: false }).then(() => cancel.abort());
      state = await load({ ...place.options, signal: cancel.signal }).then(
        (report) => report.state,
        (error: unknown) => {
          if (!isSluiceError(error, 'SLUICE_CANCELLED')) throw error;
          return 'cancelled';
        },
      );
    }
    assert.deepEqual(readContent(place.file, 't'), expected);
    await assertSettled(place.file, 't');
  }
});

test('a limit is exact, and the next session goes on behind it', async (context) => {
  const { expected, folder, from } = await makePlace(context);
  const place = prepare(folder, from, 2);
  const first = await load({ ...place.options, limit: 4_321 });
  assert.deepEqual([first.state, first.counts.read], ['limit', 4_321]);
  const rest = await resume({ in: place.options.to });
  assert.equal(rest.state, 'done');
  assert.deepEqual(readContent(place.file, 't'), expected);
});

test('a file that ends early fails the load with its code; what was committed before balances', async (context) => {
  const folder = makeFolder(context);
  const from = writeRows(folder);
  truncateSync(from, statSync(from).size - 100_000);
  const place = prepare(folder, from, 2);
  await assert.rejects(load(place.options), { code: 'SLUICE_SOURCE_INVALID', message: /truncated/u });
  const [status] = readSql(place.file, 'SELECT state, read_count AS r, written_count AS w, rejected_count AS x FROM sluice_load_status');
  assert.equal(Number(status?.['r']), Number(status?.['w']) + Number(status?.['x']));
  assert.ok(Number(status?.['w']) > 5_000, 'what stands before the end is in the table');
  assert.equal(Number(readSql(place.file, 'SELECT count(*) AS n FROM t')[0]?.['n']), Number(status?.['w']));
});

test('too many bad rows stop it', async (context) => {
  const folder = makeFolder(context);
  const place = prepare(folder, writeRows(folder), 2);
  const report = await load({ ...place.options, maxRejects: 3 });
  assert.equal(report.state, 'reject_limit');
  const { read, rejected, skipped, written } = report.counts;
  assert.equal(read, written + skipped + rejected);
});
