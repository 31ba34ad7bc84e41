/** Checks a load at its end: what was read is accounted for, every shard is done, and the table holds what the ledger says. */
import { readDeletions } from '../../ledger/deletions.ts';
import { findLoad, readDeferredIndexes } from '../../ledger/reading.ts';
import type { LedgerLoad } from '../../ledger/reading.ts';
import type { Connection } from '../../target/driver.ts';
import type { VerifyCheck } from '../options.ts';
import type { Session } from './session.ts';
import { formatCount } from '../../count-text.ts';

function check(name: string, expected: string | number, found: string | number): VerifyCheck {
  const text = (value: string | number): string => (typeof value === 'number' ? formatCount(value) : value);
  return { name, isOk: expected === found, expected: text(expected), found: text(found) };
}

/** The checks that need the ledger alone. */
export async function checkLedger(connection: Connection, load: LedgerLoad): Promise<readonly VerifyCheck[]> {
  const { read, written, skipped, rejected } = load.counts;
  const missing = await readDeferredIndexes(connection, load.load);
  return [
    check('read = written + skipped + rejected', read, written + skipped + rejected),
    // What was undone need not have been done.
    ...(load.state === 'undone' ? [] : [check('shards done', load.shards, load.shardsDone)]),
    check('indexes that were dropped and are not back', 0, missing.length),
  ];
}

/** What the caller of {@link verifyLoad} puts into the report. */
export interface LoadVerification {
  readonly isOk: boolean;
  readonly checks: readonly VerifyCheck[];
}

/**
 * The table may have gained rows from others meanwhile, so more rows than accounted for are no mismatch here; fewer are.
 * `sluice verify` compares exactly, keys included.
 */
export async function verifyLoad(session: Session): Promise<LoadVerification> {
  const { connection, run } = session;
  const load = await findLoad(connection, session.load);
  if (load === undefined) return { isOk: false, checks: [check('the load is in the ledger', 'yes', 'no')] };
  const checks = [...(await checkLedger(connection, load))];
  if (load.baseRows !== undefined) {
    const expected = load.baseRows + load.added - ((await readDeletions(connection)).get(load.load) ?? 0);
    const found = await connection.countRows(run.table.table);
    checks.push({ ...check('rows in the table', expected, found), isOk: found >= expected });
  } else if (load.mode === 'sync' && run.table.settings['countsRows'] !== false) {
    // Each of these rows has a key of its own, and none of them was deleted.
    const expected = load.counts.written + load.counts.skipped;
    const found = await connection.countRows(run.table.table);
    checks.push({ ...check('rows in the table', expected, found), isOk: found >= expected });
  }
  return { isOk: checks.every((one) => one.isOk), checks };
}
