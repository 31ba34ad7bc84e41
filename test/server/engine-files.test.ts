/** Whole files and the queue's position: copies are consistent, a broken file changes nothing, and what was queued is applied once. */
import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import type { QueuedRequest } from '../../src/server/engine/contract.ts';
import { openEngine } from '../../src/server/engine/open-engine.ts';
import { plainOptions, readReply, withEngine } from './engine-database.ts';

function queued(sequence: number, statements: readonly string[]): QueuedRequest {
  return { sequence: BigInt(sequence), body: Buffer.from(JSON.stringify(statements)), isStrict: false };
}

test('a copy that is made while writes go on is consistent', async () => {
  await withEngine(async ({ engine, results, folder }) => {
    await results('execute', ['CREATE TABLE a (x)', 'CREATE TABLE b (x)']);
    let isOver = false;
    const writes = (async () => {
      while (!isOver)
        await results('execute', ['INSERT INTO a VALUES(hex(randomblob(2000)))', 'INSERT INTO b VALUES(1)'], { isTransaction: true });
    })();
    for (const options of [
      { vacuum: false, usesDeleteMode: false, mode: 2 },
      { vacuum: true, usesDeleteMode: false, mode: 1 },
      { vacuum: false, usesDeleteMode: true, mode: 1 },
    ]) {
      const copy = path.join(folder, 'copy.db');
      await engine.copyTo(copy, options);
      assert.equal(readFileSync(copy)[18], options.mode);
      const db = new DatabaseSync(copy);
      assert.equal(db.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok');
      assert.equal(db.prepare('SELECT count(*) AS c FROM a').get()?.['c'], db.prepare('SELECT count(*) AS c FROM b').get()?.['c']);
      db.close();
    }
    isOver = true;
    await writes;
  });
});

test('a file takes the place of the database, a broken one leaves it as it is', async () => {
  await withEngine(async ({ engine, results, folder }) => {
    await results('execute', ['CREATE TABLE t (a)', 'INSERT INTO t VALUES(1)']);
    await engine.applyQueued([queued(7, ['INSERT INTO t VALUES(2)'])], false);
    const source = path.join(folder, 'new.db');
    const db = new DatabaseSync(source);
    db.exec('PRAGMA page_size = 8192; CREATE TABLE n (a); INSERT INTO n VALUES(5)');
    db.close();
    const broken = path.join(folder, 'broken.db');
    writeFileSync(broken, Buffer.concat([readFileSync(source).subarray(0, 8192), Buffer.alloc(8192, 1)]));
    await assert.rejects(engine.replaceFile(broken), (error) => isSluiceError(error, 'SLUICE_TARGET_NOT_A_DATABASE'));
    assert.deepEqual((await results('query', ['SELECT a FROM t']))[0]?.['values'], [[1], [2]]);
    await engine.replaceFile(source);
    assert.deepEqual((await results('query', ['SELECT a FROM n']))[0]?.['values'], [[5]]);
    assert.deepEqual(await results('query', ['SELECT a FROM t']), [{ error: 'no such table: t' }]);
    assert.equal(await engine.readQueuePosition(), 7n);
  });
});

test('queued requests are applied once, and a bad statement harms only itself', async () => {
  await withEngine(async ({ engine, results }) => {
    await results('execute', [
      'CREATE TABLE t (a UNIQUE)',
      "CREATE TRIGGER boom BEFORE INSERT ON t WHEN NEW.a = 'boom' BEGIN SELECT RAISE(ROLLBACK, 'kaboom'); END",
    ]);
    assert.equal(await engine.readQueuePosition(), 0n);
    const group = [
      queued(1, ['INSERT INTO t VALUES(1)', 'INSERT INTO t VALUES(1)']),
      queued(2, ["INSERT INTO t VALUES('boom')", 'INSERT INTO t VALUES(2)']),
      queued(3, ['COMMIT', 'PRAGMA journal_mode = DELETE', 'INSERT INTO t VALUES(3)']),
    ];
    const outcomes = await engine.applyQueued(group, false);
    assert.deepEqual(
      outcomes.map(({ applied, errors }) => [applied, errors.map(({ index }) => index)]),
      [
        [1, [1]],
        [1, [0]],
        [1, [0, 1]],
      ],
    );
    assert.deepEqual(await engine.applyQueued(group, false), []);
    assert.deepEqual((await results('query', ['SELECT a FROM t']))[0]?.['values'], [[1], [2], [3]]);
    const together = await engine.applyQueued([queued(4, ['INSERT INTO t VALUES(4)']), queued(5, ['INSERT INTO t VALUES(1)'])], true);
    assert.deepEqual(
      together.map(({ applied }) => applied),
      [0, 0],
    );
    assert.equal(await engine.readQueuePosition(), 5n);
    assert.deepEqual((await results('query', ['SELECT count(*) FROM t']))[0]?.['values'], [[3]]);
  });
});

test('queued writes do not join a transaction that a user has left open', async () => {
  await withEngine(async ({ engine, results }) => {
    await results('execute', ['CREATE TABLE t (a)', 'BEGIN']);
    await assert.rejects(engine.applyQueued([queued(1, ['INSERT INTO t VALUES(1)'])], false), (error) =>
      isSluiceError(error, 'SLUICE_TARGET_BUSY'),
    );
    await results('execute', ['ROLLBACK']);
    assert.equal((await engine.applyQueued([queued(1, ['INSERT INTO t VALUES(1)'])], false)).length, 1);
  });
});

test('a dump without a transaction keeps what stands before its error', async () => {
  await withEngine(async ({ engine, results }) => {
    const { text } = await readReply(
      await engine.runScript(
        Buffer.from('CREATE TABLE t (a); INSERT INTO t VALUES(1); INSERT INTO nope VALUES(1); INSERT INTO t VALUES(2)'),
        plainOptions,
      ),
    );
    assert.equal(text, '{"results":[{"error":"no such table: nope"}]}');
    assert.deepEqual((await results('query', ['SELECT a FROM t']))[0]?.['values'], [[1]]);
  });
});

test('a lock of another connection is waited for', async () => {
  await withEngine(async ({ results, file }) => {
    await results('execute', ['CREATE TABLE t (a)']);
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    setTimeout(() => other.exec('COMMIT'), 200);
    assert.deepEqual(await results('execute', ['INSERT INTO t VALUES(1)', 'INSERT INTO t VALUES(2)']), [
      { last_insert_id: 1, rows_affected: 1 },
      { last_insert_id: 2, rows_affected: 1 },
    ]);
    other.close();
  });
});

test('a file that is no database is told as that', async () => {
  await withEngine(async ({ folder }) => {
    const file = path.join(folder, 'junk.db');
    writeFileSync(file, 'no database at all'.repeat(100));
    await assert.rejects(openEngine({ file, isReadOnly: false, checksForeignKeys: false }), (error) =>
      isSluiceError(error, 'SLUICE_TARGET_NOT_A_DATABASE'),
    );
  });
});

test('a file that is missing is told as that by a server that makes none, and as a missing folder by one that would', async () => {
  await withEngine(async ({ folder }) => {
    await assert.rejects(openEngine({ file: path.join(folder, 'none.db'), isReadOnly: true, checksForeignKeys: false }), (error) =>
      isSluiceError(error, 'SLUICE_TARGET_MISSING'),
    );
    await assert.rejects(openEngine({ file: path.join(folder, 'none', 'x.db'), isReadOnly: false, checksForeignKeys: false }), {
      code: 'SLUICE_TARGET_DENIED',
      message: /folder .* does not exist/u,
    });
  });
});

test('facts name the settings of both sides', async () => {
  await withEngine(async ({ engine, file }) => {
    const facts = await engine.readFacts();
    assert.equal(facts.path, file);
    assert.equal(facts.pragmas.rw['synchronous'], '2');
    assert.equal(facts.pragmas.rw['journal_mode'], 'wal');
  });
});

test('a write to a file that is no longer in its place is not acknowledged', async () => {
  await withEngine(async ({ engine, results, folder }) => {
    await results('execute', ['CREATE TABLE t (a)']);
    const { path: file } = await engine.readFacts();
    renameSync(file, path.join(folder, 'elsewhere.db'));
    const body = Buffer.from('["INSERT INTO t VALUES(1)"]');
    const request = { route: 'execute', body, isPlainText: false, options: plainOptions } as const;
    await assert.rejects(engine.handle(request), (error) => isSluiceError(error, 'SLUICE_TARGET_FAILED'));
    await assert.rejects(engine.applyQueued([queued(1, ['INSERT INTO t VALUES(2)'])], false), (error) =>
      isSluiceError(error, 'SLUICE_TARGET_FAILED'),
    );
    renameSync(path.join(folder, 'elsewhere.db'), file);
    assert.deepEqual(await results('execute', ['INSERT INTO t VALUES(3)']), [{ last_insert_id: 3, rows_affected: 1 }]);
  });
});
