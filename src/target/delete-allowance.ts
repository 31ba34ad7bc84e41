/** Refuses a deletion that is larger than its caller allows. */
import { formatCount } from '../count-text.ts';
import { SluiceError } from '../errors.ts';
import type { DeleteRequest } from './delete-contract.ts';

/** How many rows may go; undefined for any number. A share is of all rows, rounded down. */
export function countAllowed(limit: DeleteRequest['maxDeletes'], rows: number): number | undefined {
  if (limit === undefined || typeof limit === 'number') return limit;
  // The last digit of a product of decimals is not to be trusted, so a share of exactly so many rows allows them: 29 % of 100 are 29.
  return Math.floor((rows * Number.parseFloat(limit)) / 100 + 1e-6);
}

/** @throws SLUICE_DELETE_LIMIT */
export function checkAllowed({ table, maxDeletes }: Pick<DeleteRequest, 'table' | 'maxDeletes'>, deleted: number, rows: number): void {
  const allowed = countAllowed(maxDeletes, rows);
  if (allowed === undefined || deleted <= allowed) return;
  throw new SluiceError(
    'SLUICE_DELETE_LIMIT',
    `${formatCount(deleted)} of the ${formatCount(rows)} rows of ${table} would be deleted, more than ${formatCount(allowed)}; none was.`,
    { hint: 'Look at them with --dry-run, then allow more with --max.' },
  );
}
