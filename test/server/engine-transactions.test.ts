/** Transactions that clients leave open, the ledger's tables, rows that are held, and an end that does not wait for ever. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { maxHeldLength } from '../../src/server/engine/held-rows.ts';
import { withEngine, type TestEngine } from './engine-database.ts';
import { startServer } from './server.ts';

function enqueue({ engine }: TestEngine, sequence: bigint, statements: readonly string[]): Promise<unknown> {
  return engine.applyQueued([{ sequence, body: Buffer.from(JSON.stringify(statements)), isStrict: false }], false);
}

async function readColumn({ results }: TestEngine, sql: string): Promise<unknown> {
  return (await results('query', [sql]))[0]?.['values'];
}

test('a transaction that a client has begun stays its own while queued writes wait for its end', async () => {
  await withEngine(async (opened) => {
    const { results } = opened;
    await results('execute', ['CREATE TABLE t (a)', 'BEGIN', 'INSERT INTO t VALUES(1)']);
    await assert.rejects(enqueue(opened, 1n, ['INSERT INTO t VALUES(9)']), { code: 'SLUICE_TARGET_BUSY' });
    const entries = await results('execute', ['INSERT INTO t VALUES(2)', 'ROLLBACK']);
    assert.deepEqual(
      entries.map((entry) => entry['error']),
      [undefined, undefined],
    );
    await enqueue(opened, 1n, ['INSERT INTO t VALUES(9)']);
    assert.deepEqual(await readColumn(opened, 'SELECT a FROM t'), [[9]]);
  });
});

test('a transaction that nobody ends is rolled back after its time-out, and queued writes go on', async () => {
  const notices: string[] = [];
  await withEngine(
    async (opened) => {
      const { results } = opened;
      await results('execute', ['CREATE TABLE t (a)', 'BEGIN', 'INSERT INTO t VALUES(1)']);
      while (notices.length === 0) await sleep(20);
      await enqueue(opened, 1n, ['INSERT INTO t VALUES(9)']);
      assert.deepEqual(await readColumn(opened, 'SELECT a FROM t'), [[9]]);
      const [late] = await results('execute', ['COMMIT']);
      assert.match(String(late?.['error']), /no transaction is active/u);
      assert.match(notices.join('\n'), /rolled back/u);
    },
    { transactionTimeoutMs: 150, onNotice: (message) => notices.push(message) },
  );
});

test('a transaction that is begun in the request which ends the one before has its own time', async () => {
  await withEngine(
    async ({ results }) => {
      await results('execute', ['CREATE TABLE t (a)', 'BEGIN']);
      for (let turn = 0; turn < 8; turn++) {
        await sleep(100);
        const entries = await results('execute', ['INSERT INTO t VALUES(1)', 'COMMIT', 'BEGIN']);
        assert.deepEqual(entries[1], { last_insert_id: turn + 1, rows_affected: 1 });
      }
    },
    { transactionTimeoutMs: 500 },
  );
});

const ledgerWrites = [
  "INSERT INTO sluice_meta VALUES('x', 'y')",
  'UPDATE Sluice_Meta SET value = 1',
  'DELETE FROM "sluice_meta"',
  'DROP TABLE sluice_meta',
  'ALTER TABLE sluice_meta RENAME TO other',
  'ALTER TABLE sluice_meta ADD COLUMN z',
  'ALTER TABLE t RENAME TO sluice_shards',
  'CREATE TABLE sluice_loads (a)',
  'CREATE TEMP TABLE sluice_meta (a)',
  'CREATE VIEW sluice_load_status AS SELECT 1',
  'CREATE INDEX i ON sluice_meta(value)',
  'CREATE TRIGGER s AFTER INSERT ON sluice_meta BEGIN DELETE FROM t; END',
  'CREATE TEMP TRIGGER s AFTER INSERT ON main.sluice_meta BEGIN DELETE FROM t; END',
  'INSERT INTO t VALUES(1)',
  "INSERT INTO v VALUES('z')",
  "WITH x AS (SELECT 1) INSERT INTO sluice_meta SELECT 'a', 'b' FROM x RETURNING name",
  'PRAGMA writable_schema = ON',
  'SELECT 1; DELETE FROM sluice_meta',
];

for (const mayWriteLedger of [false, true])
  test(`the ledger is ${mayWriteLedger ? 'written by requests that may' : 'kept from requests that may not'}, whatever was prepared before`, async () => {
    await withEngine(
      async (opened) => {
        const { results } = opened;
        const trusted = { mayWriteLedger: true };
        await results(
          'execute',
          [
            'CREATE TABLE sluice_meta (name TEXT PRIMARY KEY, value)',
            "INSERT INTO sluice_meta VALUES('a', 1)",
            'CREATE TABLE t (a)',
            'CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE sluice_meta SET value = 2; END',
            'CREATE VIEW v AS SELECT name FROM sluice_meta',
            'CREATE TRIGGER w INSTEAD OF INSERT ON v BEGIN DELETE FROM sluice_meta; END',
          ],
          trusted,
        );
        if (mayWriteLedger) {
          const entries = await results(
            'execute',
            [
              ['UPDATE sluice_meta SET value = ?', 5],
              ['INSERT INTO t VALUES(?)', 1],
            ],
            trusted,
          );
          assert.equal(entries[0]?.['error'], undefined);
          assert.equal(entries[1]?.['error'], undefined);
          assert.deepEqual(await readColumn(opened, 'SELECT value FROM sluice_meta'), [[2]]);
          return;
        }
        const prepared = [
          ['DELETE FROM sluice_meta WHERE name = ?', 'a'],
          ['INSERT INTO t SELECT ? WHERE 0', 1],
        ];
        await results('execute', [...prepared, "INSERT INTO sluice_meta VALUES('a', 1)"], trusted);
        // What was kept comes first: a change of the schema would have it prepared again.
        for (const sql of prepared) assert.deepEqual(await results('execute', [sql]), [{ error: 'not authorized' }]);
        await results('execute', ['CREATE TABLE changed (a)']);
        for (const route of ['execute', 'request'] as const)
          for (const sql of [...ledgerWrites, ...prepared])
            assert.match(String((await results(route, [sql]))[0]?.['error']), /not authorized|disallowed pragma/u, String(sql));
        await enqueue(opened, 1n, ['DELETE FROM sluice_meta']);
        await results('execute', ['DELETE FROM sluice_meta'], { dbTimeoutMs: 5000 });
        assert.deepEqual(await readColumn(opened, 'SELECT name, value FROM sluice_meta'), [['a', 1]]);
        assert.equal((await results('execute', ['VACUUM']))[0]?.['error'], undefined);
      },
      { guardsLedger: true },
    );
  });

test('over HTTP the ledger is written by who says that he keeps it, and restored from a dump', async () => {
  const server = await startServer({});
  const send = async (path: string, body: string, headers: Record<string, string>): Promise<string> =>
    (await fetch(server.url + path, { method: 'POST', body, headers })).text();
  const json = { 'Content-Type': 'application/json' };
  try {
    for (const route of ['/db/execute', '/db/request', '/db/execute?db_timeout=20s'])
      assert.match(await send(route, '["CREATE TABLE sluice_meta (a)"]', json), /not authorized/u, route);
    assert.equal(await send('/db/execute', '["CREATE TABLE sluice_meta (a)"]', { ...json, 'X-Sluice-Ledger': 'yes' }), '{"results":[{}]}');
    assert.match(await send('/db/request', '["DROP TABLE sluice_meta"]', json), /not authorized/u);
    const dump = 'DROP TABLE sluice_meta; CREATE TABLE sluice_meta (a); INSERT INTO sluice_meta VALUES(5);';
    assert.doesNotMatch(await send('/db/load', dump, { 'Content-Type': 'text/plain' }), /error/u);
    assert.match(await send('/db/query', '["SELECT a FROM sluice_meta"]', json), /\[\[5\]\]/u);
  } finally {
    await server.close();
  }
});

test('rows that are too many for an answer are an error, and the write that gave them is undone', async () => {
  await withEngine(async (opened) => {
    const { results } = opened;
    const count = 40;
    const size = Math.ceil(maxHeldLength / 32);
    const rows = `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ${String(count)}) SELECT x, printf('%.*c', ${String(size)}, 'x') FROM n`;
    await results('execute', ['CREATE TABLE t (a INTEGER PRIMARY KEY, b)', 'CREATE TABLE u (a)']);
    const insert = `INSERT INTO t ${rows} RETURNING b`;
    const alone = await results('execute', [insert]);
    assert.match(String(alone[0]?.['error']), /too large/u);
    const among = await results('execute', ['INSERT INTO u VALUES(1)', insert, 'INSERT INTO u VALUES(2) RETURNING a']);
    assert.match(String(among[1]?.['error']), /too large/u);
    assert.deepEqual(among[2], { columns: ['a'], types: ['integer'], values: [[2]] });
    const reads = await results('request', ['INSERT INTO u VALUES(3)', rows.replace('printf', 'upper(printf').replace("'x')", "'x'))")]);
    assert.match(String(reads[1]?.['error']), /too large/u);
    const whole = await results('execute', ['INSERT INTO u VALUES(4)', insert, 'INSERT INTO u VALUES(5)'], { isTransaction: true });
    assert.equal(whole.length, 2);
    assert.deepEqual(await readColumn(opened, 'SELECT (SELECT count(*) FROM t), group_concat(a) FROM u'), [[0, '1,2,3']]);
  });
});

test('a broken deferred key fails a write with RETURNING, and nothing of it stays', async () => {
  await withEngine(
    async (opened) => {
      const { results } = opened;
      await results('execute', [
        'CREATE TABLE p (id INTEGER PRIMARY KEY)',
        'CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)',
      ]);
      assert.deepEqual(await results('execute', ['INSERT INTO c VALUES(1) RETURNING p']), [{ error: 'FOREIGN KEY constraint failed' }]);
      assert.deepEqual(await readColumn(opened, 'SELECT count(*) FROM c'), [[0]]);
      const [entry] = await results('execute', ['INSERT INTO p VALUES(1) RETURNING id']);
      assert.deepEqual(entry?.['values'], [[1]]);
    },
    { checksForeignKeys: true },
  );
});

test('columns are told as they are after another connection has changed the table', async () => {
  await withEngine(async ({ results, file }) => {
    await results('execute', ['CREATE TABLE t (a)', 'INSERT INTO t VALUES(1)']);
    const body = ['UPDATE t SET rowid = rowid RETURNING *', 'SELECT * FROM t'];
    for (let time = 0; time < 3; time++) for (const route of ['request', 'execute'] as const) await results(route, body);
    const other = new DatabaseSync(file);
    other.exec('ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 7');
    other.close();
    const entries = [...(await results('execute', body.slice(0, 1))), ...(await results('request', body))];
    assert.deepEqual(
      entries.map(({ columns, values }) => [columns, values]),
      [
        [['a', 'b'], [[1, 7]]],
        [['a', 'b'], [[1, 7]]],
        [['a', 'b'], [[1, 7]]],
      ],
    );
  });
});

test('close tells when a statement does not end, instead of waiting for it', async () => {
  const source = `
    import { openEngine } from ${JSON.stringify(new URL('../../src/server/engine/open-engine.ts', import.meta.url).href)};
    import { plainOptions } from ${JSON.stringify(new URL('engine-database.ts', import.meta.url).href)};
    const [file, route] = process.argv.slice(1);
    const engine = await openEngine({ file, isReadOnly: false, checksForeignKeys: false, closeTimeoutMs: 300 });
    const sql = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';
    engine.handle({ route, body: Buffer.from(JSON.stringify([route === 'query' ? sql : 'CREATE TABLE u AS ' + sql])), isPlainText: false, options: plainOptions }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.stdout.write(await engine.close().then(() => 'closed', (error) => error.code));
    process.kill(process.pid, 'SIGKILL');`;
  await withEngine(async ({ folder }) => {
    for (const route of ['query', 'execute']) {
      const args = ['--input-type=module', '-e', source, '--', `${folder}/${route}.db`, route];
      const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await once(child, 'close');
      assert.equal(text, 'SLUICE_TARGET_TIMEOUT', route);
    }
  });
});
