/** What somebody who means no good, or comes from psql, found: tables that alter or refuse what is loaded, roles with few rights, and hands that meddle with a load between its sessions. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { load, plan, rejects, resume, verify, type LoadOptions, type LoadReport } from '../../src/index.ts';
import { urlAs } from './planning.ts';
import { createDatabase, readSql, runSql, skipReason, type TestDatabase } from './server.ts';

let folder: string;
let database: TestDatabase;

/** A file of the rows, as JSON lines. */
async function writeRows(name: string, rows: readonly unknown[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  return path;
}

async function loadRows(rows: readonly unknown[], options: Partial<LoadOptions> = {}): Promise<LoadReport> {
  return load({ from: await writeRows('rows.jsonl', rows), to: database.url, table: 'items', ...options });
}

function numberRows<Row>(count: number, make: (id: number) => Row): readonly Row[] {
  return Array.from({ length: count }, (_, index) => make(index + 1));
}

async function readCauses(url = database.url): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { code, column } of rejects({ in: url })) found.push(`${code} ${String(column)}`);
  return [...new Set(found)].toSorted();
}

async function readOne(sql: string): Promise<unknown> {
  return Object.values((await readSql(database.url, sql))[0] ?? {})[0];
}

const waitingSql = `SELECT relname::text AS name FROM pg_class WHERE relname LIKE 'sluice\\_new\\_%' AND relkind = 'r'`;

