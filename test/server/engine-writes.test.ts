/** Writes: requests that share a commit are answered as if each had been alone, and a failed transaction is never shown as done to those who ask for `strict`. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { withEngine } from './engine-database.ts';

const tables = [
  'CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, n INTEGER CHECK (n < 90))',
  "CREATE TRIGGER boom BEFORE INSERT ON t WHEN NEW.a = 'boom' BEGIN SELECT RAISE(ROLLBACK, 'kaboom'); END",
];

/** What one connection in autocommit says to the same statements, one after another. */
function runPlainly(statements: readonly string[]): readonly unknown[] {
  const db = new DatabaseSync(':memory:');
  try {
    for (const sql of tables) db.exec(sql);
    return statements.map((sql) => {
      try {
        const { changes, lastInsertRowid } = db.prepare(sql).run();
        return {
          ...(lastInsertRowid === 0 ? {} : { last_insert_id: lastInsertRowid }),
          ...(changes === 0 ? {} : { rows_affected: changes }),
        };
      } catch (error) {
        return { error: error instanceof Error ? error.message : '' };
      }
    });
  } finally {
    db.close();
  }
}

function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('statements of requests that come together fail and succeed as they would one by one', async () => {
  const seed = Number(process.env['SLUICE_SEED'] ?? 5);
  console.log(`# seed ${String(seed)}`);
  const random = createRandom(seed);
  const write = (): string => {
    const value = random(60);
    const kinds = [
      `INSERT INTO t(a, n) VALUES(${String(value)}, ${String(random(100))})`,
      `INSERT OR ROLLBACK INTO t(a) VALUES(${String(value)})`,
      `INSERT OR IGNORE INTO t(a) VALUES(${String(value)})`,
      `UPDATE t SET n = n + 1 WHERE id > ${String(value)}`,
      `DELETE FROM t WHERE a = ${String(value)}`,
      "INSERT INTO t(a) VALUES('boom')",
      'INSERT INTO nope VALUES(1)',
      'PRAGMA user_version = 3',
    ];
    return kinds[random(random(4) === 0 ? kinds.length : 5)] ?? '';
  };
  await withEngine(async ({ results }) => {
    for (let round = 0; round < 60; round++) {
      const requests = Array.from({ length: 1 + random(6) }, () => Array.from({ length: 1 + random(8) }, write));
      await results('execute', ['DROP TABLE IF EXISTS t', ...tables, 'DELETE FROM t']);
      const answers = await Promise.all(requests.map((request) => results('execute', request)));
      const wanted = runPlainly(requests.flat());
      assert.equal(answers.flat().length, wanted.length, 'n statements, n answers');
      // last_insert_id may be that of an insert which was undone and run again; what was done, and what failed, may not differ.
      const strip = (entries: readonly unknown[]): unknown => entries.map((entry) => ({ ...(entry as object), last_insert_id: undefined }));
      assert.deepEqual(strip(answers.flat()), strip(wanted), `seed ${String(seed)}, round ${String(round)}: ${JSON.stringify(requests)}`);
    }
  });
});

test('a transaction that fails says so of each statement, where that is asked for', async () => {
  await withEngine(async ({ results }) => {
    await results('execute', ['CREATE TABLE t (id INTEGER PRIMARY KEY)']);
    const body = ['INSERT INTO t VALUES(1)', 'INSERT INTO t VALUES(2)', 'INSERT INTO t VALUES(1)', 'INSERT INTO t VALUES(3)'];
    const strict = await results('execute', body, { isTransaction: true, isStrict: true });
    assert.deepEqual(strict, [
      { rolled_back: true },
      { rolled_back: true },
      { error: 'UNIQUE constraint failed: t.id' },
      { not_attempted: true },
    ]);
    const wired = await results('execute', body, { isTransaction: true });
    assert.equal(wired.length, 3);
    assert.deepEqual(await results('query', ['SELECT count(*) AS c FROM t']), [{ columns: ['c'], types: ['integer'], values: [[0]] }]);
  });
});

