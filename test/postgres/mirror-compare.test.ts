/** What a comparison promises on a real server: what was written compares as equal whatever its type, and each difference is told by row and column. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { CompareRequest, RowComparison } from '../../src/target/driver.ts';
import { compareRows } from '../../src/target/postgres/mirror/compare.ts';
import { column, commitInto, openBench, toBatch, type Bench, type Rows } from './commit-bench.ts';
import { skipReason } from './server.ts';

const id = column('id', 'integer', { isNullable: false });

/** A column's type in the table, the load's type, a value, and SQL of another value that differs as little as it can. */
const kinds = [
  ['bigint', 'integer', 9_007_199_254_740_993n, '9007199254740992'],
  ['smallint', 'integer', -7, '7'],
  ['numeric', 'decimal', '1.00', '1.0'],
  ['numeric(6,2)', 'decimal', '12.345', '12.34'],
  ['double precision', 'real', 0.1, '0.10000000000000002'],
  ['real', 'real', 0.1, '0.10000001'],
  ['text', 'text', 'a', `'A'`],
  ['varchar(5)', 'text', 'ab   ', `'ab'`],
  ['char(4)', 'text', 'ab', `'aB'`],
  ['boolean', 'boolean', true, 'false'],
  ['bytea', 'bytes', Uint8Array.of(1, 0, 255), `'\\x0100fe'`],
  ['json', 'json', '{"a": 1}', `'{"a":1}'`],
  ['jsonb', 'json', '{"b":2,"a":[1]}', `'{"a":[1],"b":3}'`],
  ['uuid', 'uuid', '00000000-0000-4000-8000-000000000001', `'00000000-0000-4000-8000-000000000002'`],
  ['date', 'date', '2026-11-21', `'2026-11-22'`],
  ['timestamptz', 'timestamp', '2026-11-21T10:00:00.123456Z', `'2026-11-21T10:00:00.123457Z'`],
  ['timestamptz(0)', 'timestamp', '2026-11-21T10:00:00.6Z', `'2026-11-21T10:00:00Z'`],
  ['timestamp', 'timestamp', '2026-11-21T10:00:00', `'2026-11-21 10:00:01'`],
  ['interval', 'text', '1 month', `'30 days'`],
  ['time', 'text', '10:11:12', `'10:11:13'`],
  ['inet', 'text', '10.0.0.1', `'10.0.0.1/24'`],
  ['int[]', 'json', '[1,null,3]', `'{1,2,3}'`],
  ['text[]', 'text', '{a,"b c"}', `'{a,"b  c"}'`],
  ['int4range', 'text', '[1,5)', `'[1,6)'`],
  ['pair', 'text', '(1,x)', `'(1,y)'`],
  ['mood', 'text', 'glad', `'sad'`],
  ['short', 'text', 'abc', `'abd'`],
  ['tsvector', 'text', `'a' 'b'`, `'b'`],
] as const;

const types = `DROP TYPE IF EXISTS pair, mood CASCADE; DROP DOMAIN IF EXISTS short CASCADE;
CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN short AS varchar(4) CHECK (value <> 'bad');`;
const ddl = `${types} CREATE TABLE items (id bigint PRIMARY KEY, ${kinds.map(([type], at) => `c${String(at)} ${type}`).join(', ')}, v vector(3), h halfvec(3), f real[])`;
const columns = [
  id,
  ...kinds.map(([, type], at) => column(`c${String(at)}`, type)),
  column('v', 'vector', { dimensions: 3 }),
  column('h', 'vector', { dimensions: 3 }),
  column('f', 'vector', { dimensions: 3 }),
];
const names = columns.map(({ name }) => name);
const vectors = [
  [0.1, 2, -3],
  [0.1, 2, -3],
  [0.1, 0, 1],
] as const;

