/** What statements of a unit may not do: nothing leads out of the database file, out of the transaction, or into sluice's own tables. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { openUnitFile, summarize, type UnitFile } from './unit-file.ts';

const schema = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, sluice_note TEXT);
  CREATE TABLE sluice_loads (load TEXT PRIMARY KEY);
  CREATE TABLE sluice_index_changes (row INTEGER);
  CREATE VIEW ledger AS SELECT load FROM sluice_loads;
  CREATE TRIGGER ledger_insert INSTEAD OF INSERT ON ledger BEGIN INSERT INTO sluice_loads VALUES (new.load); END;
  CREATE TABLE hooked (id INTEGER PRIMARY KEY);
  CREATE TRIGGER hooked_delete AFTER DELETE ON hooked BEGIN DELETE FROM sluice_loads; END;
  CREATE TABLE indexed (id INTEGER PRIMARY KEY);
  CREATE TRIGGER sluice_index_0123456789abcdef_insert AFTER INSERT ON indexed BEGIN INSERT INTO sluice_index_changes VALUES (new.id); END;
  INSERT INTO sluice_loads VALUES ('l');
  INSERT INTO hooked VALUES (1);`;

async function withFile(work: (db: UnitFile) => Promise<void>): Promise<void> {
  const db = await openUnitFile(schema);
  try {
    await work(db);
  } finally {
    db.close();
  }
}

const refused: Readonly<Record<string, readonly string[]>> = {
  'the transaction': [
    'BEGIN',
    'BEGIN IMMEDIATE',
    'COMMIT',
    'END',
    'ROLLBACK',
    'SAVEPOINT a',
    'RELEASE a',
    'ROLLBACK TO a',
    'EXPLAIN COMMIT',
    'VACUUM',
    '/* x */ VACUUM main',
  ],
  'other files': [
    "ATTACH 'other.db' AS other",
    "/* x */ ATTACH DATABASE 'other.db' AS other",
    'DETACH main',
    "VACUUM INTO 'other.db'",
    "SELECT load_extension('x')",
    "INSERT INTO t SELECT LOAD_EXTENSION('x', 'y'), 1",
    "SELECT * FROM t WHERE id IN (SELECT load_extension('x'))",
  ],
  'the mode of the file': [
    'PRAGMA journal_mode = DELETE',
    'PRAGMA journal_mode(DELETE)',
    '-- x\nPRAGMA main.journal_mode = OFF',
    'PRAGMA synchronous = 0',
    'PRAGMA locking_mode = EXCLUSIVE',
    'PRAGMA writable_schema = ON',
    'PRAGMA wal_checkpoint(TRUNCATE)',
    'PRAGMA wal_checkpoint',
    'PRAGMA wal_autocheckpoint = 0',
    'PRAGMA query_only = ON',
    'PRAGMA foreign_keys = OFF',
    'PRAGMA ignore_check_constraints = ON',
    "PRAGMA temp_store_directory = 'x'",
    'PRAGMA schema_version = 99',
    'PRAGMA page_size = 512',
    'PRAGMA busy_timeout = 100000',
  ],
  "sluice's tables": [
    "INSERT INTO sluice_loads VALUES ('x')",
    'UPDATE main.sluice_loads SET load = 1',
    'DELETE FROM "SLUICE_loads"',
    'WITH x AS (SELECT 1) DELETE FROM [sluice_loads]',
    "REPLACE INTO 'sluice_loads' VALUES ('x')",
    'DROP TABLE sluice_loads',
    'ALTER TABLE sluice_loads ADD COLUMN x',
    'CREATE INDEX i ON sluice_loads (load)',
    'CREATE TABLE sluice_mine (a)',
    'CREATE TEMP TABLE sluice_loads (a)',
    'CREATE TEMP VIEW sluice_loads AS SELECT 1',
    'ALTER TABLE t RENAME TO sluice_t',
    'ALTER TABLE t RENAME /* x */ TO "sluice_t"',
    'CREATE TABLE u (a REFERENCES sluice_loads (load))',
    'CREATE TRIGGER x AFTER DELETE ON sluice_loads BEGIN SELECT 1; END',
    'CREATE TRIGGER x AFTER DELETE ON t BEGIN DELETE FROM sluice_loads; END',
    "CREATE TEMP TRIGGER x AFTER DELETE ON t BEGIN DELETE FROM 'sluice_loads'; END",
    "INSERT INTO ledger VALUES ('x')",
    'DELETE FROM hooked',
    'INSERT INTO sluice_index_changes VALUES (1)',
    'DROP TRIGGER sluice_index_0123456789abcdef_insert',
    'DROP TABLE temp.sluice_rowid_mark',
  ],
};

