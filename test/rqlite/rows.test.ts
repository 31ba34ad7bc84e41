/** Rows come out of rqlite as they went in, and are accounted for as the SQLite driver accounts for them, on tables of every kind. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { load } from '../../src/load/load.ts';
import { connect } from '../../src/target/registry.ts';
import type { LoadMode } from '../../src/target/driver.ts';
import { verify } from '../../src/verify/verify.ts';
import { startServer, type TestServer } from './server.ts';

type Row = Readonly<Record<string, unknown>>;

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);

let server: TestServer;
before(async () => {
  server = await startServer({ checksForeignKeys: true });
  console.log(`seed ${String(seed)}`);
});
after(() => server.dispose());

async function runOnServer(statements: readonly string[]): Promise<void> {
  const connection = await connect(server.url);
  await connection.transact(statements.map((sql) => ({ sql, parameters: [] })));
  await connection.close();
}

/** Rows of the served file itself, past the server. */
function readFile(file: string, sql: string): readonly Row[] {
  const db = new DatabaseSync(file, { readOnly: true });
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  const rows = statement.all().map((row) => ({ ...row }));
  db.close();
  return rows;
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom("x'41'", " X'00ff' ", "x''", "x'zz'", "\u0085x'41'", 'a\u0000b', '', "it's", '<&>', '\u2028'),
);
const double = fc.double({ noNaN: true, noDefaultInfinity: true });
const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('values', () => {
  it('texts, doubles, integers and bytes are stored bit by bit', async () => {
    const rowOf = fc.record({ t: text, r: double, i: integer, b: fc.uint8Array({ maxLength: 40 }) });
    let tables = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(rowOf, { minLength: 1, maxLength: 60 }), async (rows) => {
        const table = `v${String(tables++)}`;
        const from = rows.map((row, id) => ({ id, ...row }));
        const types = { t: 'text', r: 'real', i: 'integer', b: 'bytes' } as const;
        const report = await load({ from, to: server.url, table, key: ['id'], types, cache: false });
        assert.equal(report.counts.written, rows.length);
        const found = readFile(server.file, `SELECT t, r, i, b, typeof(t) AS tt, typeof(r) AS tr FROM ${table} ORDER BY id`);
        found.forEach((row, index) => {
          const sent = rows[index];
          assert.ok(sent !== undefined);
          assert.equal(row['t'], sent.t);
          // SQLite stores a REAL without a fraction as an integer, which has no zero with a sign.
          assert.ok(Object.is(row['r'], sent.r === 0 ? 0 : sent.r), `${String(row['r'])} for ${String(sent.r)}`);
          assert.equal(row['i'], sent.i);
          assert.deepEqual(row['b'], sent.b);
          assert.deepEqual([row['tt'], row['tr']], ['text', 'real']);
        });
      }),
      { seed, numRuns: 8 },
    );
  });

  it('a text with half of a surrogate pair is refused, and its neighbours are written', async () => {
    const from = [
      { id: 1, t: 'a' },
      { id: 2, t: '\ud800' },
      { id: 3, t: 'c' },
    ];
    const report = await load({ from, to: server.url, table: 'halves', key: ['id'], cache: false });
    assert.deepEqual(report.counts, { read: 3, written: 2, skipped: 0, rejected: 1 });
    assert.equal(report.rejectsByCause[0]?.code, 'VALUE_FORMAT');
  });

  it('a key of text that looks like bytes is found again', async () => {
    const from = [{ k: "x'41'" }, { k: "x'4142'" }];
    await load({ from, to: server.url, table: 'looks', key: ['k'], mode: 'upsert', cache: false });
    const again = await load({ from, to: server.url, table: 'looks', key: ['k'], mode: 'skip', again: true, cache: false });
    assert.equal(again.counts.skipped, 2);
    assert.equal((await verify({ in: server.url, table: 'looks' })).isOk, true);
  });
});

interface Kind {
  readonly name: string;
  readonly ddl: readonly string[];
}

const kinds: readonly Kind[] = [
  { name: 'plain', ddl: ['CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INTEGER NOT NULL CHECK (n < 90))'] },
  {
    name: 'without rowid',
    ddl: ['CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INTEGER NOT NULL CHECK (n < 90)) WITHOUT ROWID'],
  },
  { name: 'collated key', ddl: ['CREATE TABLE t (id INTEGER, u TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, n INTEGER NOT NULL)'] },
  {
    name: 'trigger that refuses',
    ddl: [
      'CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, n INTEGER)',
      "CREATE TRIGGER g BEFORE INSERT ON t WHEN NEW.n > 80 BEGIN SELECT RAISE(ABORT, 'too much'); END",
    ],
  },
  {
    name: 'trigger that ignores',
    ddl: [
      'CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, n INTEGER)',
      'CREATE TRIGGER g BEFORE INSERT ON t WHEN NEW.n > 80 BEGIN SELECT RAISE(IGNORE); END',
    ],
  },
  {
    name: 'trigger that rolls back',
    ddl: [
      'CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, n INTEGER)',
      "CREATE TRIGGER g BEFORE INSERT ON t WHEN NEW.n > 95 BEGIN SELECT RAISE(ROLLBACK, 'all gone'); END",
    ],
  },
  { name: 'ON CONFLICT REPLACE', ddl: ['CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE ON CONFLICT REPLACE, n INTEGER)'] },
  { name: 'ON CONFLICT ROLLBACK', ddl: ['CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE ON CONFLICT ROLLBACK, n INTEGER)'] },
  {
    name: 'foreign key',
    ddl: [
      'CREATE TABLE p (n INTEGER PRIMARY KEY)',
      'INSERT INTO p VALUES (1), (2), (3)',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, n INTEGER REFERENCES p (n))',
    ],
  },
];

