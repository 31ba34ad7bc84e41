/** One transaction in one request: all statements, or none. A look half-way is impossible, so counts are guarded by statements that fail when they differ. */
import { SluiceError } from '../../errors.ts';
import type { Statement } from '../driver.ts';
import { LinkLostError } from '../link.ts';
import { BodyTooLarge, callData, toStatementError, toWholeError, writeStatement, type Entry } from './answer.ts';
import { isBlobLike, textPlaceholder, type SqlValue } from './json.ts';
import type { RqliteLink } from './link.ts';

/**
 * Fails with an integer overflow when a condition holds, and else writes nothing. A statement that writes, because of a SELECT `/db/execute` runs one step only;
 * with changes() in the overflowing term, because SQLite may compute constant terms before it asks the condition. The least integer is shifted together: its
 * 19 digits would make a server read the whole request as one whose integers a double can't hold, at half the speed.
 */
function writeFailure(condition: string): string {
  return `INSERT INTO sluice_meta (name, value) SELECT 'sluice_guard', abs((1 << 63) + 0 * changes()) WHERE ${condition}`;
}

/** Undoes the transaction unless the statement before it changed so many rows. */
export function guardChanges(count: number): string {
  return writeStatement(writeFailure('changes() <> ?'), [count]);
}

/** Undoes the transaction unless the condition holds. */
export function guardCondition(condition: string, parameters: readonly SqlValue[]): string {
  return writeBound(writeFailure(`NOT (${condition})`), parameters);
}

/** Undoes the transaction always: for a look at what statements would do. */
export const failAlways: string = writeStatement(writeFailure('1'), []);

/** A statement of our own, whose `?` stand outside of quotes only in values' places: texts that look like blobs are sent so that they stay texts. */
export function writeBound(sql: string, parameters: readonly SqlValue[]): string {
  if (!parameters.some((value) => typeof value === 'string' && isBlobLike(value))) return writeStatement(sql, parameters);
  let at = 0;
  const bound = sql.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\?/gu, (part) => {
    if (part !== '?') return part;
    const value = parameters[at++];
    return typeof value === 'string' && isBlobLike(value) ? textPlaceholder : part;
  });
  return writeStatement(bound, parameters);
}

/** How a transaction ended: `failed` names the statement that undid all of it. */
export type TransactionEnd =
  | { readonly kind: 'committed'; readonly entries: readonly Entry[] }
  | { readonly kind: 'failed'; readonly index: number; readonly error: string; readonly entries: readonly Entry[] }
  /** COMMIT itself was refused: a foreign key that is checked at the end does not hold. */
  | { readonly kind: 'refused'; readonly error: string };

export interface TransactionOptions {
  readonly signal?: AbortSignal | undefined;
  /** Leaves out rqlite's own reading of the statements, which only RETURNING, RANDOM() and the time need. */
  readonly skipsParsing?: boolean;
  readonly timeoutMs?: number | undefined;
  /** Statements behind those of the list, as bytes with commas between, and how many. */
  readonly more?: { readonly bytes: Uint8Array; readonly count: number } | undefined;
}

/**
 * Runs statements, each given as its JSON, in one transaction. `BEGIN` is the server's: a transaction that somebody left open is said so.
 * @throws LinkLostError `unknown` when it may have been committed; SLUICE_TARGET_…; BodyTooLarge
 */
export async function runTransaction(
  link: RqliteLink,
  statements: readonly string[],
  options: TransactionOptions = {},
): Promise<TransactionEnd> {
  const answer = await callData(link, {
    route: 'execute',
    parameters: options.skipsParsing === true ? ['transaction', 'noparse'] : ['transaction'],
    statements,
    more: options.more?.bytes,
    isRead: false,
    signal: options.signal,
    timeoutMs: options.timeoutMs,
  });
  if (answer.error !== undefined) {
    if (/FOREIGN KEY constraint failed/iu.test(answer.error)) return { kind: 'refused', error: answer.error };
    throw toWholeError(link, answer.error, false);
  }
  const { entries } = answer;
  const index = entries.findIndex((entry) => entry.error !== undefined);
  if (index >= 0) return { kind: 'failed', index, error: entries[index]?.error ?? '', entries };
  // Success is as many entries as statements. With fewer, something between has cut the answer, and only the ledger can tell.
  const count = statements.length + (options.more?.count ?? 0);
  if (entries.length !== count) {
    throw new LinkLostError('unknown', `${link.address.label} answered ${String(entries.length)} of ${String(count)} statements.`);
  }
  return { kind: 'committed', entries };
}

/**
 * Runs the ledger's statements in one transaction and returns how many rows each changed.
 * @throws SLUICE_FENCED when one changed another number of rows than it must
 */
export async function transact(
  link: RqliteLink,
  statements: readonly Statement[],
  options: TransactionOptions = {},
): Promise<readonly number[]> {
  if (statements.length === 0) return [];
  const sent: string[] = [];
  const places: number[] = [];
  const guards = new Set<number>();
  for (const { sql, parameters, mustChange } of statements) {
    places.push(sent.length);
    sent.push(writeBound(sql, parameters));
    if (mustChange === undefined) continue;
    guards.add(sent.length);
    sent.push(guardChanges(mustChange));
  }
  const end = await sendWhole(link, sent, options);
  if (end.kind === 'refused') throw toStatementError(link, end.error);
  if (end.kind === 'failed') throw guards.has(end.index) ? fenced(link) : toStatementError(link, end.error);
  return places.map((place) => end.entries[place]?.rowsAffected ?? 0);
}

async function sendWhole(link: RqliteLink, statements: readonly string[], options: TransactionOptions): Promise<TransactionEnd> {
  try {
    return await runTransaction(link, statements, options);
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    throw new SluiceError('SLUICE_TARGET_FAILED', `${link.address.label} does not take ${error.message}.`, {
      cause: error,
      hint: 'Raise the limit of the proxy before it.',
    });
  }
}

function fenced(link: RqliteLink): SluiceError {
  return new SluiceError('SLUICE_FENCED', `The ledger in ${link.address.label} was changed by another process at the same moment.`, {
    hint: 'Run the same command again.',
  });
}
