/** The server of the PostgreSQL trials, and an empty database of each run's own on it. `DATABASE_URL`, or the project's own server, started when it does not run. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import pg from 'pg';
import { findServer, startServer, writeUrl } from '../scripts/postgres-server.ts';
import { measure, readPeakRss } from './trials.ts';
import type { Sample } from './trials.ts';

/** What a benchmark's server may use; a running one is taken as it is. */
const settings = { shared_buffers: '2GB', max_wal_size: '8GB', maintenance_work_mem: '1GB' } as const;
const toolTimeoutMs = 15 * 60_000;

/** The URL of a running server; started now where none is named. */
export async function findServerUrl(): Promise<string> {
  const named = process.env['DATABASE_URL'];
  if (named) return named;
  return writeUrl(await startServer(await findServer({ settings })));
}

/** psql as it is on the path, else the one that came with the project's server. */
export async function findPsql(): Promise<string> {
  if (spawnSync('psql', ['--version']).status === 0) return 'psql';
  return path.join((await findServer()).programFolder, 'psql');
}

export async function useClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url, application_name: 'sluice bench' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A run's database. */
export interface Database {
  readonly url: string;
  readonly run: (sql: string) => Promise<void>;
}

/** Makes a database with pgvector, runs the work and drops it. Every run begins with nothing left to be written out by the one before. */
export async function useDatabase<Result>(work: (database: Database) => Promise<Result>): Promise<Result> {
  const server = await findServerUrl();
  const name = `sluice_trial_${process.pid}_${Date.now().toString(36)}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  const run = (sql: string): Promise<void> => useClient(url.href, async (client) => void (await client.query(sql)));
  await useClient(server, async (client) => void (await client.query(`CREATE DATABASE ${name}`)));
  try {
    await run('CREATE EXTENSION vector');
    await run('CHECKPOINT');
    return await work({ url: url.href, run });
  } finally {
    await useClient(server, async (client) => void (await client.query(`DROP DATABASE ${name} WITH (FORCE)`)));
  }
}

/** A number that a query answers. */
export async function readNumber(url: string, sql: string): Promise<number> {
  return useClient(url, async (client) => Number(Object.values((await client.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0]));
}

export interface Timing {
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakRssBytes?: number;
}

interface Measured {
  /** Rows that the work handles; by default all of them are added to the table. */
  readonly rows: number;
  readonly added?: number;
  /** Rows that stood there before. */
  readonly before?: number;
  readonly table?: string;
  readonly settings?: Sample['settings'];
  readonly figures?: Sample['figures'];
}

/** A sample: times the work with its WAL, then counts; another number of rows is no result. A tool that measures itself answers its own timing. */
export async function sampleOf(database: Database, expected: Measured, work: () => Promise<Timing | void>): Promise<Sample> {
  const { rows, added = rows, before = 0, table = 'items' } = expected;
  const readWal = (): Promise<number> => readNumber(database.url, `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')`);
  const walBefore = await readWal();
  const own: Timing[] = [];
  const times = await measure(async () => {
    const timing = await work();
    if (timing !== undefined) own.push(timing);
  });
  const walBytes = (await readWal()) - walBefore;
  const found = await readNumber(database.url, `SELECT count(*) FROM ${table}`);
  if (found !== before + added) throw new Error(`the table has ${found} rows, not ${before + added}`);
  const figures = { ...expected.figures, walBytesPerRow: walBytes / rows };
  return {
    rows,
    peakRssBytes: readPeakRss(),
    ...times,
    ...own[0],
    settings: { ...(await readSettings(database.url)), ...expected.settings },
    figures,
  };
}

async function readSettings(url: string): Promise<Readonly<Record<string, string>>> {
  const names = ['server_version', 'shared_buffers', 'fsync', 'synchronous_commit', 'wal_level', 'max_wal_size'];
  const sql = `SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1)`;
  const { rows } = await useClient(url, (client) => client.query<{ name: string; value: string }>(sql, [names]));
  return Object.fromEntries(rows.map((row) => [row.name, row.value]));
}

/** Runs a program and answers its elapsed and processor time, as bash's `time` says them; its output goes into the error when it fails. */
export function timeProgram(file: string, args: readonly string[], input = ''): Timing {
  const script = 'TIMEFORMAT="timed %R %U %S"; time "$@"';
  const done = spawnSync('bash', ['-c', script, 'bash', file, ...args], {
    encoding: 'utf8',
    input,
    timeout: toolTimeoutMs,
    maxBuffer: 1 << 26,
  });
  const match = /timed ([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(done.stderr);
  if (done.status !== 0 || match === null)
    throw new Error(`${path.basename(file)} ended with ${done.status}: ${done.stderr}${done.stdout}`);
  const [elapsed = 0, user = 0, system = 0] = match.slice(1).map(Number);
  return { ms: elapsed * 1000, cpuMs: (user + system) * 1000, peakRssBytes: 0 };
}
