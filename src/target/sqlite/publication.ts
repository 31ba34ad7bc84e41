/** The record that a load's rows became visible, written in the transaction that shows them: that a waiting table is gone proves nothing, for somebody may have dropped it. */
import { SluiceError } from '../../errors.ts';
import { findPublication, recordPublication } from '../../ledger/statements.ts';
import type { Decision, FinishOptions, TablePlan } from '../driver.ts';
import { prepareOnce, type SqliteFile } from './connect.ts';
import { findTable } from './schema.ts';

/** The end of a load that publishes. */
export interface PublishingLoad {
  readonly id: string;
  readonly plan: TablePlan;
  readonly options: FinishOptions;
}

export function markPublished(link: SqliteFile, load: string): void {
  const { sql, parameters } = recordPublication(load);
  prepareOnce(link, sql).run(...parameters);
}

/**
 * What is to be said where no table waits; undefined where it does.
 * @throws SLUICE_TABLE_UNKNOWN when nothing waits and nothing was ever published
 */
export function tellPublished(link: SqliteFile, { id, plan }: PublishingLoad): Decision | undefined {
  if (findTable(link, plan.writesTo) !== undefined) return undefined;
  const { sql, parameters } = findPublication(id);
  if (prepareOnce(link, sql).get(...parameters) !== undefined) {
    return { what: 'table', choice: plan.table, why: 'the load is published already' };
  }
  throw new SluiceError(
    'SLUICE_TABLE_UNKNOWN',
    `${plan.writesTo}, in which the rows of load ${id} waited, is gone from ${link.file}; nothing of the load is in ${plan.table}.`,
    { hint: 'Somebody dropped it, and the rows went with it: load them again with --again.' },
  );
}
