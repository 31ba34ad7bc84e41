/** What mode sync adds to a load's plan, its beginning and its end. The table is only ever made smaller by its `finish`, after the whole source was read. */
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import { countKeylessRejects, readDeletions } from '../../ledger/deletions.ts';
import { readLoads, type LedgerLoad } from '../../ledger/reading.ts';
import type { Capabilities, Connection, Decision, Statement, TablePlan } from '../../target/driver.ts';
import { describeDefault } from '../../target/sync-limit.ts';
import type { LoadOptions, SyncCounts } from '../options.ts';
import { listLivingOwners } from './living-owners.ts';
import { describeOwner } from './owner.ts';

interface SyncRequest {
  readonly options: LoadOptions;
  readonly capabilities: Capabilities;
  readonly isEmbedded: boolean;
}

/** The driver's plan with what mode sync will do beyond it, and what stands against that; the plan itself in other modes. */
export function addSync(table: TablePlan, request: SyncRequest): TablePlan {
  if (table.mode !== 'sync') return table;
  const { name, supportsSync } = request.capabilities;
  const problem = `Mode sync needs a target whose rows can be compared, and ${name} has no way to: use mode upsert, which deletes nothing.`;
  return {
    ...table,
    decisions: [...table.decisions, ...explainSync(table, request)],
    problems: supportsSync === true ? table.problems : [...table.problems, problem],
  };
}

const limitName = 'delete limit';

function explainSync({ isNew, key }: TablePlan, { options, isEmbedded }: SyncRequest): readonly Decision[] {
  if (isNew)
    return [
      { what: 'sync', choice: 'every row is inserted', why: 'the table is new: there is nothing to compare with, and nothing to delete' },
    ];
  const { maxDeletes } = options;
  return [
    {
      what: 'sync',
      choice: `rows are compared with the table by ${key.join(', ')}; only new and changed ones are ${isEmbedded ? 'embedded and ' : ''}written`,
      why: 'the table is to hold what the source holds',
    },
    {
      what: limitName,
      choice: describeLimit(maxDeletes),
      why: 'rows that are not in the source are deleted at the end, if the whole of it was read, with the key of every row; above the limit none is',
    },
  ];
}

/** The decisions of a sync that goes on with another limit than it was planned with. */
export function restateLimit(decisions: readonly Decision[], maxDeletes: LoadOptions['maxDeletes']): readonly Decision[] {
  if (maxDeletes === undefined) return decisions;
  return decisions.map((decision) => (decision.what === limitName ? { ...decision, choice: describeLimit(maxDeletes) } : decision));
}

function describeLimit(maxDeletes: LoadOptions['maxDeletes']): string {
  if (maxDeletes === undefined) return describeDefault();
  return typeof maxDeletes === 'number' ? formatCount(maxDeletes) : `${maxDeletes} of the table`;
}

/** What a new sync writes into the ledger before its own entry: unfinished syncs of the same table have lost their meaning, and a finished one gives its label on. */
export function replaceOlderSyncs(table: string, load: string, label: string | undefined): readonly Statement[] {
  const at = new Date().toISOString();
  const older = `FROM sluice_loads WHERE target_table = ? AND mode = 'sync' AND state NOT IN ('done', 'undone') AND load <> ?`;
  return [
    // Whoever still works on one of their shards is fenced off.
    {
      sql: `UPDATE sluice_shards SET epoch = epoch + 1, owner = NULL, state = 'waiting' WHERE state <> 'done' AND load IN (SELECT load ${older})`,
      parameters: [table, load],
    },
    {
      sql: `UPDATE sluice_loads SET state = 'cancelled', failure = ?, updated_at = ?, ended_at = ? WHERE target_table = ? AND mode = 'sync' AND state NOT IN ('done', 'undone') AND load <> ?`,
      parameters: [`Load ${load}, a later sync of the same table, took its place.`, at, at, table, load],
    },
    ...(label === undefined
      ? []
      : [
          {
            sql: `UPDATE sluice_loads SET label = NULL WHERE label = ? AND target_table = ? AND mode = 'sync' AND load <> ?`,
            parameters: [label, table, load],
          },
        ]),
  ];
}

/** The later sync of the same table that took the place of an unfinished one; undefined where there is none. `loads` are all of the table, or of the target, oldest first. */
export function findSuccessor(loads: readonly LedgerLoad[], load: LedgerLoad): LedgerLoad | undefined {
  if (load.mode !== 'sync' || load.state === 'done') return undefined;
  const last = loads.findLast((one) => one.mode === 'sync' && one.table === load.table);
  return last?.load === load.load ? undefined : last;
}

/** @throws SLUICE_USAGE when the load is a sync whose place a later one has taken */
export async function refuseReplaced(connection: Pick<Connection, 'query'>, load: LedgerLoad): Promise<void> {
  const later = findSuccessor(await readLoads(connection, load.table), load);
  if (later === undefined) return;
  throw new SluiceError(
    'SLUICE_USAGE',
    `Load ${load.load} can't go on: load ${later.load}, a later sync of ${load.table}, took its place.`,
    {
      hint: 'Sync again: what is equal by now is not written again.',
    },
  );
}

/** Why an unfinished sync must not be put aside: somebody works on it. */
export async function findSyncAtWork(connection: Pick<Connection, 'query'>, load: LedgerLoad): Promise<string | undefined> {
  const [owner] = await listLivingOwners(connection, load.load);
  if (owner === undefined) return undefined;
  return `Load ${load.load}, a sync of ${load.table}, is at work (${describeOwner(owner)}), and two at a time would undo each other: let it end, or stop it first.`;
}

/** Why a finished sync deletes nothing: refused rows of the source whose keys nobody knows may be rows of the table. */
export async function findKeptReason(
  connection: Pick<Connection, 'query'>,
  load: string,
  { mode, isNew, key }: TablePlan,
): Promise<string | undefined> {
  if (mode !== 'sync' || isNew) return undefined;
  const count = await countKeylessRejects(connection, load, key);
  if (count === 0) return undefined;
  return `${formatCount(count)} ${count === 1 ? 'row of the source was' : 'rows of the source were'} refused with a key that could not be read, so nobody can tell whether they are rows of the table; mend them and sync again`;
}

/** What a sync did to its table, from the ledger; undefined in other modes. */
export async function readSyncCounts(
  connection: Pick<Connection, 'query' | 'describe'>,
  load: LedgerLoad,
): Promise<SyncCounts | undefined> {
  if (load.mode !== 'sync') return undefined;
  const deleted = (await readDeletions(connection, 'vanished')).get(load.load) ?? 0;
  const { written, skipped } = load.counts;
  // A target that does not count what was there before can't tell the one from the other.
  const inserted = Math.min(written, load.added);
  return { inserted, updated: written - inserted, unchanged: skipped, deleted };
}
