/** Splitting SQLite's text, judged by the engine: preparing a text says where its first statement ends. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { splitStatements, type StatementPart } from '../../src/sql/split.ts';
import { chooseSeed } from '../rows/records.ts';
import { shardTexts, sqliteShards } from './shards.ts';

function openDatabase(t: TestContext): DatabaseSync {
  const database = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true });
  t.after(() => database.close());
  database.exec('CREATE TABLE t (a, b, "x;y")');
  return database;
}

/** The first statement as the engine sees it, semicolon included; undefined where it refuses it. */
function firstOf(database: DatabaseSync, sql: string): string | undefined {
  try {
    return database.prepare(sql).sourceSQL;
  } catch {
    return undefined;
  }
}

/** Parts cover the text without a gap; their ends are told. */
function checkCover(text: string, parts: readonly StatementPart[]): void {
  assert.equal(parts.map(({ sql, hasEnd }) => sql + (hasEnd ? ';' : '')).join(''), text);
  let place = 0;
  for (const part of parts) {
    assert.equal(part.start, place);
    assert.equal(text.slice(part.start, part.end), part.sql + (part.hasEnd ? ';' : ''));
    place = part.end;
  }
  assert.ok(parts.slice(0, -1).every(({ hasEnd }) => hasEnd));
}

/** Walks the text statement by statement with the engine; gives how many it took. */
function compareWithEngine(database: DatabaseSync, text: string): number {
  const parts = splitStatements(text, 'sqlite');
  checkCover(text, parts);
  let taken = 0;
  for (const part of parts) {
    const rest = text.slice(part.start);
    const first = part.isBlank ? undefined : firstOf(database, rest);
    if (part.isBlank) assert.equal(firstOf(database, part.sql), undefined, JSON.stringify(part.sql));
    else if (first === undefined) return taken;
    else assert.equal(first, text.slice(part.start, part.end), JSON.stringify(text));
    taken++;
  }
  return taken;
}

test('whatever signs follow each other, a statement ends where the engine says', (t) => {
  const database = openDatabase(t);
  let taken = 0;
  fc.assert(
    fc.property(shardTexts(sqliteShards, 24), (text) => {
      // The module of a virtual table takes any tokens, so that the engine reads them all and judges none.
      taken += compareWithEngine(database, `CREATE VIRTUAL TABLE v USING fts5(${text}); SELECT 1;`);
    }),
    { numRuns: 20_000, seed: chooseSeed(t) },
  );
  assert.ok(taken > 6_000, `the engine took only ${taken} statements`);
});

const expressions = fc.constantFrom(
  "'a;b'",
  "'it''s;'",
  '"q;""r"',
  '"x;y"',
  '[x;y]',
  '`x;y`',
  "x'3b'",
  '1e5',
  '0x10',
  '1_000',
  '.5',
  '?',
  '?12',
  ':a',
  '@a',
  '$a::b(c;d)',
  'CASE a WHEN 1 THEN 2 END',
  "a ->> '$.x;'",
  '/* ; */ 1',
  '-- ;\n 1',
  'a-1',
);
const trivia = fc.constantFrom('', ' ', '\n', '\t', ' /* x; */ ', ' -- y;\n', '\ufeff');

const statements = fc.oneof(
  fc.tuple(expressions, expressions).map(([left, right]) => `SELECT ${left}, ${right} FROM t`),
  fc
    .tuple(expressions)
    .map(([value]) => `INSERT INTO t(a) VALUES (${value === '"x;y"' || value.includes('x;y') || value.includes('a') ? '1' : value})`),
  fc.constantFrom(
    'EXPLAIN SELECT 1',
    'EXPLAIN QUERY PLAN SELECT 1',
    'PRAGMA table_info(t)',
    'WITH c AS (SELECT 1) SELECT * FROM c',
    'REPLACE INTO t(a) VALUES (1)',
    'INSERT OR IGNORE INTO t(a) VALUES (1)',
    'BEGIN',
    'END',
    'CREATE TABLE u (begin, temp)',
    'CREATE INDEX begin ON t(a)',
    'CREATE TABLE IF NOT EXISTS "trigger" (a)',
    'SELECT 1 AS trigger',
    'EXPLAIN CREATE TABLE trigger_1 (a)',
  ),
  fc
    .tuple(
      fc.constantFrom('CREATE TRIGGER', 'create temp trigger', 'CREATE TEMPORARY TRIGGER IF NOT EXISTS', 'EXPLAIN CREATE TRIGGER'),
      fc.constantFrom('tr', 'begin', '"end"', '[a;b]', 'temp.x1'),
      fc.constantFrom('', 'WHEN CASE new.a WHEN 1 THEN 1 END', 'FOR EACH ROW WHEN new.a > 1'),
      fc.array(
        fc.constantFrom(
          "SELECT CASE 1 WHEN 2 THEN ';' END;",
          'UPDATE t SET a = 1 WHERE b = new.b;',
          'SELECT 1 -- END;\n;',
          "INSERT INTO t(a) VALUES ('END;');",
          'DELETE FROM t WHERE a IN (SELECT CASE WHEN b THEN 1 END FROM t);',
        ),
        { minLength: 1, maxLength: 3 },
      ),
    )
    .filter(([create, name]) => !name.startsWith('temp.') || !create.includes(' T'))
    .map(([create, name, when, body]) => `${create} ${name} AFTER INSERT ON t ${when} BEGIN ${body.join(' ')} END`),
);