test('a transaction and its neighbours keep apart in one commit', async () => {
  await withEngine(async ({ results }) => {
    await results('execute', tables);
    const answers = await Promise.all([
      results('execute', ['INSERT INTO t(id) VALUES(1)']),
      results('execute', ['INSERT INTO t(id) VALUES(2)', 'INSERT INTO t(id) VALUES(2)'], { isTransaction: true }),
      results('execute', ['INSERT INTO t(id) VALUES(3)', "INSERT INTO t(a) VALUES('boom')"], { isTransaction: true }),
      results('execute', ['INSERT INTO t(id) VALUES(4)']),
      results('execute', ['BEGIN', 'INSERT INTO t(id) VALUES(5)', 'ROLLBACK']),
      results('execute', ['INSERT INTO t(id) VALUES(6)'], { isTransaction: true }),
    ]);
    assert.deepEqual(
      answers.map((entries) => entries.filter((entry) => 'error' in entry).length),
      [0, 1, 1, 0, 0, 0],
    );
    const [rows] = await results('query', ['SELECT id FROM t']);
    assert.deepEqual(rows?.['values'], [[1], [4], [6]]);
  });
});

test('a deferred foreign key fails the statement that breaks it, not its neighbours', async () => {
  await withEngine(
    async ({ results }) => {
      await results('execute', [
        'CREATE TABLE p (id INTEGER PRIMARY KEY)',
        'CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)',
      ]);
      const entries = await results('execute', ['INSERT INTO c VALUES(1)', 'INSERT INTO p VALUES(1)', 'INSERT INTO c VALUES(1)']);
      assert.deepEqual(
        entries.map((entry) => entry['error']),
        ['FOREIGN KEY constraint failed', undefined, undefined],
      );
    },
    { checksForeignKeys: true },
  );
});

test('a full disk fails what does not fit, and the engine lives', async () => {
  await withEngine(async ({ results }) => {
    await results('execute', ['CREATE TABLE t (a)', 'PRAGMA max_page_count = 20']);
    const entries = await results('execute', [
      'INSERT INTO t VALUES(1)',
      'INSERT INTO t VALUES(zeroblob(500000))',
      'INSERT INTO t VALUES(2)',
    ]);
    assert.deepEqual(
      entries.map((entry) => entry['error']),
      [undefined, 'database or disk is full', undefined],
    );
    assert.deepEqual((await results('query', ['SELECT a FROM t']))[0]?.['values'], [[1], [2]]);
  });
});

test('parameters by unknown names and missing values are refused under strict only', async () => {
  await withEngine(async ({ results }) => {
    await results('execute', ['CREATE TABLE t (a, b)']);
    const body = [['INSERT INTO t VALUES(:a, :b)', { a: 1, c: 2 }]];
    assert.deepEqual(await results('execute', body), [{ last_insert_id: 1, rows_affected: 1 }]);
    assert.deepEqual(await results('execute', body, { isStrict: true }), [{ error: 'unknown parameter name "c"' }]);
    assert.deepEqual(await results('execute', ['INSERT INTO t VALUES(?, 1)'], { isStrict: true }), [
      { error: 'not enough args to execute query: want 1 got 0' },
    ]);
  });
});

test('no statement leaves the database file, and the queue keeps its table', async () => {
  await withEngine(async ({ results, folder }) => {
    const body = [
      "ATTACH ':memory:' AS z",
      `ATTACH '${folder}/z' AS z`,
      'DETACH main',
      `VACUUM INTO '${folder}/z'`,
      "SELECT load_extension('z')",
      "SELECT readfile('z')",
      "SELECT writefile('z', 'z')",
      'CREATE TABLE sluice_queue (a)',
      "PRAGMA temp_store_directory = 'z'",
    ];
    for (const sql of body) {
      const [entry] = await results('execute', [sql]);
      assert.equal(typeof entry?.['error'], 'string', sql);
    }
    assert.deepEqual(await results('execute', ['VACUUM']), [{}]);
  });
});

