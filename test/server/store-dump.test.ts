/** The SQL dump: whatever is in a database comes back from it, type by type and bit by bit. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';

import { streamDump } from '../../src/server/store/dump.ts';
import { writeDump } from '../../src/server/store/dump-text.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);

type Cell = null | bigint | number | string | Uint8Array | { readonly rawText: Uint8Array };

/** Eight random bytes as a float: every exponent, subnormal numbers, -0.0 and the infinities; SQLite has no NaN. */
const real = fc
  .oneof(
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).readDoubleLE(0)),
    fc.constantFrom(0, -0, Infinity, -Infinity, 0.1, 5e-324, 1e21, 123456789.12345679),
  )
  .filter((value) => !Number.isNaN(value));
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom("'", '"', '\0', '\n', '\r', ';', '-', '\ue000', 'ä', '😀') }),
);
const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  real,
  text,
  fc.uint8Array({ maxLength: 40 }),
  // Bytes that are stored as text and need not be UTF-8.
  fc.uint8Array({ maxLength: 20 }).map((rawText) => ({ rawText })),
);
const name = fc.oneof(
  fc.constantFrom('t', 'we ird', "it's", 'quo"te', 'select', 'ünï', 'a;b', 'new\nline'),
  fc.string({ minLength: 1, maxLength: 8 }),
);
const usableName = name.filter((value) => !value.includes('\0') && value.isWellFormed() && !/^sqlite_/i.test(value));
const uniqueNames = (minLength: number, maxLength: number): fc.Arbitrary<string[]> =>
  fc.uniqueArray(usableName, { minLength, maxLength, selector: (value) => value.toLowerCase() });
const affinity = fc.constantFrom('', 'INTEGER', 'REAL', 'TEXT', 'BLOB', 'NUMERIC', 'BOOLEAN', 'DATETIME');
const table = fc
  .record({ columns: uniqueNames(1, 6), types: fc.array(affinity, { minLength: 6, maxLength: 6 }) })
  .chain(({ columns, types }) =>
    fc.record({
      columns: fc.constant(columns),
      types: fc.constant(types),
      rows: fc.array(fc.array(cell, { minLength: columns.length, maxLength: columns.length }), { maxLength: 8 }),
    }),
  );
const database = fc.record({ names: uniqueNames(1, 3), tables: fc.array(table, { minLength: 3, maxLength: 3 }), isUtf16: fc.boolean() });

function quote(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}

/** Every value with its type and its bytes, floats by their bits. */
function readAll(db: DatabaseSync): unknown {
  const tables = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
  return tables.map(({ name: table_, sql }) => {
    const columns = db.prepare('SELECT name FROM pragma_table_info(?)').all(String(table_));
    const names = columns.map((column) => quote(String(column['name'])));
    // Three queries, because a result has at most 2,000 columns.
    const rows = [names.map((column) => `typeof(${column})`), names.map((column) => `CAST(${column} AS BLOB)`), names].flatMap((list) => {
      const statement = db.prepare(`SELECT ${list.join(', ')} FROM ${quote(String(table_))}`);
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      return statement.all() as unknown as (string | bigint | number | Uint8Array | null)[][];
    });
    return { table: table_, sql, rows: rows.map((row) => row.map((value) => (typeof value === 'number' ? showBits(value) : value))) };
  });
}

function showBits(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.toString('hex');
}

