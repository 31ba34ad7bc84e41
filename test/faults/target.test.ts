/** A target that can't be used: each fault has its code, a message with the file, a next step, and once it is mended the load completes. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, type ErrorCode } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { runTask } from '../fixtures/load-process.ts';
import { writeCsv } from '../fixtures/load-rows.ts';
import { assertSettled, readSql, runSql } from '../fixtures/load-target.ts';

interface Place {
  readonly folder: string;
  readonly target: string;
  readonly options: LoadOptions;
}

function makePlace(context: TestContext, rows = 1_000): Place {
  const folder = makeFolder(context);
  const target = path.join(folder, 'target.db');
  const input = path.join(folder, 'rows.csv');
  writeCsv(input, { rows, texts: 100, seed: 7 });
  return {
    folder,
    target,
    options: { from: input, to: `sqlite:${target}`, table: 'people', key: ['id'], maxBatchRows: 100, lockTimeoutMs: 300 },
  };
}

async function assertFails(work: Promise<unknown>, code: ErrorCode, file: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isSluiceError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(file), `«${error.message}» does not name ${file}`);
    assert.ok((error.hint ?? '').length > 0, 'no hint');
    return true;
  });
}

async function assertLoads({ target, options }: Place): Promise<void> {
  const report = await load(options);
  assert.equal(report.state, 'done');
  await assertSettled(target, 'people');
}

test('a target that another writer keeps locked fails by its deadline, and is loaded once the lock is gone', async (context) => {
  const place = makePlace(context);
  runSql(place.target, 'CREATE TABLE other (id INTEGER)');
  const writer = new DatabaseSync(place.target);
  context.after(() => writer.close());
  writer.exec('BEGIN IMMEDIATE; INSERT INTO other VALUES (1)');
  await assertFails(load(place.options), 'SLUICE_TARGET_LOCKED', place.target);
  writer.exec('COMMIT');
  await assertLoads(place);
});

test('a lock that goes away before the deadline is waited for', async (context) => {
  const place = makePlace(context);
  runSql(place.target, 'CREATE TABLE other (id INTEGER)');
  const writer = new DatabaseSync(place.target);
  context.after(() => writer.close());
  writer.exec('BEGIN EXCLUSIVE');
  const loading = load({ ...place.options, lockTimeoutMs: 60_000 });
  await sleep(200);
  writer.exec('COMMIT');
  assert.equal((await loading).state, 'done');
  await assertSettled(place.target, 'people');
});

test('a lock that comes in the middle of a load stops it in good order, and the same command completes it', async (context) => {
  const place = makePlace(context, 30_000);
  let writer: DatabaseSync | undefined;
  const options: LoadOptions = {
    ...place.options,
    // Enough commits that the first sign of progress comes long before the last.
    maxBatchRows: 20,
    lanes: 1,
    onProgress: ({ counts, phase }) => {
      if (writer !== undefined || phase !== 'load' || counts.read === 0) return;
      writer = new DatabaseSync(place.target, { timeout: 5_000 });
      writer.exec('BEGIN IMMEDIATE');
    },
  };
  await assertFails(load(options), 'SLUICE_TARGET_LOCKED', place.target);
  writer?.exec('ROLLBACK');
  writer?.close();
  assert.equal((await resume({ in: place.options.to })).state, 'done');
  await assertSettled(place.target, 'people');
  assert.equal(readSql(place.target, 'SELECT count(*) AS n FROM sluice_loads')[0]?.['n'], 1n);
});

test('a reader that holds a transaction during the load sees the table as it was, and keeps nobody out', async (context) => {
  const place = makePlace(context);
  runSql(
    place.target,
    'PRAGMA journal_mode = WAL',
    'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)',
    `INSERT INTO people VALUES (-1, 'old', 1)`,
  );
  const reader = new DatabaseSync(place.target);
  context.after(() => reader.close());
  const readCount = (): unknown => reader.prepare('SELECT count(*) AS n FROM people').get()?.['n'];
  reader.exec('BEGIN');
  assert.equal(readCount(), 1);
  await assertLoads(place);
  assert.equal(readCount(), 1);
  reader.exec('COMMIT');
  assert.ok(Number(readCount()) > 900);
});

test('a load of a new file that was stopped goes on although the file has turned to WAL since and has readers', async (context) => {
  const place = makePlace(context);
  const options: LoadOptions = { ...place.options, shardBytes: 2_000, lanes: 1 };
  assert.equal((await load({ ...options, maxRejects: 0 })).state, 'reject_limit');
  runSql(place.target, 'PRAGMA journal_mode = WAL');
  const reader = new DatabaseSync(place.target);
  context.after(() => reader.close());
  reader.exec('BEGIN; SELECT count(*) FROM people');
  assert.equal((await resume({ in: options.to, maxRejects: 1_000, lockTimeoutMs: 300 })).state, 'done');
  reader.exec('COMMIT');
  await assertSettled(place.target, 'people');
});

for (const [what, bytes] of [
  ['a text file', 'This is a text, and long enough to be taken for a page of a database.\n'.repeat(50)],
  ['a file of zeros', '\0'.repeat(8192)],
] as const) {
  test(`${what} as the target is said to be no database, and is left as it was`, async (context) => {
    const place = makePlace(context);
    writeFileSync(place.target, bytes);
    await assertFails(load(place.options), 'SLUICE_TARGET_NOT_A_DATABASE', place.target);
    rmSync(place.target);
    await assertLoads(place);
  });
}

test('a folder as the target, and a target in a folder that is not there, are refused by name', async (context) => {
  const place = makePlace(context);
  const folder = path.join(place.folder, 'folder');
  mkdirSync(folder);
  await assertFails(load({ ...place.options, to: `sqlite:${folder}` }), 'SLUICE_TARGET_DENIED', folder);
  const missing = path.join(place.folder, 'missing', 'target.db');
  await assertFails(load({ ...place.options, to: `sqlite:${missing}` }), 'SLUICE_TARGET_DENIED', missing);
  await assertFails(verify({ in: `sqlite:${missing}` }), 'SLUICE_TARGET_MISSING', missing);
});

test('a ledger of another version is not touched', async (context) => {
  const place = makePlace(context);
  await assertLoads(place);
  runSql(place.target, `UPDATE sluice_meta SET value = '99' WHERE name = 'ledger_version'`);
  const { options } = place;
  for (const work of [() => load({ ...options, again: true }), () => resume({ in: options.to }), () => verify({ in: options.to })]) {
    await assert.rejects(
      work(),
      (error) => isSluiceError(error, 'SLUICE_LEDGER_VERSION') && error.message.includes('99') && error.hint !== undefined,
    );
  }
});

/** Whether `command` works here: containers often allow neither mounts nor immutable files. */
function canRun(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args).status === 0;
}