test('VACUUM also works where the queue has its table, and the table stays the queue’s', async () => {
  await withEngine(async ({ results, engine }) => {
    await results('execute', ['CREATE TABLE t (a)']);
    await engine.applyQueued([{ sequence: 7n, body: Buffer.from('["INSERT INTO t VALUES(1)"]'), isStrict: false }], false);
    for (const route of ['execute', 'request'] as const) {
      assert.equal((await results(route, ['VACUUM']))[0]?.['error'], undefined, route);
      assert.equal((await results(route, ['DROP TABLE sluice_queue']))[0]?.['error'], 'not authorized', route);
    }
    assert.deepEqual((await results('query', ['SELECT position FROM sluice_queue']))[0]?.['values'], [[7]]);
  });
});

test('the counters after queued writes are those of the last queued statement, not of the queue’s own', async () => {
  await withEngine(async ({ results, engine }) => {
    await results('execute', ['CREATE TABLE t (a)', 'INSERT INTO t VALUES(1), (2), (3)']);
    await engine.applyQueued([{ sequence: 7n, body: Buffer.from('["INSERT INTO t VALUES(4)"]'), isStrict: false }], false);
    assert.deepEqual(await results('execute', ['CREATE TABLE u (a)']), [{ last_insert_id: 4, rows_affected: 1 }]);
    await engine.applyQueued([{ sequence: 8n, body: Buffer.from('["UPDATE t SET a = 0"]'), isStrict: false }], false);
    assert.deepEqual(await results('execute', ['CREATE TABLE v (a)']), [{ last_insert_id: 4, rows_affected: 4 }]);
  });
});

for (const sql of [
  '/* x */ PRAGMA journal_mode=DELETE',
  'PRAGMA main.journal_mode(DELETE)',
  'SELECT 1; PRAGMA synchronous=0',
  'PRAGMA "wal_checkpoint"',
  '-- c\nPRAGMA query_only(1)',
]) {
  test(`a setting that is the server's own refuses the whole request: ${JSON.stringify(sql)}`, async () => {
    await withEngine(async ({ send, results }) => {
      await results('execute', ['CREATE TABLE t (a)']);
      for (const route of ['execute', 'query', 'request'] as const) {
        assert.equal((await send(route, ['INSERT INTO t VALUES(1)', sql])).text, '{"results":[],"error":"disallowed pragma"}');
      }
      assert.deepEqual((await results('query', ['SELECT count(*) FROM t']))[0]?.['values'], [[0]]);
    });
  });
}

test('an id beyond 2⁵³ is told exactly, and statements after it are answered as ever', async () => {
  const big = 2n ** 53n + 1n;
  await withEngine(async ({ send, engine }) => {
    const ask = async (statement: string): Promise<string> => (await send('execute', Buffer.from(statement))).text;
    await ask('["CREATE TABLE t (id INTEGER PRIMARY KEY, a)"]');
    assert.equal(
      await ask(`[["INSERT INTO t VALUES (?, ?)", ${String(big)}, 1]]`),
      `{"results":[{"last_insert_id":${String(big)},"rows_affected":1}]}`,
    );
    assert.equal(
      await ask('[["INSERT INTO t(a) VALUES (?)", 2]]'),
      `{"results":[{"last_insert_id":${String(big + 1n)},"rows_affected":1}]}`,
    );
    assert.equal(await ask('[["UPDATE t SET a = ?", 3]]'), `{"results":[{"last_insert_id":${String(big + 1n)},"rows_affected":2}]}`);
    for (const sql of ['CREATE TABLE u (a)', 'PRAGMA user_version = 7', 'SELECT 1', 'PRAGMA foreign_keys = OFF'])
      assert.doesNotMatch(await ask(JSON.stringify([sql])), /error/u, sql);
    const request = (await send('request', ['PRAGMA foreign_keys = OFF', 'DROP TABLE u'])).text;
    assert.doesNotMatch(request, /error/u);
    const queued = (sequence: bigint): Promise<unknown> =>
      engine.applyQueued([{ sequence, body: Buffer.from('["UPDATE t SET a = 4"]'), isStrict: false }], false);
    await queued(1n);
    await queued(2n);
    assert.deepEqual(JSON.parse((await send('query', ['SELECT count(*), min(a) FROM t'])).text), {
      results: [{ columns: ['count(*)', 'min(a)'], types: ['integer', 'integer'], values: [[2, 4]] }],
    });
  });
});
