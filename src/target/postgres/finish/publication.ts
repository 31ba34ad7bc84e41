/** The record that a load's rows became visible. It is written with them: that the table in which they waited is gone proves nothing, for somebody may have dropped it. */
import { SluiceError } from '../../../errors.ts';
import { findPublication, recordPublication } from '../../../ledger/statements.ts';
import type { Decision } from '../../driver.ts';
import { queryStatement, runStatement } from '../ledger.ts';
import { PgError, type PgLink } from '../link.ts';
import type { FinishingLoad } from './finishing-load.ts';

/** Inside the transaction that publishes. */
export async function markPublished(link: PgLink, load: string): Promise<void> {
  await runStatement(link, recordPublication(load));
}

export async function isMarkedPublished(link: PgLink, load: string): Promise<boolean> {
  return (await queryStatement(link, findPublication(load))).length > 0;
}

/**
 * What is to be said where no table waits: that it was published before.
 * @throws SLUICE_TABLE_UNKNOWN when it never was
 */
export async function tellPublished(link: PgLink, { id, plan }: FinishingLoad): Promise<Decision> {
  if (await isMarkedPublished(link, id)) return { what: 'table', choice: plan.table, why: 'the load is published already' };
  throw new SluiceError(
    'SLUICE_TABLE_UNKNOWN',
    `${plan.writesTo}, in which the rows of load ${id} waited, is gone from ${link.place}; nothing of the load is in ${plan.table}.`,
    { hint: 'Somebody dropped it, and the rows went with it: load them again with --again.' },
  );
}

/** Two sessions may finish one load: the slower one finds the waiting table gone in the middle of its work, and all is done then. */
export async function unlessPublished(
  link: PgLink,
  load: FinishingLoad,
  publish: () => Promise<readonly Decision[]>,
): Promise<readonly Decision[]> {
  try {
    return await publish();
  } catch (error) {
    if (!isMissingTable(error) || link.isBroken || !(await isMarkedPublished(link, load.id))) throw error;
    return [{ what: 'table', choice: load.plan.table, why: 'another session of the load published it' }];
  }
}

/** undefined_table, or internal_error where the catalog's functions met an oid that is gone. */
function isMissingTable(error: unknown): boolean {
  if (error instanceof PgError) return error.sqlState === '42P01' || error.sqlState === 'XX000';
  return error instanceof SluiceError && error.code === 'SLUICE_TABLE_UNKNOWN';
}
