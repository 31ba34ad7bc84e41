/** Two processes on one load: each row is written once, both end well, and one that was stopped and comes back late can't write over the other's work. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import { status } from '../../src/load/control/status.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runTask, type Ended } from '../fixtures/load-process.ts';
import { writeCsv } from '../fixtures/load-rows.ts';
import { assertSettled, readContent, readSql, runSql } from '../fixtures/load-target.ts';

interface Place {
  readonly target: string;
  readonly clean: string;
  readonly options: LoadOptions;
}

async function makePlace(context: TestContext, more: Partial<LoadOptions>, rows = 6_000): Promise<Place> {
  const folder = makeFolder(context);
  const input = path.join(folder, 'rows.csv');
  const target = path.join(folder, 'target.db');
  const clean = path.join(folder, 'clean.db');
  writeCsv(input, { rows, texts: 200, seed: 11 });
  const options = {
    from: input,
    to: `sqlite:${target}`,
    table: 'people',
    key: ['id'],
    lanes: 2,
    maxBatchRows: 100,
    shardBytes: 4_096,
    ...more,
  };
  for (const file of more.mode === 'replace' ? [target, clean] : []) {
    runSql(file, 'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age TEXT)', `INSERT INTO people VALUES (1, 'old', 'x')`);
  }
  await load({ ...options, to: `sqlite:${clean}` });
  return { target, clean, options };
}

function stateOf({ answer, errors }: Ended): string {
  assert.ok(answer !== undefined, errors);
  return 'report' in answer ? answer.report.state : `${answer.code}: ${answer.message}`;
}

for (const mode of ['insert', 'upsert', 'replace'] as const) {
  test(`two processes that start the same load (mode ${mode}) at the same moment make one table, and both end well`, async (context) => {
    const { target, clean, options } = await makePlace(context, { mode });
    const task = { verb: 'load', options } as const;
    const ends = await Promise.all([runTask(task), runTask(task)]);
    const states = ends.map(stateOf);
    assert.ok(
      states.every((state) => state === 'done' || state === 'nothing_to_do'),
      states.join(', '),
    );
    assert.ok(states.includes('done'));
    assert.equal(readSql(target, 'SELECT count(*) AS n FROM sluice_loads')[0]?.['n'], 1n);
    assert.deepEqual(readContent(target, 'people'), readContent(clean, 'people'));
    await assertSettled(target, 'people');
  });
}

test('two processes with the same label and different streams load one of them', async (context) => {
  const { target, options } = await makePlace(context, {});
  const tasks = [0, 1].map(
    (one) =>
      ({
        verb: 'load',
        options: { ...options, from: Array.from({ length: 500 }, (_, row) => ({ id: one * 1_000 + row })), label: 'x' },
      }) as const,
  );
  const states = (await Promise.all(tasks.map((task) => runTask(task)))).map(stateOf);
  assert.ok(states.includes('done'), states.join(', '));
  assert.equal(readSql(target, 'SELECT count(*) AS n FROM people')[0]?.['n'], 500n);
  await assertSettled(target, 'people');
});

/** Stops the process once it has committed something and holds no lock of the file. */
async function stopBetweenCommits(child: ChildProcess, target: string): Promise<void> {
  while (!existsSync(target) || readCommitted(target) < 300) await sleep(1);
  for (;;) {
    child.kill('SIGSTOP');
    await awaitStopped(child);
    if (isUnlocked(target)) return;
    child.kill('SIGCONT');
    await sleep(1);
  }
}

/** A signal takes its time: a thread that is not stopped yet could still take the lock that was seen free. */
async function awaitStopped({ pid }: ChildProcess): Promise<void> {
  const tasks = `/proc/${String(pid)}/task`;
  if (!existsSync(tasks)) return sleep(100);
  const deadlineMs = performance.now() + 5_000;
  while (performance.now() < deadlineMs) {
    const states = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/stat`, 'utf8').replace(/^.*\) /su, '')[0]);
    if (states.every((state) => state === 'T')) return;
    await sleep(1);
  }
  assert.fail('the process did not stop within 5 s');
}

function readCommitted(target: string): number {
  try {
    return Number(readSql(target, 'SELECT sum(read_count) AS n FROM sluice_shards')[0]?.['n'] ?? 0);
  } catch (error) {
    // The file is there before the ledger is, and while it is made it is locked.
    assert.match(String(error), /no such table|locked/u);
    return 0;
  }
}

function isUnlocked(target: string): boolean {
  const db = new DatabaseSync(target, { timeout: 0 });
  try {
    // Exclusive: with a rollback journal a reader that is stopped keeps a commit out as well.
    db.exec('BEGIN EXCLUSIVE; ROLLBACK');
    return true;
  } catch (error) {
    assert.match(String(error), /locked/u);
    return false;
  } finally {
    db.close();
  }
}

for (const mode of ['insert', 'upsert'] as const) {
  test(`a process that was stopped while another finished its load (mode ${mode}) is fenced when it comes back`, async (context) => {
    const { target, clean, options } = await makePlace(context, { mode, maxBatchRows: 40, lanes: 1 }, 20_000);
    let child: ChildProcess | undefined;
    const running = runTask({ verb: 'load', options }, { onStart: (started) => (child = started) });
    assert.ok(child !== undefined);
    await stopBetweenCommits(child, target);
    const [before] = await status({ in: options.to });
    assert.equal(before?.state, 'running');
    // As if its lease were over: 60 s without a sign of life.
    runSql(target, `UPDATE sluice_shards SET updated_at = '2001-01-01T00:00:00.000Z' WHERE owner IS NOT NULL`);
    assert.equal((await status({ in: options.to }))[0]?.state, 'interrupted');
    const report = await resume({ in: options.to });
    assert.equal(report.state, 'done');
    const finished = readContent(target, 'people');
    child.kill('SIGCONT');
    assert.equal(stateOf(await running), 'done');
    assert.deepEqual(readContent(target, 'people'), finished);
    assert.deepEqual(finished, readContent(clean, 'people'));
    await assertSettled(target, 'people');
  });
}

test('a process waits for the shards of another that is alive, and takes them over when it dies', async (context) => {
  const { target, clean, options } = await makePlace(context, { maxBatchRows: 40, lanes: 1 }, 20_000);
  let child: ChildProcess | undefined;
  const running = runTask({ verb: 'load', options }, { onStart: (started) => (child = started) });
  assert.ok(child !== undefined);
  await stopBetweenCommits(child, target);
  const joining = load(options);
  const isWaiting = await Promise.race([joining.then(() => false), sleep(1_000, true)]);
  assert.equal(isWaiting, true);
  child.kill('SIGKILL');
  assert.equal((await running).signal, 'SIGKILL');
  assert.equal((await joining).state, 'done');
  assert.deepEqual(readContent(target, 'people'), readContent(clean, 'people'));
  await assertSettled(target, 'people');
});
