/** `serve`: an SQLite database over HTTP, with rqlite's routes. Opens engine, queue and sockets in this order, and closes them in the opposite one. */
import { refuseUnknownOptions, type NamesOf } from '../option-names.ts';
import { parseSqliteUrl } from '../target/sqlite/connect.ts';
import type { Engine } from './engine/contract.ts';
import { openEngine } from './engine/open-engine.ts';
import { openBodyReader } from './http/body.ts';
import { openCounters } from './http/counters.ts';
import type { Room, ServerFacts } from './http/exchange.ts';
import { closeServers, countConnections, createHttpServer, type AnyServer } from './http/http-server.ts';
import { defaultLimits, type Limits } from './http/limits.ts';
import { defaultListen, describeAddress, isLoopback, listen, parseListen } from './http/listen.ts';
import { openLoadDesk } from './http/load-desk.ts';
import { openLog, type Log, type LogOptions } from './http/log.ts';
import { openMetrics } from './http/metrics.ts';
import { describeRoutes } from './http/openapi.ts';
import { writeDocsPage } from './http/page.ts';
import { routes } from './http/route-list.ts';
import { readTls, type TlsMaterial } from './http/tls.ts';
import { openUsers, type Users } from './http/users.ts';
import { rqliteVersion } from './http/version.ts';
import type { Queue, QueueOptions } from './queue/contract.ts';
import { openQueue } from './queue/open-queue.ts';
import { removeLeftovers } from './store/temporary.ts';

export type { Limits } from './http/limits.ts';
export type { LogFormat, LogLevel, LogOptions } from './http/log.ts';

export interface ServeOptions {
  /** The database: `sqlite:app.db`. It is made when it is missing. */
  readonly to: string;
  /** `host:port`; `localhost:4001` by default, which is 127.0.0.1 and ::1. Port 0 takes any free one. */
  readonly listen?: string | undefined;
  /** rqlite's users file; everybody may do everything without it. */
  readonly auth?: string | undefined;
  /** PEM files; plain HTTP without them. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly isReadOnly?: boolean | undefined;
  readonly checksForeignKeys?: boolean | undefined;
  /** Threads that read; 1 by default. */
  readonly readers?: number | undefined;
  readonly queue?: Pick<QueueOptions, 'isTransaction' | 'capacity' | 'batchSize' | 'timeoutMs'> | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** The value of `Access-Control-Allow-Origin`; the header is left out without it. */
  readonly allowOrigin?: string | undefined;
  /** No log without it. */
  readonly log?: LogOptions | undefined;
}

const serveNames: NamesOf<ServeOptions> = {
  to: true,
  listen: true,
  auth: true,
  cert: true,
  key: true,
  isReadOnly: true,
  checksForeignKeys: true,
  readers: true,
  queue: { isTransaction: true, capacity: true, batchSize: true, timeoutMs: true },
  limits: Object.fromEntries(Object.keys(defaultLimits).map((name) => [name, true] as const)),
  allowOrigin: true,
  log: { format: true, level: true, write: true },
};

export interface RunningServer {
  /** With the port that was taken. */
  readonly url: string;
  readonly port: number;
  /** What is on and what to mind, for people. */
  readonly warnings: readonly string[];
  /**
   * No new connections; requests in flight are answered, the queue is applied, the database closed. May be called again.
   * @throws SLUICE_TARGET_TIMEOUT a statement does not end: everything else is closed, but the process can't end by itself, nor by `process.exit`
   */
  close(): Promise<void>;
}

/**
 * Serves a database until it is closed.
 * @throws SLUICE_USAGE for options and files that can't be used, SLUICE_TARGET_… for the database, SLUICE_TARGET_BUSY for an address in use
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  refuseUnknownOptions('serve', options, serveNames);
  const address = parseListen(options.listen ?? defaultListen);
  const users = options.auth === undefined ? undefined : openUsers(options.auth);
  const tls = readTls(options.cert, options.key);
  const log = openLog(options.log ?? { format: 'json', level: 'error', write: () => undefined });
  const facts = describeServer(options, { users, tls });
  const opened: Opened = { engine: undefined, queue: undefined };
  try {
    const { engine, queue } = await openDatabase({ options, facts, log, opened });
    const closing = new AbortController();
    const servers: AnyServer[] = [];
    const room = makeRoom({ options, facts, log, engine, queue, servers, stopping: closing.signal });
    servers.push(...(await listen(address, () => createHttpServer({ room, users }, tls))));
    const { host, port } = describeAddress(servers[0]!);
    facts.address = `${host}:${port}`;
    facts.nodeAddress = `${host}:${port + 1}`;
    const url = `${facts.hasTls ? 'https' : 'http'}://${address.host === 'localhost' ? 'localhost' : host}:${port}`;
    const warnings = listWarnings({ host: address.host, facts, users });
    log.write('info', 'listening', { url, auth: facts.hasAuth, tls: facts.hasTls, read_only: facts.isReadOnly });
    let closed: Promise<void> | undefined;
    return { url, port, warnings, close: () => (closed ??= closeAll({ room, servers, closing, opened })) };
  } catch (error) {
    await closeDatabase(opened);
    throw error;
  }
}

interface Opened {
  engine: Engine | undefined;
  queue: Queue | undefined;
}

interface Guards {
  readonly users: Users | undefined;
  readonly tls: TlsMaterial | undefined;
}

function describeServer(options: ServeOptions, { users, tls }: Guards): ServerFacts {
  const file = parseSqliteUrl(options.to);
  return {
    // The full path: loads run in threads, and the folder of the process may change.
    target: `sqlite:${file.replaceAll('%', '%25').replaceAll('?', '%3F')}`,
    file,
    isReadOnly: options.isReadOnly ?? false,
    hasAuth: users !== undefined,
    hasTls: tls !== undefined,
    checksForeignKeys: options.checksForeignKeys ?? false,
    startedAt: new Date(),
    address: '',
    nodeAddress: '',
  };
}

interface DatabaseOpening {
  readonly options: ServeOptions;
  readonly facts: ServerFacts;
  readonly log: Log;
  readonly opened: Opened;
}

/** What a statement gets at a stop when the time of its request, and that of the queue, is over. */
const lastStatementMs = 5_000;

