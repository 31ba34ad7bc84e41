/** What the commit promises when others are at work: an owner that was presumed dead writes nothing, what gives way is tried again, what is no row's fault refuses no row. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError } from '../../src/errors.ts';
import type { Outcome } from '../../src/target/driver.ts';
import { LinkLostError } from '../../src/target/link.ts';
import { commitBatch, settleMark } from '../../src/target/postgres/commit/commit.ts';
import { PgError, type PgLink } from '../../src/target/postgres/link.ts';
import {
  claimShards,
  column,
  openBench,
  openTableWriter,
  place,
  toBatch,
  toUnit,
  type Bench,
  type PlanRequest,
  type Rows,
  type UnitRequest,
} from './commit-bench.ts';
import { skipReason, withClient } from './server.ts';

const columns = [column('id', 'integer', { isNullable: false }), column('name', 'text')];
const items = { table: 'items', columns } satisfies PlanRequest;
const plain = 'CREATE TABLE items (id bigint PRIMARY KEY, name text)';

function makeRows(count: number): Rows {
  return Array.from({ length: count }, (_, id) => [id, `name ${id}`]);
}

describe('a commit among others on PostgreSQL', { skip: skipReason }, () => {
  let bench: Bench;

  before(async () => {
    bench = await openBench();
  });
  after(async () => {
    await bench.dispose();
  });
  beforeEach(async () => {
    await bench.sql(`DROP TABLE IF EXISTS items CASCADE; ${plain}; DELETE FROM sluice_shards; DELETE FROM sluice_rejects`);
    await claimShards(bench.link);
  });

  async function commit(
    rows: Rows,
    { link = bench.link, request = items, ...more }: Partial<UnitRequest> & { readonly link?: PgLink; readonly request?: PlanRequest } = {},
  ): Promise<Outcome> {
    const writer = await openTableWriter(link, request);
    return commitBatch(writer, toUnit({ batch: toBatch(request.columns, rows), ...more }), undefined);
  }

  async function assertNothing(): Promise<void> {
    assert.deepEqual(await bench.sql('SELECT count(*)::int AS rows FROM items'), [{ rows: 0 }]);
    assert.deepEqual(await bench.sql('SELECT count(*)::int AS rows FROM sluice_rejects'), [{ rows: 0 }]);
    assert.deepEqual(await bench.sql('SELECT next_row::int AS next, read_count::int AS read FROM sluice_shards'), [{ next: 0, read: 0 }]);
  }

  test('an owner whose shard has a newer epoch writes nothing', async () => {
    await bench.sql('UPDATE sluice_shards SET epoch = 2');
    assert.deepEqual(await commit(makeRows(100)), { kind: 'fenced' });
    await assertNothing();
  });

  test('an owner whose batch was committed by its successor is fenced, not refused row by row', async () => {
    assert.equal((await commit(makeRows(50))).kind, 'committed');
    assert.deepEqual(await commit(makeRows(50)), { kind: 'fenced' });
    assert.deepEqual(await bench.sql('SELECT count(*)::int AS rows FROM sluice_rejects'), [{ rows: 0 }]);
  });

  test('an owner who waits for a claim that is being made is fenced by it', async () => {
    const outcome = await withClient(bench.url, async (client) => {
      await client.query('BEGIN');
      await client.query('UPDATE sluice_shards SET epoch = epoch + 1');
      const committing = commit(makeRows(100));
      await sleep(100);
      await client.query('COMMIT');
      return committing;
    });
    assert.deepEqual(outcome, { kind: 'fenced' });
    await assertNothing();
  });

  test('the ledger tells what became of a mark', async () => {
    const { mark } = toUnit({ batch: toBatch(columns, makeRows(10)) });
    assert.equal(await settleMark(bench.link, mark), 'not_landed');
    await commit(makeRows(10));
    assert.equal(await settleMark(bench.link, mark), 'landed');
    assert.equal(await settleMark(bench.link, { ...mark, isLast: true }), 'not_landed');
    await bench.sql('UPDATE sluice_shards SET epoch = 2');
    assert.equal(await settleMark(bench.link, mark), 'fenced');
    assert.equal(await settleMark(bench.link, { ...mark, shard: 7 }), 'fenced');
  });

  test('a last batch without rows ends the shard, once', async () => {
    const mark = { from: place(0), to: place(0), readCount: 0, isLast: true };
    assert.equal((await commit([], { mark })).kind, 'committed');
    assert.deepEqual(await commit([], { mark }), { kind: 'fenced' });
  });

  test('a row that another session commits first is refused, and only that one', async () => {
    const outcome = await withClient(bench.url, async (client) => {
      await client.query(`BEGIN; INSERT INTO items VALUES (33, 'theirs')`);
      const committing = commit(makeRows(100));
      await sleep(100);
      await client.query('COMMIT');
      return committing;
    });
    assert.ok(outcome.kind === 'committed');
    assert.deepEqual(
      outcome.rejects.map(({ row, code }) => [row, code]),
      [[33, 'REFUSED_UNIQUE']],
    );
  });

  test('a deadlock with another session is tried again', async () => {
    await bench.sql(`INSERT INTO items VALUES (1, 'old'), (2, 'old')`);
    const request = { ...items, mode: 'upsert' } satisfies PlanRequest;
    const outcome = await withClient(bench.url, async (client) => {
      await client.query(`SET deadlock_timeout = '20s'`);
      await client.query(`BEGIN; UPDATE items SET name = 'theirs' WHERE id = 2`);
      const committing = commit(
        [
          [1, 'ours'],
          [2, 'ours'],
        ],
        { request },
      );
      await sleep(100);
      // It waits for the row that the commit holds, and the commit for the one held here: the server ends the commit's transaction.
      await client.query(`UPDATE items SET name = 'theirs' WHERE id = 1`);
      await client.query('COMMIT');
      return committing;
    });
    assert.ok(outcome.kind === 'committed' && outcome.written === 2);
    assert.deepEqual(await bench.sql('SELECT DISTINCT name FROM items'), [{ name: 'ours' }]);
  });

  /** A trigger that raises this code from the row `id` on for the first `times` tries. */
  async function raise(code: string, { times, id = 5 }: { readonly times: number; readonly id?: number }): Promise<void> {
    await bench.sql(`CREATE SEQUENCE IF NOT EXISTS tries; ALTER SEQUENCE tries RESTART; CREATE OR REPLACE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.id = ${id} AND nextval('tries') <= ${times} THEN RAISE EXCEPTION 'raised' USING ERRCODE = '${code}'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER raise BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION raise()`);
  }

  test('a serialization failure is tried again', async () => {
    await raise('40001', { times: 3 });
    assert.deepEqual(await commit(makeRows(20)), { kind: 'committed', written: 20, skipped: 0, rejects: [] });
  });

  test('what gives way again and again ends with an error that says so, and nothing is written', async () => {
    await raise('40001', { times: 1_000 });
    await assert.rejects(commit(makeRows(20)), (error) => isSluiceError(error, 'SLUICE_TARGET_BUSY') && error.isTransient);
    await assertNothing();
  });

  for (const code of ['57014', '53100', '55P03', '53200', '42501', 'XX000']) {
    test(`${code} refuses no row: the batch fails as a whole and the link is good for the next`, async () => {
      await raise(code, { times: 1 });
      await assert.rejects(commit(makeRows(20)), (error) => error instanceof PgError && error.sqlState === code);
      await assertNothing();
      assert.equal((await commit(makeRows(20))).kind, 'committed');
    });
  }

  test('a session that is ended before COMMIT has certainly written nothing', async () => {
    const link = await bench.open();
    await bench.sql(`CREATE OR REPLACE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
      CREATE TRIGGER ends AFTER INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION ends()`);
    await assert.rejects(commit(makeRows(20), { link }), (error) => error instanceof LinkLostError && error.landed === 'no');
    await assertNothing();
  });

  test('a table that is gone, or has lost a column, fails the batch and moves nothing', async () => {
    const writer = await openTableWriter(bench.link, items);
    const unit = toUnit({ batch: toBatch(columns, makeRows(20)) });
    await bench.sql('ALTER TABLE items RENAME COLUMN name TO title');
    await assert.rejects(commitBatch(writer, unit, undefined), (error) => error instanceof PgError && error.sqlState === '42703');
    await bench.sql('DROP TABLE items');
    await assert.rejects(commitBatch(writer, unit, undefined), (error) => error instanceof PgError && error.sqlState === '42P01');
    assert.deepEqual(await bench.sql('SELECT next_row::int AS next FROM sluice_shards'), [{ next: 0 }]);
  });

  test('bad rows are found where a gateway drops the CONTEXT', async () => {
    await bench.sql('ALTER TABLE items ADD CHECK (id % 300 <> 17)');
    const drop = (error: unknown): never => {
      throw error instanceof PgError ? new PgError(error.message, { ...error.fields, where: undefined }) : error;
    };
    const gateway = new Proxy(bench.link, {
      get: (link, name) => {
        const value: unknown = Reflect.get(link, name, link);
        if (name === 'copyIn') return (...parameters: Parameters<PgLink['copyIn']>) => link.copyIn(...parameters).catch(drop);
        return typeof value === 'function' ? (value.bind(link) as unknown) : value;
      },
    });
    const outcome = await commit(makeRows(1_000), { link: gateway });
    assert.ok(outcome.kind === 'committed');
    assert.deepEqual(
      outcome.rejects.map(({ row }) => row),
      [17, 317, 617, 917],
    );
  });

  test('a session whose transactions are serializable by default commits all the same', async () => {
    const link = await bench.open();
    await link.script('SET default_transaction_isolation = serializable');
    assert.equal((await commit(makeRows(20), { link })).kind, 'committed');
  });

  test('thousands of rejects, with texts that PostgreSQL has no place for, are kept', async () => {
    const rejects = Array.from(
      { length: 2_500 },
      (_, row) =>
        ({
          code: 'VALUE_TYPE',
          message: 'no number',
          row,
          offset: row,
          line: row,
          raw: row === 7 ? 'a\u0000b\ud800' : `raw ${row}`,
        }) as const,
    );
    const outcome = await commit([], { rejects, mark: { from: place(0), to: place(2_500) } });
    assert.ok(outcome.kind === 'committed' && outcome.rejects.length === 2_500);
    assert.deepEqual(await bench.sql('SELECT count(*)::int AS n, sum(is_cut)::int AS cut FROM sluice_rejects'), [{ n: 2_500, cut: 1 }]);
    assert.deepEqual(await bench.sql('SELECT raw FROM sluice_rejects WHERE shard_row = 7'), [{ raw: 'a\ufffdb\ufffd' }]);
  });

  test('rows that will be moved at the end are kept with their places', async () => {
    await bench.sql(
      'DROP TABLE items; CREATE TABLE items (id bigint, name text, sluice_shard bigint, sluice_row bigint, sluice_offset bigint, sluice_at_line bigint)',
    );
    for (const way of ['copy', 'insert'] as const) {
      await bench.sql('DELETE FROM items; UPDATE sluice_shards SET next_row = 0, next_offset = 0, added_count = 0');
      const rows = makeRows(2);
      const outcome = await commit([...rows, ...rows], { request: { ...items, mode: 'upsert', settings: { publish: 'move', way } } });
      assert.deepEqual(outcome, { kind: 'committed', written: 4, skipped: 0, rejects: [] });
      assert.deepEqual(
        await bench.sql(
          'SELECT id::int, sluice_shard::int AS shard, sluice_row::int AS row, sluice_offset::int AS at, sluice_at_line::int AS line FROM items ORDER BY sluice_row LIMIT 2 OFFSET 2',
        ),
        [
          { id: 0, shard: 0, row: 2, at: 20, line: 2 },
          { id: 1, shard: 0, row: 3, at: 30, line: 3 },
        ],
      );
      assert.deepEqual(await bench.sql('SELECT added_count::int AS added FROM sluice_shards'), [{ added: 0 }]);
    }
  });

  describe('with few rights', () => {
    const role = `sluice_few_${process.pid}`;
    let few: PgLink;

    before(async () => {
      await bench.sql(`CREATE ROLE ${role} LOGIN; REVOKE TEMPORARY ON DATABASE ${new URL(bench.url).pathname.slice(1)} FROM PUBLIC`);
      const url = new URL(bench.url);
      url.username = role;
      const { openLink } = await import('../../src/target/postgres/connect/connect.ts');
      few = await openLink(url.href, {});
    });
    after(async () => {
      await few.close();
      await bench.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    });
    beforeEach(async () => {
      await bench.sql(
        `GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO ${role}; REVOKE CREATE ON SCHEMA public FROM ${role}`,
      );
    });

    test('without temporary tables upsert goes by an unlogged one, which is gone afterwards', async () => {
      await bench.sql(`GRANT CREATE ON SCHEMA public TO ${role}`);
      const outcome = await commit(
        [
          [1, 'a'],
          [1, 'b'],
        ],
        { link: few, request: { ...items, mode: 'upsert' } },
      );
      assert.ok(outcome.kind === 'committed' && outcome.written === 2);
      assert.deepEqual(await bench.sql(`SELECT count(*)::int AS n FROM pg_class WHERE relname LIKE 'sluice_stage%'`), [{ n: 0 }]);
    });

    test('without any staging table many bad rows are found, and upsert says what to ask for', async () => {
      await bench.sql('ALTER TABLE items ADD CHECK (id % 10 <> 3)');
      const outcome = await commit(makeRows(500), { link: few });
      assert.ok(outcome.kind === 'committed' && outcome.rejects.length === 50 && outcome.written === 450);
      await bench.sql('UPDATE sluice_shards SET next_row = 0, next_offset = 0');
      await assert.rejects(commit(makeRows(5), { link: few, request: { ...items, mode: 'upsert' } }), (error) =>
        isSluiceError(error, 'SLUICE_TARGET_DENIED'),
      );
    });
  });
});
