/** The query for the row in the way, run on the engines: it finds the row that has the key, gives no other, and is not written where the text does not tell. */
import assert from 'node:assert/strict';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Client } from 'pg';
import { writeExistingQuery, type ExistingOptions, type ExistingQuery } from '../../src/sql/existing-row.ts';
import { listParameters } from '../../src/sql/parameters.ts';
import { readShape } from '../../src/sql/shape.ts';
import { createDatabase, skipReason, type TestDatabase } from '../postgres/server.ts';
import { chooseSeed } from '../rows/records.ts';

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function write(sql: string, options: Omit<ExistingOptions, 'quote'>): ExistingQuery | undefined {
  return writeExistingQuery(sql, readShape(sql, options.dialect), { quote, ...options });
}

/** Values of the query, out of those of the statement. */
function pick<Value>(query: ExistingQuery, values: readonly Value[]): Value[] {
  return query.parameterIndexes.map((index) => {
    assert.ok(index >= 1 && index <= values.length);
    return values[index - 1] as Value;
  });
}

const columns = ['id', 'kind', 'name', 'version'];

/** Statements that change nothing for a row that is there, their values, and the name of the row that has to be found. */
const conditionals: readonly (readonly [string, readonly SQLInputValue[], string | undefined])[] = [
  ['INSERT OR IGNORE INTO t VALUES (?, ?, ?, 9)', [1, 'a', 'new'], 'first'],
  ["INSERT INTO t(name, kind, ID) VALUES ('new', 'a', 1) ON CONFLICT DO NOTHING", [], 'first'],
  ['INSERT INTO t(name, kind, id) VALUES (:name, :kind, :id) ON CONFLICT (id, kind) DO NOTHING', ['new', 'b', 2], 'second'],
  ['INSERT INTO t(name, kind, id) VALUES ($c, lower($b), $a + 1 - 1) ON CONFLICT DO NOTHING', ['new', 'B', 2], 'second'],
  ["INSERT OR IGNORE INTO t(id, kind, name) VALUES (2, 'b', 'x'), (1, 'a', 'y')", [], 'second'],
  ["INSERT OR IGNORE INTO t(id, kind, name) VALUES (?, ?, 'y'), (2, 'b', 'z')", [1, 'a'], 'first'],
  [
    'INSERT INTO t(id, kind, name) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM t WHERE id = ?1 AND kind = ?2)',
    [1, 'a', 'x'],
    'first',
  ],
  ["WITH c(k) AS (SELECT 'b') INSERT OR IGNORE INTO t(id, kind) SELECT 2, k FROM c WHERE true", [], 'second'],
  ["WITH c(k) AS (SELECT 'b') INSERT OR IGNORE INTO t(id, kind) VALUES (?, (SELECT k FROM c))", [2], 'second'],
  ['INSERT OR IGNORE INTO t(id, kind, name) VALUES (1, "a", "id")', [], 'first'],
  ['INSERT OR IGNORE INTO t(id, kind, name) VALUES (3, "kind", "x")', [], 'third'],
  ["INSERT OR IGNORE INTO t(id, kind) VALUES ('1', 'a')", [], 'first'],
  ['INSERT OR IGNORE INTO t(id, kind) VALUES (4, 5)', [], 'fourth'],
  [
    "INSERT INTO t VALUES (1, 'a', 'new', 1) ON CONFLICT (id, kind) DO UPDATE SET name = excluded.name WHERE excluded.version > t.version",
    [],
    'first',
  ],
  ["UPDATE t SET name = 'new' WHERE id = ? AND kind = ? AND version = ?", [1, 'a', 99], 'first'],
  ["UPDATE t AS x SET name = ?4 WHERE (x.version = ?3 AND 'b' = kind) AND x.id = ?1", [2, null, 99, 'new'], 'second'],
  ['DELETE FROM t WHERE (id, kind) = (?, ?) AND version > 99', [1, 'a'], 'first'],
  ['DELETE FROM t WHERE id = 1 AND kind = "a" AND version = 99', [], 'first'],
  ["UPDATE OR IGNORE t SET name = 'x' WHERE id = 77 AND kind = 'a'", [], undefined],
];

