/** Sends the statements of a unit in one request, and tells by place what came of each. */
import { LinkLostError } from '../link.ts';
import { BodyTooLarge, callData, toWholeError, type Entry } from './answer.ts';
import { SluiceError } from '../../errors.ts';
import type { RqliteLink } from './link.ts';
import { unwrapTrial, wrapTrial } from './trial.ts';

/** On `/db/execute?transaction` any error undoes all: the last statement, so that what came before tells of itself and leaves no trace. */
const stopStatement = '["sluice_stop"]';

export interface UnitCall {
  readonly link: RqliteLink;
  readonly signal: AbortSignal | undefined;
  /** When the whole unit has to be done, by `performance.now()`. */
  readonly deadline: number;
  readonly timeoutMs: number;
}

/** How a request with `transaction` ended. */
export type UnitEnd =
  | { readonly kind: 'kept'; readonly entries: readonly Entry[] }
  | { readonly kind: 'undone'; readonly index: number; readonly error: string; readonly entries: readonly Entry[] }
  | { readonly kind: 'refused'; readonly error: string };

interface Sending {
  readonly route: 'execute' | 'query' | 'request';
  readonly parameters: readonly string[];
  readonly statements: readonly string[];
}

/** @throws LinkLostError, SLUICE_TARGET_BUSY, SLUICE_TARGET_… */
async function send(
  { link, signal, deadline, timeoutMs }: UnitCall,
  { route, parameters, statements }: Sending,
): Promise<readonly Entry[] | string> {
  const leftMs = Math.floor(deadline - performance.now());
  if (leftMs <= 0) {
    throw new SluiceError(
      'SLUICE_TARGET_BUSY',
      `A unit of statements took longer than ${String(timeoutMs)} ms on ${link.address.label}; none of it was kept.`,
      {
        hint: 'Make smaller units, or allow more time.',
      },
    );
  }
  try {
    const isRead = route === 'query';
    const answer = await callData(link, {
      route,
      parameters,
      statements,
      isRead,
      signal,
      timeoutMs: leftMs,
      leaderTimeoutMs: Math.min(leftMs, link.leaderTimeoutMs),
    });
    if (answer.error === undefined) return answer.entries;
    if (/FOREIGN KEY constraint failed/iu.test(answer.error) && parameters.includes('transaction')) return answer.error;
    throw toWholeError(link, answer.error, isRead);
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    throw new SluiceError(
      'SLUICE_TARGET_FAILED',
      `${link.address.label} does not take ${error.message}, which a unit of statements came to.`,
      {
        cause: error,
        hint: 'Make smaller units.',
      },
    );
  }
}

function checkCount({ link }: UnitCall, entries: readonly Entry[], count: number): void {
  if (entries.length === count) return;
  throw new LinkLostError('unknown', `${link.address.label} answered ${String(entries.length)} of ${String(count)} statements.`);
}

/** Statements that only read: of one moment each, and sent again where the link breaks. */
export async function sendReads(call: UnitCall, statements: readonly string[]): Promise<readonly Entry[]> {
  const entries = await send(call, { route: 'query', parameters: ['level=linearizable'], statements });
  if (typeof entries === 'string') throw toWholeError(call.link, entries, true);
  checkCount(call, entries, statements.length);
  return entries;
}

/** Each alone, in one entry of the Raft log: nothing of another request comes between, and all are run or none. */
export async function sendAlone(call: UnitCall, statements: readonly string[], givesRows: boolean): Promise<readonly Entry[]> {
  const entries = await send(call, { route: givesRows ? 'request' : 'execute', parameters: [], statements });
  if (typeof entries === 'string') throw toWholeError(call.link, entries, false);
  checkCount(call, entries, statements.length);
  return entries;
}

/** All or nothing. */
export async function sendTogether(call: UnitCall, statements: readonly string[], givesRows: boolean): Promise<UnitEnd> {
  // Up to v10.2.7 `/db/request` goes on after a statement that can't be compiled, and keeps the rest: the last entry tells whether it did.
  const sent = givesRows ? [...statements, '["SELECT 1"]'] : statements;
  const entries = await send(call, { route: givesRows ? 'request' : 'execute', parameters: ['transaction'], statements: sent });
  if (typeof entries === 'string') return { kind: 'refused', error: entries };
  const index = entries.findIndex((entry) => entry.error !== undefined);
  if (index >= 0 && index === entries.length - 1) return { kind: 'undone', index, error: entries[index]?.error ?? '', entries };
  checkCount(call, entries, sent.length);
  return { kind: 'kept', entries: entries.slice(0, statements.length) };
}

/** What a transaction of these statements would do; it leaves no trace. `kept` has the entries as they would be, without rows. */
export async function tryTogether(call: UnitCall, statements: readonly string[]): Promise<UnitEnd> {
  const end = await sendTraceless(() => sendTogether(call, [...statements, stopStatement], false));
  if (end.kind === 'undone' && end.index === statements.length) return { kind: 'kept', entries: end.entries.slice(0, statements.length) };
  return end;
}

/** What each statement would do alone, after those before it; it leaves no trace. Only where nothing can end a savepoint (ROLLBACK in a trigger or a clause). */
export async function tryAlone(call: UnitCall, statements: readonly string[]): Promise<readonly Entry[]> {
  const entries = await sendTraceless(() => sendAlone(call, wrapTrial(statements), false));
  return unwrapTrial(call.link, entries);
}

async function sendTraceless<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof LinkLostError)) throw error;
    throw new LinkLostError('no', error.message, { cause: error });
  }
}
