/** Servers for the tests of the rqlite driver: `sluice serve` on a database of its own, and a real rqlited where one is at hand. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve, type ServeOptions } from '../../src/server/serve.ts';
import { connect } from '../../src/target/registry.ts';

/** A server with an empty database. */
export interface TestServer {
  /** For `--to`. */
  readonly url: string;
  readonly port: number;
  /** The database's file. */
  readonly file: string;
  dispose(): Promise<void>;
}

export async function startServer(options: Partial<ServeOptions> = {}): Promise<TestServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-rqlite-'));
  const file = path.join(folder, 'served.db');
  const server = await serve({ to: `sqlite:${file}`, listen: '127.0.0.1:0', ...options });
  return {
    url: `rqlite://127.0.0.1:${String(server.port)}`,
    port: server.port,
    file,
    dispose: async () => {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** One server for the tests of a file, one after another: to start one takes as long as most of them. */
export interface SharedServer {
  /** The server with an empty database; its `dispose` empties it. */
  take(): Promise<TestServer>;
  close(): Promise<void>;
}

export function shareServer(options: Partial<ServeOptions> = {}): SharedServer {
  let shared: Promise<TestServer> | undefined;
  return {
    take: async () => {
      const server = await (shared ??= startServer(options));
      return { ...server, dispose: () => dropAll(server.url) };
    },
    close: async () => (await shared)?.dispose(),
  };
}

async function dropAll(url: string): Promise<void> {
  const connection = await connect(url);
  const sql = `SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' ORDER BY type DESC`;
  const found = await connection.query({ sql, parameters: [] });
  const drops = found.map(({ type, name }) => `DROP ${String(type)} IF EXISTS "${String(name).replaceAll('"', '""')}"`);
  await connection.transact(['PRAGMA defer_foreign_keys = ON', ...drops].map((drop) => ({ sql: drop, parameters: [] })));
  await connection.close();
}

/** The program that `RQLITED` names, or one on the PATH. */
export function findRqlited(): string | undefined {
  const named = process.env['RQLITED'];
  if (named !== undefined && named !== '') return named;
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, 'rqlited')).find((file) => existsSync(file));
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A node that is alone, with timers that make it a leader at once. */
export async function startRqlited(program: string): Promise<TestServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-rqlited-'));
  const [port, raftPort] = [await findFreePort(), await findFreePort()];
  const address = `127.0.0.1:${String(port)}`;
  const timers = ['-raft-timeout', '100ms', '-raft-election-timeout', '100ms', '-raft-leader-lease-timeout', '100ms'];
  const child = spawn(program, ['-http-addr', address, '-raft-addr', `127.0.0.1:${String(raftPort)}`, ...timers, folder], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const deadline = performance.now() + 20_000;
  while (!(await isReady(address))) {
    if (performance.now() > deadline) throw new Error(`${program} did not become ready`);
    await sleep(50);
  }
  return {
    url: `rqlite://${address}`,
    port,
    file: path.join(folder, 'db.sqlite'),
    dispose: async () => {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

async function isReady(address: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}/readyz`)).status === 200;
  } catch {
    return false;
  }
}
