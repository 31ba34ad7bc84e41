/** `batch()`: as many answers as statements, each saying what the database then holds, on SQLite and PostgreSQL alike. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { batch } from '../../src/batch/batch.ts';
import type { BatchAnswer, BatchOptions, BatchStatement } from '../../src/batch/options.ts';
import { isSluiceError } from '../../src/errors.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { addressOf, startProxy, type Direction } from '../postgres/proxy.ts';
import { createDatabase, readSql as readPostgres, skipReason } from '../postgres/server.ts';
import { createRandom } from '../simulate/random.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`batch seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

const create = 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER DEFAULT 1)';
const insert = 'INSERT INTO t (id, name) VALUES (?, ?)';

async function makePostgres(context: TestContext): Promise<string> {
  const database = await createDatabase();
  context.after(() => database.dispose());
  return database.url;
}

const targets: readonly {
  readonly name: string;
  readonly skip: string | false;
  readonly open: (context: TestContext) => Promise<string>;
}[] = [
  { name: 'SQLite', skip: false, open: async (context) => `sqlite:${path.join(makeFolder(context), 'a.db')}` },
  { name: 'PostgreSQL', skip: skipReason, open: makePostgres },
];

function statuses(answers: readonly BatchAnswer[]): readonly string[] {
  return answers.map((answer) => (answer.status === 'error' ? answer.error.code : answer.status));
}

for (const { name, skip, open } of targets) {
  const run = (to: string, statements: readonly BatchStatement[], options: Partial<BatchOptions> = {}): Promise<readonly BatchAnswer[]> =>
    batch({ to, statements, ...options });

  test(`${name}: statements stand alone, in every form, and later ones go on after an error`, { skip }, async (context) => {
    const to = await open(context);
    const answers = await run(to, [
      create,
      [insert, [1, 'list']],
      [insert, 2, "it's; placed"],
      ['INSERT INTO t (id, name) VALUES (:id, :name)', { id: 3, name: 'named' }],
      [insert, [1, 'again']],
      [insert, [4, null]],
      'nonsense',
      'INSERT INTO nowhere VALUES (1)',
      'SELECT nobody FROM t',
      [insert, [9]],
      ['UPDATE t SET version = 2 WHERE id = ? AND version = ?', 1, 1],
      'SELECT id, name, version FROM t ORDER BY id',
    ]);
    assert.deepEqual(statuses(answers), [
      ...Array.from({ length: 4 }, () => 'applied'),
      'UNIQUE',
      'NOT_NULL',
      'SYNTAX',
      'UNKNOWN_TABLE',
      'UNKNOWN_COLUMN',
      'PARAMETERS',
      'applied',
      'applied',
    ]);
    assert.deepEqual(
      answers.map(({ index }) => index),
      answers.map((_, index) => index),
    );
    const last = answers.at(-1);
    assert.ok(last?.status === 'applied');
    assert.deepEqual(
      last.rows?.map((row) => Object.values(row)),
      [
        [1, 'list', 2],
        [2, "it's; placed", 1],
        [3, 'named', 1],
      ],
    );
  });

  test(`${name}: a transaction with an error is undone whole, and never looks like success`, { skip }, async (context) => {
    const to = await open(context);
    await run(to, [create, [insert, [1, 'old']]]);
    const failed = await run(to, [[insert, [2, 'a']], 'SELECT 1 AS one', [insert, [1, 'b']], [insert, [3, 'c']]], { transaction: true });
    assert.deepEqual(statuses(failed), ['rolled_back', 'rolled_back', 'UNIQUE', 'not_attempted']);
    const [left] = await run(to, ['SELECT id FROM t']);
    assert.ok(left?.status === 'applied');
    assert.deepEqual(left.rows, [{ id: 1 }]);
    const done = await run(
      to,
      [
        [insert, [2, 'a']],
        [insert, [3, 'c']],
      ],
      { transaction: true },
    );
    assert.deepEqual(statuses(done), ['applied', 'applied']);
  });

  test(
    `${name}: a condition that does not hold is not applied, and the row in the way comes when it is asked for`,
    { skip },
    async (context) => {
      const to = await open(context);
      await run(to, [create, [insert, [1, 'there']]]);
      const statements: readonly BatchStatement[] = [
        [insert, [1, 'new']],
        ['UPDATE t SET name = ? WHERE id = ? AND version = ?', ['x', 1, 7]],
        ['DELETE FROM t WHERE id = ?', 99],
        [insert, [2, 'free']],
      ];
      const answers = await run(to, statements, { onConflict: 'not_applied', statusRows: true, transaction: true });
      const row = { id: 1, name: 'there', version: 1 };
      assert.deepEqual(statuses(answers), ['not_applied', 'not_applied', 'not_applied', 'applied']);
      assert.deepEqual(
        answers.slice(0, 3).map((answer) => (answer.status === 'not_applied' ? answer.row : 'another status')),
        [row, row, undefined],
      );
    },
  );

  test(`${name}: integers of 64 bits and bytes come back as they were given`, { skip }, async (context) => {
    const to = await open(context);
    const isPostgres = to.startsWith('postgres');
    const answers = await run(to, [
      `CREATE TABLE v (id BIGINT PRIMARY KEY, data ${isPostgres ? 'BYTEA' : 'BLOB'})`,
      ['INSERT INTO v VALUES (?, ?)', 9007199254740993n, Uint8Array.of(0, 255, 10)],
      ['INSERT INTO v VALUES (?, ?)', [-(2n ** 63n), null]],
      'SELECT * FROM v ORDER BY id',
    ]);
    const last = answers.at(-1);
    assert.ok(last?.status === 'applied', JSON.stringify(statuses(answers)));
    assert.deepEqual(
      last.rows?.map(({ id, data }) => [id, data === null ? null : [...(data as Uint8Array)]]),
      [
        [-(2n ** 63n), null],
        [9007199254740993n, [0, 255, 10]],
      ],
    );
  });
}

test('what is no statement, or too much, is refused before anything is run', async (context) => {
  const to = `sqlite:${path.join(makeFolder(context), 'a.db')}`;
  const refused: readonly (readonly [unknown, RegExp])[] = [
    [['SELECT 1', 5], /Statement 1 is neither/],
    [[[1, 'x']], /Statement 0 does not begin/],
    [[['SELECT ?', undefined]], /number 1\) that is of type undefined/],
    [[['SELECT :a', { a: new Date() }]], /\(a\) that is a Date/],
    [[['SELECT ?, ?', [1], 2]], /that is an array/],
    [Array.from({ length: 3 }, () => ['SELECT ?', new Uint8Array(60 * 1024 * 1024)]), /one request takes 134217728/],
  ];
  for (const [statements, message] of refused) {
    await assert.rejects(
      batch({ to, statements: statements as BatchStatement[] }),
      (error: unknown) => isSluiceError(error, 'SLUICE_USAGE') && message.test(error.message),
    );
  }
  assert.deepEqual(await batch({ to, statements: [] }), []);
  await assert.rejects(batch({ to: 'sqlite:nowhere/at/all.db', statements: ['SELECT 1'] }), (error: unknown) =>
    isSluiceError(error, 'SLUICE_TARGET_DENIED'),
  );
  await assert.rejects(batch({ to, statements: ['SELECT 1'], signal: AbortSignal.abort() }), (error: unknown) =>
    isSluiceError(error, 'SLUICE_CANCELLED'),
  );
});

test(
  'PostgreSQL: whatever moment the link is cut at, each statement has an answer, and the table holds what they say',
  { skip: skipReason },
  async (context) => {
    const url = await makePostgres(context);
    const proxy = await startProxy(addressOf(url));
    context.after(() => proxy.close());
    const random = createRandom(seed);
    await batch({ to: url, statements: [create] });
    const told = new Map<string, number>();
    for (let round = 0; round < 24; round++) {
      const ids = Array.from({ length: 5 }, (_, index) => round * 10 + index);
      const direction: Direction = random.pick(['toServer', 'toClient']);
      proxy.cutAfterBytes(direction, random.between(0, 2_400));
      const statements = ids.map((id): BatchStatement => [insert, [id, 'x']]);
      let answers: readonly BatchAnswer[];
      try {
        answers = await batch({ to: proxy.rewrite(url), statements, transaction: round % 2 === 0 });
      } catch (error) {
        // Before it was connected: then nothing was run.
        assert.ok(isSluiceError(error, 'SLUICE_TARGET_UNREACHABLE') || isSluiceError(error, 'SLUICE_LINK_LOST'), String(error));
        answers = ids.map((_, index) => ({ index, status: 'not_attempted' }));
      }
      proxy.cutAfterBytes('toServer', Number.MAX_SAFE_INTEGER);
      assert.equal(answers.length, ids.length);
      const found = await readPostgres(url, `SELECT count(*)::int AS n FROM t WHERE id / 10 = ${round}`);
      const [status] = statuses(answers);
      for (const each of statuses(answers)) assert.equal(each, status, 'one unit, one end');
      if (status === 'unknown') assert.ok([0, 5].includes(Number(found[0]?.['n'])));
      else assert.equal(found[0]?.['n'], status === 'applied' ? 5 : 0, `${status} in round ${round}`);
      told.set(status ?? '', (told.get(status ?? '') ?? 0) + 1);
    }
    assert.ok((told.get('applied') ?? 0) > 0, JSON.stringify([...told]));
  },
);
