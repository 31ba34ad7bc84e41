/** A PostgreSQL server of the project's own: a folder with its data, a free port on loopback that is kept, and a start and stop that can be repeated. */
import { appendFileSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { installPostgres, type Major } from './postgres-install.ts';
import { chooseUser, runProgram } from './postgres-program.ts';
import { root } from './steps.ts';

/** The path of a socket has at most 107 bytes, and the server's own name for one takes some of them. */
const maxFolderLength = 80;

/**
 * Where the programs and the data of the default server are: in the repository, unless that is closed to the user who runs the server or too deep for a
 * socket; then in the system's folder for such things, one a repository.
 */
export const defaultFolder: string =
  findClosed(root) === undefined && root.length <= maxFolderLength
    ? path.join(root, '.pg')
    : path.join(tmpdir(), `sluice-postgres-${createHash('sha256').update(root).digest('hex').slice(0, 12)}`);

export interface ServerOptions {
  /** 18 by default. */
  readonly major?: Major | undefined;
  /** Holds data and socket, and the programs too unless they are in {@link defaultFolder}. */
  readonly folder?: string | undefined;
  /** Any free one by default; the same at each start. */
  readonly port?: number | undefined;
  /** Of postgresql.conf, for this start alone. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined;
}

/** A server that may be running. */
export interface Server {
  readonly major: Major;
  readonly folder: string;
  readonly dataFolder: string;
  /** PostgreSQL's own programs: psql, pg_ctl … */
  readonly programFolder: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly wantedPort: number | undefined;
}

/** Starting after a crash replays the log; the others take well under a second. */
const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;
const programTimeoutMs = 120_000;

/**
 * What a server for tests needs: room for lanes and for --atomic by prepared transactions, standbys, and every commit on the disk. Shared buffers are modest,
 * since tests hold little and run on small machines; a benchmark raises them.
 */
const settings: Readonly<Record<string, string | number>> = {
  listen_addresses: "'127.0.0.1'",
  max_connections: 100,
  max_prepared_transactions: 16,
  wal_level: 'replica',
  fsync: 'on',
  shared_buffers: "'256MB'",
  max_wal_size: "'2GB'",
  maintenance_work_mem: "'256MB'",
  checkpoint_timeout: "'15min'",
  logging_collector: 'off',
};

/** A standby has what its primary has, and takes no statement that writes. */
const makeExtension = `DO $$ BEGIN IF NOT pg_is_in_recovery() THEN
  SET LOCAL client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS vector; END IF; END $$`;

/** The server of a folder; its programs are fetched where they are missing. */
export async function findServer(options: ServerOptions = {}): Promise<Server> {
  const major = options.major ?? 18;
  const folder = path.resolve(options.folder ?? defaultFolder);
  const isShared = existsSync(path.join(defaultFolder, 'dist')) && findClosed(defaultFolder) === undefined;
  const programFolder = await installPostgres(isShared ? defaultFolder : folder, major);
  const dataFolder = path.join(folder, `data${String(major)}`);
  return { major, folder, dataFolder, programFolder, settings: options.settings ?? {}, wantedPort: options.port };
}

/** The port that a server listens on, by the file that it keeps while it runs; undefined when it does not run. */
export async function readPort({ dataFolder, programFolder }: Server): Promise<number | undefined> {
  const file = path.join(dataFolder, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  try {
    // The file outlives a server that was killed; pg_ctl looks at the process.
    const args = ['status', '-D', dataFolder];
    await runProgram({ file: path.join(programFolder, 'pg_ctl'), args, timeoutMs: programTimeoutMs, isUnprivileged: true });
    return Number.parseInt(readFileSync(file, 'utf8').split('\n')[3] ?? '', 10);
  } catch {
    return undefined;
  }
}

/** What libpq and sluice take. */
export function writeUrl(port: number, database = 'postgres'): string {
  return `postgres://postgres@127.0.0.1:${String(port)}/${database}`;
}

/** Starts a server, or finds it running, and returns its port. The first start makes its data. */
export async function startServer(server: Server): Promise<number> {
  const running = await readPort(server);
  if (running !== undefined) return running;
  checkFolder(server.folder);
  const sockets = path.join(server.folder, 'run');
  makeFolder(sockets, 0o755);
  if (!existsSync(path.join(server.dataFolder, 'PG_VERSION'))) await makeData(server, sockets);
  const port = server.wantedPort ?? (await keepPort(server));
  const log = path.join(sockets, `server${String(server.major)}.log`);
  const flags = Object.entries(server.settings).map(([name, value]) => `-c ${name}=${String(value)}`);
  const options = ['-p', String(port), ...flags].join(' ');
  const args = ['start', '-D', server.dataFolder, '-w', '-t', String(startTimeoutMs / 1000), '-l', log, '-o', options];
  const file = path.join(server.programFolder, 'pg_ctl');
  try {
    await runProgram({ file, args, timeoutMs: programTimeoutMs, isUnprivileged: true, leavesServer: true });
  } catch (error) {
    const tail = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(-20).join('\n') : '';
    throw new Error(`PostgreSQL ${String(server.major)} did not start in ${server.folder}.\n${tail}`, { cause: error });
  }
  await runPsql(server, port, makeExtension);
  return port;
}

/** `fast` rolls back what is open; `immediate` is a crash that the next start recovers from. */
export async function stopServer(server: Server, mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
  if ((await readPort(server)) === undefined) return;
  const args = ['stop', '-D', server.dataFolder, '-m', mode, '-w', '-t', String(stopTimeoutMs / 1000)];
  await runProgram({ file: path.join(server.programFolder, 'pg_ctl'), args, timeoutMs: programTimeoutMs, isUnprivileged: true });
}

/** Stops a server and removes its data; the programs stay. */
export async function destroyServer(server: Server): Promise<void> {
  await stopServer(server, 'immediate');
  rmSync(server.dataFolder, { recursive: true, force: true });
  rmSync(portFile(server), { force: true });
}

async function runPsql({ programFolder }: Server, port: number, sql: string): Promise<void> {
  const where = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', 'postgres'];
  await runProgram({ file: path.join(programFolder, 'psql'), args: ['-X', '-q', ...where, '-c', sql], timeoutMs: programTimeoutMs });
}

function portFile({ folder, major }: Server): string {
  return path.join(folder, `port${String(major)}`);
}

/** The port of the last start while it is free, else another. */
async function keepPort(server: Server): Promise<number> {
  const file = portFile(server);
  const kept = existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 0;
  const port = await findPort(kept).catch(() => findPort(0));
  writeFileSync(file, `${String(port)}\n`);
  return port;
}

/** A port that nobody listens on; 0 for any. */
function findPort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(wanted, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** Makes a folder that belongs to whoever runs the server. */
function makeFolder(folder: string, mode: number): void {
  mkdirSync(folder, { recursive: true, mode });
  const user = chooseUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
}

async function makeData(server: Server, sockets: string): Promise<void> {
  const { dataFolder, programFolder } = server;
  rmSync(dataFolder, { recursive: true, force: true });
  makeFolder(dataFolder, 0o700);
  const args = ['-D', dataFolder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
  await runProgram({ file: path.join(programFolder, 'initdb'), args, timeoutMs: programTimeoutMs, isUnprivileged: true });
  const lines = Object.entries({ ...settings, unix_socket_directories: `'${sockets}'` }).map(
    ([name, value]) => `${name} = ${String(value)}`,
  );
  appendFileSync(path.join(dataFolder, 'postgresql.conf'), `${lines.join('\n')}\n`);
}

/** The first of a folder and those above it that keeps the user out who runs the server; undefined for none. */
function findClosed(folder: string): string | undefined {
  if (chooseUser() === undefined) return undefined;
  for (let above = folder; above !== path.dirname(above); above = path.dirname(above)) {
    if ((statSync(above).mode & 0o001) === 0) return above;
  }
  return undefined;
}

/** Says what is wrong before PostgreSQL's own programs do, whose messages do not name the folder. */
function checkFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const closed = findClosed(folder);
  if (closed !== undefined) throw new Error(`the folder ${closed} is closed to the user that runs the server: choose another with --dir`);
}
