/** Queries: on snapshots, in pieces, exact; and requests with a deadline, which are killed and leave nothing behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainOptions, withEngine } from './engine-database.ts';

const count = (limit: number): string => `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${String(limit)})`;
const slow = `${count(100_000_000)} SELECT count(*) FROM c`;

test('a long answer comes in pieces from one snapshot while writes go on', async () => {
  await withEngine(async ({ engine, results }) => {
    await results('execute', [
      'CREATE TABLE t (id INTEGER PRIMARY KEY, a)',
      `INSERT INTO t ${count(60_000)} SELECT x, 'abcdefghijklmnopqrstuvwxyz' FROM c`,
    ]);
    const reply = await engine.handle({
      route: 'query',
      body: Buffer.from('["SELECT * FROM t"]'),
      isPlainText: false,
      options: plainOptions,
    });
    assert.ok(!(reply.body instanceof Uint8Array));
    const parts: Uint8Array[] = [];
    for await (const part of reply.body) {
      if (parts.length === 0) {
        await results('execute', ['INSERT INTO t(a) VALUES(1)']);
        // Read your writes: another query sees it at once.
        assert.deepEqual((await results('query', ['SELECT count(*) FROM t']))[0]?.['values'], [[60_001]]);
      }
      parts.push(part);
      assert.ok(part.length < 1_000_000);
    }
    const { results: entries } = JSON.parse(Buffer.concat(parts).toString()) as { results: [{ values: unknown[] }] };
    assert.equal(entries[0].values.length, 60_000);
  });
});

test('an answer that nobody reads on gives its snapshot back', async () => {
  await withEngine(async ({ engine, results }) => {
    await results('execute', [
      'CREATE TABLE t (id INTEGER PRIMARY KEY, a)',
      `INSERT INTO t ${count(60_000)} SELECT x, 'abcdefghijklmnopqrstuvwxyz' FROM c`,
    ]);
    const reply = await engine.handle({
      route: 'query',
      body: Buffer.from('["SELECT * FROM t"]'),
      isPlainText: false,
      options: plainOptions,
    });
    assert.ok(!(reply.body instanceof Uint8Array));
    for await (const part of reply.body) {
      assert.ok(part.length > 0);
      break;
    }
    await results('execute', ['DELETE FROM t']);
    assert.deepEqual((await results('query', ['SELECT count(*) FROM t']))[0]?.['values'], [[0]]);
  });
});

test('integers beyond 2^53 behind small ones are exact, in any row', async () => {
  await withEngine(async ({ send }) => {
    const { text } = await send('query', [`${count(2000)} SELECT x, CASE WHEN x % 700 = 0 THEN 9007199254740993 ELSE x END FROM c`]);
    const rows = Array.from(
      { length: 2000 },
      (_, index) => `[${String(index + 1)},${(index + 1) % 700 === 0 ? '9007199254740993' : String(index + 1)}]`,
    );
    // Between the brackets stands each row once: those that had been read with numbers are not given again.
    assert.ok(text.endsWith(`"values":[${rows.join(',')}]}]}`));
  });
});

test('a query after ALTER TABLE has the new columns', async () => {
  await withEngine(async ({ results }) => {
    await results('execute', ['CREATE TABLE t (a INTEGER)', 'INSERT INTO t VALUES(1)']);
    await results('query', ['SELECT * FROM t']);
    await results('execute', ['ALTER TABLE t RENAME COLUMN a TO b', 'ALTER TABLE t ADD COLUMN c TEXT']);
    assert.deepEqual(await results('query', ['SELECT * FROM t']), [
      { columns: ['b', 'c'], types: ['integer', 'text'], values: [[1, null]] },
    ]);
  });
});

test('a write that is killed at its deadline is undone, and what was done before it stands', async () => {
  await withEngine(async ({ results }) => {
    await results('execute', ['CREATE TABLE t (a)']);
    const body = ['INSERT INTO t VALUES(1)', `INSERT INTO t ${slow}`, 'INSERT INTO t VALUES(2)'];
    const [alone, next] = await Promise.all([
      results('execute', body, { dbTimeoutMs: 150 }),
      results('execute', ['INSERT INTO t VALUES(3)']),
    ]);
    assert.deepEqual(alone, [{ last_insert_id: 1, rows_affected: 1 }, { error: 'execute timeout' }, { error: 'execute timeout' }]);
    assert.deepEqual(next, [{ last_insert_id: 2, rows_affected: 1 }]);
    const strict = await results('execute', body, { dbTimeoutMs: 150, isTransaction: true, isStrict: true });
    assert.deepEqual(strict, [{ rolled_back: true }, { error: 'execute timeout' }, { not_attempted: true }]);
    assert.deepEqual((await results('query', ['SELECT a FROM t']))[0]?.['values'], [[1], [3]]);
  });
});

test('an infinite number is a 500, and the write behind it stays', async () => {
  await withEngine(async ({ send, results }) => {
    await results('execute', ['CREATE TABLE t (a REAL)']);
    const answer = await send('execute', ['INSERT INTO t VALUES(1e999) RETURNING a']);
    assert.equal(answer.status, 500);
    assert.match(answer.text, /unsupported value: \+Inf\n$/);
    assert.deepEqual((await results('query', ['SELECT count(*) FROM t']))[0]?.['values'], [[1]]);
  });
});
