/** The end of a sync: rows whose keys the source did not have are deleted, all or none, in one transaction with their count. May be run again. */
import { formatCount } from '../../../count-text.ts';
import { SluiceError } from '../../../errors.ts';
import { findDeletion, forgetKeys, recordDeletion, sumAdded } from '../../../ledger/deletions.ts';
import { checkSyncLimit } from '../../sync-limit.ts';
import type { Decision, TablePlan } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { readCatalogTable, type CatalogTable } from '../catalog/table.ts';
import { toWireType } from '../catalog/schema.ts';
import { toRefusal } from '../errors.ts';
import type { FinishingLoad } from '../finish/finishing-load.ts';
import { defaultLockTimeoutMs, transactLocking } from '../finish/lock.ts';
import { queryStatement, runStatement } from '../ledger.ts';
import { PgError, type PgLink, type RunOptions } from '../link.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';
import { readSettings } from '../settings.ts';
import { writeKeyDigest } from '../wire/key-hash.ts';

/**
 * Deletes what vanished, and forgets the keys seen. Only the rows that go are locked; a row that somebody adds meanwhile is not in the source either, and goes with
 * them or with the next sync.
 * @throws SLUICE_DELETE_LIMIT; SLUICE_TARGET_FAILED when a trigger or a foreign key keeps a row; SLUICE_TARGET_LOCKED: then none is deleted
 */
export async function deleteVanished(link: PgLink, load: FinishingLoad): Promise<readonly Decision[]> {
  const wait = {
    what: `Deleting rows of ${load.plan.table} that vanished from the source`,
    lockTimeoutMs: load.lockTimeoutMs,
    signal: load.options.signal,
    // Only rows are locked, and nobody waits for this: a try that gave up early would lose all that it has found.
    tryMs: load.lockTimeoutMs ?? defaultLockTimeoutMs,
    settings: ['SET LOCAL statement_timeout = 0'],
  };
  return transactLocking(link, wait, () => takeVanished(link, load));
}

/** The same inside a transaction that is open. */
export async function takeVanished(link: PgLink, load: FinishingLoad): Promise<readonly Decision[]> {
  const { id, plan, options } = load;
  const [before] = await queryStatement(link, findDeletion(id, 'vanished'));
  if (before !== undefined) return [describeDeletion(Number(before['deleted_count']), options.keepsVanished)];
  const seen = quoteTable(readSettings(plan).seen ?? '');
  const { rows } = await link.query('SELECT to_regclass($1::text) IS NOT NULL AS found', [seen]);
  if (rows[0]?.['found'] !== true) throw seenLost(plan.table);
  const count = options.keepsVanished === undefined ? await deleteUnseen(link, load, seen) : 0;
  await link.script(`DROP TABLE ${seen}`);
  await runStatement(link, recordDeletion(id, 'vanished', count));
  return [describeDeletion(count, options.keepsVanished)];
}

function describeDeletion(deletedCount: number, keepsVanished: string | undefined): Decision {
  if (keepsVanished !== undefined) return { what: 'vanished rows', choice: 'none deleted', why: keepsVanished };
  const choice = `${formatCount(deletedCount)} deleted`;
  return { what: 'vanished rows', choice, why: 'the whole source was read, and they are not in it' };
}

function seenLost(table: string): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `The keys that this sync of ${table} has seen are gone from the target, so nobody can tell which rows vanished. None was deleted.`,
    { hint: 'Sync again from the beginning, with --again.' },
  );
}

/** What is deleted from where; texts for SQL. */
interface Deleting {
  readonly link: PgLink;
  readonly plan: TablePlan;
  /** The table as `t`, without the rows of tables that inherit from it. */
  readonly table: string;
  readonly unseen: string;
  readonly digest: { readonly high: string; readonly low: string };
  readonly run: RunOptions;
}