describe(`the dump of a database (seed ${seed})`, () => {
  let folder: string;
  let count = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-dump-'));
  });
  after(() => rm(folder, { recursive: true }));

  function make(fill: (db: DatabaseSync) => void): string {
    const file = join(folder, `${String(count++)}.db`);
    const db = new DatabaseSync(file);
    // Without this pragma every database of the test would be synced to the disk.
    db.exec('PRAGMA synchronous = OFF');
    fill(db);
    db.close();
    return file;
  }

  function dump(file: string, tables?: readonly string[]): string {
    return Buffer.concat([...writeDump({ file, tables })]).toString();
  }

  /** The same database, made from its dump. */
  function compare(file: string, isUtf16 = false): void {
    const original = new DatabaseSync(file);
    const restored = new DatabaseSync(':memory:');
    if (isUtf16) restored.exec("PRAGMA encoding = 'UTF-16le'");
    restored.exec(dump(file));
    assert.deepEqual(readAll(restored), readAll(original));
    original.close();
    restored.close();
  }

  test('brings back every value of random tables: 64-bit integers, bits of floats, blobs, any text', () => {
    const roundTrip = fc.property(database, ({ names, tables, isUtf16 }) => {
      const file = make((db) => {
        if (isUtf16) db.exec("PRAGMA encoding = 'UTF-16le'");
        db.exec('BEGIN');
        for (const [index, name_] of names.entries())
          fillTable(db, { name: name_, isUtf16, ...(tables[index] ?? { columns: [], types: [], rows: [] }) });
        db.exec('COMMIT');
      });
      compare(file, isUtf16);
    });
    fc.assert(roundTrip, { numRuns: 150, seed });
  });

  interface Filling {
    readonly name: string;
    readonly columns: readonly string[];
    readonly types: readonly string[];
    readonly rows: readonly (readonly Cell[])[];
    readonly isUtf16: boolean;
  }

  function fillTable(db: DatabaseSync, { name: name_, columns, types, rows, isUtf16 }: Filling): void {
    db.exec(`CREATE TABLE ${quote(name_)} (${columns.map((column, index) => `${quote(column)} ${types[index] ?? ''}`).join(', ')})`);
    const isRaw = (value: Cell | undefined): value is { rawText: Uint8Array } =>
      typeof value === 'object' && value !== null && 'rawText' in value;
    for (const row of rows) {
      const places = row.map((value) => (isRaw(value) && !isUtf16 ? 'CAST(? AS TEXT)' : '?'));
      const values = row.map((value): SQLInputValue => (isRaw(value) ? value.rawText : (value as SQLInputValue)));
      db.prepare(`INSERT INTO ${quote(name_)} VALUES (${places.join(', ')})`).run(...values);
    }
  }

  test('takes generated columns, tables without rowid, triggers, views and 1,900 columns', () => {
    compare(
      make((db) => {
        db.exec(`
          CREATE TABLE g (a INTEGER PRIMARY KEY, b AS (a * 2) STORED, c TEXT, d AS (c || 'x'));
          INSERT INTO g(a, c) VALUES (1, 'one'), (2, 'two');
          CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
          INSERT INTO w VALUES ('b', 1), ('a', 2);
          CREATE TABLE s (n INTEGER NOT NULL, x ANY) STRICT;
          INSERT INTO s VALUES (1, '007'), (2, 7);
          CREATE TABLE log (at);
          CREATE TRIGGER tr AFTER INSERT ON g BEGIN INSERT INTO log VALUES(NEW.a); SELECT CASE WHEN 1 THEN 2 END; END;
          CREATE VIEW v AS SELECT * FROM g;
          CREATE UNIQUE INDEX ix ON g(c) WHERE a > 0;
          CREATE TABLE wide (${Array.from({ length: 1_900 }, (_, index) => `c${String(index)}`).join(', ')});
          INSERT INTO wide(c0, c1899) VALUES ('first', 1e300);
          ANALYZE;
        `);
      }),
    );
  });

  test('is written as rqlite writes it', () => {
    const file = make((db) => {
      db.exec(`
        CREATE TABLE foo (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name TEXT);
        INSERT INTO foo(name) VALUES('it''s');
        CREATE TABLE "we ird" (a REAL, b BLOB);
        INSERT INTO "we ird" VALUES(1.0, x'00ff');
        CREATE INDEX ix ON foo(name);
      `);
    });
    assert.equal(
      dump(file),
      `PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE foo (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name TEXT);
INSERT INTO "foo" VALUES(1,'it''s');
DELETE FROM "sqlite_sequence";;
INSERT INTO "sqlite_sequence" VALUES('foo',1);
CREATE TABLE "we ird" (a REAL, b BLOB);
INSERT INTO "we ird" VALUES(1.0,X'00FF');
CREATE INDEX ix ON foo(name);
COMMIT;
`,
    );
    assert.equal(dump(file, ['we ird']), dump(file).replace(/CREATE TABLE foo[^]*?(?=CREATE TABLE "we ird")/, ''));
  });

  test('comes in pieces from a thread, whose end is told when the database can not be read', async () => {
    const file = make((db) => {
      db.exec('CREATE TABLE t (k); BEGIN');
      const insert = db.prepare('INSERT INTO t VALUES(?)');
      for (let index = 0; index < 20_000; index++) insert.run(`row ${String(index)}`);
      db.exec('COMMIT');
    });
    const pieces = await Array.fromAsync(streamDump({ file, tables: undefined }));
    assert.ok(pieces.length > 3 && pieces.every((piece) => piece.byteLength < 200_000));
    assert.equal(Buffer.concat(pieces).toString(), dump(file));
    await assert.rejects(Array.fromAsync(streamDump({ file: join(folder, 'nothing.db'), tables: undefined })), /could not be dumped/);
  });
});
