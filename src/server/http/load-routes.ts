/** `/loads`: rows in, a report out; what loads there were, and how one of them goes on. Behind them is the same load as on the command line. */
import type { ServerResponse } from 'node:http';
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { LoadReport, LoadStatus } from '../../load/options.ts';
import { status } from '../../load/control/status.ts';
import type { Reply } from '../engine/contract.ts';
import { BodyError } from './body.ts';
import { refuseBody, refuseReadOnly } from './data-routes.ts';
import { writeExactJson } from './exact-json.ts';
import type { Exchange, Handler, Room } from './exchange.ts';
import type { LoadEvent } from './load-desk.ts';
import { replyFailure } from './load-reply.ts';
import { readLoadOrder } from './load-request.ts';
import { jsonType, refuse, replyText } from './reply.ts';

/** How often the ledger is asked about a load that another process runs. */
const pollMs = 1000;
/** A comment line keeps proxies from closing a quiet stream. */
const heartbeatMs = 15_000;

export const postLoad: Handler = async (exchange, room) => {
  if (room.facts.isReadOnly) return refuseReadOnly();
  const { request, response, parameters } = exchange;
  try {
    const order = readLoadOrder(parameters.values, request.headers['content-type'], room.facts.target);
    const body = room.bodies.streamBody(request, response, () => room.limits.maxUploadBytes);
    const report = await room.loads.run(order, body);
    room.log.write('info', 'load', { load: report.load, state: report.state, table: report.table, written: report.counts.written });
    return replyReport(report, parameters.values.has('pretty'));
  } catch (error) {
    if (error instanceof BodyError) return refuseBody(error.failure);
    if (isSluiceError(error)) return replyFailure(error);
    throw error;
  }
};

/** 200 also with rejects: the report counts them. A load that stopped on the way is 422, and its `next` says how to go on. */
function replyReport(report: LoadReport, isPretty: boolean): Reply {
  const isDone = report.state === 'done' || report.state === 'nothing_to_do';
  const reply = replyText(isDone ? 200 : 422, jsonType, writeExactJson(report, isPretty));
  return { ...reply, headers: { Location: `/loads/${encodeURIComponent(report.load)}` } };
}

export const listLoads: Handler = async ({ parameters: { values } }, { facts }) => {
  try {
    return replyText(200, jsonType, writeExactJson({ loads: await status({ in: facts.target }) }, values.has('pretty')));
  } catch (error) {
    // Without a ledger nothing has been loaded yet.
    if (isSluiceError(error, 'SLUICE_LOAD_UNKNOWN')) return replyText(200, jsonType, '{"loads":[]}');
    if (isSluiceError(error)) return replyFailure(error);
    throw error;
  }
};

/** `/loads/:id` and `/loads/:id/events`; a label serves as well as an id. */
export const showLoad: Handler = async (exchange, room) => {
  const [name = '', part, ...rest] = exchange.path.slice('/loads/'.length).split('/');
  if (name === '' || rest.length > 0 || (part !== undefined && part !== 'events')) return refuse(404, 'no such load');
  try {
    if (part === 'events') return await tellEvents(exchange, room, name);
    const found = await findStatus(room, name);
    return replyText(200, jsonType, writeExactJson(found, exchange.parameters.values.has('pretty')));
  } catch (error) {
    if (isSluiceError(error)) return replyFailure(error);
    throw error;
  }
};

async function findStatus({ facts }: Room, name: string): Promise<LoadStatus> {
  const [found] = await status({ in: facts.target, load: name });
  if (found === undefined) throw new SluiceError('SLUICE_LOAD_UNKNOWN', `There is no load ${name}.`);
  return found;
}

/** Server-sent events until the load has ended: from its thread where it runs here, else from the ledger. */
async function tellEvents({ response }: Exchange, room: Room, name: string): Promise<undefined> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const stop = room.loads.watch(name, (event) => {
    writeEvent(response, event.kind, describeEvent(event));
    if (event.kind !== 'progress') resolve();
  });
  const first = stop === undefined ? await findStatus(room, name) : undefined;
  startEvents(response, room);
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatMs);
  response.on('close', resolve);
  try {
    if (first === undefined) await ended;
    else await pollEvents({ response, room, name, first });
  } finally {
    clearInterval(heartbeat);
    stop?.();
    response.end();
  }
  return undefined;
}

function startEvents(response: ServerResponse, room: Room): void {
  response.writeHead(200, [...room.headers, 'Content-Type', 'text/event-stream', 'Cache-Control', 'no-store']);
  response.flushHeaders();
}

function describeEvent(event: LoadEvent): unknown {
  if (event.kind === 'progress') return event.progress;
  if (event.kind === 'done') return event.report;
  const { code, message, hint, problems } = event.error;
  return { code, message, hint, problems };
}

interface Polling {
  readonly response: ServerResponse;
  readonly room: Room;
  readonly name: string;
  readonly first: LoadStatus;
}

async function pollEvents({ response, room, name, first }: Polling): Promise<void> {
  let found = first;
  while (isGoingOn(found) && !response.destroyed && !room.stopping.aborted) {
    writeEvent(response, 'progress', found);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    found = await findStatus(room, name);
  }
  writeEvent(response, isGoingOn(found) ? 'progress' : 'done', found);
}

function isGoingOn({ state }: LoadStatus): boolean {
  return state === 'running' || state === 'paused';
}

/** A client that reads too slowly misses steps rather than filling memory. */
function writeEvent(response: ServerResponse, name: string, data: unknown): void {
  if (name === 'progress' && response.writableNeedDrain) return;
  response.write(`event: ${name}\ndata: ${writeExactJson(data)}\n\n`);
}
