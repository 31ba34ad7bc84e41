/** What is told of a statement from its text: table after table of examples, and the engine as judge of what only reads. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Dialect } from '../../src/sql/dialect.ts';
import { writeExistingQuery } from '../../src/sql/existing-row.ts';
import { toDollarNumbers } from '../../src/sql/parameters.ts';
import { readShape, type StatementShape } from '../../src/sql/shape.ts';
import { chooseSeed } from '../rows/records.ts';

const cut = (sql: string, range: { readonly start: number; readonly end: number }): string => sql.slice(range.start, range.end);

test('the verb is that of the main statement, however it begins', () => {
  for (const [sql, verb, dialect] of [
    ['', '', 'sqlite'],
    ['  -- nothing', '', 'sqlite'],
    ['/* x */ select 1', 'SELECT', 'sqlite'],
    ['REPLACE INTO t VALUES (1)', 'INSERT', 'sqlite'],
    ['insert or ignore into t values (1)', 'INSERT', 'sqlite'],
    ['WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a', 'INSERT', 'sqlite'],
    ['WITH RECURSIVE a(x) AS (SELECT 1), "b;" AS NOT MATERIALIZED (SELECT 2) UPDATE t SET a = 1', 'UPDATE', 'sqlite'],
    ['WITH replace AS (SELECT 1) DELETE FROM t', 'DELETE', 'sqlite'],
    ['WITH insert AS (SELECT 1) SELECT * FROM insert', 'SELECT', 'postgres'],
    ['WITH RECURSIVE r AS (SELECT 1) SEARCH DEPTH FIRST BY a SET o, s AS (SELECT 2) SELECT 1', 'SELECT', 'postgres'],
    ['WITH recursive AS (SELECT 1) SELECT 1', 'SELECT', 'sqlite'],
    ['((SELECT 1)) UNION SELECT 2', 'SELECT', 'postgres'],
    ['EXPLAIN QUERY PLAN DELETE FROM t', 'EXPLAIN', 'sqlite'],
    ['MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE', 'MERGE', 'postgres'],
    ['COPY t FROM STDIN', 'COPY', 'postgres'],
    ['DO $$ BEGIN DELETE FROM t; END $$', 'DO', 'postgres'],
    ['CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END', 'CREATE', 'sqlite'],
  ] as const) {
    assert.equal(readShape(sql, dialect).verb, verb, sql);
  }
});

test('what only reads by its text only reads for SQLite', () => {
  const database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE t (a PRIMARY KEY, b)');
  const writes = (sql: string): boolean => {
    let found = false;
    database.setAuthorizer((code) => {
      // INSERT, UPDATE, DELETE and what makes or drops; SELECT, READ, FUNCTION, PRAGMA and RECURSIVE read.
      found ||= ![19, 20, 21, 31, 33].includes(code);
      return 0;
    });
    database.prepare(sql);
    database.setAuthorizer(null);
    return found;
  };
  for (const sql of [
    'SELECT * FROM t',
    'VALUES (1), (2)',
    'WITH a AS (SELECT 1) SELECT * FROM a',
    'EXPLAIN SELECT 1',
    'PRAGMA table_info(t)',
    'PRAGMA user_version',
    'PRAGMA main.foreign_keys',
    'INSERT INTO t VALUES (1, 2)',
    'REPLACE INTO t VALUES (1, 2)',
    'UPDATE t SET a = 1',
    'DELETE FROM t',
    'WITH a AS (SELECT 1) DELETE FROM t',
    'CREATE TABLE u (a)',
    'DROP TABLE t',
    'INSERT INTO t VALUES (1, 2) RETURNING a',
    'BEGIN',
    "ATTACH ':memory:' AS x",
    'REINDEX',
    'ANALYZE',
  ]) {
    assert.equal(readShape(sql, 'sqlite').isRead, !writes(sql), sql);
  }
  database.close();
  for (const sql of ['PRAGMA user_version = 3', 'PRAGMA user_version(3)', 'PRAGMA wal_checkpoint', 'VACUUM'])
    assert.equal(readShape(sql, 'sqlite').isRead, false, sql);
  assert.equal(readShape('EXPLAIN DELETE FROM t', 'sqlite').isRead, true);
});

