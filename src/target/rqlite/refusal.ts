/** Which errors of a statement are about its row: rqlite hands SQLite's messages on, and no codes with them. */
import type { RejectCode } from '../../rows/batch.ts';
import type { Refusal } from '../sqlite/errors.ts';

const codes: readonly (readonly [RegExp, RejectCode])[] = [
  [/^UNIQUE constraint failed|^PRIMARY KEY must be unique/iu, 'REFUSED_UNIQUE'],
  [/^NOT NULL constraint failed/iu, 'REFUSED_NOT_NULL'],
  [/^CHECK constraint failed/iu, 'REFUSED_CHECK'],
  [/^FOREIGN KEY constraint failed/iu, 'REFUSED_FOREIGN_KEY'],
  [/^datatype mismatch|^cannot store \w+ value in/iu, 'REFUSED_TYPE'],
  [/^string or blob too big/iu, 'REFUSED_TOO_BIG'],
];

/** Errors that are about the statement, the database or the server: another row would have met them as well. */
const general =
  /^no such |^near |syntax error|^table .* has |^incomplete input|^unrecognized token|timeout|interrupted|locked|disk|readonly|read-only|malformed|out of memory|not authorized|^too many|^not enough args|^cannot (?:start|commit|rollback)|leader|raft/iu;

/**
 * The refusal that an error means; undefined when it is not about the row. A table with triggers may refuse a row in words of its own.
 */
export function readRefusal(error: string, hasTriggers: boolean): Refusal | undefined {
  const known = codes.find(([pattern]) => pattern.test(error));
  const column = /(?:failed: |column )[^.]*\.([^,]+)/u.exec(error)?.[1]?.trim();
  if (known !== undefined) return { code: known[1], message: `SQLite: ${error}`, column };
  if (!hasTriggers || general.test(error)) return undefined;
  return { code: 'REFUSED_TRIGGER', message: `SQLite: ${error}`, column: undefined };
}
