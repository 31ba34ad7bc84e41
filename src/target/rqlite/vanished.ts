/** The end of a sync on rqlite: rows whose keys the source did not have are deleted in one request, all or none. What was counted before is guarded in it. */
import { SluiceError } from '../../errors.ts';
import { findDeletion, forgetKeys, recordDeletion, sumAdded } from '../../ledger/deletions.ts';
import { parseDigest } from '../../ledger/digest.ts';
import type { Decision, FinishOptions, Statement, TablePlan } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { nameSeen } from '../sqlite/seen.ts';
import { writeUnseen } from '../sqlite/vanished.ts';
import { describeDeletion, explainKeptRows, seenLost } from '../sync-end.ts';
import { checkSyncLimit } from '../sync-limit.ts';
import { readRows, toStatementError, writeStatement } from './answer.ts';
import { countTable, digestTable } from './keys.ts';
import type { RqliteLink } from './link.ts';
import { guardChanges, guardCondition, runTransaction, writeBound } from './transaction.ts';

/** To look for each of many keys takes its time; the server gives no progress. */
const deleteTimeoutMs = 30 * 60_000;

/** How often others may change the table between the count and the deletion. */
const maxRaces = 8;

export interface VanishedRequest {
  readonly load: string;
  readonly plan: TablePlan;
  readonly options: Pick<FinishOptions, 'maxDeletes' | 'keepsVanished' | 'signal'>;
}

/**
 * Deletes what vanished, and forgets the keys seen.
 * @throws SLUICE_DELETE_LIMIT; SLUICE_TARGET_FAILED when a trigger or a foreign key keeps a row; LinkLostError: run it again
 */
export async function deleteVanished(link: RqliteLink, request: VanishedRequest): Promise<readonly Decision[]> {
  const { load, plan, options } = request;
  for (let race = 0; race <= maxRaces; race++) {
    const before = await readNumber(link, findDeletion(load, 'vanished'));
    const done = before ?? (await tryDelete(link, request).catch((error: unknown) => findDone(link, load, error)));
    if (done !== undefined) return [describeDeletion(done, options.keepsVanished)];
  }
  throw new SluiceError(
    'SLUICE_TARGET_BUSY',
    `Others change ${plan.table} in ${link.address.label} faster than vanished rows are counted.`,
    {
      hint: 'Resume when they are done.',
    },
  );
}

/**
 * The answer may be lost, or another process that works on the same sync have ended it in between: the keys seen are gone then, and the count is in the ledger.
 * @throws the error, when the deletion is not there
 */
async function findDone(link: RqliteLink, load: string, error: unknown): Promise<number> {
  const count = await readNumber(link, findDeletion(load, 'vanished'));
  if (count === undefined) throw error;
  return count;
}

async function readNumber(link: RqliteLink, { sql, parameters }: Statement): Promise<number | undefined> {
  const { values } = await readRows(link, writeBound(sql, parameters), { timeoutMs: deleteTimeoutMs });
  const value = values[0]?.[0];
  return value === undefined || value === null ? undefined : Number(value);
}

/** How many were deleted; undefined when somebody changed the table in between. */
async function tryDelete(link: RqliteLink, request: VanishedRequest): Promise<number | undefined> {
  const { load, plan, options } = request;
  const seen = quoteIdentifier(nameSeen(load));
  const hasSeen = await readNumber(link, {
    sql: `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`,
    parameters: [nameSeen(load)],
  });
  if (hasSeen === undefined) throw seenLost(plan.table);
  const pending = options.keepsVanished === undefined ? await planDeletion(link, request) : { count: 0, statements: [] };
  const { sql, parameters } = recordDeletion(load, 'vanished', pending.count);
  const statements = [...pending.statements, writeBound(sql, parameters), guardChanges(1), writeStatement(`DROP TABLE ${seen}`, [])];
  const end = await runTransaction(link, statements, { signal: options.signal, timeoutMs: deleteTimeoutMs });
  if (end.kind === 'committed') return pending.count;
  if (end.kind === 'failed' && /integer overflow/iu.test(end.error)) {
    // The first guard holds the count, the one behind the deletion what it did.
    if (end.index === 0) return undefined;
    if (pending.count > 0 && end.index === 2) throw explainKeptRows('a trigger keeps some of them', plan.table, undefined);
  }
  if (/constraint failed|FOREIGN KEY|RAISE/iu.test(end.error) || (end.kind === 'failed' && end.index === 1))
    throw explainKeptRows(end.error, plan.table, undefined);
  throw toStatementError(link, end.error);
}

async function planDeletion(
  link: RqliteLink,
  { load, plan, options }: VanishedRequest,
): Promise<{ readonly count: number; readonly statements: readonly string[] }> {
  const table = quoteIdentifier(plan.table);
  const unseen = writeUnseen(load, plan.key);
  const count = (await readNumber(link, { sql: `SELECT count(*) FROM ${table} t WHERE ${unseen}`, parameters: [] })) ?? 0;
  if (count === 0) return { count, statements: [] };
  const added = (await readNumber(link, sumAdded(load))) ?? 0;
  checkSyncLimit({
    table: plan.table,
    vanishedCount: count,
    rowCount: (await countTable(link, plan.table)) - added,
    maxDeletes: options.maxDeletes,
  });
  const statements = [
    guardCondition(`(SELECT count(*) FROM ${table} t WHERE ${unseen}) = ${String(count)}`, []),
    writeStatement(`DELETE FROM ${table} AS t WHERE ${unseen}`, []),
    guardChanges(count),
  ];
  if (plan.settings['tracksKeys'] !== true) return { count, statements };
  const { digest } = await digestTable(link, { table: plan.table, key: plan.key, condition: unseen });
  const forget = forgetKeys(load, parseDigest(digest));
  return { count, statements: [...statements, writeBound(forget.sql, forget.parameters), guardChanges(1)] };
}
