/** Brings one group of requests into the database, however often it takes: what is transient is tried again, and one request that makes the engine fail is passed over alone. */
import { isSluiceError } from '../../errors.ts';
import type { Engine, QueuedOutcome, QueuedRequest } from '../engine/contract.ts';
import type { QueueNotice } from './contract.ts';
import { isEmptyList, type LogRecord } from './record.ts';

/** Between two tries: short enough that a lock held for a moment is not felt, long enough that a full disk is not hammered. */
const firstWaitMs = 50;
const longestWaitMs = 5_000;

/** A request without statements, which the engine commits with the position of the request that it stands for. */
const nothing: Uint8Array = Buffer.from('[""]');

export interface ApplyContext {
  readonly engine: Engine;
  readonly isTransaction: boolean;
  readonly onNotice: (notice: QueueNotice) => void;
  /** Called with each failure, and with undefined when the engine takes requests again. */
  readonly onState: (error: string | undefined) => void;
  /** Waits between two tries; false when the queue ends and no more may be tried. */
  readonly waitAgain: (waitMs: number) => Promise<boolean>;
}

/** Outcomes in order; undefined when the queue ended first. A group that had been committed before a crash or a lost answer has fewer of them. */
export async function applyGroup(context: ApplyContext, records: readonly LogRecord[]): Promise<QueuedOutcome[] | undefined> {
  const requests = records.filter((record) => !isEmptyList(record.body));
  const outcomes = await applyRequests(context, requests);
  if (outcomes === undefined) return undefined;
  for (const { sequence, body } of records) {
    if (isEmptyList(body)) outcomes.push({ sequence, applied: 0, errors: [] });
  }
  return outcomes.sort((left, right) => (left.sequence < right.sequence ? -1 : 1));
}

async function applyRequests(context: ApplyContext, requests: readonly QueuedRequest[]): Promise<QueuedOutcome[] | undefined> {
  const [first] = requests;
  if (first === undefined) return [];
  for (let pauseMs = firstWaitMs; ; pauseMs = Math.min(2 * pauseMs, longestWaitMs)) {
    const attempt = await tryOnce(context, requests);
    if ('outcomes' in attempt) return [...attempt.outcomes];
    const { message, isTransient } = attempt;
    if (!isTransient && requests.length > 1) return applyHalves(context, requests);
    const buried = isTransient ? undefined : await bury(context, first, message);
    if (buried !== undefined) return [buried];
    context.onNotice({ kind: 'retry', message: `queued requests could not be applied, again in ${pauseMs} ms: ${message}` });
    if (!(await context.waitAgain(pauseMs))) return undefined;
  }
}

type Attempt = { readonly outcomes: readonly QueuedOutcome[] } | { readonly message: string; readonly isTransient: boolean };

async function tryOnce(context: ApplyContext, requests: readonly QueuedRequest[]): Promise<Attempt> {
  try {
    const outcomes = await context.engine.applyQueued(requests, context.isTransaction);
    context.onState(undefined);
    return { outcomes };
  } catch (error) {
    const message = describe(error);
    context.onState(message);
    return { message, isTransient: isSluiceError(error) && error.isTransient };
  }
}

/** Looks for the one that makes the group fail; the halves keep the order. */
async function applyHalves(context: ApplyContext, requests: readonly QueuedRequest[]): Promise<QueuedOutcome[] | undefined> {
  const middle = requests.length >> 1;
  const left = await applyRequests(context, requests.slice(0, middle));
  const right = left && (await applyRequests(context, requests.slice(middle)));
  return right && left && [...left, ...right];
}

/**
 * Commits nothing in the place of a request that the engine failed at. Only an engine that can commit passes a request over: where it
 * can't, the fault is not the request's, and it is tried again.
 */
async function bury(context: ApplyContext, request: QueuedRequest, message: string): Promise<QueuedOutcome | undefined> {
  const attempt = await tryOnce(context, [{ sequence: request.sequence, body: nothing, isStrict: false }]);
  if (!('outcomes' in attempt)) return undefined;
  context.onNotice({
    kind: 'buried',
    message: `request ${request.sequence} of the queue was passed over, because the engine failed at it: ${message}`,
  });
  return { sequence: request.sequence, applied: 0, errors: [{ index: 0, message }] };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
