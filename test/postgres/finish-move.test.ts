/** What moving rows into a table that keeps its own promises: they become visible together or not at all, and each is accounted for. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { LoadMode, TablePlan } from '../../src/target/driver.ts';
import { column, finish, load, makePlan, openStage, prepare, type Stage } from './finish-stage.ts';
import { skipReason } from './server.ts';

describe('rows that wait beside a table', { skip: skipReason }, () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(async () => {
    await stage.dispose();
  });

  const aside = `"sluice_new_${load}"`;

  /** Staged rows: (id, name) each with its shard and row, as commits leave them; all count as written. */
  async function beginMove(
    mode: LoadMode,
    ddl: readonly string[],
    rows: readonly (readonly [number, number, number | null, string])[],
  ): Promise<TablePlan> {
    const plan = makePlan({
      mode,
      publish: 'move',
      columns: [column('id', 'integer'), column('name', 'text')],
      ddl: [`CREATE TABLE ${aside} (id bigint, name text, sluice_shard int8, sluice_row int8, sluice_offset int8, sluice_at_line int8)`],
    });
    await stage.run(...ddl);
    await prepare(stage, plan, 3);
    const values = rows.map(
      ([shard, row, id, name]) =>
        `(${String(id ?? 'NULL')}, '${name}', ${String(shard)}, ${String(row)}, ${String(row * 10)}, ${String(row)})`,
    );
    if (values.length > 0) await stage.run(`INSERT INTO ${aside} VALUES ${values.join(', ')}`);
    await stage.run(
      `UPDATE sluice_shards t SET read_count = n, written_count = n FROM (SELECT s.shard, (SELECT count(*) FROM ${aside} r WHERE r.sluice_shard = s.shard) AS n FROM sluice_shards s) c WHERE c.shard = t.shard`,
    );
    return plan;
  }

  const plain = ['CREATE TABLE items (id bigint PRIMARY KEY, name text)', `INSERT INTO items VALUES (1, 'there')`];
  const items = async (): Promise<string> =>
    String((await stage.read(`SELECT string_agg(id || name, ' ' ORDER BY id, name) AS items FROM items`))[0]?.['items']);
  const counts = async (): Promise<readonly unknown[]> => {
    const rows = await stage.read(
      'SELECT read_count, written_count, skipped_count, rejected_count, added_count FROM sluice_shards ORDER BY shard',
    );
    return rows.map((row) => Object.values(row).map(Number));
  };
  const rejects = async (): Promise<readonly unknown[]> =>
    stage.read('SELECT shard::int, shard_row::int, code, column_name FROM sluice_rejects ORDER BY shard, shard_row');

  test('insert moves all rows at once, and refuses those whose key is there or came before', async () => {
    const plan = await beginMove('insert', plain, [
      [1, 0, 2, 'late'],
      [0, 0, 1, 'taken'],
      [0, 1, 2, 'first'],
      [2, 0, 3, 'alone'],
    ]);
    await finish(stage.link, plan);
    assert.equal(await items(), '1there 2first 3alone');
    assert.deepEqual(await counts(), [
      [2, 1, 0, 1, 1],
      [1, 0, 0, 1, 0],
      [1, 1, 0, 0, 1],
    ]);
    assert.deepEqual(await rejects(), [
      { shard: 0, shard_row: 0, code: 'REFUSED_UNIQUE', column_name: 'id' },
      { shard: 1, shard_row: 0, code: 'REFUSED_UNIQUE', column_name: 'id' },
    ]);
    assert.deepEqual(await stage.read(`SELECT raw::json ->> 'name' AS name FROM sluice_rejects WHERE shard = 1`), [{ name: 'late' }]);
    assert.match((await finish(stage.link, plan))[0]?.why ?? '', /already/u);
    assert.equal(await items(), '1there 2first 3alone');
  });

  test('upsert moves the last row of each key and counts all of them as written', async () => {
    const plan = await beginMove('upsert', plain, [
      [0, 0, 1, 'old'],
      [0, 1, 2, 'a'],
      [1, 0, 2, 'b'],
      [2, 0, 1, 'new'],
    ]);
    await finish(stage.link, plan);
    assert.equal(await items(), '1new 2b');
    assert.deepEqual(await counts(), [
      [2, 2, 0, 0, 0],
      [1, 1, 0, 0, 1],
      [1, 1, 0, 0, 0],
    ]);
  });

  test('upsert moves rows into a partitioned table, and knows which of them are new', async () => {
    const partitioned = [
      'CREATE TABLE items (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id)',
      'CREATE TABLE items_low PARTITION OF items FOR VALUES FROM (0) TO (100)',
      `INSERT INTO items VALUES (1, 'there')`,
    ];
    const plan = await beginMove('upsert', partitioned, [
      [0, 0, 1, 'new'],
      [1, 0, 2, 'a'],
      [1, 1, 3, 'b'],
    ]);
    await finish(stage.link, plan);
    assert.equal(await items(), '1new 2a 3b');
    assert.deepEqual(await counts(), [
      [1, 1, 0, 0, 0],
      [2, 2, 0, 0, 2],
      [0, 0, 0, 0, 0],
    ]);
  });

  test('skip moves the first row of each new key and counts the others as skipped', async () => {
    const plan = await beginMove('skip', plain, [
      [0, 0, 1, 'never'],
      [0, 1, 2, 'a'],
      [1, 0, 2, 'b'],
    ]);
    await finish(stage.link, plan);
    assert.equal(await items(), '1there 2a');
    assert.deepEqual(await counts(), [
      [2, 1, 1, 0, 1],
      [1, 0, 1, 0, 0],
      [0, 0, 0, 0, 0],
    ]);
  });

  const ruled = [
    'CREATE TABLE kinds (kind text PRIMARY KEY)',
    `INSERT INTO kinds VALUES ('there'), ('good'), ('evil')`,
    `CREATE TABLE items (id bigint PRIMARY KEY CHECK (id < 100), name text REFERENCES kinds)`,
    `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'evil' THEN RAISE 'no'; END IF; RETURN NEW; END $$`,
    'CREATE TRIGGER guarding BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION guard()',
  ];

  for (const mode of ['insert', 'upsert', 'skip'] as const) {
    test(`rows that checks, foreign keys and triggers refuse become rejects by ${mode}, all others are moved`, async () => {
      const plan = await beginMove(mode, ruled, [
        [0, 0, 1, 'good'],
        [0, 1, 2, 'evil'],
        [0, 2, 200, 'good'],
        [1, 0, 3, 'unknown'],
        [1, 1, 3, 'good'],
        [2, 0, 4, 'evil'],
        [2, 1, 5, 'good'],
      ]);
      await finish(stage.link, plan);
      assert.equal(await items(), '1good 3good 5good');
      // By upsert the row of an unknown kind is written over before anybody looks at it: the trigger might have changed its kind.
      const isLooked = mode !== 'upsert';
      assert.deepEqual(await rejects(), [
        { shard: 0, shard_row: 1, code: 'REFUSED_TRIGGER', column_name: null },
        { shard: 0, shard_row: 2, code: 'REFUSED_CHECK', column_name: null },
        ...(isLooked ? [{ shard: 1, shard_row: 0, code: 'REFUSED_FOREIGN_KEY', column_name: 'name' }] : []),
        { shard: 2, shard_row: 0, code: 'REFUSED_TRIGGER', column_name: null },
      ]);
      assert.deepEqual(await counts(), [[3, 1, 0, 2, 1], isLooked ? [2, 1, 0, 1, 1] : [2, 2, 0, 0, 1], [2, 1, 0, 1, 1]]);
    });
  }

  test('a foreign key that is checked at the end of a transaction refuses its rows all the same', async () => {
    const deferred = [
      'CREATE TABLE kinds (kind text PRIMARY KEY)',
      `INSERT INTO kinds VALUES ('good')`,
      'CREATE TABLE items (id bigint PRIMARY KEY, name text REFERENCES kinds DEFERRABLE INITIALLY DEFERRED)',
    ];
    const plan = await beginMove('insert', deferred, [
      [0, 0, 1, 'good'],
      [0, 1, 2, 'unknown'],
    ]);
    await finish(stage.link, plan);
    assert.equal(await items(), '1good');
    assert.deepEqual(await rejects(), [{ shard: 0, shard_row: 1, code: 'REFUSED_FOREIGN_KEY', column_name: 'name' }]);
  });

  test('of equal keys an earlier row takes the place of a later one that is refused', async () => {
    const plan = await beginMove('upsert', ruled, [
      [0, 0, 1, 'good'],
      [0, 1, 1, 'evil'],
      [1, 0, 5, 'good'],
      [1, 1, 5, 'good'],
    ]);
    await finish(stage.link, plan);
    assert.equal(await items(), '1good 5good');
    assert.deepEqual((await counts()).slice(0, 2), [
      [2, 1, 0, 1, 1],
      [2, 2, 0, 0, 1],
    ]);
  });

  test('above the reject limit nothing is published, and the rows wait', async () => {
    const plan = await beginMove('insert', plain, [
      [0, 0, 1, 'taken'],
      [0, 1, 2, 'good'],
    ]);
    await assert.rejects(finish(stage.link, plan, { mayReject: (count) => count === 0 }), { code: 'SLUICE_REJECT_LIMIT' });
    assert.equal(await items(), '1there');
    assert.deepEqual((await counts())[0], [2, 2, 0, 0, 0]);
    await finish(stage.link, plan, { mayReject: () => true });
    assert.equal(await items(), '1there 2good');
  });

  test('nothing is published before the load is complete', async () => {
    const plan = await beginMove('insert', plain, [[0, 0, 2, 'good']]);
    await finish(stage.link, plan, { isComplete: false });
    assert.equal(await items(), '1there');
  });
});
