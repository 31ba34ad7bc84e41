/** What a unit answers on SQLite: one answer for each statement, true of what was committed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openUnitFile, summarize, type UnitFile } from './unit-file.ts';

const schema = `
  CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT UNIQUE, n INTEGER CHECK (n < 100), note TEXT NOT NULL DEFAULT '');
  CREATE TABLE pair (a TEXT, b TEXT, v INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE TABLE loose (a, b);
  CREATE TABLE strict_item (id INTEGER PRIMARY KEY, n INTEGER) STRICT;
  CREATE VIEW front AS SELECT id, code FROM item;
  CREATE TRIGGER front_insert INSTEAD OF INSERT ON front BEGIN INSERT INTO item (id, code) VALUES (new.id, new.code); END;
  CREATE TABLE flagged (id INTEGER PRIMARY KEY, name TEXT, isOpen INT);
  CREATE UNIQUE INDEX flagged_open ON flagged (name) WHERE isOpen;
  CREATE TABLE parent (id INTEGER PRIMARY KEY);
  CREATE TABLE child (id INTEGER PRIMARY KEY, parent INT REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE leaf (id TEXT PRIMARY KEY, parent INT REFERENCES parent DEFERRABLE INITIALLY DEFERRED) WITHOUT ROWID;
  CREATE TABLE hard (a PRIMARY KEY ON CONFLICT ROLLBACK);
  INSERT INTO item VALUES (1, 'a', 1, ''), (2, 'b', 2, '');
  INSERT INTO pair VALUES ('x', 'y', 1);
  INSERT INTO flagged VALUES (1, 'p', 0), (2, 'p', 1);`;

let db: UnitFile;
before(async () => {
  db = await openUnitFile(schema);
});
after(() => {
  db.close();
});

test('an INSERT, a read and a change of the schema are each told what they did, and nothing of the statement before', async () => {
  const answers = await db.run([
    'INSERT INTO loose VALUES (1, 2), (3, 4)',
    'SELECT a FROM loose ORDER BY a',
    'CREATE TABLE made (x)',
    'DROP TABLE made',
    'UPDATE loose SET b = 0',
    'DELETE FROM loose',
  ]);
  assert.deepEqual(answers, [
    { status: 'applied', rowsAffected: 2, lastInsertId: 2 },
    { status: 'applied', rowsAffected: 0, columns: ['a'], rows: [{ a: 1 }, { a: 3 }] },
    { status: 'applied', rowsAffected: 0 },
    { status: 'applied', rowsAffected: 0 },
    { status: 'applied', rowsAffected: 2 },
    { status: 'applied', rowsAffected: 2 },
  ]);
});

test('lastInsertId is there only after an INSERT that made a row with a rowid', async () => {
  const answers = await db.run([
    "INSERT INTO item (id, code) VALUES (10, 'ten')",
    "INSERT INTO pair VALUES ('p', 'q', 1)",
    "INSERT INTO item (id, code) VALUES (10, 'ten') ON CONFLICT (id) DO UPDATE SET n = 1",
    'INSERT INTO loose (rowid, a) VALUES (10, 1) ON CONFLICT DO UPDATE SET b = 1',
    "INSERT INTO item (id, code) VALUES (9007199254740993, 'big')",
    'UPDATE item SET n = 3 WHERE id = 10',
    "INSERT INTO front VALUES (11, 'eleven')",
    "INSERT INTO item (id, code) SELECT 12, 'none' WHERE 0",
  ]);
  assert.deepEqual(answers, [
    { status: 'applied', rowsAffected: 1, lastInsertId: 10 },
    { status: 'applied', rowsAffected: 1 },
    { status: 'applied', rowsAffected: 1 },
    { status: 'applied', rowsAffected: 1, lastInsertId: 10 },
    { status: 'applied', rowsAffected: 1, lastInsertId: 9007199254740993n },
    { status: 'applied', rowsAffected: 1 },
    { status: 'applied', rowsAffected: 0 },
    { status: 'applied', rowsAffected: 0 },
  ]);
  await db.run(['DELETE FROM item WHERE id > 2', 'DELETE FROM loose', "DELETE FROM pair WHERE a = 'p'"]);
});

test('a transaction that fails shows no statement as done, and leaves nothing', async () => {
  const answers = await db.run(['INSERT INTO loose VALUES (1, 1)', 'SELECT 1', 'INSERT INTO item (id) VALUES (1)', 'SELECT 2'], {
    isTransaction: true,
  });
  assert.deepEqual(summarize(answers), ['rolled_back', 'rolled_back', 'UNIQUE', 'not_attempted']);
  assert.deepEqual(db.look('SELECT * FROM loose'), []);
});

test("each kind of error has its code, and SQLite's words", async () => {
  const answers = await db.run([
    "INSERT INTO item (id, code) VALUES (1, 'z')",
    'INSERT INTO item (id, note) VALUES (5, NULL)',
    'INSERT INTO item (id, n) VALUES (5, 100)',
    'INSERT INTO child VALUES (1, 77)',
    "INSERT INTO strict_item VALUES (1, 'text')",
    "INSERT INTO item (id) VALUES ('text')",
    'SELEC 1',
    'SELECT 1 +',
    'SELECT * FROM nowhere',
    'SELECT absent FROM item',
    'INSERT INTO item (absent) VALUES (1)',
    'INSERT INTO loose VALUES (1)',
    '',
    ' -- nothing\n;',
    'SELECT 1; SELECT 2',
    'SELECT 1\0; DROP TABLE item',
  ]);
  assert.deepEqual(summarize(answers), [
    'UNIQUE',
    'NOT_NULL',
    'CHECK',
    'FOREIGN_KEY',
    'VALUE',
    'VALUE',
    'SYNTAX',
    'SYNTAX',
    'UNKNOWN_TABLE',
    'UNKNOWN_COLUMN',
    'UNKNOWN_COLUMN',
    'SYNTAX',
    'SYNTAX',
    'SYNTAX',
    'REFUSED',
    'SYNTAX',
  ]);
  assert.deepEqual(answers[0], {
    status: 'error',
    error: { code: 'UNIQUE', message: 'UNIQUE constraint failed: item.id', targetCode: '1555' },
  });
});

test('a condition that does not hold is not_applied, with the row in the way', async () => {
  const answers = await db.run(
    [
      "INSERT OR IGNORE INTO item (id, code) VALUES (7, 'b')",
      'INSERT INTO item (id) VALUES (?) ON CONFLICT DO NOTHING',
      ['UPDATE item SET n = 5 WHERE id = :id AND n = :n', { id: 2, n: 77 }],
      'DELETE FROM item WHERE id = 99',
      ['DELETE FROM pair WHERE a = ? AND b = ? AND v = 5', ['x', 'y']],
      "INSERT OR IGNORE INTO pair VALUES ('x', 'y', 9)",
      "INSERT OR IGNORE INTO flagged VALUES (3, 'p', 1)",
      'UPDATE loose SET a = 1',
      "INSERT OR IGNORE INTO item (id, code) VALUES (7, 'b') RETURNING id",
    ].map((statement) => (statement === 'INSERT INTO item (id) VALUES (?) ON CONFLICT DO NOTHING' ? [statement, [1]] : statement) as never),
    { statusRows: true },
  );
  const second = { id: 2, code: 'b', n: 2, note: '' };
  assert.deepEqual(answers, [
    { status: 'not_applied', row: second },
    { status: 'not_applied', row: { id: 1, code: 'a', n: 1, note: '' } },
    { status: 'not_applied', row: second },
    { status: 'not_applied' },
    { status: 'not_applied', row: { a: 'x', b: 'y', v: 1 } },
    { status: 'not_applied', row: { a: 'x', b: 'y', v: 1 } },
    { status: 'not_applied', row: { id: 2, name: 'p', isOpen: 1 } },
    { status: 'applied', rowsAffected: 0 },
    { status: 'not_applied', row: second },
  ]);
});

test('with onConflict an INSERT that meets its key is not_applied, and a transaction goes on', async () => {
  const answers = await db.run(
    [
      "INSERT INTO item (id, code) VALUES (1, 'z')",
      "INSERT INTO item (id, code) VALUES (30, 'b')",
      "INSERT INTO item (id, code) VALUES (31, 'c')",
      'INSERT INTO hard VALUES (1)',
      'INSERT INTO hard VALUES (1)',
    ],
    { onConflict: 'not_applied', statusRows: true, isTransaction: true },
  );
  assert.deepEqual(answers, [
    { status: 'not_applied', row: { id: 1, code: 'a', n: 1, note: '' } },
    { status: 'not_applied', row: { id: 2, code: 'b', n: 2, note: '' } },
    { status: 'applied', rowsAffected: 1, lastInsertId: 31 },
    { status: 'applied', rowsAffected: 1, lastInsertId: 1 },
    { status: 'not_applied', row: { a: 1 } },
  ]);
  const [inTrigger] = await db.run(["INSERT INTO front VALUES (1, 'z')"], { onConflict: 'not_applied' });
  assert.equal(inTrigger?.status, 'error', 'the conflict is one of another table');
  await db.run(['DELETE FROM item WHERE id > 2', 'DELETE FROM hard']);
});

test('more rows than allowed are an error, and a change that gives them back is undone', async () => {
  const rows = 'INSERT INTO loose SELECT value, 0 FROM generate';
  const answers = await db.run(
    [
      'SELECT 1 UNION ALL SELECT 2',
      'SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3',
      `WITH generate (value) AS (VALUES (1), (2), (3)) ${rows} RETURNING a`,
      'INSERT INTO loose VALUES (9, 9) RETURNING a, b',
    ],
    { maxRows: 2 },
  );
  assert.deepEqual(summarize(answers), ['applied', 'BATCH_TOO_MANY_ROWS', 'BATCH_TOO_MANY_ROWS', 'applied']);
  assert.deepEqual(answers[3], { status: 'applied', rowsAffected: 1, lastInsertId: 1, columns: ['a', 'b'], rows: [{ a: 9, b: 9 }] });
  assert.deepEqual(db.look('SELECT * FROM loose'), [{ a: 9, b: 9 }]);
  await db.run(['DELETE FROM loose']);
});

test('a statement that gave rows and failed once is run anew the next time, not told its old error', async () => {
  const insert = ['INSERT INTO loose (rowid, a) VALUES (?, 1) RETURNING a', [1]] as const;
  assert.deepEqual(summarize(await db.run([insert, insert])), ['applied', 'UNIQUE']);
  assert.deepEqual(summarize(await db.run(['DELETE FROM loose', insert, 'DELETE FROM loose'])), ['applied', 'applied', 'applied']);
});

test('of deferred foreign keys only the statements without which COMMIT succeeds are to blame', async () => {
  const many = Array.from(
    { length: 40 },
    (_, index) => `INSERT INTO child VALUES (${String(100 + index)}, ${index % 7 === 3 ? '999' : '1'})`,
  );
  const statements = [
    'INSERT INTO child VALUES (1, 1)',
    'INSERT INTO parent VALUES (1)',
    ...many,
    "INSERT INTO leaf VALUES ('k', 998)",
    "INSERT INTO leaf VALUES ('l', 1)",
  ];
  const expected = statements.map((sql) => (/99[89]/.test(sql) ? 'FOREIGN_KEY' : 'applied'));
  assert.deepEqual(summarize(await db.run(statements)), expected);
  assert.equal(db.look('SELECT * FROM child').length, 35);
  assert.deepEqual(db.look('PRAGMA foreign_key_check'), []);
  const failed = await db.run(
    ['INSERT INTO child VALUES (500, 1)', 'INSERT INTO child VALUES (501, 999)', 'INSERT INTO child VALUES (502, 1)'],
    { isTransaction: true },
  );
  assert.deepEqual(summarize(failed), ['rolled_back', 'COMMIT', 'rolled_back']);
  const removed = await db.run(['DELETE FROM parent WHERE id = 1', 'INSERT INTO loose VALUES (1, 1)']);
  assert.deepEqual(summarize(removed), ['FOREIGN_KEY', 'applied']);
  await db.run(['DELETE FROM loose', 'DELETE FROM child', 'DELETE FROM leaf', 'DELETE FROM parent']);
});

test('a change of the schema in the middle counts for the statements behind it, and is gone with its transaction', async () => {
  const read = 'SELECT * FROM item WHERE id = 1';
  const answers = await db.run([read, 'ALTER TABLE item ADD COLUMN extra DEFAULT 5', read, 'SELEC'], { isTransaction: true });
  assert.equal(answers[3]?.status, 'error');
  const [one, , three] = await db.run([read, 'CREATE TABLE second (a UNIQUE)', read, 'INSERT INTO second VALUES (1)', 'DROP TABLE second']);
  const row = { id: 1, code: 'a', n: 1, note: '' };
  assert.deepEqual(
    [one, three].map((answer) => answer?.status === 'applied' && answer.rows),
    [[row], [row]],
  );
});

test('a schema that another connection has changed counts for the next unit, with statements that are kept', async () => {
  const { DatabaseSync } = await import('node:sqlite');
  const read = 'SELECT * FROM shared';
  await db.run(['CREATE TABLE shared (a)', 'INSERT INTO shared VALUES (1)', read]);
  const other = new DatabaseSync(db.file);
  other.exec('ALTER TABLE shared ADD COLUMN b DEFAULT 2');
  other.close();
  const [answer] = await db.run([read]);
  assert.deepEqual(answer, { status: 'applied', rowsAffected: 0, columns: ['a', 'b'], rows: [{ a: 1, b: 2 }] });
});

test('reads alone do not wait for a writer', async () => {
  const { DatabaseSync } = await import('node:sqlite');
  const other = new DatabaseSync(db.file);
  other.exec('BEGIN IMMEDIATE; INSERT INTO loose VALUES (1, 1)');
  try {
    assert.deepEqual(summarize(await db.run(['SELECT count(*) FROM loose', 'PRAGMA user_version'], {}, { timeoutMs: 2_000 })), [
      'applied',
      'applied',
    ]);
  } finally {
    other.exec('ROLLBACK');
    other.close();
  }
});

test('one thousand texts and as many again are all answered, and kept statements stay bounded', async () => {
  for (let round = 0; round < 3; round++) {
    const answers = await db.run(
      Array.from({ length: 1_500 }, (_, index) => [`SELECT ${String(index)} AS v, '${'x'.repeat(5_000)}' AS t WHERE ? = 1`, [1]]),
    );
    assert.deepEqual(
      answers.map((answer) => answer.status === 'applied' && answer.rows?.[0]?.['v']),
      Array.from({ length: 1_500 }, (_, index) => index),
    );
  }
});
