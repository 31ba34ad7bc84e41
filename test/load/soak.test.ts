/** Many lanes, many times: the table is the same each time. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { writeCsv } from '../fixtures/load-rows.ts';
import { assertSettled, readContent } from '../fixtures/load-target.ts';

const rows = 20_000;
const runs = 20;
const lanes = 8;

test(`${runs} runs of ${lanes} lanes over ${rows} rows make the table that one lane makes`, async (context) => {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.csv');
  writeCsv(input, { rows, texts: 300, seed: 5 });
  const loadInto = async (
    target: string,
    more: { readonly lanes: number; readonly shardBytes?: number; readonly maxBatchRows?: number },
  ): Promise<void> => {
    const report = await load({ from: input, to: `sqlite:${target}`, table: 'people', key: ['id'], ...more });
    assert.equal(report.state, 'done');
    assert.equal(report.lanes, more.lanes);
  };
  const one = path.join(folder, 'one.db');
  await loadInto(one, { lanes: 1 });
  const expected = JSON.stringify(readContent(one, 'people'), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  for (let run = 0; run < runs; run++) {
    const target = path.join(folder, `run-${run}.db`);
    await loadInto(target, { lanes, shardBytes: 20_000 + 1_000 * run, maxBatchRows: 700 + run });
    const found = JSON.stringify(readContent(target, 'people'), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    assert.equal(found === expected, true, `run ${run} made another table`);
    await assertSettled(target, 'people', `run ${run}`);
    rmSync(target);
  }
});
