/** Sessions that are ended, cancelled and timed out, tables that change under a load, conflicts with others: a load recovers by itself, or says why and is finished by a resume. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorCode } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { resume } from '../../src/load/resume.ts';
import { holdLoad, type Gate } from './fault-gate.ts';
import {
  assertFailed,
  assertNoSessions,
  assertWhole,
  endLoad,
  finishLoad,
  makePlace,
  plainTable,
  table,
  within,
  type Ended,
  type PlaceOptions,
} from './fault-place.ts';
import { runSql, skipReason } from './server.ts';

interface Fault {
  readonly name: string;
  readonly place?: PlaceOptions;
  /** What happens while the lanes stand in the middle of a batch. */
  readonly provoke: (gate: Gate, ended: Promise<Ended>) => Promise<void>;
  /** How the load ends: done by itself, or with one of these codes. */
  readonly ends: 'done' | readonly ErrorCode[];
  /** What the error says. */
  readonly says?: RegExp;
  /** A resume fails in the same way until it is mended. */
  readonly staysSo?: boolean;
  /** Statements that put right what was done. */
  readonly mend?: readonly string[];
  /** Rows are gone with their table, or the ledger that knew of them: only a new load can bring them back. */
  readonly isLoadedAgain?: boolean;
}

/** A setting of the database, for every session opened after it. */
function setInDatabase(setting: string): string {
  return `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ${setting.replaceAll("'", "''")}', current_database()); END $$`;
}

function resetInDatabase(name: string): string {
  return `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ${name}', current_database()); END $$`;
}

/** All that sluice keeps in a database, whatever is left of it. */
const dropLedger = `DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^sluice_' LOOP EXECUTE format('DROP TABLE %I CASCADE', name); END LOOP; END $$`;

async function endWaiting(gate: Gate, how: 'pg_terminate_backend' | 'pg_cancel_backend'): Promise<void> {
  await gate.run(`SELECT ${how}(pid) FROM unnest($1::int[]) AS pid`, [gate.waiting]);
}

async function changeTable(gate: Gate, sql: string): Promise<void> {
  await gate.run(sql);
  await gate.run('COMMIT');
}

const faults: readonly Fault[] = [
  {
    name: 'lanes whose backends are terminated in the middle of a batch reconnect, and each row is written once',
    provoke: (gate) => endWaiting(gate, 'pg_terminate_backend'),
    ends: 'done',
  },
  {
    name: 'when every session of a load is terminated at once, it stops in good order and is resumed',
    provoke: async (gate) => {
      await gate.run(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sluice%'`,
      );
    },
    // Terminated while it was connecting again, a session finds no server that can be used.
    ends: ['SLUICE_LINK_LOST', 'SLUICE_TARGET_UNREACHABLE'],
  },
  {
    name: 'a cancelled statement refuses no row: the load stops and is resumed',
    provoke: (gate) => endWaiting(gate, 'pg_cancel_backend'),
    ends: ['SLUICE_TARGET_TIMEOUT'],
  },
  {
    name: 'a statement_timeout of the server is kept to, and refuses no row',
    place: { before: [...plainTable, setInDatabase(`statement_timeout = '2s'`)] },
    provoke: async (_gate, ended) => void (await ended),
    ends: ['SLUICE_TARGET_TIMEOUT'],
    mend: [resetInDatabase('statement_timeout')],
  },
  {
    name: 'a lock that does not come free in time stops the load, and refuses no row',
    place: { options: { lockTimeoutMs: 1_000 } },
    provoke: async (_gate, ended) => void (await ended),
    ends: ['SLUICE_TARGET_LOCKED'],
  },
  {
    name: 'an idle_in_transaction_session_timeout never ends a load: no transaction waits for the client',
    place: { before: [...plainTable, setInDatabase(`idle_in_transaction_session_timeout = '500ms'`)] },
    provoke: async () => sleep(100),
    ends: 'done',
  },
  {
    name: 'a table that is renamed in the middle is said to be gone, and the load goes on when it is back',
    provoke: (gate) => changeTable(gate, `ALTER TABLE ${table} RENAME TO elsewhere`),
    ends: ['SLUICE_TABLE_UNKNOWN'],
    mend: [`ALTER TABLE elsewhere RENAME TO ${table}`],
  },
  {
    name: 'a table that is dropped in the middle is said to be gone',
    provoke: (gate) => changeTable(gate, `DROP TABLE ${table}`),
    ends: ['SLUICE_TABLE_UNKNOWN'],
    isLoadedAgain: true,
  },
  {
    name: 'a column that is dropped in the middle is said to be gone, and no row is refused for it',
    provoke: (gate) => changeTable(gate, `ALTER TABLE ${table} DROP COLUMN body`),
    ends: ['SLUICE_COLUMN_UNKNOWN', 'SLUICE_TARGET_FAILED'],
    mend: [`DROP TABLE ${table}`],
    isLoadedAgain: true,
  },
  {
    // Eight bytes of a bigint are a numeric too: 0. Only the catalog can tell.
    name: 'a column whose type is changed in the middle is never written as what its old bytes mean to the new type',
    provoke: (gate) => changeTable(gate, `ALTER TABLE ${table} ALTER COLUMN id TYPE numeric`),
    ends: ['SLUICE_TARGET_FAILED'],
    says: /id was int8 and is numeric/u,
    staysSo: true,
    mend: [`ALTER TABLE ${table} ALTER COLUMN id TYPE bigint`],
  },
  {
    name: 'a ledger that somebody drops in the middle stops the load; nothing is taken for done that is not',
    place: { options: { mode: 'upsert' } },
    provoke: async (gate) => {
      // The lanes hold locks of the ledger themselves: it goes in the moment between two of their transactions.
      await gate.open();
      await gate.run('DROP TABLE sluice_shards CASCADE');
    },
    ends: ['SLUICE_TARGET_FAILED'],
    says: /ledger .* sluice_\w+ is gone/u,
    staysSo: true,
    isLoadedAgain: true,
  },
];

async function runFault(context: TestContext, fault: Fault): Promise<void> {
  const place = await makePlace(context, fault.place);
  const ended = endLoad(load(place.options));
  await holdLoad(place.url, (gate) => within(fault.provoke(gate, ended), 'the fault'));
  const end = await ended;
  if (fault.ends === 'done') {
    assert.ok('report' in end, 'error' in end ? `${end.error.code}: ${end.error.message}` : '');
    assert.deepEqual([end.report.state, end.report.counts.rejected], ['done', 0]);
  } else {
    assert.match(assertFailed(end, fault.ends).message, fault.says ?? /./u);
    if (fault.staysSo === true)
      assert.match(assertFailed(await endLoad(resume({ in: place.url })), fault.ends).message, fault.says ?? /./u);
    await assertNoSessions(place.url, 'after the failure');
    if (fault.isLoadedAgain === true) await runSql(place.url, dropLedger);
    await runSql(place.url, ...(fault.mend ?? []));
    if (fault.isLoadedAgain === true) await within(load(place.options), 'the load after the failure');
    else await finishLoad(place);
  }
  await assertWhole(place);
}

for (const fault of faults) test(fault.name, { skip: skipReason }, (context) => runFault(context, fault));