test('what only reads by its text may run in a transaction of PostgreSQL that only reads', () => {
  const reads = (sql: string): boolean => readShape(sql, 'postgres').isRead;
  for (const sql of [
    'SELECT 1',
    'TABLE t',
    'SHOW work_mem',
    'EXPLAIN DELETE FROM t',
    'EXPLAIN (ANALYZE, BUFFERS) SELECT 1',
    'EXPLAIN ANALYZE SELECT 1',
    'WITH a AS (SELECT 1) SELECT 2',
  ]) {
    assert.equal(reads(sql), true, sql);
  }
  for (const sql of [
    'WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a',
    'WITH b AS (SELECT 1), a(x) AS MATERIALIZED (INSERT INTO t VALUES (1) RETURNING a) SELECT 1',
    'SELECT 1 INTO u',
    'SELECT * FROM t FOR UPDATE',
    'SELECT * FROM t FOR NO KEY UPDATE',
    'EXPLAIN ANALYZE DELETE FROM t',
    'EXPLAIN (VERBOSE, ANALYZE) UPDATE t SET a = 1',
    'CALL p()',
  ]) {
    assert.equal(reads(sql), false, sql);
  }
});

test('statements that control transactions, and those that end one', () => {
  const read = (sql: string, dialect: Dialect = 'postgres'): readonly boolean[] => {
    const { controlsTransaction, endsTransaction } = readShape(sql, dialect);
    return [controlsTransaction, endsTransaction];
  };
  for (const sql of [
    'COMMIT',
    'end transaction',
    'ROLLBACK',
    'ROLLBACK TRANSACTION',
    'ABORT',
    'commit and chain',
    "PREPARE TRANSACTION 'x'",
  ])
    assert.deepEqual(read(sql), [true, true], sql);
  for (const sql of [
    'BEGIN IMMEDIATE',
    'START TRANSACTION',
    'SAVEPOINT a',
    'RELEASE a',
    'ROLLBACK TO a',
    'ROLLBACK TRANSACTION TO SAVEPOINT a',
    'VACUUM',
    "ATTACH 'x' AS y",
    'DETACH y',
  ]) {
    assert.deepEqual(read(sql), [true, false], sql);
    assert.deepEqual(read(sql, 'sqlite'), [true, false], sql);
  }
  for (const sql of [
    'CREATE DATABASE x',
    'CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)',
    'DROP INDEX CONCURRENTLY i',
    "ALTER SYSTEM SET work_mem = '1MB'",
  ])
    assert.deepEqual(read(sql), [true, false], sql);
  for (const sql of ['SELECT 1', 'PREPARE x AS SELECT 1', 'CREATE TABLE begin (a int)', 'INSERT INTO t VALUES (1)', ''])
    assert.deepEqual(read(sql), [false, false], sql);
});

/** The table, the columns and the rows of an INSERT in one line. */
function describeInsert(sql: string, dialect: Dialect): string {
  const { table, columns, rows, ignoresConflict, replacesConflict, guardsConflict, hasReturning } = readShape(sql, dialect);
  const names = columns === undefined ? '-' : columns.map(({ text }) => text).join(',');
  const list =
    rows === undefined || rows.kind === 'default'
      ? ''
      : (rows.rows?.map((row) => row.map((range) => cut(sql, range)).join(' | ')).join(' & ') ?? `? ${cut(sql, rows.range)}`);
  const flags = `${ignoresConflict ? ' ignores' : ''}${replacesConflict ? ' replaces' : ''}${guardsConflict ? ' guards' : ''}${hasReturning ? ' returns' : ''}`;
  return `${[table?.schema?.text, table?.name.text, table?.alias?.text].map((name) => name ?? '-').join('.')} (${names}) ${rows?.kind ?? 'none'} ${list}${flags}`.trim();
}

