/** Sends statements to rqlite's data routes and reads the answers: one entry a statement, or an error that says what is known of the whole. */
import { SluiceError } from '../../errors.ts';
import type { ResultRow } from '../driver.ts';
import { LinkLostError } from '../link.ts';
import { readJson, writeValue, type JsonValue, type SqlValue } from './json.ts';
import { sendRequest, type RqliteLink } from './link.ts';

/** What one statement was answered. */
export interface Entry {
  readonly error: string | undefined;
  readonly rowsAffected: number;
  readonly lastInsertId: number | bigint | undefined;
  readonly columns: readonly string[] | undefined;
  readonly types: readonly string[];
  readonly values: readonly (readonly JsonValue[])[];
}

export interface Answer {
  readonly entries: readonly Entry[];
  /** The error of the whole request. */
  readonly error: string | undefined;
}

export interface DataCall {
  readonly route: 'execute' | 'query' | 'request';
  readonly parameters?: readonly string[];
  /** The statements, each as its JSON. */
  readonly statements: readonly string[];
  /** More of them behind these, as bytes with commas between. */
  readonly more?: Uint8Array | undefined;
  readonly isRead: boolean;
  readonly timeoutMs?: number | undefined;
  readonly leaderTimeoutMs?: number | undefined;
  readonly failsFast?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A request whose body is larger than the server, or what stands before it, takes. Nothing was done. */
export class BodyTooLarge extends Error {}

/** A statement with its values as JSON. */
export function writeStatement(sql: string, parameters: readonly SqlValue[]): string {
  return parameters.length === 0 ? `[${JSON.stringify(sql)}]` : `[${JSON.stringify(sql)},${parameters.map(writeValue).join(',')}]`;
}

/**
 * Sends statements as one request.
 * @throws LinkLostError; SLUICE_TARGET_…; BodyTooLarge
 */
export async function callData(link: RqliteLink, call: DataCall): Promise<Answer> {
  const body = writeBody(call);
  const { status, text } = await sendRequest(link, {
    method: 'POST',
    path: `/db/${call.route}`,
    parameters: [...(call.parameters ?? []), 'blob_array'],
    contentType: 'application/json',
    body,
    isRead: call.isRead,
    timeoutMs: call.timeoutMs,
    leaderTimeoutMs: call.leaderTimeoutMs,
    failsFast: call.failsFast,
    signal: call.signal,
  });
  if (status === 413) throw new BodyTooLarge(`a body of ${String(body.byteLength)} bytes`);
  if (status !== 200) throw refuseStatus(link, { status, text, isRead: call.isRead });
  return readAnswer(link, text, call);
}

function writeBody({ statements, more }: DataCall): Buffer {
  const text = statements.join(',');
  return more === undefined ? Buffer.from(`[${text}]`) : Buffer.concat([Buffer.from(`[${text},`), more, Buffer.from(']')]);
}

function refuseStatus(link: RqliteLink, answer: { readonly status: number; readonly text: string; readonly isRead: boolean }): SluiceError {
  const { status, text, isRead } = answer;
  const what = `${link.address.label} answered ${String(status)} ${text.trim().slice(0, 300)}`.trim();
  if (status === 429) return new LinkLostError('no', `${what}.`, { hint: 'Wait, then run the same command again.' });
  if (status >= 500 && !isRead) return new LinkLostError('unknown', `${what}, so nobody can tell whether it was done.`);
  return new SluiceError('SLUICE_TARGET_FAILED', `${what}.`, {
    hint: 'Check that the address is rqlite’s HTTP API (port 4001 by default), not its Raft port or another server.',
  });
}

function readAnswer(link: RqliteLink, text: string, call: DataCall): Answer {
  let json: JsonValue;
  try {
    json = readJson(text);
  } catch (error) {
    throw garbled(link, call, error);
  }
  if (!isRecord(json) || !Array.isArray(json['results'])) throw garbled(link, call, undefined);
  const error = json['error'];
  if (typeof error === 'string') return { entries: [], error };
  return { entries: (json['results'] as readonly JsonValue[]).map(readEntry), error: undefined };
}

/** What came is no answer of rqlite; of a write it tells nothing. */
function garbled(link: RqliteLink, { isRead }: DataCall, cause: unknown): SluiceError {
  const what = `The answer of ${link.address.label} is not rqlite’s JSON, or not all of it.`;
  return isRead
    ? new SluiceError('SLUICE_TARGET_FAILED', what, { cause, hint: 'Check that the address is rqlite’s HTTP API.' })
    : new LinkLostError('unknown', what, { cause });
}

function isRecord(value: JsonValue | undefined): value is Readonly<Record<string, JsonValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readEntry(value: JsonValue): Entry {
  const entry = isRecord(value) ? value : {};
  const { error, columns, types, values, last_insert_id: lastInsertId, rows_affected: rowsAffected } = entry;
  return {
    error: typeof error === 'string' ? error : undefined,
    rowsAffected: Number(rowsAffected ?? 0),
    lastInsertId: typeof lastInsertId === 'number' || typeof lastInsertId === 'bigint' ? lastInsertId : undefined,
    columns: Array.isArray(columns) ? columns.map(String) : undefined,
    types: Array.isArray(types) ? types.map(String) : [],
    values: Array.isArray(values) ? (values as readonly (readonly JsonValue[])[]) : [],
  };
}

/** Errors of the whole request after which the Raft log may hold it all the same. */
const doubtful = /leadership lost|leadership transfer|raft is shut|shutdown|timed? ?out|timeout|deadline|connection|EOF/iu;
const leaderless = /leader not found|not leader|not ready|not open|stale read/iu;

/** The error for a request that failed whole; of a write, what is known of it. */
export function toWholeError(link: RqliteLink, error: string, isRead: boolean): SluiceError {
  const what = `${link.address.label} failed on a request: ${error}`;
  if (/cannot start a transaction within a transaction/iu.test(error)) {
    return new SluiceError(
      'SLUICE_TARGET_BUSY',
      `${link.address.label} has a transaction open that somebody began with BEGIN, and no other can begin.`,
      {
        hint: 'End it with COMMIT or ROLLBACK (POST /db/execute), then run the same command again.',
      },
    );
  }
  if (leaderless.test(error)) return new LinkLostError('no', `${what}.`);
  if (doubtful.test(error) && !isRead) return new LinkLostError('unknown', `${what}.`);
  if (/database or disk is full/iu.test(error))
    return new SluiceError('SLUICE_TARGET_FULL', `${what}.`, { hint: 'Free space on the disk of the nodes, then resume.' });
  return new SluiceError('SLUICE_TARGET_FAILED', `${what}.`);
}

/** The error for a statement of the driver's own that failed. */
export function toStatementError(link: RqliteLink, error: string): SluiceError {
  if (/(?:execute|query) timeout|interrupted/iu.test(error))
    return new SluiceError('SLUICE_TARGET_TIMEOUT', `${link.address.label} gave a statement up: ${error}.`, {
      hint: 'Run the same command again.',
    });
  if (/full/iu.test(error) && /disk|database/iu.test(error))
    return new SluiceError('SLUICE_TARGET_FULL', `${link.address.label} failed: ${error}.`, {
      hint: 'Free space on the disk of the nodes, then resume.',
    });
  if (/readonly|read-only/iu.test(error))
    return new SluiceError('SLUICE_TARGET_READ_ONLY', `${link.address.label} takes no writes: ${error}.`, {
      hint: 'Name a server, or a node, that was not started for reading only.',
    });
  return new SluiceError('SLUICE_TARGET_FAILED', `rqlite failed on ${link.address.label}: ${error}.`);
}

/** How fresh a read is. linearizable: whatever was acknowledged before is seen, also by a leader that was just cut off. */
export type ReadLevel = 'weak' | 'linearizable';

export interface ReadOptions {
  readonly level?: ReadLevel;
  readonly signal?: AbortSignal | undefined;
  readonly leaderTimeoutMs?: number | undefined;
  /** For a question that takes its time. */
  readonly timeoutMs?: number | undefined;
  readonly failsFast?: boolean;
}

/**
 * Runs one query and returns its entry.
 * @throws SLUICE_TARGET_…, LinkLostError
 */
export async function readRows(link: RqliteLink, statement: string, options: ReadOptions = {}): Promise<Entry> {
  const answer = await callData(link, {
    route: 'query',
    parameters: [`level=${options.level ?? 'linearizable'}`],
    statements: [statement],
    isRead: true,
    signal: options.signal,
    timeoutMs: options.timeoutMs,
    leaderTimeoutMs: options.leaderTimeoutMs,
    failsFast: options.failsFast,
  });
  if (answer.error !== undefined) throw toWholeError(link, answer.error, true);
  const [entry] = answer.entries;
  if (entry === undefined) throw new SluiceError('SLUICE_TARGET_FAILED', `${link.address.label} gave no answer to a query.`);
  if (entry.error !== undefined) throw toStatementError(link, entry.error);
  return entry;
}

/** A value of an answer: lists of bytes become bytes, and whole numbers of columns that hold REALs stay doubles. */
export function readValue(value: JsonValue | undefined, type: string): SqlValue {
  if (Array.isArray(value)) return Uint8Array.from(value as readonly number[]);
  if (typeof value === 'bigint' && /real|floa|doub/u.test(type)) return Number(value);
  return (value ?? null) as SqlValue;
}

/** An entry's rows as objects. */
export function toResultRows({ columns = [], types, values }: Entry): readonly ResultRow[] {
  return values.map((row) => Object.fromEntries(columns.map((name, index) => [name, readValue(row[index], types[index] ?? '')])));
}