/** Deterministic numbers. */
function makeRows(count: number): readonly Row[] {
  let state = seed >>> 0;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  return Array.from({ length: count }, () => ({ id: next(400), u: `${next(2) === 0 ? 'k' : 'K'}${String(next(300))}`, n: next(100) }));
}

describe('accounts', () => {
  for (const { name, ddl } of kinds) {
    for (const mode of ['insert', 'upsert', 'skip'] satisfies LoadMode[]) {
      it(`${name}, mode ${mode}: the same rows, counts and rejects as on SQLite`, async () => {
        const folder = await mkdtemp(path.join(tmpdir(), 'sluice-rows-'));
        const file = path.join(folder, 'local.db');
        const local = new DatabaseSync(file);
        await runOnServer(['DROP TABLE IF EXISTS t', 'DROP TABLE IF EXISTS p', ...ddl]);
        for (const sql of ddl) local.exec(sql);
        local.close();
        const key = name === 'collated key' ? ['u'] : ['id'];
        const from = makeRows(160);
        const accounts = [];
        for (const [to, target] of [
          [`sqlite:${file}`, file],
          [server.url, server.file],
        ] as const) {
          const report = await load({ from, to, table: 't', key, mode, maxBatchRows: 70, again: true, cache: false });
          const causes = report.rejectsByCause.map(({ code, column, count }) => `${code} ${String(column)} ${String(count)}`).sort();
          accounts.push({
            counts: report.counts,
            causes,
            rows: readFile(target, 'SELECT id, u, n FROM t ORDER BY id, u'),
            ok: report.verification?.isOk,
          });
        }
        await rm(folder, { recursive: true });
        assert.deepEqual(accounts[1], accounts[0]);
      });
    }
  }

  it('a deferred foreign key that COMMIT refuses costs only its rows', async () => {
    await runOnServer([
      'CREATE TABLE dp (n INTEGER PRIMARY KEY)',
      'INSERT INTO dp VALUES (1)',
      'CREATE TABLE dc (id INTEGER PRIMARY KEY, n INTEGER REFERENCES dp (n) DEFERRABLE INITIALLY DEFERRED)',
    ]);
    const from = Array.from({ length: 50 }, (_, id) => ({ id, n: id === 17 || id === 40 ? 9 : 1 }));
    const report = await load({ from, to: server.url, table: 'dc', key: ['id'], cache: false });
    assert.deepEqual(report.counts, { read: 50, written: 48, skipped: 0, rejected: 2 });
    assert.equal(report.rejectsByCause[0]?.code, 'REFUSED_FOREIGN_KEY');
  });

  it('mode replace keeps indexes and triggers, and a table that others refer to is left alone where foreign keys are checked', async () => {
    await runOnServer([
      'CREATE TABLE rp (id INTEGER PRIMARY KEY, v TEXT)',
      'CREATE INDEX rp_v ON rp (v)',
      'CREATE TRIGGER rp_t AFTER DELETE ON rp BEGIN SELECT 1; END',
      'CREATE VIEW rp_w AS SELECT v FROM rp',
      "INSERT INTO rp VALUES (1, 'old')",
    ]);
    await load({ from: [{ id: 2, v: 'new' }], to: server.url, table: 'rp', key: ['id'], mode: 'replace', cache: false });
    assert.deepEqual(readFile(server.file, 'SELECT v FROM rp_w'), [{ v: 'new' }]);
    const names = readFile(server.file, `SELECT name FROM sqlite_schema WHERE tbl_name = 'rp' AND name <> 'rp' ORDER BY name`);
    assert.deepEqual(names, [{ name: 'rp_t' }, { name: 'rp_v' }]);
    await runOnServer(['CREATE TABLE rp_child (r INTEGER REFERENCES rp (id) ON DELETE CASCADE)', 'INSERT INTO rp_child VALUES (2)']);
    const options = { from: [{ id: 3, v: 'x' }], to: server.url, table: 'rp', key: ['id'], mode: 'replace', cache: false } as const;
    await assert.rejects(load(options), { code: 'SLUICE_PLAN_REFUSED' });
    assert.equal(readFile(server.file, 'SELECT * FROM rp_child').length, 1);
  });
});
