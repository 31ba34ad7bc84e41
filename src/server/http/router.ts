/** From a request to its answer: query string, route, permission, method, then the handler. The order is rqlite's, and every step may end it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isSluiceError } from '../../errors.ts';
import type { Reply } from '../engine/contract.ts';
import type { Exchange, Room } from './exchange.ts';
import { readParameters, type Parameters } from './parameters.ts';
import { decodePath } from './query-string.ts';
import { refuse, replyEmpty } from './reply.ts';
import { routes } from './route-list.ts';
import type { Method, Route } from './route-table.ts';
import type { Users } from './users.ts';

const byPath: ReadonlyMap<string, Route> = new Map(routes.map((route) => [route.path, route]));
const prefixes: readonly Route[] = routes.filter((route) => route.isPrefix);

/** The route that takes a path. */
export function findRoute(path: string): Route | undefined {
  return byPath.get(path) ?? prefixes.find((route) => path.startsWith(route.path));
}

/** What a request came to. */
export interface Answered {
  /** undefined: there is nobody to answer, or it has been answered. */
  readonly reply: Reply | undefined;
  /** Names the request in metrics and log: a route's path, never the request's own. */
  readonly label: string;
  readonly isServed: boolean;
}

interface Target {
  readonly path: string;
  readonly query: string;
}

/** Splits a request target; also in the absolute form, as proxies send it. */
function splitTarget(url: string): Target {
  const target = url.startsWith('/') ? url : url.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?]*/i, '');
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

function end(reply: Reply, label: string): Answered {
  return { reply, label, isServed: false };
}

/** Answers one request. Never rejects: what goes wrong inside is an answer as well. */
export async function answerRequest(request: IncomingMessage, response: ServerResponse, { room, users }: Router): Promise<Answered> {
  if (request.method === 'OPTIONS') return end(replyEmpty(200), 'OPTIONS');
  const target = splitTarget(request.url ?? '/');
  const { parameters, error } = readParameters(target.query);
  if (parameters === undefined) return end(refuse(400, error), 'bad query');
  const path = decodePath(target.path);
  if (path === undefined) return end(refuse(400, 'invalid URL escape in path'), 'bad path');
  const route = findRoute(path === '' ? '/' : path);
  if (route === undefined) return end(replyEmpty(404), 'not found');
  const refusal = checkRoute({ request, route, parameters, users, room });
  if (refusal !== undefined) return end(refusal, route.path);
  const exchange: Exchange = { request, response, path, parameters, isServed: false };
  try {
    const reply = await route.handle(exchange, room);
    return { reply, label: route.path, isServed: exchange.isServed && reply !== undefined && isFromEngine(reply) };
  } catch (thrown) {
    return end(replyThrown(thrown, route, room), route.path);
  }
}

export interface Router {
  readonly room: Room;
  readonly users: Users | undefined;
}

interface Check extends Router {
  readonly request: IncomingMessage;
  readonly route: Route;
  readonly parameters: Parameters;
}

function checkRoute({ request, route, parameters, users, room }: Check): Reply | undefined {
  if (parameters.reading.isStrict) {
    const unknown = [...parameters.values.keys()].filter((name) => !route.parameters.some((known) => known === name));
    if (unknown.length > 0) return refuse(400, `unknown parameter: ${unknown.join(', ')}`);
  }
  if (users !== undefined && route.permissions.length > 0) {
    const isAllowed = users.allows(request.headers.authorization, route.permissions);
    room.counters[isAllowed ? 'auth_ok' : 'auth_fail']++;
    if (!isAllowed) return replyEmpty(401, route.refusalType);
  }
  return route.methods === 'any' || route.methods.includes(request.method as Method) ? undefined : replyEmpty(405, route.refusalType);
}

const refusedPragma = Buffer.from('disallowed pragma');

/** Only what the database itself answered names its node: not a request that was refused before, and not one whose PRAGMA was. */
function isFromEngine({ status, body }: Reply): boolean {
  if (status === 500) return true;
  return status === 200 && !(body instanceof Uint8Array && body.length < 100 && isRefusedPragma(body));
}

function isRefusedPragma(body: Uint8Array): boolean {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  // Short bodies only: one with a result of its own has more to say before the error.
  return text.includes(refusedPragma) && /^\{\s*"results":\s*\[\],/.test(text.toString('utf8'));
}

/** The engine or the queue could not take it: for now is 503, for good 500. What sluice did not foresee is told to the log, not to the client. */
function replyThrown(thrown: unknown, route: Route, room: Room): Reply {
  if (isSluiceError(thrown)) {
    room.log.write('error', 'request failed', { route: route.path, code: thrown.code, message: thrown.message });
    const isPassing = thrown.isTransient || thrown.code === 'SLUICE_CLOSED';
    return isPassing ? refuse(503, thrown.message, { 'Retry-After': '1' }) : refuse(thrown.exitCode === 2 ? 400 : 500, thrown.message);
  }
  const stack = thrown instanceof Error ? thrown.stack : String(thrown);
  room.log.write('error', 'request failed', { route: route.path, code: 'SLUICE_INTERNAL', stack });
  return refuse(500, 'internal error');
}
