/** Parameters as SQLite numbers them, judged by binding; tokens and parameters as PostgreSQL reads them; the same statement with PostgreSQL's numbers. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Client } from 'pg';
import { listParameters, toDollarNumbers } from '../../src/sql/parameters.ts';
import { readTokens } from '../../src/sql/tokens.ts';
import { createDatabase, skipReason, type TestDatabase } from '../postgres/server.ts';
import { chooseSeed } from '../rows/records.ts';

const sqliteParameters = fc.constantFrom(
  '?',
  '?',
  '?1',
  '?7',
  '?007',
  '?12',
  ':a',
  ':A',
  '@a',
  '$a',
  '#a',
  '$a::b(c;d)',
  ':a::',
  '@é',
  '$1',
  ':a(b)',
);
const sqliteOthers = fc.constantFrom("'?'", '"?"', '-- ?\n 1', '/* :a */ 1', "x'3f'", "':a '''", '1', "'{}' ->> '$.a'", '1e5');

test('SQLite gives each parameter the number and the name that are told', (t) => {
  const database = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true });
  t.after(() => database.close());
  fc.assert(
    fc.property(fc.array(fc.oneof(sqliteParameters, sqliteOthers), { minLength: 1, maxLength: 9 }), (items) => {
      const sql = `SELECT ${items.map((item, at) => `(${item}) || ${at}`).join(', ')}`;
      const { count, names, places } = listParameters(sql, 'sqlite');
      // The program of the statement reads each parameter by its number; one more ? gets the number behind the highest.
      const program = database.prepare(`EXPLAIN ${sql}, ?`).all();
      const numbers = program.flatMap(({ opcode, p1 }) => (opcode === 'Variable' ? [Number(p1)] : []));
      assert.deepEqual(new Set(numbers), new Set([...places.map(({ index }) => index), count + 1]), sql);
      assert.equal(names.length, count);
      for (const { start, end, index } of places) {
        const text = sql.slice(start, end);
        if (!text.startsWith('?')) assert.equal(names[index - 1], text);
      }
    }),
    { numRuns: 3_000, seed: chooseSeed(t) },
  );
});

test('values that are bound by the names that are told arrive', () => {
  const database = new DatabaseSync(':memory:');
  const sql = 'SELECT :a, @a, $a, #a, :A, $a::b(c), :a';
  const { names } = listParameters(sql, 'sqlite');
  const statement = database.prepare(sql);
  statement.setAllowBareNamedParameters(false);
  const row = statement.get(Object.fromEntries(names.map((name, at) => [name, at + 1])));
  assert.deepEqual(Object.values(row ?? {}), [1, 2, 3, 4, 5, 6]);
  database.close();
});

test('tokens are told by kind, without blanks and comments', () => {
  const read = (sql: string, dialect: 'sqlite' | 'postgres'): readonly string[] =>
    readTokens(sql, dialect).map(({ kind, text }) => `${kind} ${text}`);
  assert.deepEqual(read("SELECT a.[b], -1.5e-3/*x*/ -- y\n FROM `t` WHERE x'0f' ->> '$.a' <> ?1 || 0x1F;", 'sqlite'), [
    'word SELECT',
    'word a',
    'operator .',
    'quoted [b]',
    'operator ,',
    'operator -',
    'number 1.5e-3',
    'word FROM',
    'quoted `t`',
    'word WHERE',
    "blob x'0f'",
    'operator ->>',
    "string '$.a'",
    'operator <>',
    'parameter ?1',
    'operator ||',
    'number 0x1F',
    'operator ;',
  ]);
  assert.deepEqual(read(`SELECT U&"a" , E'\\'' $q$x$q$::text[1:2] @> -5 ?| $12 ..=- 1..2`, 'postgres'), [
    'word SELECT',
    'quoted U&"a"',
    'operator ,',
    "string E'\\''",
    'string $q$x$q$',
    'operator ::',
    'word text',
    'operator [',
    'number 1',
    'operator :',

    'number 2',
    'operator ]',
    'operator @>',
    'operator -',
    'number 5',
    'operator ?|',
    'parameter $12',
    'operator ..',
    'operator =',
    'operator -',
    'number 1',
    'operator ..',
    'number 2',
  ]);
  assert.deepEqual(readTokens('  é = 1', 'sqlite')[0], { kind: 'word', start: 2, end: 3, text: 'é' });
});

test('parameters of PostgreSQL are its numbers, and nothing else', () => {
  const { count, names, places } = listParameters("SELECT $2, '$3', \"$4\", $$ $5 $$, a$6, E'\\'$7', ? /* $8 */ -- $9\n", 'postgres');
  assert.equal(count, 2);
  assert.deepEqual(names, [undefined, undefined]);
  assert.deepEqual(places, [{ start: 7, end: 9, index: 2 }]);
});

/** What is written, how the values are given, what goes to the server, and which value goes where. */
const cases: readonly (readonly [string, number | readonly string[], string, readonly (number | string)[]])[] = [
  ['SELECT 1', 0, 'SELECT 1', []],
  ["SELECT data ? 'a' FROM t", 0, "SELECT data ? 'a' FROM t", []],
  ['INSERT INTO t VALUES (?,?, ?)', 3, 'INSERT INTO t VALUES ($1,$2, $3)', [0, 1, 2]],
  ['SELECT * FROM t WHERE a=? AND b>=?::int', 2, 'SELECT * FROM t WHERE a=$1 AND b>=$2::int', [0, 1]],
  ['SELECT ?2, ?, ?2', 3, 'SELECT $1, $2, $1', [1, 2]],
  [
    "SELECT data ? 'a', data ?| ARRAY[?], data ?& ? FROM t WHERE data->'b' ? ? LIMIT ?",
    4,
    "SELECT data ? 'a', data ?| ARRAY[$1], data ?& $2 FROM t WHERE data->'b' ? $3 LIMIT $4",
    [0, 1, 2, 3],
  ],
  ["SELECT data ?? 'a', data ??| ? FROM t", 1, "SELECT data ? 'a', data ?| $1 FROM t", [0]],
  ["SELECT j @? '$.a' AND j @@ ? FROM t", 1, "SELECT j @? '$.a' AND j @@ $1 FROM t", [0]],
  ["SELECT '?', \"?\", $$?$$, E'\\'?', /* ? */ ? -- ?", 1, "SELECT '?', \"?\", $$?$$, E'\\'?', /* ? */ $1 -- ?", [0]],
  ['SELECT ?||?||-?', 3, 'SELECT $1||$2||-$3', [0, 1, 2]],
  ['SELECT $2, $1 WHERE $2 ? $1', 2, 'SELECT $2, $1 WHERE $2 ? $1', [0, 1]],
  ['SELECT :a, @b, $c, :a::int, x[1:n]', ['a', 'b', 'c'], 'SELECT $1, $2, $3, $1::int, x[1:n]', ['a', 'b', 'c']],
  ["SELECT ':a', a::b, @x, :c", ['a', 'c', 'b'], "SELECT ':a', a::b, @x, $1", ['c']],
  ['SELECT a=:a, b=@b', ['a', 'b'], 'SELECT a=$1, b=$2', ['a', 'b']],
  ['SELECT :a, :b, :a', 2, 'SELECT $1, $2, $1', [0, 1]],
];

for (const [sql, given, expected, sources] of cases) {
  test(`for PostgreSQL, with ${JSON.stringify(given)}: ${sql}`, () => {
    const found = toDollarNumbers(sql, given);
    assert.equal(found.sql, expected);
    assert.deepEqual(found.sources, sources);
  });
}

test('how many values a text wants is its highest number', () => {
  assert.equal(toDollarNumbers('SELECT ?3, ?', 4).count, 4);
  assert.equal(toDollarNumbers('SELECT $5', 1).count, 5);
  assert.equal(toDollarNumbers('SELECT :a, :b, :a', 2).count, 2);
});

describe('On a PostgreSQL server', { skip: skipReason }, () => {
  let database: TestDatabase;
  let client: Client;
  before(async () => {
    database = await createDatabase();
    client = new Client({ connectionString: database.url });
    await client.connect();
  });
  after(async () => {
    await client.end();
    await database.dispose();
  });

  test('question marks among strings, operators and casts take their values in order', async (t) => {
    const item = fc.constantFrom(
      '?::int',
      '?::int+1-1',
      '-(-(?::int))',
      "CASE WHEN '{\"a\":1}'::jsonb ? 'a' THEN ?::int END",
      '(?::int)',
      '?::int /* ? */',
      '0+?',
      '?2::int',
      '1*?::int',
      '(ARRAY[0,?])[2]',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(item, fc.constantFrom("'?'", '$$?$$', '1')), { minLength: 1, maxLength: 8 }), async (items) => {
        const sql = `SELECT ${items.join(', ')}`;
        const values = Array.from({ length: 24 }, (_, at) => 101 + at);
        const { sql: text, sources } = toDollarNumbers(sql, values.length);
        const found = await client.query<unknown[]>({ text, values: sources.map((source) => values[Number(source)]), rowMode: 'array' });
        const expected: unknown[] = [];
        let highest = 0;
        for (const one of items) {
          if (one === "'?'" || one === '$$?$$') expected.push('?');
          else if (one === '1') expected.push(1);
          else {
            const number = one.includes('?2') ? 2 : highest + 1;
            highest = Math.max(highest, number);
            expected.push(100 + number);
          }
        }
        assert.deepEqual(found.rows[0], expected, sql);
      }),
      { numRuns: 300, seed: chooseSeed(t) },
    );
  });
});
