/** How large a request may be: found by what the server, or a proxy before it, takes, and kept for the life of the process. */

/** rqlite's docs call 25 MB large for a machine with 1 GB; beyond 2 MB a larger request was no faster. */
const startBytes = 2 * 1024 * 1024;
const leastBytes = 16 * 1024;

const budgets = new Map<string, number>();

/** Bytes that a request to this target may have. */
export function readBudget(label: string): number {
  return budgets.get(label) ?? startBytes;
}

/** A request of this size was refused, or its answer never came. `false`: there is nothing left to make smaller. */
export function shrinkBudget(label: string, sentBytes: number): boolean {
  const smaller = Math.floor(Math.min(sentBytes, readBudget(label)) / 2);
  budgets.set(label, Math.max(leastBytes, smaller));
  return smaller >= leastBytes;
}
