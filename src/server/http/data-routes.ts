/** The routes that run statements: `/db/execute`, `/db/query`, `/db/request`, `/db/sql`, and the queue's. They hand bytes to the engine and its answer back. */
import { checkBody } from '../engine/check-body.ts';
import type { DataOptions, Reply } from '../engine/contract.ts';
import type { BodyFailure } from './body.ts';
import type { Exchange, Handler, Room } from './exchange.ts';
import { writeExactJson } from './exact-json.ts';
import { readTimeoutMs } from './parameters.ts';
import { jsonType, refuse, replyText } from './reply.ts';

/** As rqlite's, for `wait`. */
const defaultWaitMs = 30_000;

/** Outcomes in one answer of `/queue/outcomes`, and at most. */
const defaultOutcomes = 1000;
const maxOutcomes = 10_000;

export const execute: Handler = async (exchange, room) => {
  const body = await room.bodies.readBody(exchange.request, exchange.response);
  if (!(body instanceof Uint8Array)) return refuseBody(body);
  room.counters.executions++;
  const isPlainText = isText(exchange);
  if (exchange.parameters.values.has('queue')) return enqueue({ exchange, room, body, isPlainText });
  exchange.isServed = true;
  return room.engine.handle({ route: 'execute', body, isPlainText, options: chooseWriting(exchange) });
};

export const query: Handler = async (exchange, room) => {
  const { parameters, request } = exchange;
  exchange.isServed = true;
  room.counters.queries++;
  if (request.method === 'GET') {
    const sql = parameters.values.get('q');
    if (sql === undefined) return replyNoResults(exchange);
    return room.engine.handle({ route: 'query', body: Buffer.from(sql), isPlainText: true, options: parameters.reading });
  }
  const body = await room.bodies.readBody(request, exchange.response);
  if (!(body instanceof Uint8Array)) return refuseBody(body);
  return room.engine.handle({ route: 'query', body, isPlainText: isText(exchange), options: parameters.reading });
};

/** Takes JSON only, whatever its content type says. */
export const request: Handler = async (exchange, room) => {
  const body = await room.bodies.readBody(exchange.request, exchange.response);
  if (!(body instanceof Uint8Array)) return refuseBody(body);
  room.counters.requests++;
  exchange.isServed = true;
  return room.engine.handle({ route: 'request', body, isPlainText: false, options: chooseWriting(exchange) });
};

/** sluice's own driver says with each request that it keeps the ledger; nobody else writes there by accident. */
function chooseWriting({ parameters, request: { headers } }: Exchange): DataOptions {
  return headers['x-sluice-ledger'] === 'yes' ? { ...parameters.writing, mayWriteLedger: true } : parameters.writing;
}

/** What statements would be rewritten to before they are run. */
export const analyze: Handler = async (exchange, room) => {
  const { parameters } = exchange;
  room.counters.sql_analyze++;
  if (exchange.request.method === 'GET') {
    const sql = parameters.values.get('q');
    if (sql === undefined) return refuse(400, 'query not specified');
    return room.engine.analyze({ route: 'query', body: Buffer.from(sql), isPlainText: true, options: parameters.writing });
  }
  const body = await room.bodies.readBody(exchange.request, exchange.response);
  if (!(body instanceof Uint8Array)) return refuseBody(body);
  return room.engine.analyze({ route: 'query', body, isPlainText: isText(exchange), options: parameters.writing });
};

/** What became of queued requests, by their sequence numbers: what `?queue` itself can't tell. */
export const queueOutcomes: Handler = ({ parameters }, { queue }) => {
  if (queue === undefined) return refuseReadOnly();
  const since = parameters.values.get('since') ?? '0';
  const limit = Number(parameters.values.get('limit') ?? defaultOutcomes);
  if (!/^\d{1,19}$/.test(since)) return refuse(400, 'since is not a valid sequence number');
  if (!Number.isInteger(limit) || limit < 1) return refuse(400, 'limit is not a valid integer');
  const outcomes = queue.outcomes(BigInt(since), Math.min(limit, maxOutcomes)).map((outcome) => ({
    sequence_number: outcome.sequence,
    applied: outcome.applied,
    errors: outcome.errors,
  }));
  return replyText(200, jsonType, writeExactJson({ outcomes }, parameters.values.has('pretty')));
};

function isText({ request: { headers } }: Exchange): boolean {
  return headers['content-type']?.startsWith('text/plain') ?? false;
}

/** How a body that did not come is answered; not at all when the client is gone. */
export function refuseBody(failure: BodyFailure): Reply | undefined {
  if (failure === 'gone') return undefined;
  if (failure === 'no room') return refuse(503, 'too many large request bodies at once', { 'Retry-After': '1' });
  return failure === 'too large' ? refuse(413, 'request body too large') : refuse(408, 'request body took too long');
}

export function refuseReadOnly(): Reply {
  return refuse(403, 'this server is read-only');
}

interface QueuedCall {
  readonly exchange: Exchange;
  readonly room: Room;
  readonly body: Buffer;
  readonly isPlainText: boolean;
}

/** Acknowledged once it is durable; a body that could not be run is refused now, for nobody would hear of it later. */
async function enqueue({ exchange, room, body, isPlainText }: QueuedCall): Promise<Reply> {
  const { values } = exchange.parameters;
  const { queue, counters } = room;
  if (queue === undefined) return refuseReadOnly();
  const isWaiting = values.has('wait');
  const mistake = checkBody(body, isPlainText);
  const isBarrier = isWaiting && mistake === 'no statements';
  if (mistake !== undefined && !isBarrier) return refuse(400, mistake);
  counters.queued_executions++;
  const startedMs = performance.now();
  // Without statements it only waits for those before it.
  const kept = isBarrier ? Buffer.from('[]') : isPlainText ? Buffer.from(JSON.stringify([body.toString('utf8')])) : body;
  const sequence = await queue.add({ body: kept, isStrict: values.has('strict') });
  if (isWaiting) {
    counters.queued_executions_wait++;
    const end = await queue.waitFor(sequence, readTimeoutMs(values, defaultWaitMs));
    if (end === 'timeout') {
      counters.queued_executions_wait_timeout++;
      return refuse(408, 'queue wait timeout');
    }
  }
  counters.queued_executions_ok++;
  const time = (performance.now() - startedMs) / 1000;
  const answer = { results: [], ...(values.has('timings') ? { time } : {}), sequence_number: sequence };
  return replyText(200, jsonType, writeExactJson(answer, values.has('pretty')));
}

function replyNoResults({ parameters: { values } }: Exchange): Reply {
  return replyText(200, jsonType, writeExactJson({ results: [], ...(values.has('timings') ? { time: 0 } : {}) }, values.has('pretty')));
}