describe('comparing rows with those of a PostgreSQL table', { skip: skipReason }, () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(async () => {
    await bench.dispose();
  });

  const compare = async (rows: Rows, more: Partial<CompareRequest> = {}, of = columns): Promise<RowComparison> => {
    const question = { table: 'items', key: ['id'], batch: toBatch(of, rows), compared: of.map(({ name }) => name), ...more };
    return (await compareRows(bench.link, question, { known: undefined })).comparison;
  };
  // COPY as text: ranges and composites have no binary form that is known.
  const request = { table: 'items', columns, settings: { format: 'text' } } as const;
  const written = (key: number): Rows[number] => [key, ...kinds.map(([, , value]) => value), ...vectors];
  const nulls = (key: number): Rows[number] => [key, ...kinds.map(() => null), ...vectors];

  test('a row that was written compares as equal in each of its types, nulls too', async () => {
    const rows = [written(1), nulls(2)];
    const { written: count } = await commitInto(bench, ddl, { request, rows });
    assert.equal(count, 2);
    const { states, differing } = await compare([written(1), nulls(2), written(3)]);
    assert.deepEqual([...differing], []);
    assert.deepEqual([...states], [2, 2, 0]);
  });

  for (const [at, [type, , , other]] of kinds.entries()) {
    test(`a ${type} that differs as little as it can is told, and no other column`, async () => {
      await bench.sql(`BEGIN; UPDATE items SET c${String(at)} = ${other} WHERE id = 1; COMMIT`);
      const { states, differing } = await compare([nulls(2), written(1)]);
      await bench.sql(`UPDATE items SET c${String(at)} = DEFAULT WHERE id = 1`);
      const { differing: toNull } = await compare([written(1)]);
      assert.deepEqual([...states], [2, 1]);
      assert.deepEqual([...differing], [[1, [`c${String(at)}`]]]);
      assert.deepEqual([...toNull], [[0, [`c${String(at)}`]]]);
      await commitInto(bench, ddl, { request, rows: [written(1), nulls(2)] });
    });
  }

  test('vectors are compared as they are stored, and a missing one is told where it must be there', async () => {
    await bench.sql(`UPDATE items SET v = '[0.1,2,-3.0000002]', h = '[0.1,2,-3.01]', f = NULL WHERE id = 1`);
    const { differing } = await compare([written(1)]);
    assert.deepEqual(differing.get(0), ['v', 'h', 'f']);
    const filled = await compare([written(1), nulls(2)], { compared: ['c0'], filled: ['f'] });
    assert.deepEqual([...filled.states], [1, 2]);
    assert.deepEqual(filled.differing.get(0), ['f']);
  });

  test('a value that its column can not hold differs, and its neighbours are compared all the same', async () => {
    const short = names.indexOf('c26');
    const bad = written(1).map((value, at) => (at === short ? 'bad' : value));
    const long = written(1).map((value, at) => (at === short ? 'much too long' : value));
    const { states, differing } = await compare([nulls(2), bad, long, written(9)]);
    assert.deepEqual([...states], [2, 1, 1, 0]);
    assert.deepEqual(differing.get(2), ['c26']);
  });

  test('keys of several columns, keys that are equal and not the same, and keys that are not unique', async () => {
    await bench.sql(
      `DROP TABLE items; CREATE TABLE items (a text, b numeric, n int, PRIMARY KEY (a, b)); INSERT INTO items VALUES ('Ann', 1.0, 1), ('bob', 2, 2)`,
    );
    const of = [column('a', 'text'), column('b', 'decimal'), column('n', 'integer')];
    const rows: Rows = [
      ['Ann', '1.0', 1],
      ['ANN', '1.0', 1],
      ['Ann', '1.00', 1],
      ['bob', '2', 3],
      ['bob', '3', 2],
      [null, '2', 2],
    ];
    for (const which of ['unique', 'not unique']) {
      const { states, differing } = await compare(rows, { key: ['a', 'b'] }, of);
      assert.deepEqual([...states], [2, 0, 1, 1, 0, 0], which);
      assert.deepEqual(
        [...differing],
        [
          [2, ['b']],
          [3, ['n']],
        ],
        which,
      );
      await bench.sql(`ALTER TABLE items DROP CONSTRAINT IF EXISTS items_pkey; INSERT INTO items VALUES ('bob', 2, 4)`);
    }
    const twins: Rows = [4, 2, 5].map((n) => ['bob', '2', n]);
    assert.deepEqual([...(await compare(twins, { key: ['a', 'b'] }, of)).states], [2, 2, 1]);
  });

  test('many rows are compared in pieces, over partitions, and nothing is left behind', async () => {
    await bench.sql(`DROP TABLE items; CREATE TABLE items (id bigint PRIMARY KEY, name text) PARTITION BY HASH (id);
      CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE items_1 PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      INSERT INTO items SELECT i, 'row ' || i FROM generate_series(1, 30000) i; UPDATE items SET name = 'other' WHERE id % 1000 = 0; DELETE FROM items WHERE id % 777 = 0`);
    const rows: Rows = Array.from({ length: 30_000 }, (_, at) => [at + 1, `row ${String(at + 1)}`]);
    const { states, differing } = await compare(rows, {}, [id, column('name', 'text')]);
    const expected = rows.map((_, at) => ((at + 1) % 777 === 0 ? 0 : (at + 1) % 1000 === 0 ? 1 : 2));
    assert.deepEqual([...states], expected);
    assert.equal(differing.size, expected.filter((state) => state === 1).length);
    assert.deepEqual(await bench.sql(`SELECT relname FROM pg_class WHERE relname LIKE 'sluice_s_age%' OR relpersistence = 't'`), []);
  });

  test('a table that was dropped, a column that was, and a table that is locked are told as such', async () => {
    await assert.rejects(compare([], { table: 'gone' }), { code: 'SLUICE_TABLE_UNKNOWN' });
    await assert.rejects(compare([], {}, [id, column('gone', 'text')]), { code: 'SLUICE_COLUMN_UNKNOWN' });
    const other = await bench.open();
    await other.script('BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE');
    const batch = toBatch([id], [[1]]);
    const question = { table: 'items', key: ['id'], batch, compared: ['id'] };
    await assert.rejects(compareRows(bench.link, question, { known: undefined, lockTimeoutMs: 50 }), { sqlState: '55P03' });
    await other.script('ROLLBACK');
  });
});
