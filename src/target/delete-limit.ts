/** How many rows a sync may delete: a number, or a share of the table's rows. Above that none is. */
import { formatCount } from '../count-text.ts';
import { SluiceError } from '../errors.ts';
import { countAllowed } from './delete-allowance.ts';
import type { FinishOptions } from './driver.ts';

/** Where the caller names none: enough for what changes from day to day, too little for a source that was cut short. */
export const defaultMaxDeletes = '10%';

/**
 * Refuses a deletion of `vanishedCount` of `rowCount` rows.
 * @throws SLUICE_DELETE_LIMIT
 */
export function checkDeleteLimit({
  table,
  vanishedCount,
  rowCount,
  maxDeletes = defaultMaxDeletes,
}: {
  readonly table: string;
  readonly vanishedCount: number;
  readonly rowCount: number;
  readonly maxDeletes: FinishOptions['maxDeletes'];
}): void {
  const allowed = countAllowed(maxDeletes, rowCount);
  if (allowed === undefined || vanishedCount <= allowed) return;
  throw new SluiceError(
    'SLUICE_DELETE_LIMIT',
    `${formatCount(vanishedCount)} of the ${formatCount(rowCount)} rows of ${table} are not in the source any more; at most ${formatCount(allowed)} may be deleted. None was.`,
    { hint: 'Look whether the source is whole. If it is, resume with a larger --max-deletes.' },
  );
}
