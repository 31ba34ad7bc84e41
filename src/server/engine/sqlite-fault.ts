/** Tells errors of the file and the machine from errors of a statement. */

/** Primary result codes: perm, busy, locked, no memory, read only, I/O, full, can't open, not a database, corrupt. @see https://sqlite.org/rescode.html */
const environmentalCodes: ReadonlySet<number> = new Set([3, 5, 6, 7, 8, 10, 11, 13, 14, 26]);

/** Whether an error would not be there on another day: a lock, a full disk, a file that can't be written. */
export function isEnvironmental(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && environmentalCodes.has(Number(error.errcode) & 0xff);
}
