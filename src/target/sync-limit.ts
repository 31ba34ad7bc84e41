/** How many rows a sync may delete. One mistake in the source, such as a file cut short, must not empty a table. */
import { formatCount } from '../count-text.ts';
import { SluiceError } from '../errors.ts';
import type { FinishOptions } from './driver.ts';

/** A tenth: more than tables usually lose between two syncs, less than what a truncated file takes. */
export const defaultMaxDeletes = '10%';

/** What a sync is about to delete. */
export interface PendingDeletes {
  readonly table: string;
  readonly vanishedCount: number;
  /** Rows of the table before the sync. */
  readonly rowCount: number;
  readonly maxDeletes: FinishOptions['maxDeletes'];
}

/** @throws SLUICE_DELETE_LIMIT when more rows would be deleted than may be */
export function checkSyncLimit({ table, vanishedCount, rowCount, maxDeletes = defaultMaxDeletes }: PendingDeletes): void {
  const limit = readLimit(maxDeletes, rowCount);
  if (vanishedCount <= limit) return;
  const share = typeof maxDeletes === 'number' ? '' : ` (${maxDeletes})`;
  throw new SluiceError(
    'SLUICE_DELETE_LIMIT',
    `${formatCount(vanishedCount)} of the ${formatCount(rowCount)} rows of ${table} are not in the source any more, and at most ${formatCount(limit)}${share} may be deleted: none was. New and changed rows are written.`,
    { hint: `See whether the source is whole. If it is, resume with --max-deletes ${String(vanishedCount)}.` },
  );
}

/** Rounded down. The last digit of a product of decimals is not to be trusted, so a share of exactly so many rows allows them. */
function readLimit(limit: NonNullable<FinishOptions['maxDeletes']>, rowCount: number): number {
  return typeof limit === 'number' ? limit : Math.floor((rowCount * Number.parseFloat(limit)) / 100 + 1e-6);
}
