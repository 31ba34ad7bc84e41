/** What is put right after a load's last row: indexes come back, and a table that was built aside is published. Each step is one transaction and may be run again. */
import { forgetIndex } from '../../../ledger/statements.ts';
import type { Decision, TablePlan } from '../../driver.ts';
import type { FinishingLoad } from './finishing-load.ts';
import { queryStatement, runStatement } from '../ledger.ts';
import type { PgLink } from '../link.ts';
import { deleteVanished } from '../mirror/vanished.ts';
import { publishMove } from './move.ts';
import { isMarkedPublished, unlessPublished } from './publication.ts';
import { isIndexDdl } from './prepare.ts';
import { restoreIndex, type Recorded, type Restoring } from './restore-index.ts';
import { readSettings } from '../settings.ts';
import { publishSwap } from './swap.ts';

/**
 * Ends a load, or only brings back what was put off where it goes on later.
 * @throws DuplicateKeysError, SLUICE_CANCELLED, SLUICE_TARGET_LOCKED, SLUICE_TARGET_FAILED with the old table still in place
 */
export async function finishLoad(link: PgLink, load: FinishingLoad): Promise<readonly Decision[]> {
  const { publish: way, seen } = readSettings(load.plan);
  if (!load.options.isComplete) return restoreAll(link, load);
  // Indexes first: more rows to delete than may be must not leave the table without them.
  if (way === 'rows') return [...(await restoreAll(link, load)), ...(seen === undefined ? [] : await deleteVanished(link, load))];
  return unlessPublished(link, load, async () => [...(await restoreAll(link, load)), ...(await publish(link, load))]);
}

async function publish(link: PgLink, load: FinishingLoad): Promise<readonly Decision[]> {
  if (readSettings(load.plan).publish === 'move') return publishMove(link, load);
  // Foreign keys that came over are checked after the swap, without a lock that keeps readers out.
  return [...(await publishSwap(link, load)), ...(await restoreAll(link, load))];
}

/** Every recorded entry of the load, in the order of the plan. */
async function restoreAll(link: PgLink, load: FinishingLoad): Promise<readonly Decision[]> {
  const { id, plan, options } = load;
  const restoring: Restoring = {
    id,
    plan,
    lockTimeoutMs: load.lockTimeoutMs,
    signal: options.signal,
    onProgress: options.onProgress && ((index, progress) => options.onProgress?.({ index, ...progress })),
    openSecond: load.openSecond,
  };
  const decisions: Decision[] = [];
  for (const recorded of await listRecorded(link, id, plan)) {
    decisions.push(await restoreOne(link, { restoring, isComplete: options.isComplete }, recorded));
  }
  return decisions;
}

async function restoreOne(
  link: PgLink,
  { restoring, isComplete }: { readonly restoring: Restoring; readonly isComplete: boolean },
  recorded: Recorded,
): Promise<Decision> {
  const { id, plan } = restoring;
  if (!isComplete && wasNeverThere(plan, recorded)) {
    return {
      what: 'key still to come',
      choice: recorded.name,
      why: 'the table is new and the load not complete; a resume makes it at the end',
    };
  }
  if (await isPublished(link, restoring, recorded)) {
    await runStatement(link, forgetIndex(id, recorded.name));
    return { what: 'index kept', choice: recorded.name, why: 'the table it belongs to is published already' };
  }
  return restoreIndex(link, restoring, recorded);
}

/** The key of a table that the load made itself: nothing was dropped, so nothing has to come back before the load is whole. */
function wasNeverThere({ deferredIndexes }: TablePlan, { name }: Recorded): boolean {
  const planned = deferredIndexes.find((index) => index.name === name);
  return planned !== undefined && planned.drop === undefined && !isIndexDdl(planned.ddl);
}

/** Of `swap`: the table aside stands in the other's place, with all that was recorded for it before. */
async function isPublished(link: PgLink, { id, plan }: Restoring, { name }: Recorded): Promise<boolean> {
  if (readSettings(plan).publish !== 'swap' || !plan.deferredIndexes.some((index) => index.name === name)) return false;
  return isMarkedPublished(link, id);
}

async function listRecorded(link: PgLink, load: string, { deferredIndexes }: TablePlan): Promise<readonly Recorded[]> {
  const rows = await queryStatement(link, { sql: 'SELECT name, ddl FROM sluice_deferred_indexes WHERE load = ?', parameters: [load] });
  const order = new Map(deferredIndexes.map(({ name }, at) => [name, at]));
  const recorded = rows.map((row) => ({ name: String(row['name']), ddl: String(row['ddl']) }));
  // What the plan does not know (foreign keys of a swap) comes last: it may need the plan's keys.
  const place = ({ name }: Recorded): number => order.get(name) ?? deferredIndexes.length;
  return recorded.toSorted((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1));
}