test('a disk that runs full stops the load in good order, and with room again the same command completes it', async (context) => {
  const place = makePlace(context, 20_000);
  const disk = path.join(place.folder, 'disk');
  mkdirSync(disk);
  if (!canRun('mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk)) {
    context.skip('mounting a small disk is not allowed here');
    return;
  }
  const full: Place = {
    ...place,
    target: path.join(disk, 'target.db'),
    options: { ...place.options, to: `sqlite:${path.join(disk, 'target.db')}`, maxBatchRows: 1_000 },
  };
  try {
    await assertFails(load(full.options), 'SLUICE_TARGET_FULL', full.target);
    execFileSync('mount', ['-o', 'remount,size=16m', disk]);
    await assertLoads(full);
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

test('a limit on the size of files is told as a full target, and without it the load completes', async (context) => {
  const place = makePlace(context, 20_000);
  // In blocks of 512 bytes: less than the table needs.
  const ended = await runTask(
    { verb: 'load', options: { ...place.options, maxBatchRows: 1_000, lanes: 1 } },
    { limit: 'trap "" XFSZ; ulimit -f 300' },
  );
  assert.ok(ended.answer !== undefined && 'code' in ended.answer, JSON.stringify(ended));
  assert.equal(ended.answer.code, 'SLUICE_TARGET_FULL');
  assert.ok(ended.answer.message.includes(place.target));
  await assertLoads(place);
});

for (const what of ['file', 'folder'] as const) {
  test(`a ${what} that can't be written is told as such, and once it can the load completes`, async (context) => {
    const place = makePlace(context);
    const isRoot = process.getuid?.() === 0;
    const folder = path.join(place.folder, 'closed');
    mkdirSync(folder);
    const closed: Place = {
      ...place,
      target: path.join(folder, 'target.db'),
      options: { ...place.options, to: `sqlite:${path.join(folder, 'target.db')}` },
    };
    runSql(closed.target, 'CREATE TABLE other (id INTEGER)');
    const isMounted = what === 'folder' && isRoot;
    // Root may write whatever the permissions say, so for root the file is made immutable and the folder a read-only mount.
    const close = !isRoot
      ? ['chmod', 'a-w', what === 'file' ? closed.target : folder]
      : isMounted
        ? ['mount', '--bind', folder, folder]
        : ['chattr', '+i', closed.target];
    if (!canRun(close[0] ?? '', ...close.slice(1)) || (isMounted && !canRun('mount', '-o', 'remount,bind,ro', folder))) {
      context.skip(`${close.join(' ')} is not allowed here, and nothing less keeps root from writing`);
      return;
    }
    try {
      await assertFails(load(closed.options), 'SLUICE_TARGET_READ_ONLY', closed.target);
    } finally {
      if (!isRoot) execFileSync('chmod', ['u+w', closed.target, folder]);
      else if (isMounted) execFileSync('umount', ['-l', folder]);
      else execFileSync('chattr', ['-i', closed.target]);
    }
    await assertLoads(closed);
  });
}
