/** Others at work on the same rows: deadlocks and serialization failures are tried again unseen, and a key that two lanes bring is refused once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from '../../src/load/load.ts';
import { assertWhole, endLoad, makePlace, plainTable, table, within, type Place } from './fault-place.ts';
import { readSql, skipReason, withClient } from './server.ts';

/** Rows that are there before, with other bodies, so that an upsert has to lock each. */
const oldRows = `INSERT INTO ${table} SELECT id, 'old', '[0,0,0]' FROM generate_series(0, 999) AS id`;

/** Waits until a session of sluice waits for a row that the harness holds. */
async function awaitBlocked(url: string): Promise<void> {
  for (let tries = 0; tries < 4_000; tries++) {
    const blocked = await readSql(
      url,
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sluice%' AND wait_event_type = 'Lock'`,
    );
    if (blocked.length > 0) return;
    await sleep(2);
  }
  assert.fail('no lane came to the row');
}

async function assertDone(place: Place, loading: ReturnType<typeof endLoad>): Promise<void> {
  const end = await loading;
  assert.ok('report' in end, 'error' in end ? `${end.error.code}: ${end.error.message}` : '');
  assert.deepEqual(end.report.counts, { read: place.rows, written: place.rows, skipped: 0, rejected: 0 });
  await assertWhole(place);
}

test('a batch that is the victim of a deadlock is tried again, and no row is lost or refused', { skip: skipReason }, async (context) => {
  const place = await makePlace(context, { rows: 1_000, before: [...plainTable, oldRows], options: { mode: 'upsert', lanes: 1 } });
  await withClient(place.url, async (client) => {
    // The lane's check comes first, so it is the lane that has to give way.
    await client.query(`SET deadlock_timeout = '20s'; BEGIN`);
    await client.query(`UPDATE ${table} SET body = body WHERE id = 550`);
    const loading = endLoad(load(place.options));
    await awaitBlocked(place.url);
    // The batch of row 550 has locked those before it. This waits for one of them until the server has ended the deadlock.
    await within(client.query(`UPDATE ${table} SET body = body WHERE id = 501`), 'the other side of the deadlock');
    await client.query('COMMIT');
    await assertDone(place, loading);
  });
});

test('a batch that can not be serialized is tried again, and no row is lost or refused', { skip: skipReason }, async (context) => {
  const strict = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$`;
  const place = await makePlace(context, { rows: 1_000, before: [...plainTable, oldRows, strict], options: { mode: 'upsert', lanes: 1 } });
  await withClient(place.url, async (client) => {
    await client.query('BEGIN');
    await client.query(`UPDATE ${table} SET body = body WHERE id = 550`);
    const loading = endLoad(load(place.options));
    await awaitBlocked(place.url);
    await client.query('COMMIT');
    await assertDone(place, loading);
  });
});

test('of a key that two lanes bring one row is written and the other refused', { skip: skipReason }, async (context) => {
  const rows = 4_000;
  const place = await makePlace(context, { rows, key: (row) => row % (rows / 2), options: { maxRejects: rows } });
  const end = await endLoad(load(place.options));
  assert.ok('report' in end, 'error' in end ? end.error.message : '');
  assert.deepEqual(end.report.counts, { read: rows, written: rows / 2, skipped: 0, rejected: rows / 2 });
  const refused = await readSql(place.url, `SELECT DISTINCT code FROM sluice_rejects`);
  assert.deepEqual(refused, [{ code: 'REFUSED_UNIQUE' }]);
  await assertWhole(place, '', rows / 2);
});
