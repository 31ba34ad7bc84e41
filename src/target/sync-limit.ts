/** How many rows a sync may delete. One mistake in the source, such as a file cut short, must not empty a table. */
import { formatCount } from '../count-text.ts';
import { SluiceError } from '../errors.ts';
import { countAllowed } from './delete-allowance.ts';
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
  /** New and changed rows become visible in the same transaction, or not at all. */
  readonly isPublishing?: boolean;
}

/** @throws SLUICE_DELETE_LIMIT when more rows would be deleted than may be */
export function checkSyncLimit({ table, vanishedCount, rowCount, maxDeletes = defaultMaxDeletes, isPublishing }: PendingDeletes): void {
  const limit = countAllowed(maxDeletes, rowCount) ?? Infinity;
  if (vanishedCount <= limit) return;
  const share = typeof maxDeletes === 'number' ? '' : ` (${maxDeletes})`;
  throw new SluiceError(
    'SLUICE_DELETE_LIMIT',
    `${formatCount(vanishedCount)} of the ${formatCount(rowCount)} rows of ${table} are not in the source any more, and at most ${formatCount(limit)}${share} may be deleted: none was. ${isPublishing === true ? 'Nothing was published.' : 'New and changed rows are written.'}`,
    { hint: `See whether the source is whole. If it is, add --max-deletes ${String(vanishedCount)}.` },
  );
}
