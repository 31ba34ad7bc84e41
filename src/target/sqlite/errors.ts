/** Turns SQLite's result codes into sluice's: errors of the whole file are thrown, refusals of one row become reject codes. */
import { SluiceError, type ErrorCode } from '../../errors.ts';
import type { RejectCode } from '../../rows/batch.ts';

/** SQLite's primary result codes that matter here. @see https://sqlite.org/rescode.html */
const primary = {
  perm: 3,
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  auth: 23,
  notADatabase: 26,
};

/** An error thrown by node:sqlite. */
interface SqliteError extends Error {
  readonly errcode: number;
}

/** Whether an error comes from SQLite itself. */
export function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';
}

/** Whether another connection holds a lock that is in the way. */
export function isBusy(error: unknown): boolean {
  if (!isSqliteError(error)) return false;
  const code = error.errcode & 0xff;
  return code === primary.busy || code === primary.locked;
}

/** Extended constraint codes. @see https://sqlite.org/rescode.html#constraint_check */
const constraintCodes: Readonly<Record<number, RejectCode>> = {
  275: 'REFUSED_CHECK',
  787: 'REFUSED_FOREIGN_KEY',
  1299: 'REFUSED_NOT_NULL',
  1555: 'REFUSED_UNIQUE',
  1811: 'REFUSED_TRIGGER',
  2067: 'REFUSED_UNIQUE',
  2579: 'REFUSED_UNIQUE',
  3091: 'REFUSED_TYPE',
};

/** What a row was refused for. */
export interface Refusal {
  readonly code: RejectCode;
  readonly message: string;
  readonly column: string | undefined;
}

/** The column in «UNIQUE constraint failed: t.a, t.b» or «cannot store TEXT value in INTEGER column t.a». */
function blamedColumn(message: string): string | undefined {
  const match = /(?:failed: |column )[^.]*\.([^,]+)/u.exec(message);
  return match?.[1]?.trim();
}

/** The refusal that an error of a single-row statement means; undefined when the error is not about the row. */
export function toRefusal(error: unknown): Refusal | undefined {
  if (!isSqliteError(error)) return undefined;
  const code = error.errcode & 0xff;
  if (code === primary.tooBig)
    return { code: 'REFUSED_TOO_BIG', message: 'The row is larger than SQLite takes (SQLITE_TOOBIG).', column: undefined };
  if (code === primary.mismatch) return { code: 'REFUSED_TYPE', message: `SQLite: ${error.message}`, column: blamedColumn(error.message) };
  if (code !== primary.constraint) return undefined;
  return {
    code: constraintCodes[error.errcode] ?? 'REFUSED_OTHER',
    message: `SQLite: ${error.message}`,
    column: blamedColumn(error.message),
  };
}

/** A row whose parent is not there when a deferred foreign key is checked, which names no row. */
export const orphanRefusal: Refusal = {
  code: 'REFUSED_FOREIGN_KEY',
  message: 'SQLite: FOREIGN KEY constraint failed',
  column: undefined,
};

/** SQLITE_CONSTRAINT_FOREIGNKEY. */
const foreignKeyCode = 787;

/** Whether COMMIT failed, because a deferred foreign key does not hold. */
export function isForeignKeyError(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return isSqliteError(cause) && cause.errcode === foreignKeyCode;
}

interface Explanation {
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

const explanations: Readonly<Record<number, Explanation>> = {
  [primary.busy]: {
    code: 'SLUICE_TARGET_LOCKED',
    what: 'is locked by another connection',
    hint: 'Look for another process that has the file open (lsof FILE, or a forgotten sqlite3 shell in a transaction), end it, then resume. --lock-timeout waits longer.',
  },
  [primary.locked]: {
    code: 'SLUICE_TARGET_LOCKED',
    what: 'has a table that is locked',
    hint: 'End the other use of the table, then resume.',
  },
  [primary.readOnly]: {
    code: 'SLUICE_TARGET_READ_ONLY',
    what: 'can only be read',
    hint: 'Give write permission to the file and its folder, then resume.',
  },
  [primary.perm]: { code: 'SLUICE_TARGET_DENIED', what: 'may not be used', hint: 'Check the permissions of the file and its folder.' },
  [primary.auth]: { code: 'SLUICE_TARGET_DENIED', what: 'refused the statement', hint: 'Only reading is allowed here.' },
  [primary.ioError]: {
    code: 'SLUICE_TARGET_FULL',
    what: 'could not be read or written',
    hint: 'Check the disk (space, quota, health), then resume.',
  },
  [primary.full]: { code: 'SLUICE_TARGET_FULL', what: 'has no room left on its disk', hint: 'Free space on the disk, then resume.' },
  [primary.corrupt]: {
    code: 'SLUICE_TARGET_NOT_A_DATABASE',
    what: 'is damaged',
    hint: 'Run PRAGMA integrity_check; restore the file or load into another one.',
  },
  [primary.notADatabase]: {
    code: 'SLUICE_TARGET_NOT_A_DATABASE',
    what: 'is not an SQLite database',
    hint: 'Name another file after --to sqlite:',
  },
  [primary.cannotOpen]: {
    code: 'SLUICE_TARGET_DENIED',
    what: 'could not be opened',
    hint: 'Check that its folder exists and may be written.',
  },
};

/** The {@link SluiceError} for an error of SQLite on this file; other errors come back as they are. */
export function toTargetError(error: unknown, file: string): unknown {
  if (!isSqliteError(error)) return error;
  const known = explanations[error.errcode & 0xff];
  if (known === undefined) {
    return new SluiceError('SLUICE_TARGET_FAILED', `SQLite failed on ${file}: ${error.message}`, { cause: error });
  }
  return new SluiceError(known.code, `${file} ${known.what} (SQLite: ${error.message}).`, { cause: error, hint: known.hint });
}