describe('a hostile user', { skip: skipReason }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-attack-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(() => database.dispose());

  test('a CSV file as COPY writes it comes back as it was, arrays included', async () => {
    await runSql(
      database.url,
      `CREATE TYPE mood AS ENUM ('ok', 'happy, very')`,
      'CREATE TABLE items (id int PRIMARY KEY, numbers int[], texts text[], moods mood[], exact numeric(6,1)[])',
    );
    const path = join(folder, 'copied.csv');
    await writeFile(
      path,
      'id,numbers,texts,moods,exact\n1,"{1,2,NULL}","{a,""b,c"",""\\""q\\"""",""NULL"",NULL,""""}","{ok,""happy, very""}",{1.5}\n2,{},,{},"[1.5,null]"\n',
    );
    const { counts } = await load({ from: path, to: database.url, table: 'items' });
    assert.deepEqual({ ...counts }, { read: 2, written: 2, skipped: 0, rejected: 0 });
    assert.deepEqual(
      await readSql(database.url, 'SELECT id, numbers, texts, moods::text AS moods, exact::text AS exact FROM items ORDER BY id'),
      [
        { id: 1, numbers: [1, 2, null], texts: ['a', 'b,c', '"q"', 'NULL', null, ''], moods: '{ok,"happy, very"}', exact: '{1.5}' },
        { id: 2, numbers: [], texts: null, moods: '{}', exact: '{1.5,NULL}' },
      ],
    );
  });

  test('a number too small for a float4 is refused as the server refuses it, and a doubled key names its column', async () => {
    await runSql(database.url, 'CREATE TABLE items (id int PRIMARY KEY, "odd ""name" float4 UNIQUE)');
    const field = 'odd "name';
    const { counts } = await loadRows([
      { id: 1, [field]: 1e-50 },
      { id: 2, [field]: 0 },
      { id: 2, [field]: 1 },
      { id: 3, [field]: 0 },
      { id: 4, [field]: 1e-45 },
    ]);
    assert.deepEqual({ ...counts }, { read: 5, written: 2, skipped: 0, rejected: 3 });
    assert.deepEqual(await readCauses(), ['REFUSED_UNIQUE id', `REFUSED_UNIQUE ${field}`, `VALUE_RANGE ${field}`]);
  });

  test('a role that may only insert loads, and is told that the table is not counted', async () => {
    // Roles belong to the whole server.
    const role = `sluice_writer_${String(process.pid)}`;
    await runSql(
      database.url,
      'CREATE TABLE items (id int PRIMARY KEY, name text)',
      `CREATE ROLE ${role} LOGIN`,
      `GRANT INSERT ON items TO ${role}`,
      `CREATE SCHEMA ${role} AUTHORIZATION ${role}`,
    );
    try {
      const url = urlAs(database.url, role);
      const report = await loadRows([{ id: 1, name: 'a' }], { to: url });
      assert.equal(report.counts.written, 1);
      assert.match(JSON.stringify(report.decisions), /may not read items/u);
      assert.equal((await verify({ in: url })).isOk, true);
      assert.equal(await readOne('SELECT count(*)::int FROM items'), 1);
    } finally {
      await runSql(database.url, `DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
    }
  });

  const altering = [
    'CREATE TABLE items (id int PRIMARY KEY, amount int CHECK (amount > 0))',
    'CREATE FUNCTION mend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.amount = abs(NEW.amount); RETURN NEW; END $$',
    'CREATE TRIGGER mending BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION mend()',
  ];

  for (const hasRows of [false, true]) {
    test(`rows that a trigger mends are not refused with those it can't, published at once into ${hasRows ? 'a table with rows' : 'an empty table'}`, async () => {
      await runSql(database.url, ...altering, ...(hasRows ? ['INSERT INTO items VALUES (1000, 1)'] : []));
      const rows = numberRows(200, (id) => ({ id, amount: id % 10 === 0 ? 0 : -id }));
      const { counts } = await loadRows(rows, { target: { isAtomic: true } });
      assert.deepEqual({ ...counts }, { read: 200, written: 180, skipped: 0, rejected: 20 });
      assert.equal(await readOne('SELECT count(*)::int FROM items WHERE amount = id'), 180);
    });
  }

  test('one row without its partner is a reject, though all rows become visible at once in a table that was empty', async () => {
    await runSql(
      database.url,
      'CREATE TABLE kinds (kind int PRIMARY KEY)',
      'INSERT INTO kinds VALUES (1)',
      'CREATE TABLE items (id int PRIMARY KEY, kind int REFERENCES kinds)',
    );
    const rows = [
      { id: 1, kind: 1 },
      { id: 2, kind: 2 },
    ];
    const { counts } = await loadRows(rows, { target: { isAtomic: true } });
    assert.deepEqual({ ...counts }, { read: 2, written: 1, skipped: 0, rejected: 1 });
  });

  for (const mode of ['replace', 'insert'] as const) {
    test(`a load by ${mode} whose waiting table somebody dropped is not done: it says so, again and again`, async () => {
      await runSql(
        database.url,
        'CREATE TABLE kinds (kind int PRIMARY KEY)',
        'CREATE TABLE items (id int PRIMARY KEY, kind int REFERENCES kinds)',
        'INSERT INTO items VALUES (1000, NULL)',
        // What stands in the way of the end: a row without its partner, or a trigger that fails for all.
        ...(mode === 'replace'
          ? []
          : [
              `CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION SQLSTATE '55000'; END $$`,
              'CREATE TRIGGER stopping BEFORE INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION stop()',
            ]),
      );
      await assert.rejects(loadRows([{ id: 1, kind: 1 }], { mode, target: { isAtomic: true } }), { code: 'SLUICE_TARGET_FAILED' });
      const waiting = String(await readOne(waitingSql));
      await runSql(database.url, `DROP TABLE "${waiting}"`);
      if (mode === 'insert') await runSql(database.url, 'DROP TRIGGER stopping ON items');
      for (let time = 1; time <= 2; time++) {
        await assert.rejects(resume({ in: database.url }), { code: 'SLUICE_TABLE_UNKNOWN', message: /waited, is gone/u });
      }
      assert.equal(await readOne('SELECT array_agg(id)::text FROM items'), '{1000}');
    });
  }

  for (const more of [{ mode: 'insert' }, { mode: 'upsert' }, { mode: 'insert', target: { usesCopy: false } }] as const) {
    test(`rows that a trigger mends are written beside bad ones, ${JSON.stringify(more)}`, async () => {
      await runSql(
        database.url,
        `CREATE TABLE items (id bigint PRIMARY KEY, v bigint CHECK (v > 0));
        CREATE FUNCTION mend() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := abs(NEW.v); RETURN NEW; END';
        CREATE TRIGGER mend BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION mend()`,
      );
      const rows = numberRows(1_000, (id) => ({ id, v: id % 10 === 0 ? 0 : -id }));
      const report = await loadRows(rows, { key: ['id'], ...more });
      assert.deepEqual(report.counts, { read: 1_000, written: 900, skipped: 0, rejected: 100 });
    });
  }

  for (const target of [{ indexes: 'rebuild' }, { isAtomic: true }] as const) {
    test(`two processes on one load both end it, with ${Object.keys(target).join()}`, async () => {
      const from = await writeRows(
        'both.jsonl',
        numberRows(20_000, (id) => ({ id, name: `row ${String(id)}` })),
      );
      const options: LoadOptions = {
        from,
        to: database.url,
        table: 'items',
        key: ['id'],
        label: 'both',
        lanes: 1,
        shardBytes: 50_000,
        target,
      };
      const reports = await Promise.all([load(options), load(options)]);
      for (const { counts, verification } of reports) {
        assert.equal(counts.written, 20_000);
        assert.notEqual(verification?.isOk, false);
      }
      assert.equal(await readOne('SELECT count(DISTINCT id)::int FROM items'), 20_000);
      assert.equal(await readOne(`SELECT count(*)::int FROM pg_constraint WHERE conrelid = 'items'::regclass AND contype = 'p'`), 1);
      assert.equal(await readOne(waitingSql), undefined);
    });
  }

  test('a plan tells that no vector index is made unasked, and why the key of rows with made vectors stays', async () => {
    const from = await writeRows(
      'texts.jsonl',
      numberRows(60_000, (id) => ({ id, text: `row ${String(id)}` })),
    );
    const told = await plan({ from, to: database.url, table: 'items', key: ['id'], embed: { column: 'text', with: 'hash' } });
    assert.equal(told.index?.kind, 'none');
    const key = told.table.decisions.find(({ what }) => what === 'key');
    assert.match(key?.why ?? '', /rows with a vector cost so much more/u);
  });
});
