/** What an error of the server means for one statement: a code that is the same on every target, and the server's words without values of rows. */
import type { StatementError, StatementErrorCode } from '../../batch-contract.ts';
import type { PgError } from '../link.ts';

/** By SQLSTATE, or by class where the whole class means the same. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const codes: Readonly<Record<string, StatementErrorCode>> = {
  '08P01': 'PARAMETERS',
  '22': 'VALUE',
  '23001': 'FOREIGN_KEY',
  '23502': 'NOT_NULL',
  '23503': 'FOREIGN_KEY',
  '23505': 'UNIQUE',
  '23514': 'CHECK',
  '23P01': 'UNIQUE',
  '25001': 'REFUSED',
  '3F000': 'UNKNOWN_TABLE',
  '40001': 'CONFLICT',
  '40P01': 'CONFLICT',
  '42601': 'SYNTAX',
  '42703': 'UNKNOWN_COLUMN',
  '42804': 'VALUE',
  '42P01': 'UNKNOWN_TABLE',
  '42P02': 'PARAMETERS',
  '42P18': 'PARAMETERS',
  '44': 'CHECK',
  '55P03': 'CONFLICT',
};

/** Why a statement that PostgreSQL runs only on its own was not run. */
const aloneHint = 'it has to be the only statement of a unit that is no transaction';

/** Messages about values quote them; the names of types and columns in the same messages stand without quotes. */
function hideValues({ sqlState, message }: PgError): string {
  return sqlState.startsWith('22') ? message.replaceAll(/"(?:[^"]|"")*"/gsu, '"…"') : message;
}

/** The answer's error. DETAIL, which holds values of rows, is left out. */
export function toStatementError(error: PgError): StatementError {
  const { sqlState } = error;
  const code = codes[sqlState] ?? codes[sqlState.slice(0, 2)] ?? 'OTHER';
  const message = hideValues(error);
  return { code, message: sqlState === '25001' ? `${message}: ${aloneHint}` : message, targetCode: sqlState };
}
