/** What becomes of a unit when the world is against it: locks, full disks, kills, deadlines, other owners of the ledger. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isSluiceError, type ErrorCode } from '../../src/errors.ts';
import { chooseSeed } from '../rows/records.ts';
import { openUnitFile, summarize, toStatements, type UnitFile } from './unit-file.ts';

const script = fileURLToPath(new URL('./unit-process.ts', import.meta.url));

/** Starts the process and waits until it is at work. */
async function start(t: TestContext, ...parameters: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.stdout);
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function withFile(schema: string, work: (db: UnitFile) => Promise<void>): Promise<void> {
  const db = await openUnitFile(schema);
  try {
    await work(db);
  } finally {
    db.close();
  }
}

const fails = (code: ErrorCode) => (error: unknown) => isSluiceError(error, code);
const table = 'CREATE TABLE t (id INTEGER PRIMARY KEY, text);';
const ledger = 'CREATE TABLE sluice_units (unit INTEGER PRIMARY KEY, count INT);';
const fill = (id: number): string => `INSERT INTO t VALUES (${String(id)}, 'x')`;

test('a lock that another process holds is waited for up to the deadline, and the thread is free meanwhile', (t) =>
  withFile(table, async (db) => {
    const holder = await start(t, 'hold', db.file);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    try {
      await assert.rejects(db.run([fill(1)], {}, { timeoutMs: 300 }), fails('SLUICE_TARGET_LOCKED'));
    } finally {
      clearInterval(timer);
    }
    assert.ok(ticks > 2, `${String(ticks)} ticks`);
    const waiting = db.run([fill(2)]);
    await kill(holder);
    assert.deepEqual(summarize(await waiting), ['applied']);
    assert.deepEqual(db.look('SELECT id FROM t'), [{ id: 2 }]);
  }));

test('with a rollback journal COMMIT waits for readers, and what can not be committed is undone', () =>
  withFile(`PRAGMA journal_mode = DELETE; ${table}`, async (db) => {
    const reader = new DatabaseSync(db.file);
    try {
      reader.exec('BEGIN; SELECT * FROM t');
      await assert.rejects(db.run([fill(1)], {}, { timeoutMs: 200 }), fails('SLUICE_TARGET_LOCKED'));
      const waiting = db.run([fill(2)]);
      await sleep(50);
      reader.exec('COMMIT');
      assert.deepEqual(summarize(await waiting), ['applied']);
    } finally {
      reader.close();
    }
    assert.deepEqual(db.look('SELECT id FROM t'), [{ id: 2 }]);
  }));

test('killed at any moment, the record of the ledger and the rows agree', { timeout: 60_000 }, async (t) => {
  let seed = chooseSeed(t);
  const schema = `CREATE TABLE t (id INTEGER PRIMARY KEY, unit INT, n INT, text); CREATE TABLE once (a PRIMARY KEY ON CONFLICT ROLLBACK); INSERT INTO once VALUES (1); ${ledger}`;
  await withFile(schema, async (db) => {
    for (let round = 0; round < 8; round++) {
      const next = Number(Object.values(db.look('SELECT coalesce(max(unit), -1) + 1 AS next FROM sluice_units')[0] ?? {})[0]);
      const child = await start(t, 'write', db.file, String(next));
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      await sleep(20 + (seed % 150));
      await kill(child);
      const wrong = db.look(
        'SELECT unit, count, (SELECT count(*) FROM t WHERE t.unit = u.unit) AS found FROM sluice_units u WHERE found <> count OR count <> 300',
      );
      assert.deepEqual(wrong, []);
      assert.deepEqual(db.look('SELECT DISTINCT unit FROM t WHERE unit NOT IN (SELECT unit FROM sluice_units)'), []);
    }
    const [done] = db.look('SELECT count(*) AS units FROM sluice_units') as readonly { readonly units: number }[];
    t.diagnostic(`${String(done?.units)} units were committed`);
    assert.ok((done?.units ?? 0) > 8);
  });
});

test('a full disk is the error of those that met it; what is told as applied is there', () =>
  withFile(table, async (db) => {
    const big = (id: number): string => `INSERT INTO t VALUES (${String(id)}, zeroblob(200000))`;
    const small = Array.from({ length: 20 }, (_, index) => fill(index));
    const answers = await db.run([
      'PRAGMA max_page_count = 20',
      ...small,
      big(100),
      fill(50),
      big(101),
      big(102),
      big(103),
      big(104),
      big(105),
      fill(51),
    ]);
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 'error') assert.equal(answer.error.targetCode, '13');
      const id = /VALUES \((\d+)/u.exec(
        ['', ...small, big(100), fill(50), big(101), big(102), big(103), big(104), big(105), fill(51)][index] ?? '',
      )?.[1];
      if (id !== undefined)
        assert.equal(db.look(`SELECT 1 FROM t WHERE id = ${id}`).length, answer.status === 'applied' ? 1 : 0, `row ${id}`);
    }
    assert.deepEqual(new Set(summarize(answers.slice(0, 21))), new Set(['applied']));
    assert.equal(answers[21]?.status, 'error');
    const together = await db.run([fill(200), big(201), fill(202)], { isTransaction: true });
    assert.deepEqual(summarize(together), ['rolled_back', 'OTHER', 'not_attempted']);
    assert.deepEqual(db.look('SELECT id FROM t WHERE id >= 200'), []);
  }));

