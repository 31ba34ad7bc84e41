/** Servers for tests: `sluice serve` in this process, or a real rqlited where there is one; each with an empty database in a folder of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve, type ServeOptions } from '../../src/server/serve.ts';
import { writeDump } from '../../src/server/store/dump-text.ts';
import type { Place, Step } from './recordings/player.ts';

export interface TestServer extends Place {
  readonly url: string;
  close(): Promise<void>;
}

export interface TestOptions extends Omit<ServeOptions, 'to' | 'listen' | 'auth'> {
  /** Contents of the users file. */
  readonly auth?: readonly object[];
  /** rqlited's flags, as the recordings name them. */
  readonly flags?: readonly string[] | undefined;
}

function makeFolder(): string {
  return mkdtempSync(path.join(tmpdir(), 'sluice-serve-'));
}

async function dumpBytes(bytes: Buffer): Promise<string> {
  const folder = makeFolder();
  try {
    const file = path.join(folder, 'dumped.db');
    writeFileSync(file, bytes);
    // The recordings hold it without the line that goes before the transaction.
    return Buffer.concat([...writeDump({ file, tables: undefined })])
      .toString('utf8')
      .replace('PRAGMA foreign_keys=OFF;\n', '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts `sluice serve` on a free port; who starts it closes it. */
export async function startServer({ auth, flags = [], ...options }: TestOptions): Promise<TestServer> {
  const folder = makeFolder();
  const users = path.join(folder, 'users.json');
  if (auth !== undefined) writeFileSync(users, JSON.stringify(auth));
  const running = await serve({
    ...options,
    to: `sqlite:${path.join(folder, 'db.sqlite')}`,
    listen: '127.0.0.1:0',
    ...(auth === undefined ? {} : { auth: users }),
    ...(flags.includes('-fk') ? { checksForeignKeys: true } : {}),
    ...(flags.includes('-write-queue-tx') ? { queue: { isTransaction: true } } : {}),
  });
  return {
    host: '127.0.0.1',
    port: running.port,
    url: running.url,
    folder,
    dump: dumpBytes,
    close: async () => {
      await running.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The rqlited that `RQLITED` names or that is on the PATH. */
export function findRqlited(): string | undefined {
  const named = process.env['RQLITED'] ?? 'rqlited';
  return spawnSync(named, ['-version']).status === 0 ? named : undefined;
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** How long a real server may take to elect itself; 2 s by its defaults. */
const readyTimeoutMs = 30_000;

/** Starts a real rqlited as a single node. */
export async function startRqlited(program: string, { flags = [], auth }: Step['server']): Promise<TestServer> {
  const folder = makeFolder();
  const [port, raftPort] = [await findPort(), await findPort()];
  const users = path.join(folder, 'users.json');
  if (auth !== undefined) writeFileSync(users, JSON.stringify(auth));
  const args = ['-node-id', '1', '-http-addr', `127.0.0.1:${String(port)}`, '-raft-addr', `127.0.0.1:${String(raftPort)}`, ...flags];
  const child = spawn(program, [...args, ...(auth === undefined ? [] : ['-auth', users]), path.join(folder, 'data')], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${String(port)}`;
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    const answer = await fetch(`${url}/readyz`, { headers: readLogin(auth) }).catch(() => undefined);
    if (answer?.status === 200) break;
    if (performance.now() > deadline) throw new Error('rqlited is not ready');
    await sleep(100);
  }
  return {
    host: '127.0.0.1',
    port,
    url,
    folder: path.join(folder, 'data'),
    dump: dumpBytes,
    close: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function readLogin(auth: Step['server']['auth']): Record<string, string> {
  const all = (auth as readonly { username: string; password: string; perms: readonly string[] }[] | undefined)?.find(({ perms }) =>
    perms.includes('all'),
  );
  return all === undefined ? {} : { Authorization: `Basic ${Buffer.from(`${all.username}:${all.password}`).toString('base64')}` };
}