const fill = `CREATE TABLE t (id INTEGER, kind TEXT, name TEXT, version INTEGER, PRIMARY KEY (id, kind));
  INSERT INTO t VALUES (1, 'a', 'first', 1), (2, 'b', 'second', 2), (3, 'kind', 'third', 3), (4, '5', 'fourth', 4)`;

for (const [sql, values, expected] of conditionals) {
  test(`SQLite, ${expected ?? 'no row'}: ${sql}`, () => {
    const database = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true });
    database.exec(fill);
    const { names } = listParameters(sql, 'sqlite');
    const named = Object.fromEntries(
      names.flatMap((name, at) => (name === undefined || name.startsWith('?') ? [] : [[name, values[at] ?? null]])),
    );
    const statement = database.prepare(sql);
    const { changes } = Object.keys(named).length > 0 ? statement.run(named) : statement.run(...values);
    assert.equal(changes, 0, 'the statement does not apply');
    const query = write(sql, { key: ['id', 'kind'], dialect: 'sqlite', columns });
    assert.ok(query);
    const reading = database.prepare(query.sql);
    const rows = reading.all(...pick(query, values));
    assert.deepEqual(
      rows.map(({ name }) => name),
      expected === undefined ? [] : [expected],
      query.sql,
    );
    assert.deepEqual(
      reading.columns().map(({ column }) => column),
      columns,
    );
    database.close();
  });
}

test('no query is written where the text does not tell the key', () => {
  const key = ['id'];
  for (const dialect of ['sqlite', 'postgres'] as const) {
    for (const sql of [
      'INSERT INTO t DEFAULT VALUES',
      "INSERT INTO t(name) VALUES ('x')",
      'INSERT INTO t VALUES (1)',
      'SELECT * FROM t WHERE id = 1',
      'UPDATE t SET name = 1',
      'UPDATE t SET name = 1 WHERE id = 1 OR id = 2',
      'UPDATE t SET name = 1 WHERE id = other',
      'UPDATE t SET name = 1 WHERE id > 1',
      'UPDATE t SET name = 1 FROM u WHERE u.id = 1',
      'DELETE FROM t WHERE id = (SELECT max(id) FROM t)',
      'INSERT INTO t(id) VALUES (random())',
      '',
    ]) {
      assert.equal(write(sql, { key, dialect }), undefined, sql);
    }
    assert.equal(write('DELETE FROM t WHERE id = 1', { key: [], dialect }), undefined);
  }
  for (const sql of [
    "INSERT INTO t(id) VALUES (nextval('s'))",
    'INSERT INTO t(id) VALUES (DEFAULT)',
    'INSERT INTO t(id) SELECT f(x) FROM u',
    'INSERT INTO t(id) SELECT id FROM "f"(1)',
    'INSERT INTO t(id) SELECT x FROM u, f() AS (x int)',
    'WITH a AS (DELETE FROM u RETURNING id) INSERT INTO t(id) SELECT id FROM a',
    'UPDATE t SET name = 1 WHERE id = f(1)',
    'INSERT INTO t("ID") VALUES (1)',
  ]) {
    assert.equal(write(sql, { key, dialect: 'postgres' }), undefined, sql);
  }
});

test('a generated key is looked for among the rows that name theirs', () => {
  const query = write('INSERT INTO t(id, name) VALUES (DEFAULT, $1), ($2, $3)', {
    key: ['id'],
    dialect: 'postgres',
    types: { id: 'bigint' },
  });
  assert.deepEqual(query?.parameterIndexes, [2]);
});

test('SQLite finds the row of any key by the value that made it', (t) => {
  const database = new DatabaseSync(':memory:');
  t.after(() => database.close());
  database.exec('CREATE TABLE t (i INTEGER, x TEXT, r REAL, n, c TEXT COLLATE NOCASE, PRIMARY KEY (i, x, r, n, c))');
  const literal = fc.constantFrom(
    '1',
    "'1'",
    '1.0',
    "'a'",
    "'A'",
    "x'61'",
    '-3',
    '1e2',
    "'1e2'",
    "'01'",
    '?',
    '?',
    "'x' || ?",
    '1 + 1',
    'CAST(1 AS TEXT)',
    "(SELECT '2')",
    'abs(-2)',
  );
  fc.assert(
    fc.property(fc.array(literal, { minLength: 5, maxLength: 5 }), (items) => {
      const sql = `INSERT OR IGNORE INTO t VALUES (${items.join(', ')})`;
      const values = items.flatMap((item, at) => (item.includes('?') ? [at % 2 === 0 ? at : String(at)] : []));
      database.exec('DELETE FROM t');
      const insert = database.prepare(sql);
      assert.equal(insert.run(...values).changes, 1);
      assert.equal(insert.run(...values).changes, 0);
      const query = write(sql, { key: ['i', 'x', 'r', 'n', 'c'], dialect: 'sqlite', columns: ['i', 'x', 'r', 'n', 'c'] });
      assert.equal(database.prepare(query?.sql ?? '').all(...pick(query as ExistingQuery, values)).length, 1, sql);
    }),
    { numRuns: 400, seed: chooseSeed(t) },
  );
});

