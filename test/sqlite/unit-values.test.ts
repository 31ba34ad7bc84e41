/** Values of a unit's statements on SQLite: exact in both directions, and never bound as NULL because something was missing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openUnitFile, summarize, type UnitFile } from './unit-file.ts';

let db: UnitFile;
before(async () => {
  db = await openUnitFile('CREATE TABLE item (id INTEGER PRIMARY KEY); CREATE TABLE loose (a, b); INSERT INTO item VALUES (1)');
});
after(() => {
  db.close();
});

test('values go in and come out exactly: int64, real, text, bytes, booleans as 1 and 0', async () => {
  const values = [
    2n ** 63n - 1n,
    -(2n ** 63n),
    9007199254740991,
    0.1,
    -0,
    Infinity,
    'aé\u{1F600}\n',
    '',
    new Uint8Array([0, 255]),
    new Uint8Array(0),
    true,
    null,
  ];
  const [answer] = await db.run([[`SELECT ${values.map((_, index) => `? AS c${String(index)}`).join()}, typeof(1) AS t`, values]]);
  assert.ok(answer?.status === 'applied');
  const row = answer.rows?.[0] ?? {};
  assert.deepEqual(Object.values(row), [...values.slice(0, 10), 1, null, 'integer']);
  const [types] = await db.run([
    ['SELECT typeof(?) AS i, typeof(?) AS r, typeof(?) AS b, hex(?) AS t', [1, 1.5, new Uint8Array(0), 'a\0b']],
  ]);
  assert.deepEqual(types?.status === 'applied' && types.rows, [{ i: 'integer', r: 'real', b: 'blob', t: '610062' }]);
});

test("columns of one name keep a value each, also under the name of an object's prototype", async () => {
  const [answer] = await db.run(['SELECT 1 AS id, 2 AS id, 3 AS "id:1", 4 AS "__proto__"']);
  assert.ok(answer?.status === 'applied');
  assert.deepEqual(answer.columns, ['id', 'id:2', 'id:1', '__proto__']);
  assert.deepEqual(Object.entries(answer.rows?.[0] ?? {}), [
    ['id', 1],
    ['id:2', 2],
    ['id:1', 3],
    ['__proto__', 4],
  ]);
});

test('parameters by place, by number and by name reach their places in any mixture', async () => {
  const answers = await db.run([
    ['SELECT ? AS a, ?5 AS b, ? AS c', [1, 2, 3, 4, 5, 6]],
    ['SELECT ?2 AS a, ?1 AS b', [1, 2]],
    ['SELECT :x AS a, $x AS b, @y AS c', { x: 1, y: 2 }],
    ['SELECT :x AS a, ? AS b, :x AS c', [1, 2]],
    ['SELECT \':x\' AS a, "id" AS b FROM item WHERE id = :x -- :z', { x: 1 }],
  ]);
  assert.deepEqual(
    answers.map((answer) => answer.status === 'applied' && answer.rows?.[0]),
    [
      { a: 1, b: 5, c: 6 },
      { a: 2, b: 1 },
      { a: 1, b: 1, c: 2 },
      { a: 1, b: 2, c: 1 },
      { a: ':x', b: 1 },
    ],
  );
});

test('values that are missing, unknown, too many or of another kind are errors, never NULL', async () => {
  const insert = 'INSERT INTO loose VALUES (?, ?)';
  const named = 'INSERT INTO loose VALUES (:a, :b)';
  const wrong: readonly unknown[] = [
    [insert, []],
    [insert, [1]],
    [insert, [1, 2, 3]],
    [insert, { a: 1, b: 2 }],
    [named, {}],
    [named, { a: 1 }],
    [named, { a: 1, b: 2, c: 3 }],
    [named, { ':a': 1, ':b': 2 }],
    [named, [1]],
    [insert, [1, undefined]],
    [insert, [1, new Date(0)]],
    [insert, [1, [2]]],
    [insert, [1, { a: 1 }]],
    [insert, [1, NaN]],
    [insert, [1, 2n ** 63n]],
    [insert, [1, '\ud800']],
    [insert, [1, new Float32Array(1)]],
    ['SELECT 1', [1]],
    ['SELECT 1', { a: 1 }],
  ];
  const answers = await db.run(wrong as never);
  assert.deepEqual(new Set(summarize(answers)), new Set(['PARAMETERS']));
  assert.deepEqual(db.look('SELECT * FROM loose'), []);
});
