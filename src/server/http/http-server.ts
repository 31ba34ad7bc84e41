/** The HTTP server itself: sockets, deadlines, the log line of each request, and an end in which every request in flight is answered. */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import process from 'node:process';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { linger, openConnections, type Connections } from './connections.ts';
import type { Limits } from './limits.ts';
import { writeReply } from './reply.ts';
import { answerRequest, type Answered, type Router } from './router.ts';
import type { TlsMaterial } from './tls.ts';

export type AnyServer = Server | TlsServer;

/** How often connections that lie idle are looked for while the server stops. */
const idleCheckMs = 20;
/** Connections that may wait to be taken; the system's own limit, often 4,096, goes before it. */
export const backlog = 4096;

/** What each server has open. */
const connectionsOf = new WeakMap<AnyServer, Connections>();

export function countConnections(servers: readonly AnyServer[]): number {
  return servers.reduce((sum, server) => sum + (connectionsOf.get(server)?.count ?? 0), 0);
}

/**
 * Not imported: an import reads every export of the module, and some of node:http's load the client behind `fetch` (14 MB of a server that lies idle); TLS is
 * 6 MB more.
 */
const http = process.getBuiltinModule('node:http');

/** A server that does not listen yet. */
export function createHttpServer(router: Router, tls: TlsMaterial | undefined): AnyServer {
  const { limits } = router.room;
  const handle = (request: IncomingMessage, response: ServerResponse): void =>
    void serveRequest(request, response, { router, connections });
  const connections = openConnections();
  const options = describeOptions(limits);
  const server =
    tls === undefined
      ? http.createServer(options, handle)
      : process
          .getBuiltinModule('node:https')
          .createServer({ ...options, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: limits.headerTimeoutMs }, handle);
  // Whether a body is wanted is known once the request has been checked: the handler says so itself.
  server.on('checkContinue', handle);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => connections.refuse(error, socket));
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Duplex) => connections.add(socket));
  connectionsOf.set(server, connections);
  // A client that reads nothing of its answer is cut off; while an answer is still being made, silence is the server's.
  server.setTimeout(limits.writeTimeoutMs, (socket: Socket) => {
    if (socket.writableLength > 0 || connections.isIdle(socket)) socket.destroy();
  });
  server.maxConnections = limits.maxConnections;
  // A client may shut its side of the connection once it has asked (`nc -N`); without this it would never be answered.
  (server as AnyServer & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  return server;
}

function describeOptions(limits: Limits): ServerOptions {
  return {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headerTimeoutMs,
    // Bodies have deadlines of their own, see body.ts: how long one may take depends on its size.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.max(100, Math.min(1000, limits.headerTimeoutMs / 4)),
    noDelay: true,
  };
}

interface Serving {
  readonly router: Router;
  readonly connections: Connections;
}

async function serveRequest(request: IncomingMessage, response: ServerResponse, { router, connections }: Serving): Promise<void> {
  const startedMs = performance.now();
  const { room } = router;
  connections.begin(request);
  // A socket that breaks while an answer is written is no error of the server.
  response.on('error', () => undefined);
  const answered = await answerRequest(request, response, router);
  try {
    await finish(request, response, { router, answered });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    room.log.write('error', 'answer cut off', { route: answered.label, message });
  }
  connections.end(request);
  const durationMs = performance.now() - startedMs;
  const status = answered.reply?.status ?? (response.headersSent ? response.statusCode : 499);
  room.metrics.count(answered.label, status, durationMs);
  if (room.log.wants('debug')) {
    const ms = Math.round(durationMs * 1000) / 1000;
    room.log.write('debug', 'request', { method: request.method, route: answered.label, status, ms, peer: request.socket.remoteAddress });
  }
}

interface Finishing {
  readonly router: Router;
  readonly answered: Answered;
}

async function finish(request: IncomingMessage, response: ServerResponse, { router, answered }: Finishing): Promise<void> {
  const { room } = router;
  const { reply } = answered;
  if (reply === undefined) {
    if (!response.writableEnded) response.destroy();
    return;
  }
  const served = answered.isServed ? ['X-RQLITE-SERVED-BY', room.facts.address] : [];
  const isUnread = !request.complete && hasBody(request);
  const isCut = isUnread && !isWorthReading(request, reply.status);
  if (isCut) lingerAtEnd(request);
  else if (isUnread) room.bodies.discardRest(request);
  const isLast = isCut || room.stopping.aborted;
  await writeReply(response, reply, {
    headers: [...room.headers, ...served, ...(isLast ? ['Connection', 'close'] : [])],
    isHead: request.method === 'HEAD',
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
}

/** Up to here an unwanted body is read to its end, so that the connection can stay; as Go's net/http has it. */
const maxDiscardBytes = 256 * 1024;

/** Not one that came too slowly or is too large, and not one that the client still waits to be asked for. */
function isWorthReading({ headers }: IncomingMessage, status: number): boolean {
  const byteCount = Number(headers['content-length'] ?? Infinity);
  return byteCount <= maxDiscardBytes && status !== 408 && status !== 413 && headers.expect === undefined;
}

/** Node closes the socket as soon as the answer is out; here it only says that it has ended, and waits for the client to have read it. */
function lingerAtEnd(request: IncomingMessage): void {
  const { socket } = request;
  request.resume();
  socket.destroySoon = () => {
    socket.end();
    linger(socket);
  };
}

/** Ends a server: no new connections; those in flight are answered, up to the deadline. */
export async function closeServers(servers: readonly AnyServer[], stopTimeoutMs: number): Promise<void> {
  const closed = Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  let isClosed = false;
  void closed.then(() => (isClosed = true));
  const untilMs = performance.now() + stopTimeoutMs;
  while (!isClosed && performance.now() < untilMs) {
    for (const server of servers) connectionsOf.get(server)?.closeIdle();
    await Promise.race([closed, sleep(idleCheckMs)]);
  }
  for (const server of servers) server.closeAllConnections();
  await closed;
}
