/** What SQLite says against one statement, in the closed list of codes that all targets share. */
import type { StatementError, StatementErrorCode } from '../batch-contract.ts';
import { isSqliteError } from './errors.ts';

/** Thrown for a statement that sluice refuses before SQLite sees it, or that gives more than it may. Nothing was changed by it. */
export class StatementRefusal extends Error {
  readonly code: StatementErrorCode;

  constructor(code: StatementErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Extended result codes. @see https://sqlite.org/rescode.html */
const extendedCodes: Readonly<Record<number, StatementErrorCode>> = {
  275: 'CHECK',
  787: 'FOREIGN_KEY',
  1299: 'NOT_NULL',
  1555: 'UNIQUE',
  2067: 'UNIQUE',
  2579: 'UNIQUE',
  3091: 'VALUE',
};

/** SQLITE_READONLY, SQLITE_TOOBIG, SQLITE_MISMATCH, SQLITE_AUTH, SQLITE_RANGE. */
const primaryCodes: Readonly<Record<number, StatementErrorCode>> = {
  8: 'REFUSED',
  18: 'VALUE',
  20: 'VALUE',
  23: 'REFUSED',
  25: 'PARAMETERS',
};

/** SQLITE_ERROR says no more than its words do; they are the same since SQLite 3.0. */
const wordings: readonly (readonly [RegExp, StatementErrorCode])[] = [
  [/^no such (?:table|view)\b/u, 'UNKNOWN_TABLE'],
  [/^no such column\b|has no column named|^unknown column\b/u, 'UNKNOWN_COLUMN'],
  [
    /syntax error|^incomplete input|^unrecognized token|^ambiguous column name|^wrong number of arguments|^\d+ values for \d+ columns/u,
    'SYNTAX',
  ],
  [
    / has \d+ columns but \d+ values were supplied|^all VALUES must have the same number|do not have the same number of result columns/u,
    'SYNTAX',
  ],
  [/^malformed JSON|^integer overflow|^bad JSON path/u, 'VALUE'],
  [/^too many SQL variables/u, 'PARAMETERS'],
];

/** The error of a statement, in the guard's words where it was that which refused; undefined when it is not about one, and has to be thrown. */
export function toStatementError(error: unknown, refusal: string | undefined): StatementError | undefined {
  if (error instanceof StatementRefusal) return { code: error.code, message: error.message };
  if (!isSqliteError(error)) return undefined;
  if (refusal !== undefined) return { code: 'REFUSED', message: refusal, targetCode: String(error.errcode) };
  const primary = error.errcode & 0xff;
  const code = extendedCodes[error.errcode] ?? primaryCodes[primary] ?? (primary === 1 ? codeByWords(error.message) : 'OTHER');
  return { code, message: error.message, targetCode: String(error.errcode) };
}

function codeByWords(message: string): StatementErrorCode {
  return wordings.find(([pattern]) => pattern.test(message))?.[1] ?? 'OTHER';
}

/** SQLITE_CONSTRAINT_FOREIGNKEY, which COMMIT throws when a deferred foreign key does not hold; also as the cause of what sluice made of it. */
export function isForeignKeyError(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return isSqliteError(cause) && cause.errcode === 787;
}

/** Out of memory, I/O error, damaged file, disk full: nothing that the statement could help, and the next one may meet it too. */
export function isMachineError(error: unknown): boolean {
  return isSqliteError(error) && [7, 10, 11, 13].includes(error.errcode & 0xff);
}
