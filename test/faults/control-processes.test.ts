/** Two processes on one load and a third that commands them: both hear, one is killed in the pause, and in the end each row is there once. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancel, pause, resume, status, unpause, type LoadOptions } from '../../src/index.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runTask } from '../fixtures/load-process.ts';
import { writeCsv } from '../fixtures/load-rows.ts';
import { assertSettled, readSql } from '../fixtures/load-target.ts';

const rowCount = 4_000;

test('a pause reaches every process of a load; one that is killed in it loses nothing, and a cancel ends the other', async (context) => {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.csv');
  const file = path.join(folder, 't.db');
  const target = `sqlite:${file}`;
  writeCsv(input, { rows: rowCount, texts: 200, seed: 5 });
  const options: LoadOptions = {
    from: input,
    to: target,
    table: 'people',
    key: ['id'],
    lanes: 2,
    maxBatchRows: 50,
    shardBytes: 2_048,
    rate: { rowsPerSecond: 80 },
  };
  const children: ChildProcess[] = [];
  const onStart = (child: ChildProcess): void => void children.push(child);
  const countRows = (): number =>
    existsSync(file) && readSql(file, `SELECT name FROM sqlite_schema WHERE name = 'people'`).length > 0
      ? Number(readSql(file, 'SELECT count(*) AS n FROM people')[0]?.['n'])
      : 0;
  const first = runTask({ verb: 'load', options }, { onStart });
  while (countRows() === 0) await sleep(20);
  const second = runTask({ verb: 'load', options }, { onStart });
  await sleep(1_500);

  assert.equal((await pause({ in: target })).state, 'pausing');
  // Both ask once a second, and finish what they have in hand.
  let [before, still] = [countRows(), 0];
  while (still < 6) {
    await sleep(250);
    const now = countRows();
    still = now === before ? still + 1 : 0;
    before = now;
  }
  assert.equal((await status({ in: target }))[0]?.state, 'paused');
  children[0]?.kill('SIGKILL');
  assert.equal((await first).signal, 'SIGKILL');
  assert.equal(countRows(), before);

  // Whoever is left goes on when it is told to; a load that nobody holds is resumed here.
  await unpause({ in: target });
  await sleep(1_500);
  await cancel({ in: target, waitMs: 15_000 });
  const { answer, errors } = await second;
  assert.ok(answer !== undefined && 'report' in answer, errors);
  assert.equal(answer.report.state, 'cancelled');
  const done = await resume({ in: target });
  assert.deepEqual([done.state, done.counts.read], ['done', rowCount]);
  await assertSettled(file, 'people');
});
