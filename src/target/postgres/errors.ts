/** What PostgreSQL's SQLSTATEs mean to sluice: errors of the whole load are thrown, refusals of one row become reject codes. No text of ours holds a row's values. */
import { SluiceError, type ErrorCode } from '../../errors.ts';
import type { RejectCode } from '../../rows/batch.ts';
import { PgError } from './link.ts';
import type { Refusal } from './refusal.ts';

interface Explanation {
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

/** By SQLSTATE, or by class (its first two characters) where the whole class means the same. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const explanations: Readonly<Record<string, Explanation>> = {
  '08': {
    code: 'SLUICE_TARGET_UNREACHABLE',
    what: 'could not be spoken with',
    hint: 'Check the address, and that it is a PostgreSQL server.',
  },
  '28': {
    code: 'SLUICE_TARGET_DENIED',
    what: 'refused the login',
    hint: 'Check user, password (PGPASSWORD, ~/.pgpass) and pg_hba.conf; psql with the same URL must get in.',
  },
  '25006': {
    code: 'SLUICE_TARGET_READ_ONLY',
    what: 'takes no writes (a standby, or a read-only transaction)',
    hint: 'Name the primary, or all hosts with ?target_session_attrs=read-write.',
  },
  '3D000': {
    code: 'SLUICE_TARGET_MISSING',
    what: 'has no such database',
    hint: 'Check the name behind the host, or make it: createdb NAME.',
  },
  '3F000': { code: 'SLUICE_TARGET_MISSING', what: 'has no such schema', hint: 'Check the name, or make it: CREATE SCHEMA name.' },
  '40001': { code: 'SLUICE_TARGET_BUSY', what: 'could not serialize the transaction with others', hint: 'Run it again or resume.' },
  '40P01': { code: 'SLUICE_TARGET_BUSY', what: 'ended a deadlock by giving up this transaction', hint: 'Run it again or resume.' },
  '42501': {
    code: 'SLUICE_TARGET_DENIED',
    what: 'does not allow this user to do that',
    hint: 'The owner can GRANT it: INSERT, SELECT and UPDATE on the table, CREATE and USAGE on the schema that holds the ledger.',
  },
  '42703': {
    code: 'SLUICE_COLUMN_UNKNOWN',
    what: 'has no such column',
    hint: 'Check the names; sluice plan shows the columns that there are.',
  },
  '42P01': {
    code: 'SLUICE_TABLE_UNKNOWN',
    what: 'has no such table',
    hint: 'Check the name and the schema; it may have been dropped meanwhile.',
  },
  '53100': {
    code: 'SLUICE_TARGET_FULL',
    what: 'has no room left on its disk',
    hint: 'Make room, then resume; nothing of the failed transaction counts.',
  },
  '53200': {
    code: 'SLUICE_TARGET_FULL',
    what: 'ran out of memory',
    hint: 'Use fewer --lanes or a smaller maintenance_work_mem, then resume.',
  },
  '53300': {
    code: 'SLUICE_TARGET_BUSY',
    what: 'has no connection left',
    hint: 'End idle sessions, use fewer --lanes, or raise max_connections; then run it again.',
  },
  '53400': { code: 'SLUICE_TARGET_FULL', what: 'reached a configured limit', hint: 'Raise the limit that the server names, then resume.' },
  '55P03': {
    code: 'SLUICE_TARGET_LOCKED',
    what: 'holds a lock that did not come free in time',
    hint: 'Find who holds it (pg_locks), then resume. --lock-timeout waits longer.',
  },
  '55006': { code: 'SLUICE_TARGET_LOCKED', what: 'has the object in use', hint: 'End its other use, then resume.' },
  '57014': {
    code: 'SLUICE_TARGET_TIMEOUT',
    what: 'cancelled the statement',
    hint: 'Raise statement_timeout for this user, or find who cancelled it; then resume.',
  },
  '57P01': { code: 'SLUICE_LINK_LOST', what: 'ended the session', hint: 'Resume when the server is back.' },
  '57P02': { code: 'SLUICE_LINK_LOST', what: 'ended the session after a crash', hint: 'Resume when the server is back.' },
  '57P03': { code: 'SLUICE_TARGET_UNREACHABLE', what: 'takes no connections now (starting or stopping)', hint: 'Try again in a moment.' },
};

/** Classes whose messages quote values of rows. */
const isPrivate = (sqlState: string): boolean => /^(?:2[123]|44|P0|54)/u.test(sqlState);

/** What the server named besides the code; identifiers only. */
function listNames({ fields }: PgError): string {
  const { schema, table, column, constraint, dataType } = fields;
  const names = [
    constraint !== undefined && `constraint ${constraint}`,
    column !== undefined && `column ${column}`,
    dataType !== undefined && `type ${dataType}`,
    table !== undefined && `table ${schema === undefined ? table : `${schema}.${table}`}`,
  ].filter((name) => name !== false);
  return names.length === 0 ? '' : ` on ${names.join(', ')}`;
}

/** How the server put it: its own words, unless they can hold values of rows; then its code and the names. */
export function quoteServer(error: PgError): string {
  const { sqlState } = error;
  return isPrivate(sqlState) ? `PostgreSQL ${sqlState}${listNames(error)}` : `PostgreSQL ${sqlState}: ${error.message}`;
}

/** The {@link SluiceError} for an error of the server or the socket at this place; errors of sluice come back as they are. */
export function toSluiceError(error: unknown, place: string): Error {
  if (error instanceof SluiceError) return error;
  if (error instanceof PgError) return explain(error, place);
  if (isSocketError(error)) {
    return new SluiceError('SLUICE_TARGET_UNREACHABLE', `${place} can't be reached (${describeSocketError(error)}).`, {
      cause: error,
      hint: 'Check host and port, that the server runs, and that no firewall is between.',
    });
  }
  return error instanceof Error
    ? error
    : new SluiceError('SLUICE_INTERNAL', `Something that is no error was thrown at ${place}.`, { cause: error });
}

/** All that the ledger consists of. */
const ledgerNames = /["«„“'](sluice_(?:meta|loads|shards|rejects|deferred_indexes|vectors|load_status|reject_places))["»”“']/u;

/** The name of a relation of the ledger that is not there; the message quotes it in any language. */
function readLostLedger(error: PgError): string | undefined {
  return error.sqlState === '42P01' ? ledgerNames.exec(error.message)?.[1] : undefined;
}

/** Without the ledger nobody knows which rows are in the table. */
export function describeLostLedger(names: readonly string[], place: string, cause?: PgError): SluiceError {
  const message = `The ledger in ${place} is not whole: ${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} gone, dropped by somebody.`;
  return new SluiceError('SLUICE_TARGET_FAILED', message, {
    cause,
    hint: 'Bring it back from a backup and resume. Or drop its other tables (sluice_…) too, take out of the table what was loaded, and load anew.',
  });
}

function explain(error: PgError, place: string): SluiceError {
  const lost = readLostLedger(error);
  if (lost !== undefined) return describeLostLedger([lost], place, error);
  const known = explanations[error.sqlState] ?? explanations[error.sqlState.slice(0, 2)];
  if (known !== undefined)
    return new SluiceError(known.code, `${place} ${known.what} (${quoteServer(error)}).`, { cause: error, hint: known.hint });
  const { hint } = error.fields;
  // The server's own hint speaks of statements and settings; of a row's error it may speak of the row.
  return new SluiceError('SLUICE_TARGET_FAILED', `${place} refused a statement (${quoteServer(error)}).`, {
    cause: error,
    hint: hint === undefined || isPrivate(error.sqlState) ? 'Mend what the server names, then resume.' : hint,
  });
}

interface SocketError extends Error {
  readonly code: string;
}

/** Codes of Node and of the system for sockets that could not be opened or broke. */
const socketCodes =
  /^(?:ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|EADDR|ENOTFOUND|EAI_|ENOENT|EACCES|EPERM|ENOTSOCK|EPROTO|ERR_SSL|ERR_TLS|ERR_SOCKET|CERT_|DEPTH_|SELF_|UNABLE_)/u;

export function isSocketError(error: unknown): error is SocketError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && socketCodes.test(error.code);
}

/** Why a socket failed, in words where the code is known. */
export function describeSocketError(error: Error): string {
  // Several addresses of one name were tried: the first one's reason stands for all.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return describeSocketError(error.errors[0]);
  // So says the client when the other side closes without a word.
  if (error.message.startsWith('Connection terminated')) return 'the connection was closed';
  const code = isSocketError(error) ? error.code : '';
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset',
    EPIPE: 'connection closed by the other side',
    ETIMEDOUT: 'no answer in time',
    ENOTFOUND: 'no such host name',
    EAI_AGAIN: 'the name server did not answer',
    ENOENT: 'no socket there',
    EACCES: 'no right to use the socket',
    EHOSTUNREACH: 'no route to the host',
    ENETUNREACH: 'no route to the network',
  };
  return words[code] ?? error.message;
}

