/** A batch whose COMMIT was sent and whose answer was lost: its twin may land before, while or after it is sent again, or never, and each row is there once. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LinkLostError } from '../../src/target/link.ts';
import { commitBatch, settleMark } from '../../src/target/postgres/commit/commit.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { claimShards, column, openBench, openTableWriter, toBatch, toUnit, type Bench, type PlanRequest } from './commit-bench.ts';
import { addressOf, startProxy } from './proxy.ts';
import { readSql, skipReason, withClient } from './server.ts';

const columns = [column('id', 'integer', { isNullable: false }), column('name', 'text')];
const rowCount = 300;
const unit = toUnit({
  batch: toBatch(
    columns,
    Array.from({ length: rowCount }, (_, id) => [id, `name ${String(id)}`]),
  ),
});

/** Modes whose second writing of a row shows in different ways: refused, counted as another update, or a second row. */
const requests: readonly { readonly name: string; readonly ddl: string; readonly request: PlanRequest }[] = [
  { name: 'an insert with a key', ddl: 'id bigint PRIMARY KEY', request: { table: 'items', columns } },
  { name: 'an insert without a key', ddl: 'id bigint', request: { table: 'items', columns, key: [] } },
  { name: 'an upsert', ddl: 'id bigint PRIMARY KEY', request: { table: 'items', columns, mode: 'upsert' } },
];

describe('a COMMIT without an answer', { skip: skipReason }, () => {
  let bench: Bench;

  before(async () => {
    bench = await openBench();
    // What the ledger's own trigger waits for stands still inside of COMMIT and nowhere else.
    await bench.sql(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON sluice_shards DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.next_row > OLD.next_row) EXECUTE FUNCTION hold()`);
  });
  after(async () => {
    await bench.dispose();
  });
  beforeEach(async () => {
    await bench.sql('DELETE FROM sluice_shards; DELETE FROM sluice_rejects');
    await claimShards(bench.link);
  });

  /** Sends the batch over a link that is cut while the server stands in its COMMIT, and answers the backend that stands there. */
  async function loseAnswer(context: TestContext, request: PlanRequest): Promise<number> {
    const proxy = await startProxy(addressOf(bench.url));
    context.after(() => proxy.close());
    const link = await openLink(proxy.rewrite(bench.url), {});
    context.after(() => link.close());
    const committing = commitBatch(await openTableWriter(link, request), unit, undefined).then(
      () => assert.fail('the answer came'),
      (error: unknown) => error,
    );
    const backend = await awaitHeld(bench.url);
    proxy.cutNow();
    const error = await committing;
    assert.ok(error instanceof LinkLostError && error.landed === 'unknown');
    return backend;
  }

  async function assertOnce(): Promise<void> {
    assert.deepEqual(await bench.sql('SELECT count(*)::int AS rows, count(DISTINCT id)::int AS keys FROM items'), [
      { rows: rowCount, keys: rowCount },
    ]);
    assert.deepEqual(
      await bench.sql(
        'SELECT read_count::int AS read, written_count::int AS written, rejected_count::int AS rejected, added_count::int AS added, next_row::int AS next FROM sluice_shards',
      ),
      [{ read: rowCount, written: rowCount, rejected: 0, added: rowCount, next: rowCount }],
    );
    assert.deepEqual(await bench.sql('SELECT * FROM sluice_rejects'), []);
    assert.equal(await settleMark(bench.link, unit.mark), 'landed');
  }

  for (const { name, ddl, request } of requests) {
    const makeTable = (): Promise<unknown> => bench.sql(`DROP TABLE IF EXISTS items; CREATE TABLE items (${ddl}, name text)`);

    test(`of ${name} that lands while the batch is sent again fences the second sending`, async (context) => {
      await makeTable();
      await withClient(bench.url, async (holder) => {
        await holder.query('SELECT pg_advisory_lock(1)');
        await loseAnswer(context, request);
        assert.equal(await settleMark(bench.link, unit.mark), 'not_landed');
        const again = commitBatch(await openTableWriter(bench.link, request), unit, undefined);
        // It stands behind the twin's ledger row.
        await sleep(100);
        await holder.query('SELECT pg_advisory_unlock(1)');
        assert.deepEqual(await again, { kind: 'fenced' });
      });
      await assertOnce();
    });

    test(`of ${name} whose backend is ended leaves nothing, and the second sending writes all of it`, async (context) => {
      await makeTable();
      await withClient(bench.url, async (holder) => {
        await holder.query('SELECT pg_advisory_lock(1)');
        const backend = await loseAnswer(context, request);
        const again = commitBatch(await openTableWriter(bench.link, request), unit, undefined);
        await sleep(50);
        await holder.query('SELECT pg_terminate_backend($1)', [backend]);
        await holder.query('SELECT pg_advisory_unlock(1)');
        assert.deepEqual(await again, { kind: 'committed', written: rowCount, skipped: 0, rejects: [] });
      });
      await assertOnce();
    });

    test(`of ${name} can't land any more once another owner has claimed the shard, or the claim waits for it`, async (context) => {
      await makeTable();
      await withClient(bench.url, async (holder) => {
        await holder.query('SELECT pg_advisory_lock(1)');
        await loseAnswer(context, request);
        const claiming = bench.link.query('UPDATE sluice_shards SET epoch = epoch + 1');
        await sleep(50);
        await holder.query('SELECT pg_advisory_unlock(1)');
        await claiming;
      });
      // The claim came after the twin, so its owner goes on behind the twin's rows.
      assert.deepEqual(await bench.sql('SELECT epoch::int AS epoch, next_row::int AS next FROM sluice_shards'), [
        { epoch: 2, next: rowCount },
      ]);
      assert.equal(await settleMark(bench.link, unit.mark), 'fenced');
      assert.deepEqual(await commitBatch(await openTableWriter(bench.link, request), unit, undefined), { kind: 'fenced' });
      assert.deepEqual(await bench.sql('SELECT count(*)::int AS rows FROM items'), [{ rows: rowCount }]);
    });
  }
});

/** The backend of sluice that waits in its COMMIT. */
async function awaitHeld(url: string): Promise<number> {
  for (let tries = 0; tries < 2_000; tries++) {
    const [held] = await readSql(
      url,
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice' AND wait_event = 'advisory' AND query = 'COMMIT'`,
    );
    if (held !== undefined) return Number(held['pid']);
    await sleep(2);
  }
  return assert.fail('no backend came to its COMMIT');
}
