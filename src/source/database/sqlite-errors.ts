/** Errors of SQLite as errors of a source: what is missing, what may not be read, what is wrong with the query. */
import { isSluiceError, SluiceError, type ErrorCode } from '../../errors.ts';
import { isBusy, isSqliteError, toTargetError } from '../../target/sqlite/errors.ts';
import type { DatabaseAddress } from './database-url.ts';

/** Codes of a target and what they are of a source. */
const sourceCodes: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  SLUICE_TARGET_MISSING: 'SLUICE_SOURCE_MISSING',
  SLUICE_TARGET_DENIED: 'SLUICE_SOURCE_DENIED',
  SLUICE_TARGET_NOT_A_DATABASE: 'SLUICE_SOURCE_NOT_A_FILE',
  SLUICE_TARGET_LOCKED: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_FULL: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_READ_ONLY: 'SLUICE_SOURCE_DENIED',
};

/** SQLITE_ERROR: the statement itself is wrong. */
const statementFault = 1;

/** The error that a caller of the source sees; errors that are none of SQLite's come back as they are. */
export function toSqliteSourceError(error: unknown, { name, selection }: Pick<DatabaseAddress, 'name' | 'selection'>): unknown {
  if (isSqliteError(error) && (error.errcode & 0xff) === statementFault) {
    const what = selection.kind === 'query' ? 'the query' : `the table ${selection.table}`;
    return new SluiceError('SLUICE_USAGE', `${what} of ${name} can't be read: ${error.message}`, {
      cause: error,
      hint:
        selection.kind === 'query' ? 'Try the query in the sqlite3 shell first.' : 'Look at its definition; a view may name what is gone.',
    });
  }
  if (isSqliteError(error) && isBusy(error)) {
    return new SluiceError('SLUICE_SOURCE_READ', `${name} is locked by another connection`, {
      cause: error,
      hint: 'End the other use of the file, or turn it to WAL (PRAGMA journal_mode = WAL), then resume.',
    });
  }
  const known = toTargetError(error, name);
  if (!isSluiceError(known)) return known;
  const code = sourceCodes[known.code];
  if (code === undefined) return known;
  const hint = code === 'SLUICE_SOURCE_MISSING' ? 'Check the path.' : known.hint;
  return new SluiceError(code, known.message, { cause: known, ...(hint === undefined ? {} : { hint }) });
}
