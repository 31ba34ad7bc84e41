/** Whatever happens to the link, to the lock or to the caller while a unit runs: it ends in time, and what it says of what landed is so. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { LinkLostError } from '../../src/target/link.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { runPostgresUnit } from '../../src/target/postgres/unit/unit.ts';
import { addressOf, startProxy, type Direction, type FaultProxy } from './proxy.ts';
import { readSql, runSql, serverUrl, skipReason, withClient } from './server.ts';
import { openServerPlace, shorten, writeUnit, type UnitPlace, type Written } from './unit-place.ts';

const makeItems = 'CREATE TABLE items (id int PRIMARY KEY, note text)';
const insert = (id: number): Written => ['INSERT INTO items VALUES (?, ?)', [id, 'x'.repeat(50)]];
const inserts = (count: number): readonly Written[] => Array.from({ length: count }, (_, id) => insert(id));

async function countItems(place: UnitPlace): Promise<number> {
  return Number((await readSql(place.url, 'SELECT count(*) AS n FROM items'))[0]?.['n']);
}

async function openProxied(context: TestContext): Promise<{ readonly place: UnitPlace; readonly proxy: FaultProxy }> {
  const proxy = await startProxy(addressOf(serverUrl ?? ''));
  context.after(() => proxy.close());
  const place = await openServerPlace(context, (url) => proxy.rewrite(url));
  await runSql(place.url, makeItems);
  return { place, proxy };
}

/** Bytes that a unit of 40 statements takes each way, once the limits of its session are known. */
async function measure(place: UnitPlace, proxy: FaultProxy): Promise<Readonly<Record<Direction, number>>> {
  await place.run(['SELECT 1']);
  const before = { ...proxy.passed };
  await place.run(inserts(40));
  return { toServer: proxy.passed.toServer - before.toServer, toClient: proxy.passed.toClient - before.toClient };
}

async function cutAfter(
  { place, proxy }: { readonly place: UnitPlace; readonly proxy: FaultProxy },
  direction: Direction,
  bytes: number,
): Promise<string> {
  const link = await openLink(proxy.rewrite(place.url), {});
  await runPostgresUnit(link, writeUnit(['SELECT 1']));
  await runSql(place.url, 'TRUNCATE items');
  proxy.cutAfterBytes(direction, bytes);
  const ended = await runPostgresUnit(link, writeUnit(inserts(40))).then(
    () => 'landed',
    (error: unknown) => (error instanceof LinkLostError ? error.landed : assert.fail(String(error))),
  );
  proxy.cutNow();
  await link.close();
  // The server notices the end of a session a moment later; the lock is had when what it had not committed is gone.
  await runSql(place.url, 'BEGIN; LOCK TABLE items; COMMIT');
  const count = await countItems(place);
  assert.ok(count === 0 || count === 40, `${String(count)} rows after a cut at ${String(bytes)} bytes ${direction}`);
  if (ended !== 'unknown') assert.equal(count, ended === 'landed' ? 40 : 0, `cut at ${String(bytes)} bytes ${direction}`);
  return ended;
}

