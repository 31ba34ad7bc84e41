/** Holds a load in the middle: lets it commit some batches, locks the table, and waits until its lanes stand at the lock inside their transactions. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { table } from './fault-place.ts';

/** How long a load may take to come as far as the gate. */
const gateMs = 20_000;

/** Sessions of sluice in this database. */
const sessionsOf = `FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sluice%' AND backend_type = 'client backend'`;

/** A load that stands still until the gate is opened. */
export interface Gate {
  /** Backends of lanes that wait at the lock, in the middle of a batch. */
  readonly waiting: readonly number[];
  /** Runs a statement outside of sluice, in the session that holds the lock. */
  readonly run: (sql: string, values?: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;
  /** Lets the lanes go on. */
  readonly open: () => Promise<void>;
}

/** Runs `work` while the load stands at the gate; it is open afterwards whatever happens. */
export async function holdLoad(url: string, work: (gate: Gate) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'test harness' });
  // The server may be stopped, or this session ended, by what the test does.
  client.on('error', () => undefined);
  await client.connect();
  const run: Gate['run'] = async (sql, values = []) => (await client.query<Record<string, unknown>>(sql, [...values])).rows;
  let isOpen = false;
  const open = async (): Promise<void> => {
    if (isOpen) return;
    isOpen = true;
    // The fault may have ended this session too, and its lock with it.
    await client.query('ROLLBACK').catch(() => undefined);
  };
  try {
    await awaitCommits(run);
    await run('BEGIN');
    // Writers are kept out, readers are not: the ledger and the plan are free.
    await run(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
    await work({ waiting: await awaitWaiting(run), run, open });
    await open();
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function awaitCommits(run: Gate['run']): Promise<void> {
  const deadline = performance.now() + gateMs;
  for (;;) {
    const [ledger] = await run(`SELECT to_regclass('sluice_shards') IS NOT NULL AS has`);
    const [sum] = ledger?.['has'] === true ? await run(`SELECT coalesce(sum(read_count), 0)::int AS read FROM sluice_shards`) : [];
    if (Number(sum?.['read'] ?? 0) > 0) return;
    assert.ok(performance.now() < deadline, 'the load committed nothing');
    await sleep(1);
  }
}

async function awaitWaiting(run: Gate['run']): Promise<readonly number[]> {
  const deadline = performance.now() + gateMs;
  for (;;) {
    // Sessions are only seen anew with a new snapshot of the statistics.
    await run('SELECT pg_stat_clear_snapshot()');
    const rows = await run(`SELECT pid ${sessionsOf} AND wait_event_type = 'Lock'`);
    if (rows.length > 0) return rows.map((row) => Number(row['pid']));
    assert.ok(performance.now() < deadline, 'no lane came to the gate: the load was over before');
    await sleep(2);
  }
}