for (const [dialect, sql, expected] of [
  ['sqlite', 'INSERT INTO t VALUES (1, ?)', '-.t.- (-) values 1 | ?'],
  [
    'sqlite',
    `INSERT OR IGNORE INTO main."a b" AS x ("id", [b]) VALUES (1, 'a,)'), (:b, (SELECT max(a), 1 FROM u)) RETURNING *`,
    "main.a b.x (id,b) values 1 | 'a,)' & :b | (SELECT max(a), 1 FROM u) ignores returns",
  ],
  ['sqlite', "INSERT INTO 't' (a) VALUES (1) ON CONFLICT (a) DO NOTHING", '-.t.- (a) values 1 ignores'],
  [
    'sqlite',
    'INSERT INTO t(a) VALUES (1) ON CONFLICT (a) WHERE b DO UPDATE SET b = 1 WHERE excluded.b > b ON CONFLICT DO NOTHING',
    '-.t.- (a) values 1 ignores replaces guards',
  ],
  [
    'sqlite',
    'INSERT INTO t(a) VALUES (1) ON CONFLICT (a) WHERE b DO UPDATE SET b = (SELECT 1 WHERE true) ON CONFLICT (c) WHERE d DO NOTHING RETURNING a',
    '-.t.- (a) values 1 ignores replaces returns',
  ],
  ['sqlite', 'REPLACE INTO t DEFAULT VALUES', '-.t.- (-) default  replaces'],
  [
    'sqlite',
    'WITH c AS (SELECT 1) INSERT INTO t(a, b) SELECT x, y FROM c WHERE true ON CONFLICT DO NOTHING',
    '-.t.- (a,b) select ? SELECT x, y FROM c WHERE true ignores',
  ],
  ['sqlite', 'INSERT INTO t(a, b) SELECT ?, upper(?) b WHERE NOT EXISTS (SELECT 1 FROM t WHERE a = ?)', '-.t.- (a,b) select ? | upper(?)'],
  [
    'sqlite',
    "INSERT INTO t SELECT 1 AS a, 'x' b, NULL c, CASE WHEN 1 THEN 2 END, x IS NULL",
    "-.t.- (-) select 1 | 'x' | NULL | CASE WHEN 1 THEN 2 END | x IS NULL",
  ],
  ['sqlite', 'INSERT INTO t SELECT 1 UNION ALL SELECT 2', '-.t.- (-) select ? SELECT 1 UNION ALL SELECT 2'],
  ['sqlite', 'INSERT INTO t VALUES (1) UNION SELECT 2', '-.t.- (-) select ? VALUES (1) UNION SELECT 2'],
  [
    'postgres',
    'INSERT INTO s.t AS x (a, "B") OVERRIDING SYSTEM VALUE VALUES ($1, DEFAULT) ON CONFLICT ON CONSTRAINT t_pkey DO NOTHING',
    's.t.x (a,B) values $1 | DEFAULT ignores',
  ],
  ['postgres', 'INSERT INTO t (SELECT 1)', '-.t.- (-) select ? (SELECT 1)'],
  ['postgres', 'INSERT INTO t (a) VALUES (ARRAY[1, 2]), ($$,)$$)', '-.t.- (a) values ARRAY[1, 2] & $$,)$$'],
  ['postgres', 'INSERT INTO t (a) SELECT $1 WHERE $1 IS DISTINCT FROM 2', '-.t.- (a) select $1'],
  ['postgres', 'INSERT INTO a.b.c VALUES (1)', '-.-.- (-) none'],
] as const) {
  test(`${dialect}: ${sql}`, () => assert.equal(describeInsert(sql, dialect), expected));
}

function describeEqualities(shape: StatementShape, sql: string): string {
  const list = shape.equalities.map(
    ({ column, qualifier, value, isConstant }) =>
      `${qualifier === undefined ? '' : `${qualifier.text}.`}${column.text}=${cut(sql, value)}${isConstant ? '' : ' varies'}`,
  );
  return `${shape.table?.written ?? '-'}${shape.hasWhere ? ` where ${list.join(', ')}` : ''}`;
}