/** A deadlock or a serialization failure: the transaction is rolled back, and the same one may pass when it is tried again. */
export function isConflict(error: unknown): boolean {
  return error instanceof PgError && (error.sqlState === '40001' || error.sqlState === '40P01');
}

/** Why rows are refused, by SQLSTATE or class. */
const refusals: Readonly<Record<string, { readonly code: RejectCode; readonly what: string }>> = {
  '22': { code: 'REFUSED_TYPE', what: 'a value does not fit its type' },
  '22000': { code: 'REFUSED_TYPE', what: 'a value does not fit its type (of a vector: its dimensions or an element)' },
  '22001': { code: 'REFUSED_TOO_BIG', what: 'a text is longer than its column' },
  '22003': { code: 'REFUSED_TYPE', what: 'a number is out of range' },
  '22007': { code: 'REFUSED_TYPE', what: 'a date or time is not written as its type is' },
  '22008': { code: 'REFUSED_TYPE', what: 'a date or time is out of range' },
  '22021': { code: 'REFUSED_TYPE', what: "a text holds characters that the database's encoding has not" },
  '22026': { code: 'REFUSED_TYPE', what: 'a bit string has another length than its column' },
  '22P02': { code: 'REFUSED_TYPE', what: 'a text is not written as the type is' },
  '22P05': { code: 'REFUSED_TYPE', what: "a text holds characters that the database's encoding has not" },
  '23': { code: 'REFUSED_OTHER', what: 'a constraint is not met' },
  '23502': { code: 'REFUSED_NOT_NULL', what: 'null where none is allowed' },
  '23503': { code: 'REFUSED_FOREIGN_KEY', what: 'the row that it refers to is not there' },
  '23505': { code: 'REFUSED_UNIQUE', what: 'a row with this key or unique value is there already' },
  '23514': { code: 'REFUSED_CHECK', what: 'a check is not met' },
  '23P01': { code: 'REFUSED_UNIQUE', what: 'an exclusion constraint is not met' },
  '44': { code: 'REFUSED_CHECK', what: "the view's check option is not met" },
  '54000': { code: 'REFUSED_TOO_BIG', what: 'the row, or its entry in an index, is larger than PostgreSQL takes' },
  '54001': { code: 'REFUSED_TOO_BIG', what: 'a value is nested more deeply than the server takes' },
  P0001: { code: 'REFUSED_TRIGGER', what: 'a trigger or function refused the row' },
};

