/** Errors of rqlite as errors of a source: a link that broke while rows were read leaves nothing of the load in doubt. */
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { DatabaseAddress } from './database-url.ts';
import { sourceCodes } from './source-codes.ts';

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
  const code = sourceCodes[error.code];
  if (code === undefined) return error;
  const hint =
    code === 'SLUICE_SOURCE_DENIED'
      ? (error.hint ?? 'Name a user who may query.')
      : 'Resume when it answers again; what was loaded so far is kept.';
  return new SluiceError(code, `reading ${name}: ${error.message}`, { cause: error, hint });
}
