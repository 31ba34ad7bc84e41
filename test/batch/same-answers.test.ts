/** The same statements get the same answers on SQLite, PostgreSQL and rqlite: conditional writes above all, with the row that was in the way. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { batch } from '../../src/batch/batch.ts';
import type { BatchAnswer, BatchOptions, BatchStatement } from '../../src/batch/options.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { createDatabase, skipReason } from '../postgres/server.ts';
import { startServer } from '../rqlite/server.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`same answers seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

const tables: readonly BatchStatement[] = [
  'CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(40) UNIQUE, version INTEGER NOT NULL DEFAULT 1)',
  'CREATE TABLE pair (a INTEGER, b VARCHAR(40), n INTEGER, PRIMARY KEY (a, b))',
  'CREATE TABLE loose (n INTEGER)',
];
const filled: readonly BatchStatement[] = [
  "INSERT INTO t (id, name, version) VALUES (1, 'one', 1), (2, 'two', 5), (3, 'three', 1)",
  "INSERT INTO pair VALUES (1, 'x', 10), (1, 'y', 20), (2, 'x', 30)",
  'INSERT INTO loose VALUES (1), (1)',
];
const names = ['t', 'pair', 'loose'];
const readAll: readonly BatchStatement[] = [
  'SELECT id, name, version FROM t ORDER BY id',
  'SELECT a, b, n FROM pair ORDER BY a, b',
  'SELECT n FROM loose ORDER BY n',
];

interface Place {
  readonly name: string;
  readonly to: string;
}

async function openPlaces(context: TestContext): Promise<readonly Place[]> {
  const sqlite = { name: 'SQLite', to: `sqlite:${path.join(makeFolder(context), 'a.db')}` };
  const server = await startServer();
  context.after(() => server.dispose());
  const places: Place[] = [sqlite, { name: 'rqlite', to: server.url }];
  if (skipReason === false) {
    const database = await createDatabase();
    context.after(() => database.dispose());
    places.push({ name: 'PostgreSQL', to: database.url });
  } else context.diagnostic(`without PostgreSQL: ${skipReason}`);
  for (const { to } of places) await batch({ to, statements: tables, transaction: true });
  return places;
}

/** What every target says alike: all but its own ids, codes and words. */
function simplify(answer: BatchAnswer): object {
  if (answer.status === 'error') return { status: answer.error.code };
  if (answer.status === 'not_applied') return { status: answer.status, row: answer.row };
  if (answer.status === 'applied') return { status: answer.status, rowsAffected: answer.rowsAffected, rows: answer.rows };
  return { status: answer.status };
}

type Options = Pick<BatchOptions, 'transaction' | 'onConflict' | 'statusRows'>;

const anew = [...names.map((name) => `DELETE FROM ${name}`), ...filled];

/** Runs each list on tables that stand as at the beginning, all in one request, and reads the tables after each. */
async function runAnew(
  to: string,
  lists: readonly (readonly BatchStatement[])[],
  options: Options,
): Promise<readonly (readonly object[])[]> {
  const given = await batch({ to, statements: lists.flatMap((list) => [...anew, ...list, ...readAll]), ...options });
  let at = 0;
  return lists.map((list) => {
    const answers = given.slice(at + anew.length, at + anew.length + list.length + readAll.length);
    at += anew.length + list.length + readAll.length;
    return answers.map(simplify);
  });
}

/** What all targets answer. */
async function compare(
  places: readonly Place[],
  lists: readonly (readonly BatchStatement[])[],
  options: Options,
): Promise<readonly (readonly object[])[]> {
  const all = await Promise.all(places.map(({ to }) => runAnew(to, lists, options)));
  const [first = [], ...others] = all;
  for (const [index, other] of others.entries()) {
    for (const [list, answers] of other.entries())
      assert.deepEqual(answers, first[list], `${places[index + 1]?.name} as SQLite: ${JSON.stringify(lists[list])}`);
  }
  return first;
}

const one = { id: 1, name: 'one', version: 1 };
const two = { id: 2, name: 'two', version: 5 };
const applied = (rowsAffected = 1, rows?: readonly object[]): object => ({ status: 'applied', rowsAffected, rows });
const missed = (row?: object): object => ({ status: 'not_applied', row });
const refused = (code: string): object => ({ status: code });