/** About the form of what was sent, not about a row: with these every row would be refused for a fault that is ours, or for a table altered under the load. */
const formFaults = ['22P03', '22P04', '22023'];

/** The refusal that an error of a statement that writes rows means; undefined when the error is not about a row. */
export function toRefusal(error: PgError): Refusal | undefined {
  const { sqlState } = error;
  if (formFaults.includes(sqlState)) return undefined;
  const known = refusals[sqlState] ?? refusals[sqlState.slice(0, 2)];
  if (known === undefined) return undefined;
  const routine = sqlState === 'P0001' ? readRoutine(error) : undefined;
  const message = `PostgreSQL ${sqlState}: ${known.what}${listNames(error)}${routine === undefined ? '' : ` (${routine})`}`;
  return { code: known.code, message, column: error.fields.column ?? readCopyColumn(error) ?? readKeyColumn(error) };
}

/** The column of a key of one: «Key (id)=(1) already exists.», in any language. Of the detail nothing but that name is read, for its rest holds values. */
function readKeyColumn({ fields }: PgError): string | undefined {
  if (fields.constraint === undefined) return undefined;
  const name = /^[^(]*\((?:"((?:[^"]|"")+)"|([\w$]+))\)=\(/u.exec(fields.detail ?? '');
  return name?.[1]?.replaceAll('""', '"') ?? name?.[2];
}

/** The function that raised: «PL/pgSQL function check_item() line 3 at RAISE». What it raised may hold values, so it stays out. */
function readRoutine({ fields }: PgError): string | undefined {
  return /^PL\/pgSQL function ([\w.$"]+)\(/u.exec(fields.where ?? '')?.[1];
}

/** The column in «COPY items, line 7, column v: …», where the server names it. */
function readCopyColumn({ fields }: PgError): string | undefined {
  const line = findCopyLine(fields.where);
  return line === undefined ? undefined : /^, column ([^:,]+?)(?::|$|, null)/u.exec(line.rest)?.[1];
}

/** The one line of a CONTEXT that tells where a COPY stood. Undefined without one, and when there are two to choose from: values of the row can look like it. */
function findCopyLine(where: string | undefined): { readonly line: number; readonly rest: string } | undefined {
  const lines = (where ?? '').split('\n').filter((text) => text.startsWith('COPY '));
  const [text = ''] = lines;
  if (lines.length !== 1 || (text.match(/, line \d/gu) ?? []).length > 1) return undefined;
  // Servers that speak another language say «COPY t, Zeile 7»; the word differs, its place does not.
  const match = /^COPY .*?, (?:line|\p{L}+) (\d+)(.*)$/u.exec(text);
  return match === null ? undefined : { line: Number(match[1]), rest: match[2] ?? '' };
}

/** The 1-based ordinal of the row that a COPY failed at; undefined where a gateway dropped the CONTEXT or it can't be told for certain. Holds for row errors only. */
export function readFaultyLine(error: PgError): number | undefined {
  return findCopyLine(error.fields.where)?.line;
}