describe('PostgreSQL', { skip: skipReason }, () => {
  let database: TestDatabase;
  let client: Client;
  before(async () => {
    database = await createDatabase();
    client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query(`${fill}; CREATE TABLE u (id uuid, d date, n numeric, "Key" bigint, PRIMARY KEY (id, d, n, "Key"));
      INSERT INTO u VALUES ('00000000-0000-0000-0000-000000000001', '2020-02-03', 1.50, 7)`);
  });
  after(async () => {
    await client.end();
    await database.dispose();
  });

  /** As the statements of SQLite above, where PostgreSQL takes them. */
  const statements = conditionals
    .filter(([sql]) => !/OR IGNORE|"|[:$][a-z]|AS x SET|VALUES \(4, 5/.test(sql))
    .map(([sql, values, expected]) => {
      let number = 0;
      return [sql.replaceAll(/\?(\d*)/g, (_, digits: string) => `$${digits === '' ? ++number : digits}`), values, expected] as const;
    });
  const types = { id: 'integer', kind: 'text' };

  for (const isTyped of [true, false]) {
    for (const [sql, values, expected] of [
      ...statements,
      ["INSERT INTO t VALUES ($1, 'b', $2), (1, $3, 'x') ON CONFLICT DO NOTHING", [2, 'x', 'a'], 'second'] as const,
      ["INSERT INTO t AS x (kind, id) SELECT v.k, v.i FROM (VALUES ('b', 2)) v(k, i) ON CONFLICT DO NOTHING", [], 'second'] as const,
      ["UPDATE t x SET name = 'new' FROM pg_class c WHERE x.id = $1::int AND c.oid = 0 AND x.kind = $2", [1, 'a'], 'first'] as const,
    ]) {
      test(`${isTyped ? 'with' : 'without'} types, ${expected ?? 'no row'}: ${sql}`, async () => {
        const found = await client.query(sql, [...values]);
        assert.equal(found.rowCount, 0, 'the statement does not apply');
        const query = write(sql, { key: ['id', 'kind'], dialect: 'postgres', columns, types: isTyped ? types : undefined });
        assert.ok(query);
        const { rows, fields } = await client.query<{ readonly name: string }>(query.sql, pick(query, values));
        const names = rows.map(({ name }) => name);
        // Without types the rows of the statement have no order.
        if (isTyped || !sql.includes('), (')) assert.deepEqual(names, expected === undefined ? [] : [expected], query.sql);
        else assert.equal(names.length, 1);
        assert.deepEqual(
          fields.map(({ name }) => name),
          columns,
        );
      });
    }
  }

  test('values of a key take the types of its columns', async () => {
    const values = ['00000000-0000-0000-0000-000000000001', '2020-02-03', '1.5', '7'];
    const key = ['id', 'd', 'n', 'Key'];
    const typesOfKey = { id: 'uuid', d: 'date', n: 'numeric', Key: 'bigint' };
    for (const sql of [
      'INSERT INTO u VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
      'INSERT INTO u ("Key", ID, n, D) VALUES ($4, $1, $3, $2) ON CONFLICT DO NOTHING',
      'UPDATE u SET n = 2 WHERE id = $1 AND d = $2 AND n = $3 AND "Key" = $4',
    ]) {
      for (const given of [typesOfKey, undefined]) {
        const query = write(sql, { key, dialect: 'postgres', columns: key, types: given });
        assert.equal((await client.query(query?.sql ?? '', pick(query as ExistingQuery, values))).rows.length, 1, sql);
      }
    }
  });
});