/** A statement, and what is said of it on every target, with `statusRows`. */
const cases: readonly (readonly [string, BatchStatement, object, Options?])[] = [
  ['an insert that ignores its key', ["INSERT INTO t (id, name) VALUES (?, 'new') ON CONFLICT DO NOTHING", 1], missed(one)],
  [
    'the same by the name of the key',
    ['INSERT INTO t (id, name) VALUES (:i, :n) ON CONFLICT (id) DO NOTHING', { i: 2, n: 'q' }],
    missed(two),
  ],
  ['another unique column', "INSERT INTO t (id, name) VALUES (9, 'two') ON CONFLICT (name) DO NOTHING", missed(two)],
  ['another unique column, unnamed', "INSERT INTO t (id, name) VALUES (9, 'two') ON CONFLICT DO NOTHING", missed(two)],
  ['columns in another order', "INSERT INTO t (name, id) VALUES ('new', 1) ON CONFLICT DO NOTHING", missed(one)],
  ['no list of columns', "INSERT INTO t VALUES (1, 'new', 3) ON CONFLICT DO NOTHING", missed(one)],
  ['values of a SELECT', "INSERT INTO t (id, name) SELECT 1, 'new' ON CONFLICT DO NOTHING", missed(one)],
  ['a key that is free', "INSERT INTO t (id, name) VALUES (4, 'four') ON CONFLICT DO NOTHING", applied()],
  ['several rows, one of them there', "INSERT INTO t (id, name) VALUES (1, 'a'), (7, 'b') ON CONFLICT DO NOTHING", applied()],
  ['several rows, all there', "INSERT INTO t (id, name) VALUES (1, 'a'), (2, 'b') ON CONFLICT DO NOTHING", missed(one)],
  ['RETURNING of none', "INSERT INTO t (id, name) VALUES (1, 'a') ON CONFLICT DO NOTHING RETURNING id", missed(one)],
  ['RETURNING of one', "INSERT INTO t (id, name) VALUES (4, 'a') ON CONFLICT DO NOTHING RETURNING id", applied(1, [{ id: 4 }])],
  ['an upsert', "INSERT INTO t (id, name) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = excluded.name", applied()],
  [
    'an upsert with a guard',
    "INSERT INTO t (id, name) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = 'b' WHERE t.version = 9",
    missed(one),
  ],
  ['a composite key', "INSERT INTO pair VALUES (1, 'y', 0) ON CONFLICT DO NOTHING", missed({ a: 1, b: 'y', n: 20 })],
  ['half of a composite key', "INSERT INTO pair VALUES (2, 'y', 0) ON CONFLICT DO NOTHING", applied()],
  ['a guarded update that holds', ['UPDATE t SET name = ?, version = version + 1 WHERE id = ? AND version = ?', 'z', 2, 5], applied()],
  ['a guarded update that does not', ['UPDATE t SET name = ? WHERE id = ? AND version = ?', 'z', 2, 4], missed(two)],
  ['the guard before the key', ['UPDATE t SET name = ? WHERE version = ? AND id = ?', 'z', 4, 2], missed(two)],
  ['a guard by name', ['UPDATE t SET name = :n WHERE id = :i AND version = :v', { n: 'z', i: 2, v: 4 }], missed(two)],
  ['a guard on a composite key', ["UPDATE pair SET n = 0 WHERE b = 'x' AND a = ? AND n < ?", 2, 30], missed({ a: 2, b: 'x', n: 30 })],
  ['an update of a row that is not there', 'UPDATE t SET version = 0 WHERE id = 77', missed()],
  ['an update without a key', 'UPDATE t SET version = 0 WHERE version = 99', missed()],
  ['an update of a table without a key', 'UPDATE loose SET n = 0 WHERE n = 99', missed()],
  ['an update of all', 'UPDATE t SET version = 0', applied(3)],
  ['a delete that holds', "DELETE FROM pair WHERE a = 1 AND b = 'x'", applied()],
  ['a guarded delete that does not', 'DELETE FROM t WHERE id = 1 AND version = 7', missed(one)],
  ['a delete of a row that is not there', 'DELETE FROM t WHERE id = 99', missed()],
  ['a key that is met', "INSERT INTO t (id, name) VALUES (1, 'a')", refused('UNIQUE')],
  ['a key that is met, if not exists', "INSERT INTO t (id, name) VALUES (1, 'a')", missed(one), { onConflict: 'not_applied' }],
  ['a unique column, if not exists', "INSERT INTO t (id, name) VALUES (9, 'one')", missed(one), { onConflict: 'not_applied' }],
  [
    'a composite key, if not exists',
    ['INSERT INTO pair VALUES (?, ?, ?)', [1, 'x', 3]],
    missed({ a: 1, b: 'x', n: 10 }),
    { onConflict: 'not_applied' },
  ],
  ['several rows, if not exists', "INSERT INTO t (id, name) VALUES (8, 'a'), (1, 'b')", missed(one), { onConflict: 'not_applied' }],
  ['another fault, if not exists', 'INSERT INTO t (id, version) VALUES (8, NULL)', refused('NOT_NULL'), { onConflict: 'not_applied' }],
  ['a table without a key', 'INSERT INTO loose VALUES (1)', applied(), { onConflict: 'not_applied' }],
  ['a read', 'SELECT id FROM t WHERE id > 1 ORDER BY id', applied(0, [{ id: 2 }, { id: 3 }])],
  ['a read of nothing', 'SELECT id FROM t WHERE id > 99', applied(0, [])],
  ['a table that is not there', 'INSERT INTO nowhere VALUES (1)', refused('UNKNOWN_TABLE')],
  ['a column that is not there', 'UPDATE t SET nobody = 1', refused('UNKNOWN_COLUMN')],
  ['no SQL', 'nonsense', refused('SYNTAX')],
  ['too few values', ['INSERT INTO loose VALUES (?)'], refused('PARAMETERS')],
  ['a transaction of its own', 'BEGIN', refused('REFUSED')],
];

