/** The routes that tell of the node: `/status`, `/nodes`, `/leader`, `/readyz`, `/debug/vars`, and those that act on a cluster, answered as a single node does. */
import type { Reply } from '../engine/contract.ts';
import { refuseBody } from './data-routes.ts';
import { writeExactJson } from './exact-json.ts';
import type { Exchange, Handler, Room } from './exchange.ts';
import { jsonType, refuse, replyEmpty, replyText, textType } from './reply.ts';
import { describeStatus, nodeId, selectKey } from './status.ts';
import { rqliteVersion } from './version.ts';

export const status: Handler = async ({ parameters: { values } }, { engine, queue, facts, counters }) => {
  counters.num_status++;
  const document = describeStatus({ server: facts, engine: await engine.readFacts(), queue: queue?.facts() });
  const key = values.get('key') ?? '';
  // A part of it is never indented, whatever `pretty` says.
  const text = key === '' ? writeExactJson(document, values.has('pretty')) : writeExactJson(selectKey(document, key));
  return replyText(200, jsonType, text);
};

/** A map by id, as old clients want it, or with `ver=2` a list. */
export const nodes: Handler = (exchange, room) => {
  const { values } = exchange.parameters;
  const node = describeNode(exchange, room);
  const isList = values.get('ver') === '2';
  return replyText(200, jsonType, writeExactJson(isList ? { nodes: [node] } : { [nodeId]: node }, values.has('pretty')));
};

export const leader: Handler = (exchange, room) => {
  if (exchange.request.method === 'POST') return refuse(503, 'cannot find peer');
  return replyText(200, jsonType, writeExactJson(describeNode(exchange, room), exchange.parameters.values.has('pretty')));
};

interface NodeEntry {
  readonly id: string;
  readonly api_addr: string;
  readonly addr: string;
  readonly version: string;
  readonly voter: boolean;
  readonly reachable: boolean;
  readonly leader: boolean;
  readonly time: number;
  readonly time_s: string;
}

/** Clients connect to `api_addr`: it is the address that this one came by where the server listens on all. */
function describeNode({ request }: Exchange, { facts }: Room): NodeEntry {
  const isEverywhere = /^(?:0\.0\.0\.0|\[::\]):/.test(facts.address);
  const { host = '' } = request.headers;
  const address = isEverywhere && /^[\w.:[\]-]+$/.test(host) ? host : facts.address;
  return {
    id: nodeId,
    api_addr: `${facts.hasTls ? 'https' : 'http'}://${address}`,
    addr: facts.nodeAddress,
    version: rqliteVersion,
    voter: true,
    reachable: true,
    leader: true,
    time: 0.000_001,
    time_s: '1µs',
  };
}

export const readyz: Handler = async ({ parameters: { values } }, { engine, counters }) => {
  counters.num_readyz++;
  if (values.has('noleader')) return replyText(200, textType, '[+]node ok');
  // An engine that is gone makes this fail: the node is not ready then.
  await engine.readFacts();
  const lines = ['[+]node ok', '[+]leader ok', '[+]store ok', ...(values.has('sync') ? ['[+]sync ok'] : []), '[+]db ok'];
  return replyText(200, textType, lines.join('\n'));
};

/** In the layout of Go's expvar: a line for each name. */
export const variables: Handler = async ({ parameters: { values } }, { engine, queue, counters }) => {
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  const { appliedIndex, sizeBytes } = await engine.readFacts();
  const all: Readonly<Record<string, unknown>> = {
    cmdline: [process.execPath],
    db: { applied_index: appliedIndex, size: sizeBytes },
    http: counters,
    memstats: { Sys: rss, HeapSys: heapTotal, HeapAlloc: heapUsed },
    queue: queue?.facts() ?? {},
  };
  const key = values.get('key') ?? '';
  const shown = Object.entries(all).filter(([name]) => key === '' || name === key);
  return replyText(200, jsonType, `{\n${shown.map(([name, value]) => `"${name}": ${writeExactJson(value)}`).join(',\n')}\n}\n`);
};

/** The writes that the last snapshot was asked for at, by engine: without newer ones there is nothing to do. */
const snapshots = new WeakMap<Room['engine'], number>();

/** Every commit is durable in the database itself, so there is no log to be cut: the answers are rqlite's, the work is none. */
export const snapshot: Handler = async (_exchange, { engine, counters }) => {
  counters.user_snapshots++;
  const { appliedIndex } = await engine.readFacts();
  const isNews = appliedIndex > (snapshots.get(engine) ?? 0);
  snapshots.set(engine, appliedIndex);
  return replyEmpty(isNews ? 200 : 204);
};

export const reap: Handler = (_exchange, { counters }) => {
  counters.user_reaps++;
  return replyText(200, jsonType, '{"snapshots_reaped":0,"wals_reaped":0}');
};

/** A body must be `{"id": "…"}`; there is no other node to remove, and this one can't leave itself. */
export const remove: Handler = async (exchange, room) => {
  const body = await room.bodies.readBody(exchange.request, exchange.response);
  if (!(body instanceof Uint8Array)) return refuseBody(body);
  const id = readId(body);
  if (id === undefined) return replyEmpty(400);
  if (id === nodeId) return refuse(500, 'the only node of a cluster can not be removed');
  exchange.isServed = true;
  return replyEmpty(200);
};

function readId(body: Buffer): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (value === null || typeof value !== 'object' || Object.keys(value).length !== 1) return undefined;
  const { id } = value as { readonly id?: unknown };
  return typeof id === 'string' ? id : undefined;
}

/** rqlite's page for people is at `/console/`; here is a page of our own. */
export const home: Handler = () => redirect(302, 'Found');
export const consoleWithoutSlash: Handler = () => redirect(301, 'Moved Permanently');

function redirect(code: number, text: string): Reply {
  const body = Buffer.from(`<a href="/console/">${text}</a>.\n\n`);
  return { status: code, contentType: 'text/html; charset=utf-8', headers: { Location: '/console/' }, body };
}
