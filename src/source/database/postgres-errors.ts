/** Errors of PostgreSQL as errors of a source. A link that broke while rows were read is no broken link of the target: nothing of the load is in doubt. */
import { isSluiceError, SluiceError, type ErrorCode } from '../../errors.ts';
import { quoteServer, toSluiceError } from '../../target/postgres/errors.ts';
import { PgError } from '../../target/postgres/link.ts';
import { sourceCodes } from './source-codes.ts';

interface Explanation {
  readonly code: ErrorCode;
  readonly hint: string;
}

/** By SQLSTATE, else by its class: what only a source can mean. */
const explanations: Readonly<Record<string, Explanation>> = {
  '42P01': { code: 'SLUICE_SOURCE_MISSING', hint: 'Check the name, and its schema: table=schema.name. Capitals count.' },
  '3F000': { code: 'SLUICE_SOURCE_MISSING', hint: 'Check the name of the schema.' },
  '42501': {
    code: 'SLUICE_SOURCE_DENIED',
    hint: 'GRANT SELECT on it to the user of the URL (and USAGE on its schema), or use another one.',
  },
  '42702': { code: 'SLUICE_USAGE', hint: 'Give each column of the query a name of its own: … AS name.' },
  '42': { code: 'SLUICE_USAGE', hint: 'Try the query in psql first.' },
  '22': { code: 'SLUICE_USAGE', hint: 'The query fails on a value of some row; try it in psql first.' },
  '57014': {
    code: 'SLUICE_SOURCE_READ',
    hint: 'Raise statement_timeout for reading, e.g. add options=-c%20statement_timeout%3D0 to the URL; then resume.',
  },
};

/** The error that a caller of the source sees. */
export function toSourceError(error: unknown, name: string): Error {
  const known = error instanceof PgError ? (explanations[error.sqlState] ?? explanations[error.sqlState.slice(0, 2)]) : undefined;
  if (known !== undefined && error instanceof PgError) {
    return new SluiceError(known.code, `${name} can't be read (${quoteServer(error)})`, { cause: error, hint: known.hint });
  }
  const told = toSluiceError(error, name);
  if (!isSluiceError(told)) return told;
  const code = sourceCodes[told.code];
  if (code === undefined) return told;
  const hint = told.hint ?? 'Resume when the source is back; what was loaded so far is kept.';
  return new SluiceError(code, `reading ${name}: ${told.message}`, { cause: told, hint });
}