async function openDatabase({ options, facts, log, opened }: DatabaseOpening): Promise<{ engine: Engine; queue: Queue | undefined }> {
  const { file, isReadOnly, checksForeignKeys } = facts;
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const engine = await openEngine({
    file,
    isReadOnly,
    checksForeignKeys,
    readers: options.readers,
    guardsLedger: true,
    transactionTimeoutMs: limits.transactionTimeoutMs,
    closeTimeoutMs: Math.min(limits.stopTimeoutMs, lastStatementMs),
    onNotice: (message) => log.write('warn', 'database', { message }),
  });
  opened.engine = engine;
  if (isReadOnly) return { engine, queue: undefined };
  const queue = await openQueue(
    { ...options.queue, file, onNotice: ({ kind, message }) => log.write('warn', 'queue', { kind, message }) },
    engine,
  );
  opened.queue = queue;
  // The queue's lock says that no other process serves this database: what lies there is nobody's.
  const leftovers = await removeLeftovers(file);
  if (leftovers > 0) log.write('info', 'removed temporary files of a process that was killed', { count: leftovers });
  return { engine, queue };
}

interface RoomParts {
  readonly options: ServeOptions;
  readonly facts: ServerFacts;
  readonly log: Log;
  readonly engine: Engine;
  readonly queue: Queue | undefined;
  readonly servers: readonly AnyServer[];
  readonly stopping: AbortSignal;
}

function makeRoom({ options, facts, log, engine, queue, servers, stopping }: RoomParts): Room {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const description = JSON.stringify(describeRoutes(routes, facts.hasAuth), undefined, 2);
  return {
    engine,
    queue,
    loads: openLoadDesk(),
    bodies: openBodyReader(limits),
    limits,
    log,
    metrics: openMetrics(),
    counters: openCounters(),
    facts,
    headers: listHeaders(facts.hasAuth, options.allowOrigin),
    pages: { description, docs: writeDocsPage(routes, facts.hasAuth) },
    connections: () => countConnections(servers),
    stopping,
  };
}

/** What rqlite sends with every answer. */
function listHeaders(hasAuth: boolean, allowOrigin: string | undefined): readonly string[] {
  const origin = allowOrigin === undefined ? [] : ['Access-Control-Allow-Origin', allowOrigin];
  const allowed = hasAuth ? 'Content-Type, Authorization' : 'Content-Type';
  const auth = hasAuth ? ['Access-Control-Allow-Credentials', 'true', 'WWW-Authenticate', 'Basic realm="rqlite"'] : [];
  const methods = 'OPTIONS, GET, POST';
  return [
    'X-RQLITE-VERSION',
    rqliteVersion,
    ...origin,
    'Access-Control-Allow-Methods',
    methods,
    'Access-Control-Allow-Headers',
    allowed,
    ...auth,
  ];
}

interface WarningParts {
  readonly host: string;
  readonly facts: ServerFacts;
  readonly users: Users | undefined;
}

function listWarnings({ host, facts, users }: WarningParts): readonly string[] {
  const isOpen = !isLoopback(host);
  return [
    ...(isOpen && !facts.hasAuth ? ['everybody who can reach this address may read and change the database: use --auth users.json'] : []),
    ...(isOpen && !facts.hasTls ? ['requests and passwords go over the network in the clear: use --cert and --key'] : []),
    ...(users === undefined || users.unknown.length === 0
      ? []
      : [`permissions in the users file that mean nothing: ${users.unknown.join(', ')}`]),
  ];
}

interface Closing {
  readonly room: Room;
  readonly servers: readonly AnyServer[];
  readonly closing: AbortController;
  readonly opened: Opened;
}

async function closeAll({ room, servers, closing, opened }: Closing): Promise<void> {
  closing.abort();
  room.log.write('info', 'stopping');
  try {
    await closeServers(servers, room.limits.stopTimeoutMs);
    await room.loads.close();
    room.bodies.close();
  } finally {
    await closeDatabase(opened);
  }
  room.log.write('info', 'stopped');
}

/** The queue first: what it holds is applied by the engine. */
async function closeDatabase({ engine, queue }: Opened): Promise<void> {
  try {
    await queue?.close();
  } finally {
    await engine?.close();
  }
}
