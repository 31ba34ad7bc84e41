/** How many rows a sync may delete. One mistake in the source, such as a file cut short, must not empty a table. */
import { formatCount } from '../count-text.ts';
import { SluiceError } from '../errors.ts';
import { countAllowed } from './delete-allowance.ts';
import type { FinishOptions } from './driver.ts';

/** A tenth: more than tables usually lose between two syncs, less than what a truncated file takes. */
const defaultMaxDeletes = '10%';

/** Of a small table a tenth is nothing: so many may go unasked, as long as some row stays. */
const unaskedRows = 5;

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
export function checkSyncLimit(pending: PendingDeletes): void {
  const { table, vanishedCount, rowCount, maxDeletes, isPublishing } = pending;
  const limit = countDeletable(pending);
  if (vanishedCount <= limit) return;
  const share = typeof maxDeletes === 'number' ? '' : ` (${maxDeletes ?? describeDefault()})`;
  throw new SluiceError(
    'SLUICE_DELETE_LIMIT',
    `${formatCount(vanishedCount)} of the ${formatCount(rowCount)} rows of ${table} are not in the source any more, and at most ${formatCount(limit)}${share} may be deleted: none was. ${isPublishing === true ? 'Nothing was published.' : 'New and changed rows are written.'}`,
    { hint: `See whether the source is whole. If it is, add --max-deletes ${String(vanishedCount)}.` },
  );
}

function countDeletable({ maxDeletes, rowCount }: PendingDeletes): number {
  if (maxDeletes !== undefined) return countAllowed(maxDeletes, rowCount) ?? Infinity;
  return Math.max(countAllowed(defaultMaxDeletes, rowCount) ?? 0, Math.min(unaskedRows, rowCount - 1));
}

/** The limit where none was asked for, in words. */
export function describeDefault(): string {
  return `${defaultMaxDeletes}, or ${String(unaskedRows)} rows of a small table`;
}