test('scripts of statements of all kinds, triggers among them, are split as the engine splits them', (t) => {
  const database = openDatabase(t);
  let taken = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(statements, trivia, trivia), { maxLength: 6 }), (list) => {
      taken += compareWithEngine(database, list.map(([sql, before, after]) => `${before}${sql}${after};`).join(''));
    }),
    { numRuns: 2_000, seed: chooseSeed(t) },
  );
  assert.ok(taken > 3_000, `the engine took only ${taken} statements`);
});

test('running the parts does what running the whole script does', () => {
  const script = `CREATE TABLE log (id INTEGER PRIMARY KEY, note TEXT); CREATE TABLE t (a, "b;c" TEXT DEFAULT ';');
    CREATE TEMP TRIGGER begin AFTER INSERT ON t WHEN CASE WHEN new.a > 0 THEN 1 END BEGIN
      INSERT INTO log(note) SELECT CASE new.a WHEN 1 THEN 'one; END;' ELSE "x;" END; /* ; END; */ UPDATE t SET [b;c] = 'it''s; ' || a WHERE a = new.a;
    END ; INSERT INTO t(a) VALUES (1);;; INSERT INTO t VALUES (-1, x'3b'); -- ; not here
    WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 5) INSERT INTO t(a) SELECT i FROM n; REPLACE INTO log VALUES (1, '/*'); DELETE FROM t WHERE a = 3 /* the last one has no end`;
  const dump = (run: (database: DatabaseSync) => void): unknown => {
    const database = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true });
    run(database);
    const found = ['SELECT * FROM t', 'SELECT * FROM log', 'SELECT name, sql FROM sqlite_temp_schema'].map((sql) =>
      database.prepare(sql).all(),
    );
    database.close();
    return found;
  };
  const parts = splitStatements(script, 'sqlite').filter(({ isBlank }) => !isBlank);
  assert.equal(parts.length, 8);
  const byParts = dump((database) => {
    for (const { sql } of parts) database.prepare(sql).run();
  });
  assert.deepEqual(
    byParts,
    dump((database) => database.exec(script)),
  );
});

test('what follows the last semicolon is a part of its own', () => {
  const read = (text: string): unknown => splitStatements(text, 'sqlite').map(({ sql, isBlank, hasEnd }) => [sql, isBlank, hasEnd]);
  assert.deepEqual(read(''), []);
  assert.deepEqual(read('SELECT 1'), [['SELECT 1', false, false]]);
  assert.deepEqual(read('SELECT 1;'), [['SELECT 1', false, true]]);
  assert.deepEqual(read('SELECT 1; -- c'), [
    ['SELECT 1', false, true],
    [' -- c', true, false],
  ]);
  assert.deepEqual(read(' ;;\n'), [
    [' ', true, true],
    ['', true, true],
    ['\n', true, false],
  ]);
});

test('a vertical tab is a blank behind another one, and a name in brackets ends at the first bracket', () => {
  const read = (text: string): unknown => splitStatements(text, 'sqlite').map(({ isBlank }) => isBlank);
  assert.deepEqual(read('\v; \v;\n\v'), [false, true, true]);
  assert.deepEqual(read('SELECT [a]]; SELECT [;]'), [false, false]);
});

test('a string, a name, a comment or a trigger that is not closed takes the rest, and the engine says what is wrong', () => {
  for (const open of [
    "SELECT 'a; SELECT 2;",
    'SELECT "a; SELECT 2;',
    'SELECT [a; SELECT 2;',
    'SELECT 1 /* ; SELECT 2;',
    'CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2;',
  ]) {
    const parts = splitStatements(`SELECT 0; ${open}`, 'sqlite');
    assert.deepEqual(
      parts.map(({ sql, hasEnd }) => [sql, hasEnd]),
      [
        ['SELECT 0', true],
        [` ${open}`, false],
      ],
    );
  }
});

test('a trigger without a body ends at its semicolon, so that its error stays its own', () => {
  assert.deepEqual(
    splitStatements('CREATE TRIGGER x; SELECT 1; SELECT 2', 'sqlite').map(({ sql }) => sql),
    ['CREATE TRIGGER x', ' SELECT 1', ' SELECT 2'],
  );
});
