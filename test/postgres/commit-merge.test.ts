/** What upsert and skip promise on a real server: of equal keys one row stays, by the order of the input; every row is accounted for. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { PostgresSettings } from '../../src/target/postgres/settings.ts';
import { column, commitInto, openBench, type Bench, type Committed, type PlanRequest, type Rows } from './commit-bench.ts';
import { skipReason } from './server.ts';

const columns = [column('id', 'integer', { isNullable: false }), column('n', 'integer'), column('name', 'text')];
const plain = 'CREATE TABLE items (id bigint PRIMARY KEY, n int, name text)';

/** Equal ids: three of 1, two of 2, one of 3. */
const repeated: Rows = [
  [1, 0, 'first'],
  [2, 0, 'first'],
  [1, 1, 'second'],
  [3, 0, 'only'],
  [2, 1, 'second'],
  [1, 2, 'third'],
];

const ways: readonly Partial<PostgresSettings>[] = [{ way: 'copy' }, { way: 'insert' }, { way: 'copy', staging: 'unlogged' }];

describe('upsert and skip on PostgreSQL', { skip: skipReason }, () => {
  let bench: Bench;

  before(async () => {
    bench = await openBench();
  });
  after(async () => {
    await bench.dispose();
  });

  const commitItems = (ddl: string, request: PlanRequest, rows: Rows): Promise<Committed> => commitInto(bench, ddl, { request, rows });
  const readItems = (): Promise<readonly Record<string, unknown>[]> => bench.sql('SELECT id::int, n, name FROM items ORDER BY id, n');

  for (const settings of ways) {
    const upsert = { table: 'items', columns, mode: 'upsert', settings } satisfies PlanRequest;
    const skip = { table: 'items', columns, mode: 'skip', settings } satisfies PlanRequest;
    const by = `by ${settings.way ?? ''} over ${settings.staging ?? 'temporary'}`;

    test(`upsert replaces the row that is there, and of equal keys the last one stays, ${by}`, async () => {
      const result = await commitItems(`${plain}; INSERT INTO items VALUES (1, 9, 'old'), (7, 9, 'old')`, upsert, repeated);
      assert.deepEqual(result, { written: 6, skipped: 0, refused: [], codes: [] });
      assert.deepEqual(await readItems(), [
        { id: 1, n: 2, name: 'third' },
        { id: 2, n: 1, name: 'second' },
        { id: 3, n: 0, name: 'only' },
        { id: 7, n: 9, name: 'old' },
      ]);
    });

    test(`skip leaves the row that is there, and of equal keys the first one stays, ${by}`, async () => {
      const result = await commitItems(`${plain}; INSERT INTO items VALUES (1, 9, 'old')`, skip, repeated);
      assert.deepEqual(result, { written: 2, skipped: 4, refused: [], codes: [] });
      assert.deepEqual(await readItems(), [
        { id: 1, n: 9, name: 'old' },
        { id: 2, n: 0, name: 'first' },
        { id: 3, n: 0, name: 'only' },
      ]);
    });

    test(`an earlier row of a key is written where the later one is refused, ${by}`, async () => {
      const rows: Rows = [...repeated, [1, -1, 'refused'], [2, -1, 'refused'], [2, -2, 'refused too']];
      const result = await commitItems(`${plain.slice(0, -1)}, CHECK (n >= 0))`, upsert, rows);
      assert.equal(result.written, 6);
      assert.deepEqual(
        (await readItems()).map(({ name }) => name),
        ['third', 'second', 'only'],
      );
    });

    test(`a later row of a key is written where the first one is refused, ${by}`, async () => {
      const ddl = `${plain}; CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n < 0 THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()`;
      const result = await commitItems(ddl, skip, [[1, -1, 'refused'], [2, -1, 'refused'], [2, -2, 'refused too'], ...repeated]);
      assert.deepEqual({ ...result, refused: result.refused.length }, { written: 3, skipped: 3, refused: 3, codes: ['REFUSED_TRIGGER'] });
      assert.deepEqual(
        (await readItems()).map(({ name }) => name),
        ['first', 'first', 'only'],
      );
    });

    test(`a row without a parent is refused where that is asked at COMMIT only, ${by}`, async () => {
      const ddl =
        'CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (0), (1); CREATE TABLE items (id bigint PRIMARY KEY, n int REFERENCES parents DEFERRABLE INITIALLY DEFERRED, name text)';
      const result = await commitItems(ddl, upsert, repeated);
      assert.deepEqual(result, { written: 5, skipped: 0, refused: [5], codes: ['REFUSED_FOREIGN_KEY'] });
    });

    test(`a row that another unique value refuses leaves its neighbours in, ${by}`, async () => {
      const ddl = `CREATE TABLE items (id bigint PRIMARY KEY, n int UNIQUE, name text); INSERT INTO items VALUES (100, 13, 'old')`;
      const rows = Array.from({ length: 40 }, (_, id) => [id, id, 'new'] as const);
      const result = await commitItems(ddl, upsert, rows);
      assert.deepEqual(result, { written: 39, skipped: 0, refused: [13], codes: ['REFUSED_UNIQUE'] });
    });
  }

  const upsert = { table: 'items', columns, mode: 'upsert' } satisfies PlanRequest;

  test('the same key again and again, always refused, ends, and each row is a reject', async () => {
    const ddl = `${plain}; CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()`;
    const result = await commitItems(
      ddl,
      upsert,
      Array.from({ length: 30 }, (_, n) => [5, n, 'same']),
    );
    assert.equal(result.refused.length, 30);
  });

  test('null in a unique key meets nothing', async () => {
    const ddl = `CREATE TABLE items (id bigint UNIQUE, n int, name text); INSERT INTO items VALUES (NULL, 1, 'old')`;
    const rows: Rows = [
      [null, 1, 'a'],
      [null, 2, 'b'],
      [4, 3, 'c'],
      [4, 4, 'd'],
    ];
    const request = { ...upsert, settings: { tracksKeys: false } };
    assert.deepEqual(await commitItems(ddl, request, rows), { written: 4, skipped: 0, refused: [], codes: [] });
    assert.deepEqual(
      (await readItems()).map(({ name }) => name),
      ['d', 'old', 'a', 'b'],
    );
  });

  test('keys are equal as the table says, not as they are written', async () => {
    const request = {
      ...upsert,
      columns: [column('id', 'decimal', { isNullable: false }), column('name', 'text')],
      settings: { tracksKeys: false },
    };
    const rows: Rows = [
      ['1.0', 'a'],
      ['1.00', 'b'],
      ['2', 'c'],
      ['1', 'd'],
    ];
    const result = await commitItems(
      `CREATE TABLE items (id numeric PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'old')`,
      request,
      rows,
    );
    assert.equal(result.written, 4);
    assert.deepEqual(await bench.sql('SELECT name FROM items ORDER BY id'), [{ name: 'd' }, { name: 'c' }]);
  });

  test('texts are equal as their type says', async () => {
    const request = {
      ...upsert,
      columns: [column('id', 'text', { isNullable: false }), column('name', 'text')],
      settings: { tracksKeys: false },
    };
    const rows: Rows = [
      ['a', '1'],
      ['a  ', '2'],
      ['b', '3'],
    ];
    const result = await commitItems('CREATE TABLE items (id char(3) PRIMARY KEY, name text)', request, rows);
    assert.equal(result.written, 3);
    assert.deepEqual(await bench.sql('SELECT name FROM items ORDER BY id'), [{ name: '2' }, { name: '3' }]);
  });

  test('a key of several columns, and nothing but a key', async () => {
    const request = { ...upsert, columns: [column('id', 'integer', { isNullable: false }), column('name', 'text')], key: ['id', 'name'] };
    const ddl = `CREATE TABLE items (id int, name text, PRIMARY KEY (id, name)); INSERT INTO items VALUES (1, 'x')`;
    const result = await commitItems(ddl, request, [
      [1, 'x'],
      [1, 'y'],
      [1, 'x'],
      [2, 'x|y'],
      [2, 'x'],
    ]);
    assert.deepEqual(result, { written: 5, skipped: 0, refused: [], codes: [] });
  });

  for (const mode of ['upsert', 'skip'] as const) {
    test(`${mode} into partitions counts what is new`, async () => {
      const ddl = `CREATE TABLE items (id bigint PRIMARY KEY, n int, name text) PARTITION BY HASH (id); CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE items_1 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO items VALUES (1, 9, 'old')`;
      const result = await commitItems(ddl, { ...upsert, mode }, repeated);
      assert.equal(result.written, mode === 'upsert' ? 6 : 2);
    });

    test(`${mode}: any rows give the table that one row after the other would`, async () => {
      const row = fc.tuple(
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 0, max: 4 }),
        fc.string({ maxLength: 3 }).filter((text) => !text.includes('\u0000')),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(row, { maxLength: 40 }), async (rows) => {
          const model = new Map<number, string>([[3, 'old']]);
          const refused: number[] = [];
          for (const [at, [id, n, name]] of rows.entries()) {
            if (n === 4) refused.push(at);
            else if (mode === 'upsert' || !model.has(id)) model.set(id, name.toWellFormed());
          }
          const ddl = `CREATE TABLE items (id bigint PRIMARY KEY, n int CHECK (n < 4), name text); INSERT INTO items VALUES (3, 0, 'old')`;
          const result = await commitItems(ddl, { ...upsert, mode }, rows);
          const table = await bench.sql('SELECT id::int, name FROM items');
          assert.deepEqual(new Map(table.map(({ id, name }) => [id, name])), model);
          // A row that gave way to a later one is not looked at any more.
          assert.ok(result.refused.every((at) => refused.includes(at)));
        }),
        { numRuns: 15 },
      );
    });
  }
});