for (const [what, statements] of Object.entries(refused)) {
  test(`statements that reach for ${what} are refused, each with what to do instead, and do nothing`, () =>
    withFile(async (db) => {
      const before = db.look('SELECT * FROM sqlite_schema ORDER BY name');
      for (const isTransaction of [false, true]) {
        for (const statement of statements) {
          const answers = await db.run(['INSERT INTO t VALUES (1, 1)', statement, 'DELETE FROM t'], { isTransaction });
          assert.deepEqual(
            summarize(answers),
            isTransaction ? ['rolled_back', 'REFUSED', 'not_attempted'] : ['applied', 'REFUSED', 'applied'],
            statement,
          );
          const answer = answers[1];
          assert.match(
            answer?.status === 'error' ? answer.error.message : '',
            /sluice|unit|transaction|statements stay inside|not allowed/,
          );
        }
      }
      assert.deepEqual(db.look('SELECT * FROM sqlite_schema ORDER BY name'), before);
      assert.deepEqual(db.look('SELECT * FROM sluice_loads'), [{ load: 'l' }]);
      assert.equal(existsSync('other.db'), false);
    }));
}

test('what only reads, or stays within the transaction, is not refused', () =>
  withFile(async (db) => {
    const answers = await db.run([
      'SELECT * FROM sluice_loads',
      'SELECT * FROM ledger',
      'CREATE TABLE copy AS SELECT * FROM sluice_loads',
      'UPDATE t SET sluice_note = 1',
      'INSERT INTO indexed VALUES (5)',
      'DROP TABLE indexed',
      'PRAGMA user_version = 7',
      'PRAGMA user_version',
      'PRAGMA journal_mode',
      'PRAGMA table_info(t)',
      "SELECT name FROM pragma_table_info('t')",
      'PRAGMA defer_foreign_keys = ON',
      'PRAGMA integrity_check',
      "SELECT 'BEGIN; ATTACH sluice_loads'",
      'ANALYZE',
      'REINDEX',
      'CREATE TEMP TABLE mine (a)',
      'INSERT INTO mine VALUES (1)',
    ]);
    assert.deepEqual(new Set(summarize(answers)), new Set(['applied']));
    assert.deepEqual(db.look('SELECT row FROM sluice_index_changes'), [{ row: 5 }], "the index's own trigger recorded the row");
  }));

test('a statement that was allowed is judged again when the schema makes it mean something else', () =>
  withFile(async (db) => {
    const insert = 'INSERT INTO late VALUES (?)';
    const values = [['x']] as const;
    assert.deepEqual(summarize(await db.run(['CREATE TABLE late (load)', [insert, values[0]], [insert, values[0]]])), [
      'applied',
      'applied',
      'applied',
    ]);
    const { DatabaseSync } = await import('node:sqlite');
    const other = new DatabaseSync(db.file);
    other.exec('CREATE TRIGGER late_insert AFTER INSERT ON late BEGIN INSERT INTO sluice_loads VALUES (new.load); END');
    other.close();
    assert.deepEqual(summarize(await db.run([[insert, values[0]]])), ['REFUSED']);
    assert.deepEqual(db.look('SELECT * FROM sluice_loads'), [{ load: 'l' }]);
  }));

test("the ledger's own statements pass the guard that refuses them to the user", () =>
  withFile(async (db) => {
    const record = { sql: 'INSERT INTO sluice_loads VALUES (?)', parameters: ['recorded'] };
    const answers = await db.run(['INSERT INTO t VALUES (1, 1)', "INSERT INTO sluice_loads VALUES ('x')"], { record: () => [record] });
    assert.deepEqual(summarize(answers), ['applied', 'REFUSED']);
    assert.deepEqual(db.look('SELECT * FROM sluice_loads ORDER BY load'), [{ load: 'l' }, { load: 'recorded' }]);
  }));