async function deleteUnseen(link: PgLink, load: FinishingLoad, seen: string): Promise<number> {
  const { id, plan, options } = load;
  const found = await readCatalogTable(link, plan.table);
  if (found === undefined) {
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${quoteTable(plan.table)} in ${link.place}.`, {
      hint: 'It was dropped or renamed while the load ran: load anew with --again.',
    });
  }
  const match = plan.key.map((name) => `s.${quoteIdentifier(name)} = t.${quoteIdentifier(name)}`).join(' AND ');
  const deleting: Deleting = {
    link,
    plan,
    table: `${found.kind === 'p' ? '' : 'ONLY '}${quoteName(found)} t`,
    unseen: `NOT EXISTS (SELECT FROM ${seen} s WHERE ${match})`,
    digest: writeDigest(plan, found),
    run: { signal: options.signal, timeoutMs: 0 },
  };
  const vanishedCount = await countRows(deleting, deleting.unseen);
  if (vanishedCount === 0) return 0;
  const [added] = await queryStatement(link, sumAdded(id));
  const rowCount = (await countRows(deleting, 'true')) - Number(added?.['added_count'] ?? 0);
  const isPublishing = readSettings(plan).publish === 'move';
  const limits = { table: plan.table, rowCount, maxDeletes: options.maxDeletes, isPublishing };
  checkSyncLimit({ ...limits, vanishedCount });
  const gone = await explainRefusal(plan.table, () => deleteRows(deleting));
  // More than were counted: somebody added rows in between.
  checkSyncLimit({ ...limits, vanishedCount: gone.count });
  if (gone.count < vanishedCount) await refuseKept(deleting, vanishedCount);
  if (readSettings(plan).tracksKeys && gone.count > 0) await runStatement(link, forgetKeys(id, gone));
  return gone.count;
}

function writeDigest(plan: TablePlan, { columns }: CatalogTable): Deleting['digest'] {
  if (!readSettings(plan).tracksKeys) return { high: '0', low: '0' };
  const key = plan.key.flatMap((name) => columns.filter((column) => column.name === name));
  return writeKeyDigest(
    key.map((column) => ({ name: column.name, type: toWireType(column) })),
    'gone.',
  );
}

async function countRows({ link, table, run }: Deleting, where: string): Promise<number> {
  const { rows } = await link.query(`SELECT count(*) AS n FROM ${table} WHERE ${where}`, [], run);
  return Number(rows[0]?.['n'] ?? 0);
}

interface Gone {
  readonly count: number;
  readonly high: number;
  readonly low: number;
}

async function deleteRows({ link, plan, table, unseen, digest, run }: Deleting): Promise<Gone> {
  const keys = plan.key.map((name) => `t.${quoteIdentifier(name)}`).join(', ');
  const { rows } = await link.query(
    `WITH gone AS (DELETE FROM ${table} WHERE ${unseen} RETURNING ${keys})
SELECT count(*)::int8 AS n, ${digest.high} AS high, ${digest.low} AS low FROM gone`,
    [],
    run,
  );
  // Deferred constraints would speak at COMMIT, where it is too late to say what they mean.
  await link.script('SET CONSTRAINTS ALL IMMEDIATE', run);
  const [row] = rows;
  return { count: Number(row?.['n'] ?? 0), high: Number(row?.['high'] ?? 0), low: Number(row?.['low'] ?? 0) };
}

/** Fewer were deleted than had vanished: by others in the meantime, or a trigger keeps them. */
async function refuseKept(deleting: Deleting, vanishedCount: number): Promise<void> {
  const left = await countRows(deleting, deleting.unseen);
  if (left === 0) return;
  const { table } = deleting.plan;
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `A trigger of ${table} keeps ${formatCount(left)} of the ${formatCount(vanishedCount)} rows that vanished from the source. None was deleted.`,
    { hint: 'Let the trigger delete them, or load with mode upsert, which deletes nothing.' },
  );
}

async function explainRefusal<Result>(table: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const refusal = error instanceof PgError ? toRefusal(error) : undefined;
    if (refusal === undefined) throw error;
    const by = error instanceof PgError && error.fields.table !== undefined ? ` of ${error.fields.table}` : '';
    throw new SluiceError(
      'SLUICE_TARGET_FAILED',
      `Rows that vanished from the source can't be deleted from ${table}: ${refusal.message}${by}. None was deleted.`,
      { cause: error, hint: 'Other rows still need them, or a trigger keeps them: mend that, then resume. Mode upsert deletes nothing.' },
    );
  }
}
