/** Errors of rqlite as errors of a source: a link that broke while rows were read leaves nothing of the load in doubt. */
import { isSluiceError, SluiceError, type ErrorCode } from '../../errors.ts';
import type { DatabaseAddress } from './database-url.ts';

/** Codes of a target and what they are of a source. */
const sourceCodes: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  SLUICE_TARGET_MISSING: 'SLUICE_SOURCE_MISSING',
  SLUICE_TARGET_DENIED: 'SLUICE_SOURCE_DENIED',
  SLUICE_TARGET_UNREACHABLE: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_TIMEOUT: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_BUSY: 'SLUICE_SOURCE_READ',
  SLUICE_TARGET_LOCKED: 'SLUICE_SOURCE_READ',
  SLUICE_LINK_LOST: 'SLUICE_SOURCE_READ',
};

/** The error that a caller of the source sees; what is none of sluice's comes back as it is. */
export function toRqliteSourceError(error: unknown, { name, selection }: DatabaseAddress): unknown {
  if (!isSluiceError(error)) return error;
  if (error.code === 'SLUICE_TARGET_FAILED' && /no such (?:table|column|function)|syntax error|incomplete input/iu.test(error.message)) {
    return new SluiceError(
      'SLUICE_USAGE',
      `${selection.kind === 'query' ? 'the query' : 'the table'} of ${name} can't be read: ${error.message}`,
      {
        cause: error,
        hint:
          selection.kind === 'query' ? 'Try the query in the rqlite shell first.' : 'Look at its definition; a view may name what is gone.',
      },
    );
  }
  const code = error.code === 'SLUICE_TARGET_FAILED' ? 'SLUICE_SOURCE_READ' : sourceCodes[error.code];
  if (code === undefined) return error;
  const hint =
    code === 'SLUICE_SOURCE_DENIED'
      ? (error.hint ?? 'Name a user who may query.')
      : 'Resume when it answers again; what was loaded so far is kept.';
  return new SluiceError(code, `reading ${name}: ${error.message}`, { cause: error, hint });
}
