/** What the tests of the link share: a database with a table, the fault proxy in front of it, and ways to wait for an end that may be an error, with a deadline. */
import assert from 'node:assert/strict';
import { LinkLostError } from '../../src/target/link.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { addressOf, startProxy, type FaultProxy } from './proxy.ts';
import { createDatabase, readSql, runSql } from './server.ts';

/** Longer than any of these calls takes on a busy machine; a promise that is still open then hangs. */
const deadlineMs = 15_000;

export type End<Result> = { readonly value: Result } | { readonly error: unknown };

/** How the promise ended. @throws when it hangs */
export async function settle<Result>(promise: Promise<Result>): Promise<End<Result>> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the promise hangs')), deadlineMs);
  try {
    return await Promise.race([
      promise.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** The error that the promise ended with. */
export async function fail(promise: Promise<unknown>): Promise<unknown> {
  const end = await settle(promise);
  assert.ok('error' in end, 'the call succeeded');
  return end.error;
}

export function assertLost(error: unknown, landed?: 'no' | 'unknown'): LinkLostError {
  assert.ok(error instanceof LinkLostError, `expected a lost link, not ${String(error)}`);
  if (landed !== undefined) assert.equal(error.landed, landed, error.message);
  return error;
}

const row = Buffer.from(`1\t${'x'.repeat(1000)}\n`);
export const blockRows = 64;
/** Rows for the table `items`, in COPY's text form. */
export const block: Buffer = Buffer.concat(Array.from({ length: blockRows }, () => row));

export interface Pouring {
  readonly pieces: Generator<Buffer>;
  readonly isClosed: boolean;
}

/** Blocks without end; tells whether they were let go. */
export function pour(): Pouring {
  let isClosed = false;
  function* blocks(): Generator<Buffer> {
    try {
      for (;;) yield block;
    } finally {
      isClosed = true;
    }
  }
  const pieces = blocks();
  return {
    pieces,
    get isClosed() {
      return isClosed;
    },
  };
}

export interface LinkBench {
  readonly url: string;
  readonly proxy: FaultProxy;
  /** The database's URL through the proxy. */
  readonly proxied: string;
  /** A link that is closed with the bench. */
  open(url?: string): Promise<PgLink>;
  /** Ends the link's backend, from another session, when it is called. */
  prepareTermination(link: PgLink): Promise<() => Promise<void>>;
  countItems(): Promise<number>;
  clearItems(): Promise<void>;
  close(): Promise<void>;
}

export async function openBench(): Promise<LinkBench> {
  const database = await createDatabase();
  const proxy = await startProxy(addressOf(database.url));
  const links: PgLink[] = [];
  await runSql(database.url, 'CREATE TABLE items (id int4 NOT NULL, body text CHECK (body <> $$bad$$))');
  return {
    url: database.url,
    proxy,
    proxied: proxy.rewrite(database.url),
    open: async (url = database.url) => {
      const link = await openLink(url, {});
      links.push(link);
      return link;
    },
    prepareTermination: async (link) => {
      const { rows } = await link.query('SELECT pg_backend_pid() AS id');
      return async () => {
        await readSql(database.url, 'SELECT pg_terminate_backend($1)', [rows[0]?.['id']]);
      };
    },
    countItems: async () => Number((await readSql(database.url, 'SELECT count(*) AS n FROM items'))[0]?.['n']),
    clearItems: () => runSql(database.url, 'TRUNCATE items'),
    close: async () => {
      await Promise.all(links.map((link) => link.close()));
      await proxy.close();
      await database.dispose();
    },
  };
}

/** The link still works: a statement with a value comes back right. */
export async function assertUsable(link: PgLink): Promise<void> {
  assert.equal(link.isBroken, false);
  const { rows } = await link.query('SELECT $1::int4 + 1 AS next', [41]);
  assert.deepEqual(rows, [{ next: 42 }]);
}