test('a unit that is over time or stopped is undone, rows of a read included', () =>
  withFile(table, async (db) => {
    const slow = `INSERT INTO t (text) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 60000) SELECT max(x) FROM c`;
    const many = Array.from({ length: 10_000 }, () => slow);
    await assert.rejects(db.run(many, {}, { timeoutMs: 150 }), fails('SLUICE_TARGET_BUSY'));
    await assert.rejects(db.run(many, {}, { signal: AbortSignal.timeout(150) }), fails('SLUICE_CANCELLED'));
    await assert.rejects(db.run([fill(1)], {}, { signal: AbortSignal.abort() }), fails('SLUICE_CANCELLED'));
    const endless = 'WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c';
    await assert.rejects(db.run([fill(1), endless], { maxRows: Infinity }, { timeoutMs: 150 }), fails('SLUICE_TARGET_BUSY'));
    assert.deepEqual(db.look('SELECT * FROM t'), []);
    assert.deepEqual(summarize(await db.run([fill(1)])), ['applied']);
  }));

test('a record is committed with the rows, alone after a rollback, and sees the answers as they stand in the end', () =>
  withFile(`${table} CREATE TABLE once (a PRIMARY KEY ON CONFLICT ROLLBACK); INSERT INTO once VALUES (1); ${ledger}`, async (db) => {
    const record = (unit: number) => (answers: readonly { readonly status: string }[]) => [
      {
        sql: 'INSERT INTO sluice_units VALUES (?, ?)',
        parameters: [unit, answers.filter(({ status }) => status === 'applied').length],
        mustChange: 1,
      },
    ];
    const statements = [fill(1), 'INSERT INTO once VALUES (1)', fill(2)];
    assert.deepEqual(summarize(await db.run(statements, { record: record(1) })), ['applied', 'UNIQUE', 'applied']);
    assert.deepEqual(summarize(await db.run([fill(3), fill(1)], { record: record(2), isTransaction: true })), ['rolled_back', 'UNIQUE']);
    assert.deepEqual(await db.run([], { record: record(3) }), []);
    assert.deepEqual(db.look('SELECT unit, count FROM sluice_units'), [
      { unit: 1, count: 2 },
      { unit: 2, count: 0 },
      { unit: 3, count: 0 },
    ]);
    assert.deepEqual(db.look('SELECT id FROM t'), [{ id: 1 }, { id: 2 }]);
  }));

test('a record that misses its count undoes the unit, also after a rollback', () =>
  withFile(table + ledger, async (db) => {
    const record = () => [{ sql: 'UPDATE sluice_units SET count = 1 WHERE unit = ?', parameters: [9], mustChange: 1 }];
    await assert.rejects(db.run([fill(1)], { record }), fails('SLUICE_FENCED'));
    await assert.rejects(db.run([fill(1), 'SELEC'], { record, isTransaction: true }), fails('SLUICE_FENCED'));
    const broken = () => [{ sql: 'INSERT INTO sluice_nowhere VALUES (1)', parameters: [] }];
    await assert.rejects(db.run([fill(1)], { record: broken }), fails('SLUICE_TARGET_FAILED'));
    assert.deepEqual(db.look('SELECT * FROM t'), []);
    assert.deepEqual(summarize(await db.run([fill(1)])), ['applied']);
  }));

test('a connection that only reads answers reads, and refuses each write', async () => {
  const db = await openUnitFile(table, { isReadOnly: true });
  try {
    assert.deepEqual(summarize(await db.run(['SELECT * FROM t', fill(1), 'CREATE TABLE u (a)', 'SELECT 1'])), [
      'applied',
      'REFUSED',
      'REFUSED',
      'applied',
    ]);
    assert.deepEqual(db.look('SELECT * FROM t'), []);
  } finally {
    db.close();
  }
});

test('the driver runs units and lets the file go when it is closed', () =>
  withFile(table, async (db) => {
    const { driver } = await import('../../src/target/sqlite/index.ts');
    const connection = await driver.connect(`sqlite:${db.file}`);
    const unit = {
      statements: toStatements([fill(1), fill(1)]),
      isTransaction: false,
      onConflict: 'not_applied',
      statusRows: true,
      maxRows: 1,
    } as const;
    const outcome = await connection.run?.(unit);
    await connection.close();
    assert.deepEqual(outcome?.answers, [
      { status: 'applied', rowsAffected: 1, lastInsertId: 1 },
      { status: 'not_applied', row: { id: 1, text: 'x' } },
    ]);
    await assert.rejects(async () => connection.run?.(unit));
  }));
