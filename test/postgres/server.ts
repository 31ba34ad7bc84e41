/** The PostgreSQL server that tests run against, and a database of each test's own on it. Where there is none the reason is known, and required servers must be there. */
import process from 'node:process';
import { Client } from 'pg';

/** Where the server is: scripts/unit.ts starts one where it can, and a caller may name another. */
export const serverUrl: string | undefined = process.env['DATABASE_URL'] || undefined;

/** Why there is no server, for `skip`; false where there is one. */
export const skipReason: string | false =
  serverUrl !== undefined
    ? false
    : `no PostgreSQL server: ${process.env['SLUICE_POSTGRES_ABSENCE'] ?? 'set DATABASE_URL, or run "npm run postgres start"'}`;

if (skipReason !== false && process.env['SLUICE_REQUIRE_POSTGRES'] === '1')
  throw new Error(`A server is required, and there is ${skipReason}`);

/** A database that exists until it is disposed of. */
export interface TestDatabase {
  readonly url: string;
  /** Ends the sessions in it and drops it. */
  dispose(): Promise<void>;
}

/** A database from which others are copied in 30 ms; making the extension anew takes 150 ms each time. */
const template = 'sluice_test_template';

/** Any number will do, as long as every process uses the same one. */
const templateLock = 7_582_001;

/** How long one statement of the harness may take, a copy of a database on a busy machine included. */
const statementTimeoutMs = 60_000;

let databaseCount = 0;
let prepared: Promise<void> | undefined;

/** The server's URL with another database. */
function pointAt(database: string): string {
  const url = new URL(serverUrl ?? '');
  url.pathname = `/${database}`;
  return url.href;
}

/** Runs `work` with a session of its own, outside of sluice. */
export async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url, application_name: 'test harness', statement_timeout: statementTimeoutMs });
  // A session that is ended while it is idle says so by an event; the next statement fails anyway.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Runs one statement in a session of its own and returns its rows, integers of 64 bits as text. */
export async function readSql(url: string, sql: string, values: readonly unknown[] = []): Promise<readonly Record<string, unknown>[]> {
  return withClient(url, async (client) => (await client.query<Record<string, unknown>>(sql, [...values])).rows);
}

/** Runs statements without values, each in a transaction of its own. */
export async function runSql(url: string, ...statements: readonly string[]): Promise<void> {
  await withClient(url, async (client) => {
    for (const sql of statements) await client.query(sql);
  });
}

/** Makes the template once; files that run at the same time wait for whoever is first. */
async function prepareTemplate(): Promise<void> {
  await withClient(serverUrl ?? '', async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [templateLock]);
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1 AND NOT datallowconn', [template]);
    if (found.rows.length > 0) return;
    await client.query(`DROP DATABASE IF EXISTS ${template}`);
    await client.query(`CREATE DATABASE ${template}`);
    await runSql(pointAt(template), 'CREATE EXTENSION IF NOT EXISTS vector');
    // Nobody may be in a database while it is copied.
    await client.query(`ALTER DATABASE ${template} ALLOW_CONNECTIONS false`);
  });
}

/** Makes an empty database with pgvector in it; who makes it disposes of it. */
export async function createDatabase(): Promise<TestDatabase> {
  if (serverUrl === undefined) throw new Error(`There is ${String(skipReason)}`);
  await (prepared ??= prepareTemplate());
  const name = `sluice_test_${String(process.pid)}_${Date.now().toString(36)}_${String(++databaseCount)}`;
  await runSql(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return { url: pointAt(name), dispose: () => runSql(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}
