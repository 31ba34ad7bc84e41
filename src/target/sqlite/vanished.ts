/** The end of a sync: rows whose keys the source did not have are deleted, all or none, in one transaction with their count. May be run again. */
import { formatCount } from '../../count-text.ts';
import { SluiceError } from '../../errors.ts';
import { findDeletion, forgetKeys, recordDeletion, sumAdded } from '../../ledger/deletions.ts';
import { addKey, emptyDigest } from '../../ledger/digest.ts';
import type { Scalar } from '../../rows/schema.ts';
import { describeDeletion, explainKeptRows, seenLost } from '../sync-end.ts';
import { checkSyncLimit } from '../sync-limit.ts';
import type { Decision, FinishOptions, Statement, TablePlan } from '../driver.ts';
import { quoteIdentifier, quoteList } from '../sql-text.ts';
import { prepareOnce, transactSqlite, type SqliteFile } from './connect.ts';
import { toRefusal } from './errors.ts';
import { countTable } from './keys.ts';
import { findTable } from './schema.ts';
import { nameSeen } from './seen.ts';

export interface VanishedRequest {
  readonly load: string;
  readonly plan: TablePlan;
  readonly options: Pick<FinishOptions, 'maxDeletes' | 'keepsVanished' | 'signal'>;
}

/**
 * Deletes what vanished, and forgets the keys seen.
 * @throws SLUICE_DELETE_LIMIT; SLUICE_TARGET_FAILED when a trigger or a foreign key keeps a row: then none is deleted
 */
export async function deleteVanished(link: SqliteFile, request: VanishedRequest): Promise<readonly Decision[]> {
  const { plan, options } = request;
  try {
    const deletedCount = await transactSqlite(link, () => takeVanished(link, request), options.signal);
    return [describeDeletion(deletedCount, options.keepsVanished)];
  } catch (error) {
    throw explainRefusal(error, plan.table);
  }
}

/** The same inside a transaction that is open: how many rows were deleted. */
export function takeVanished(link: SqliteFile, request: VanishedRequest): number {
  const { load, plan, options } = request;
  const before = prepareOnce(link, findDeletion(load, 'vanished').sql).get(load, 'vanished');
  if (before !== undefined) return Number(before['deleted_count']);
  if (findTable(link, nameSeen(load)) === undefined) throw seenLost(plan.table);
  const count = options.keepsVanished === undefined ? deleteRows(link, request) : 0;
  link.db.exec(`DROP TABLE ${quoteIdentifier(nameSeen(load))}`);
  record(link, recordDeletion(load, 'vanished', count));
  return count;
}

/** The condition under which a row of the table, as t, was not seen. */
export function writeUnseen(load: string, key: readonly string[]): string {
  const match = key.map((name, index) => `s.k${index} = t.${quoteIdentifier(name)}`).join(' AND ');
  return `NOT EXISTS (SELECT 1 FROM ${quoteIdentifier(nameSeen(load))} s WHERE ${match})`;
}

/** The rows are listed once, in a temporary table: a second search for them would read the whole table again. */
function deleteRows(link: SqliteFile, { load, plan, options }: VanishedRequest): number {
  const table = quoteIdentifier(plan.table);
  const rowid = findRowid(link, plan.table);
  link.db.exec('DROP TABLE IF EXISTS temp.sluice_vanished');
  link.db.exec(
    `CREATE TEMP TABLE sluice_vanished AS SELECT ${[...(rowid === undefined ? [] : [`${rowid} AS at`]), ...plan.key.map((name, index) => `${quoteIdentifier(name)} AS k${index}`)].join(', ')} FROM ${table} t WHERE ${writeUnseen(load, plan.key)}`,
  );
  const vanishedCount = countTable(link, 'sluice_vanished');
  if (vanishedCount === 0) return 0;
  const { sql, parameters } = sumAdded(load);
  const added = Number(prepareOnce(link, sql).get(...parameters)?.['added_count'] ?? 0);
  checkSyncLimit({
    table: plan.table,
    vanishedCount,
    rowCount: countTable(link, plan.table) - added,
    maxDeletes: options.maxDeletes,
    isPublishing: plan.settings['publish'] === 'move',
  });
  const names = plan.key.map((_, index) => `k${index}`);
  const where =
    rowid === undefined
      ? `(${quoteList(plan.key)}) IN (SELECT ${names.join(', ')} FROM temp.sluice_vanished)`
      : `${rowid} IN (SELECT at FROM temp.sluice_vanished)`;
  const deletedCount = Number(link.db.prepare(`DELETE FROM ${table} WHERE ${where}`).run().changes);
  if (deletedCount !== vanishedCount) {
    throw new SluiceError(
      'SLUICE_TARGET_FAILED',
      `A trigger of ${plan.table} keeps ${formatCount(vanishedCount - deletedCount)} of the ${formatCount(vanishedCount)} rows that vanished from the source. None was deleted.`,
      { hint: `Let the trigger delete them, or load with mode upsert, which deletes nothing.` },
    );
  }
  if (plan.settings['tracksKeys'] === true) forgetDigest(link, load, names);
  link.db.exec('DROP TABLE temp.sluice_vanished');
  return deletedCount;
}

/** A name of the row id that no column has taken; undefined for a table without one. */
function findRowid(link: SqliteFile, table: string): string | undefined {
  const list = link.db.prepare(`SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE`).get(table);
  if (Number(list?.['wr'] ?? 1) === 1) return undefined;
  const taken = new Set(
    link.db
      .prepare('SELECT name FROM pragma_table_xinfo(?)')
      .all(table)
      .map((row) => String(row['name']).toLowerCase()),
  );
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
}

function forgetDigest(link: SqliteFile, load: string, names: readonly string[]): void {
  const digest = emptyDigest();
  const statement = link.db.prepare(`SELECT ${names.join(', ')} FROM temp.sluice_vanished`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  for (const row of statement.iterate()) addKey(digest, row as unknown as Scalar[]);
  record(link, forgetKeys(load, digest));
}

function record(link: SqliteFile, { sql, parameters }: Statement): void {
  if (Number(prepareOnce(link, sql).run(...parameters).changes) === 1) return;
  throw new SluiceError('SLUICE_INTERNAL', 'The ledger has no place for what the sync deleted.');
}

/** What a row that the table would not let go means; other errors as they are. */
export function explainRefusal(error: unknown, table: string): unknown {
  const refusal = toRefusal(error instanceof SluiceError ? error.cause : error);
  return refusal === undefined ? error : explainKeptRows(refusal.message, table, error);
}