test('each kind of statement is answered alike by all targets', async (context) => {
  const places = await openPlaces(context);
  for (const onConflict of ['error', 'not_applied'] as const) {
    const some = cases.filter(([, , , more]) => (more?.onConflict ?? 'error') === onConflict);
    const answers = await compare(
      places,
      some.map(([, statement]) => [statement]),
      { statusRows: true, onConflict },
    );
    assert.deepEqual(
      some.map(([name], index) => [name, answers[index]?.[0]]),
      some.map(([name, , expected]) => [name, expected]),
    );
  }
});

const small = fc.integer({ min: 0, max: 4 });
const word = fc.constantFrom('one', 'two', 'x', 'y', 'new');
const tail = fc.constantFrom(
  '',
  '',
  ' ON CONFLICT DO NOTHING',
  ' ON CONFLICT (id) DO NOTHING',
  ' ON CONFLICT (name) DO NOTHING RETURNING id, name',
  ' ON CONFLICT (id) DO UPDATE SET version = t.version + 1',
  ' ON CONFLICT (id) DO UPDATE SET version = 9 WHERE t.version < excluded.version',
);
const pairTail = fc.constantFrom('', ' ON CONFLICT DO NOTHING', ' ON CONFLICT (a, b) DO UPDATE SET n = 0 WHERE pair.n > 15');

const statement: fc.Arbitrary<BatchStatement> = fc.oneof(
  fc
    .tuple(small, word, small, tail)
    .map(([id, name, version, end]): BatchStatement => [`INSERT INTO t (id, name, version) VALUES (?, ?, ?)${end}`, [id, name, version]]),
  fc.tuple(small, small, word, tail).map(([id, other, name, end]): BatchStatement => [
    `INSERT INTO t (name, id) VALUES (:n, :a), ('w', :b)${end}`,
    // PostgreSQL refuses an upsert that meets one row twice.
    { n: name, a: id, b: other === id ? 5 : other },
  ]),
  fc.tuple(small, word, pairTail).map(([a, b, end]): BatchStatement => [`INSERT INTO pair VALUES (?, ?, 1)${end}`, a, b]),
  fc.tuple(small, small).map(([id, version]): BatchStatement => ['UPDATE t SET version = 7 WHERE id = ? AND version = ?', id, version]),
  fc.tuple(small, small).map(([id, to]): BatchStatement => ['UPDATE t SET id = ? WHERE id = ?', to, id]),
  fc.tuple(small, word).map(([a, b]): BatchStatement => ['DELETE FROM pair WHERE a = ? AND b = ? RETURNING n', a, b]),
  small.map((version): BatchStatement => ['DELETE FROM t WHERE version = ?', version]),
  fc.constantFrom<BatchStatement>('SELECT id FROM t ORDER BY id', 'INSERT INTO loose VALUES (3)', 'nonsense', 'UPDATE loose SET n = n + 1'),
);

test('a key of another table, which a trigger writes, is an error on all targets', async (context) => {
  const places = await openPlaces(context);
  const trigger = {
    others: ['CREATE TRIGGER x BEFORE INSERT ON t BEGIN INSERT INTO audit VALUES (1); END'],
    PostgreSQL: [
      'CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (1); RETURN NEW; END $$',
      'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()',
    ],
  };
  for (const { name, to } of places) {
    const own = name === 'PostgreSQL' ? trigger.PostgreSQL : trigger.others;
    await batch({
      to,
      statements: ['CREATE TABLE audit (k INTEGER PRIMARY KEY)', 'INSERT INTO audit VALUES (1)', ...own],
      transaction: true,
    });
    const answers = await batch({
      to,
      statements: ["INSERT INTO t (id, name) VALUES (1, 'a')"],
      onConflict: 'not_applied',
      statusRows: true,
    });
    assert.deepEqual(answers.map(simplify), [refused('UNIQUE')], name);
  }
});

test('any statements in any order are answered alike by all targets', async (context) => {
  const places = await openPlaces(context);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(statement, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc.constantFrom('error' as const, 'not_applied' as const),
      async (lists, transaction, onConflict) => {
        const options = { transaction, onConflict, statusRows: true };
        // In a transaction the first error ends all: one list is enough.
        await compare(places, transaction ? lists.slice(0, 1) : lists, options);
      },
    ),
    { seed, numRuns: 40, endOnFailure: true },
  );
});
