/** A PostgreSQL server of a test file's own, to be killed, filled up and cut off without harm to the others. */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { destroyServer, findServer, startServer, writeUrl, type Server } from '../../scripts/postgres-server.ts';
import { runSql, skipReason, type TestDatabase } from './server.ts';

export interface OwnServer {
  readonly server: Server;
  readonly port: number;
  /** Of its database `postgres`, as its superuser. */
  readonly url: string;
  /** A database with pgvector in it. */
  createDatabase(): Promise<TestDatabase>;
  destroy(): Promise<void>;
}

/** In memory where there is such a place: what is tested is the server's death and not the disk's. */
const memory = '/dev/shm';

/** Why there can be no server of one's own; false where there can. */
export const ownSkipReason: string | false =
  skipReason === false && process.platform !== 'linux' ? 'the project brings a server for Linux only' : skipReason;

/** A folder that the server's user may pass. */
export function makeServerFolder(): string {
  const folder = mkdtempSync(path.join(existsSync(memory) ? memory : tmpdir(), 'sluice-server-'));
  chmodSync(folder, 0o711);
  return folder;
}

/** Starts a server of the version that the run is for; who starts it destroys it. */
export async function startOwnServer(): Promise<OwnServer> {
  const folder = makeServerFolder();
  const major = process.env['SLUICE_POSTGRES_MAJOR'] === '16' ? 16 : 18;
  const server = await findServer({ major, folder, settings: { shared_buffers: '32MB', max_connections: 40 } });
  const port = await startServer(server);
  const url = writeUrl(port);
  let count = 0;
  return {
    server,
    port,
    url,
    createDatabase: async () => {
      const name = `fault_${String(++count)}`;
      await runSql(url, `CREATE DATABASE ${name}`);
      const made = writeUrl(port, name);
      await runSql(made, 'CREATE EXTENSION vector');
      return { url: made, dispose: () => runSql(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
    },
    destroy: async () => {
      await destroyServer(server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