describe('a unit under faults', { skip: skipReason }, () => {
  it('on a link that is cut after any number of bytes either way is whole or not there, as the error says', async (context) => {
    const { place, proxy } = await openProxied(context);
    const seen = new Set<string>();
    const totals = await measure(place, proxy);
    for (const direction of ['toServer', 'toClient'] as const) {
      const early = [0.001, 0.1, 0.3, 0.6, 0.9].map((part) => Math.ceil(totals[direction] * part));
      for (const bytes of [...early, totals[direction] - 30, totals[direction] - 8, totals[direction] - 1, totals[direction] + 1]) {
        seen.add(await cutAfter({ place, proxy }, direction, bytes));
      }
    }
    assert.deepEqual([...seen].sort(), ['landed', 'no', 'unknown']);
  });

  it('whose COMMIT is not answered is unknown', async (context) => {
    const { place, proxy } = await openProxied(context);
    await place.run(['SELECT 1']);
    const running = place.run(inserts(3), {
      record: () => {
        // Everything up to COMMIT is through; its answer will not be.
        proxy.cutAfterBytes('toClient', 1);
        return [];
      },
    });
    await assert.rejects(running, (error) => error instanceof LinkLostError && error.landed === 'unknown');
    assert.equal(await countItems(place), 3);
  });

  it('whose session is ended by the server lands nothing', async (context) => {
    const place = await openServerPlace(context);
    await runSql(place.url, makeItems);
    const running = place.run([insert(1), 'SELECT pg_terminate_backend(pg_backend_pid())', insert(2)]);
    await assert.rejects(running, (error) => error instanceof LinkLostError && error.landed === 'no');
    assert.equal(await countItems(place), 0);
  });

  it('that is cancelled or over its time is undone, and the link goes on', async (context) => {
    const place = await openServerPlace(context);
    await runSql(place.url, makeItems);
    for (const isTransaction of [true, false]) {
      const stop = new AbortController();
      const cancelled = place.run([insert(1), 'SELECT pg_sleep(60)', insert(2)], { isTransaction, signal: stop.signal });
      setTimeout(() => stop.abort(), 150);
      await assert.rejects(cancelled, { code: 'SLUICE_CANCELLED' });
      const late = place.run([insert(1), 'SELECT pg_sleep(60)', insert(2)], { isTransaction, timeoutMs: 150 });
      await assert.rejects(late, { code: 'SLUICE_TARGET_BUSY' });
      assert.equal(await countItems(place), 0);
    }
    assert.deepEqual(shorten(await place.run([insert(1)])), ['applied']);
  });

  it('that waits for a lock of another session for too long says so', async (context) => {
    const place = await openServerPlace(context);
    await runSql(place.url, makeItems);
    await withClient(place.url, async (client) => {
      await client.query('BEGIN; LOCK TABLE items');
      assert.deepEqual(shorten(await place.run(['SELECT 1', insert(1), 'SELECT 2'], { lockTimeoutMs: 50 })), [
        'applied',
        'CONFLICT',
        'applied',
      ]);
      await assert.rejects(place.run([insert(1)], { timeoutMs: 100 }), { code: 'SLUICE_TARGET_BUSY' });
      await client.query('ROLLBACK');
    });
    assert.equal(await countItems(place), 0);
  });

  it('that meets another in a deadlock is run again, and both land', async (context) => {
    const place = await openServerPlace(context);
    await place.run([makeItems, insert(1), insert(2)]);
    await runSql(place.url, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 50', current_database()); END $$");
    const [one, other] = [await openLink(place.url, {}), await openLink(place.url, {})];
    const cross = (first: number, second: number): readonly Written[] => [
      `UPDATE items SET note = note || 'y' WHERE id = ${String(first)}`,
      'SELECT pg_sleep(0.1)',
      `UPDATE items SET note = note || 'y' WHERE id = ${String(second)}`,
    ];
    for (const isTransaction of [true, false]) {
      const ends = await Promise.all([
        runPostgresUnit(one, writeUnit(cross(1, 2), { isTransaction })),
        runPostgresUnit(other, writeUnit(cross(2, 1), { isTransaction })),
      ]);
      assert.deepEqual(
        ends.map(({ answers }) => shorten(answers)),
        [Array(3).fill('applied'), Array(3).fill('applied')],
      );
    }
    await Promise.all([one.close(), other.close()]);
    assert.deepEqual(await readSql(place.url, 'SELECT length(note) AS n FROM items'), [{ n: 54 }, { n: 54 }]);
  });

  it('whose statement always gives way ends with that as its error', async (context) => {
    const place = await openServerPlace(context);
    const raise = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$";
    assert.deepEqual(shorten(await place.run([makeItems, insert(1), raise, insert(2)])), ['applied', 'applied', 'CONFLICT', 'applied']);
    assert.deepEqual(shorten(await place.run([insert(3), raise], { isTransaction: true })), ['rolled_back', 'CONFLICT']);
  });
});
