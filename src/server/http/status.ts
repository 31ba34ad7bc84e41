/** What `/status` tells: every key that a single rqlite node shows, with the truth where there is one, and 0 or nothing for what only a cluster has. */
import { statSync } from 'node:fs';
import { availableParallelism, hostname, networkInterfaces } from 'node:os';
import path from 'node:path';
import type { EngineFacts } from '../engine/contract.ts';
import type { QueueFacts } from '../queue/contract.ts';
import { formatDuration } from './duration.ts';
import type { ServerFacts } from './exchange.ts';
import { describeRaft, describeReach } from './status-raft.ts';
import { readVersion, rqliteVersion } from './version.ts';

/** The one node there is. */
export const nodeId = '1';

const sluiceVersion = readVersion();
/** In pages of memory, as Node's own allocator has them; there is no other way to ask. */
const pageSize = 4096;

interface StatusParts {
  readonly server: ServerFacts;
  readonly engine: EngineFacts;
  readonly queue: QueueFacts | undefined;
}

/** The whole of it, keys in the order of rqlite's. */
export function describeStatus({ server, engine, queue }: StatusParts): Readonly<Record<string, unknown>> {
  const nowMs = Date.now();
  return {
    build: {
      build_time: 'unknown',
      commit: 'unknown',
      compiler_command: 'node',
      compiler_toolchain: 'sluice',
      version: rqliteVersion,
      sluice_version: sluiceVersion,
    },
    cluster: { addr: server.nodeAddress, api_addr: server.address, https: String(server.hasTls) },
    extensions: { dir: '', names: [] },
    http: describeHttp(server, queue),
    mux: { addr: server.nodeAddress, handlers: '0', timeout: '30s', tls: 'disabled' },
    network: { interfaces: describeInterfaces() },
    node: {
      current_time: new Date(nowMs).toISOString(),
      start_time: server.startedAt.toISOString(),
      uptime: formatDuration(nowMs - server.startedAt.getTime()),
    },
    os: {
      executable: process.execPath,
      hostname: hostname(),
      page_size: pageSize,
      pid: process.pid,
      ppid: process.ppid,
    },
    runtime: {
      GOARCH: process.arch === 'x64' ? 'amd64' : process.arch,
      GOMAXPROCS: availableParallelism(),
      GOOS: process.platform,
      kubernetes_hint: process.env['KUBERNETES_SERVICE_HOST'] !== undefined,
      num_cpu: availableParallelism(),
      num_goroutine: 1,
      version: `node ${process.version}`,
    },
    store: describeStore(server, engine),
  };
}

function describeHttp(server: ServerFacts, queue: QueueFacts | undefined): Readonly<Record<string, unknown>> {
  return {
    auth: server.hasAuth ? 'enabled' : 'disabled',
    bind_addr: server.address,
    cluster: { local_node_addr: server.nodeAddress, timeout: '30s' },
    queue: {
      _default: {
        batch_size: queue?.batchSize ?? 0,
        max_size: queue?.capacity ?? 0,
        sequence_number: queue?.appliedSequence ?? 0n,
        timeout: formatDuration(queue?.timeoutMs ?? 0),
      },
    },
    tls: { enabled: String(server.hasTls) },
  };
}

function describeInterfaces(): Readonly<Record<string, unknown>> {
  const found = Object.entries(networkInterfaces()).map(([name, addresses = []]) => [
    name,
    {
      addresses: addresses.map(({ cidr, address }) => ({ address: cidr ?? address })),
      flags: addresses.some(({ internal }) => internal) ? 'up|loopback' : 'up',
      hardware_address: addresses[0]?.mac ?? '',
    },
  ]);
  return Object.fromEntries(found) as Readonly<Record<string, unknown>>;
}

function describeStore(server: ServerFacts, engine: EngineFacts): Readonly<Record<string, unknown>> {
  const dir = path.dirname(server.file);
  const size = engine.sizeBytes + engine.walSizeBytes;
  const updatedAt = new Date(readModifiedMs(server.file)).toISOString();
  return {
    addr: server.nodeAddress,
    apply_timeout: '10s',
    cdc: { enabled: false, registered: false },
    commit_timeout: '0s',
    db_applied_index: engine.appliedIndex,
    db_conf: { fk_constraints: server.checksForeignKeys },
    dir,
    dir_size: size,
    dir_size_friendly: formatSize(size),
    election_timeout: '1s',
    fsm_index: engine.appliedIndex,
    fsm_term: 1,
    fsm_update_time: updatedAt,
    heartbeat_timeout: '1s',
    leader: { addr: server.nodeAddress, node_id: nodeId },
    leader_appended_at_time: updatedAt,
    no_freelist_sync: false,
    node_id: nodeId,
    nodes: [{ addr: server.nodeAddress, id: nodeId, suffrage: 'Voter' }],
    observer: { dropped: 0, observed: 0 },
    open: {},
    raft: describeRaft(engine.appliedIndex, server.nodeAddress),
    ready: true,
    ...describeReach(dir),
    sqlite3: describeSqlite(server, engine, updatedAt),
    strong_read_term: 0,
    trailing_logs: 0,
  };
}

function describeSqlite(server: ServerFacts, engine: EngineFacts, updatedAt: string): Readonly<Record<string, unknown>> {
  const pool = {
    idle: 1,
    in_use: 0,
    max_idle_closed: 0,
    max_idle_time_closed: 0,
    max_lifetime_closed: 0,
    max_open_connections: 1,
    open_connections: 1,
    wait_count: 0,
    wait_duration: 0,
  };
  return {
    compile_options: engine.compileOptions,
    conn_pool_stats: { ro: pool, rw: pool },
    db_size: engine.sizeBytes,
    db_size_friendly: formatSize(engine.sizeBytes),
    extensions: [],
    last_modified: updatedAt,
    mem_stats: {
      cache_size: -2000,
      freelist_count: 0,
      hard_heap_limit: 0,
      max_page_count: 4_294_967_294,
      page_count: Math.ceil(engine.sizeBytes / pageSize),
      page_size: pageSize,
      soft_heap_limit: 0,
    },
    path: engine.path,
    pragmas: engine.pragmas,
    ro_dsn: `file:${server.file}?mode=ro`,
    rw_dsn: `file:${server.file}`,
    size: engine.sizeBytes,
    transaction: { ro: false, rw: false },
    version: engine.sqliteVersion,
    wal_size: engine.walSizeBytes,
  };
}

function readModifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
}

/** `12 kB` as rqlite's humanised sizes: powers of 1,000, one place below ten. */
function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 10 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

/** The part of a document that `a.b.c` names; `{}` where there is none, as rqlite has it. */
export function selectKey(document: unknown, key: string): unknown {
  let part: unknown = document;
  for (const name of key.split('.')) {
    if (part === null || typeof part !== 'object' || Array.isArray(part) || !Object.hasOwn(part, name)) return {};
    part = (part as Readonly<Record<string, unknown>>)[name];
  }
  return part;
}