for (const [dialect, sql, expected] of [
  ['sqlite', 'UPDATE t SET a = 1', 't'],
  ['sqlite', 'UPDATE OR IGNORE main.t AS x SET v = v + 1 WHERE x.id = ? AND version = :v RETURNING *', 'main.t where x.id=?, version=:v'],
  ['sqlite', "DELETE FROM [t] WHERE 'a' = id AND ((b == 1) AND (c = 2))", "[t] where id='a', b=1, c=2"],
  ['sqlite', 'DELETE FROM t WHERE id = 1 OR b = 2', 't where '],
  ['sqlite', 'DELETE FROM t WHERE (id = 1 OR c) AND b = 2', 't where b=2'],
  ['sqlite', 'DELETE FROM t WHERE a BETWEEN 1 AND 2 AND id = 5', 't where id=5'],
  ['sqlite', 'DELETE FROM t WHERE CASE WHEN a AND b = 1 THEN c = 1 END AND id = 5', 't where id=5'],
  ['sqlite', 'DELETE FROM t WHERE id = 5 = 1', 't where '],
  ['sqlite', 'DELETE FROM t WHERE id = 5 COLLATE NOCASE', 't where '],
  ['sqlite', 'DELETE FROM t WHERE NOT id = 5', 't where '],
  ['sqlite', 'DELETE FROM t WHERE id = 5 IS NOT NULL', 't where '],
  ['sqlite', 'DELETE FROM t WHERE (a, b) = (1, ?2)', 't where a=1, b=?2'],
  ['sqlite', 'DELETE FROM t WHERE id = lower(?) || 1 + CAST(2 AS big int)', 't where id=lower(?) || 1 + CAST(2 AS big int)'],
  ['sqlite', 'DELETE FROM t WHERE id = other', 't where id=other varies, other=id varies'],
  ['sqlite', 'DELETE FROM t WHERE id = (SELECT 1)', 't where id=(SELECT 1) varies'],
  [
    'postgres',
    "UPDATE ONLY s.t x SET a = (SELECT 1 WHERE true) FROM u WHERE x.id = $1::character varying(3) AND d = date '2020-01-01' AND x.u = u.id",
    "s.t where x.id=$1::character varying(3), d=date '2020-01-01', x.u=u.id varies, u.id=x.u varies",
  ],
  ['postgres', 'DELETE FROM t * USING u WHERE id = ANY($1) AND b = $2', 't where b=$2'],
  ['postgres', 'DELETE FROM t WHERE CURRENT OF c', 't where '],
] as const) {
  test(`${dialect}: ${sql}`, () => assert.equal(describeEqualities(readShape(sql, dialect), sql), expected));
}

test('names are without their quotes, and the clause in front is told', () => {
  const sql = 'WITH a AS (SELECT 1) DELETE FROM "My ""t""" WHERE `i``d` = 1';
  const shape = readShape(sql, 'sqlite');
  assert.equal(shape.table?.name.text, 'My "t"');
  assert.equal(shape.equalities[0]?.column.text, 'i`d');
  assert.equal(cut(sql, shape.withClause ?? { start: 0, end: 0 }), 'WITH a AS (SELECT 1)');
  assert.equal(readShape(String.raw`DELETE FROM U&"d\0061t\+000061\\"`, 'postgres').table?.name.text, 'data\\');
});

test('no text makes the reader fail or run on', (t) => {
  const words =
    'INSERT INTO t VALUES ( ( ) , SELECT WITH a AS UPDATE SET DELETE FROM WHERE = 1 AND OR BETWEEN CASE END x . :: ON CONFLICT DO EXPLAIN PRAGMA DROP RETURNING [ ]'.split(
      ' ',
    );
  fc.assert(
    fc.property(fc.constantFrom(...words), fc.array(fc.constantFrom(...words), { maxLength: 12 }), (first, rest) => {
      const sql = [first, ...rest].join(' ');
      for (const dialect of ['sqlite', 'postgres'] as const) {
        writeExistingQuery(sql, readShape(sql, dialect), {
          key: ['a', 'x'],
          columns: ['a', 't', 'x'],
          quote: (name) => `"${name}"`,
          dialect,
        });
      }
    }),
    { numRuns: 20_000, seed: chooseSeed(t) },
  );
});

test('parentheses, conditions, rows and parameters in great number are read in one go', () => {
  const count = 30_000;
  const deep = `DELETE FROM t WHERE ${'('.repeat(count)}id = 1${')'.repeat(count)}`;
  assert.deepEqual(readShape(deep, 'sqlite').equalities, []);
  assert.equal(readShape(`DELETE FROM t WHERE ${'a = 1 AND '.repeat(count)}id = 1`, 'sqlite').equalities.length, count + 1);
  const insert = `INSERT INTO t(id) VALUES ${Array.from({ length: count }, (_, at) => `(:n${at})`).join(', ')}`;
  const query = writeExistingQuery(insert, readShape(insert, 'sqlite'), { key: ['id'], quote: (name) => `"${name}"`, dialect: 'sqlite' });
  assert.deepEqual([query?.parameterIndexes.length, query?.parameterIndexes.at(-1)], [count, count]);
  assert.equal(
    toDollarNumbers(
      insert,
      Array.from({ length: count }, (_, at) => `n${at}`),
    ).sources.length,
    count,
  );
});
