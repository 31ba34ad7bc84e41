/** A unit of statements on rqlite gets as many answers as it has statements, and each tells what is true of the database afterwards. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { StatementAnswer, StatementParameters, UnitRequest } from '../../src/target/batch-contract.ts';
import type { Connection } from '../../src/target/driver.ts';
import { connect } from '../../src/target/registry.ts';
import { ledgerDdl } from '../../src/ledger/schema.ts';
import { pass, startRelay } from './relay.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let link: Connection;
before(async () => {
  server = await startServer();
  link = await connect(server.url);
});
after(async () => {
  await link.close();
  await server.dispose();
});
beforeEach(async () => {
  const ddl = [
    'DROP TABLE IF EXISTS t',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, v INTEGER)',
    "INSERT INTO t VALUES (1, 'one', 1)",
  ];
  await link.transact([...ddl, ...ledgerDdl].map((sql) => ({ sql, parameters: [] })));
});

type Given = string | readonly [string, StatementParameters];

async function run(statements: readonly Given[], more: Partial<UnitRequest> = {}, on = link): Promise<readonly StatementAnswer[]> {
  const unit: UnitRequest = {
    statements: statements.map((given) =>
      typeof given === 'string' ? { sql: given, parameters: [] } : { sql: given[0], parameters: given[1] },
    ),
    isTransaction: false,
    onConflict: 'error',
    statusRows: false,
    maxRows: 100,
    ...more,
  };
  const outcome = await on.run?.(unit);
  assert.equal(outcome?.answers.length, statements.length);
  return outcome?.answers ?? [];
}

const tell = (answers: readonly StatementAnswer[]): readonly string[] =>
  answers.map((answer) => (answer.status === 'error' ? `error ${answer.error.code}` : answer.status));

async function count(): Promise<unknown> {
  return (await link.query({ sql: 'SELECT count(*) AS n FROM t', parameters: [] }))[0]?.['n'];
}

const mixed: readonly Given[] = [
  ['INSERT INTO t VALUES (?, ?, ?)', [2, 'two', 9_007_199_254_740_993n]],
  ['INSERT INTO t VALUES (?, ?, ?)', [3, 'one', 1]],
  'INSERT INTO nope VALUES (1)',
  'SELECT id, v FROM t ORDER BY id',
  ['UPDATE t SET v = :v WHERE id = :id', { v: 5, id: 1 }],
];

describe('statements on their own', () => {
  it('go on after an error, and integers stay exact', async () => {
    const answers = await run(mixed);
    assert.deepEqual(tell(answers), ['applied', 'error UNIQUE', 'error UNKNOWN_TABLE', 'applied', 'applied']);
    assert.deepEqual(answers[3], {
      status: 'applied',
      rowsAffected: 0,
      columns: ['id', 'v'],
      rows: [
        { id: 1, v: 1 },
        { id: 2, v: 9_007_199_254_740_993n },
      ],
    });
    assert.equal(await count(), 2);
  });

  it('with a record are kept with it or not at all, and the record knows the answers', async () => {
    let seen: readonly string[] = [];
    const record = (answers: readonly StatementAnswer[]) => {
      seen = tell(answers);
      return [{ sql: "INSERT INTO sluice_meta (name, value) VALUES ('unit 1', ?)", parameters: [String(answers.length)], mustChange: 1 }];
    };
    const answers = await run(mixed, { record });
    assert.deepEqual(tell(answers), ['applied', 'error UNIQUE', 'error UNKNOWN_TABLE', 'applied', 'applied']);
    assert.deepEqual(seen, tell(answers));
    assert.deepEqual(answers[0], { status: 'applied', rowsAffected: 1, lastInsertId: 2 });
    await assert.rejects(
      run([['INSERT INTO t VALUES (?, ?, ?)', [7, 'seven', 1]]], {
        record: () => [{ sql: 'UPDATE sluice_meta SET value = 1 WHERE 0', parameters: [], mustChange: 1 }],
      }),
      {
        code: 'SLUICE_FENCED',
      },
    );
    assert.equal(await count(), 2);
  });
});

describe('statements of a transaction', () => {
  it('are all undone by one error, and none of them is called applied', async () => {
    for (const record of [undefined, () => []]) {
      const answers = await run(
        mixed.filter((_, index) => index !== 1),
        { isTransaction: true, record },
      );
      assert.deepEqual(tell(answers), ['rolled_back', 'error UNKNOWN_TABLE', 'not_attempted', 'not_attempted']);
      assert.equal(await count(), 1);
    }
  });

  it('with values that are wrong are undone as well', async () => {
    const wrong: readonly Given[] = [
      "INSERT INTO t VALUES (4, 'four', 4)",
      ['INSERT INTO t VALUES (?, ?, ?)', [5, Number.POSITIVE_INFINITY]],
      'SELECT 1',
    ];
    assert.deepEqual(tell(await run(wrong, { isTransaction: true })), ['rolled_back', 'error PARAMETERS', 'not_attempted']);
    assert.equal(await count(), 1);
  });

  it('that read see what those before them wrote', async () => {
    const answers = await run(
      ["INSERT INTO t VALUES (4, 'four', 4)", 'SELECT count(*) AS n FROM t', 'DELETE FROM t WHERE id = 1 RETURNING name'],
      {
        isTransaction: true,
      },
    );
    assert.deepEqual(tell(answers), ['applied', 'applied', 'applied']);
    assert.deepEqual(answers[1]?.status === 'applied' ? answers[1].rows : [], [{ n: 2 }]);
    assert.deepEqual(answers[2]?.status === 'applied' ? answers[2].rows : [], [{ name: 'one' }]);
  });
});

describe('conditions that do not hold', () => {
  const conditional: readonly Given[] = [
    ['INSERT INTO t VALUES (?, ?, ?) ON CONFLICT DO NOTHING', [1, 'uno', 2]],
    ['UPDATE t SET v = 2 WHERE id = ? AND v = ?', [1, 99]],
    ["INSERT INTO t (id, name) VALUES (9, 'one')", []],
    'DELETE FROM t WHERE id = 77',
  ];
  for (const isTransaction of [false, true]) {
    for (const record of [undefined, () => []]) {
      it(`are answered with the row in the way (${isTransaction ? 'transaction' : 'alone'}${record === undefined ? '' : ', recorded'})`, async () => {
        const answers = await run(conditional, { isTransaction, statusRows: true, onConflict: 'not_applied', record });
        const row = { id: 1, name: 'one', v: 1 };
        assert.deepEqual(answers, [
          { status: 'not_applied', row },
          { status: 'not_applied', row },
          { status: 'not_applied', row },
          { status: 'not_applied' },
        ]);
      });
    }
  }
});

describe('what reaches beyond the unit', () => {
  it('is refused before it is sent', async () => {
    const refused = [
      'BEGIN',
      'COMMIT',
      "ATTACH 'x' AS y",
      'PRAGMA synchronous = OFF',
      'DELETE FROM sluice_meta',
      'SELECT 1; SELECT 2',
      'VACUUM',
      'DROP TABLE sluice_meta',
    ];
    assert.deepEqual(new Set(tell(await run(refused))), new Set(['error REFUSED']));
  });

  it('text that looks like bytes stays text, whichever way it is given', async () => {
    await run([
      ['INSERT INTO t (id, name) VALUES (?, ?)', [5, "x'41'"]],
      ['INSERT INTO t (id, name) VALUES ($id, $name)', { id: 6, name: "X'42'" }],
    ]);
    const rows = await link.query({ sql: 'SELECT name, typeof(name) AS type FROM t WHERE id > 4 ORDER BY id', parameters: [] });
    assert.deepEqual(rows, [
      { name: "x'41'", type: 'text' },
      { name: "X'42'", type: 'text' },
    ]);
  });

  it('a lost answer is said to be unknown, and the unit is not sent again', async () => {
    let sent = 0;
    const relay = await startRelay(
      () => server.port,
      ({ body }) => (body.includes('INSERT INTO t') && ++sent > 0 ? { kind: 'cut_after' } : pass),
    );
    const other = await connect(relay.url);
    await assert.rejects(run(["INSERT INTO t VALUES (8, 'eight', 8)"], {}, other), { code: 'SLUICE_LINK_LOST', landed: 'unknown' });
    assert.equal(sent, 1);
    assert.equal(await count(), 2);
    await other.close();
    await relay.close();
  });
});
