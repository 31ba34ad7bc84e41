/** The PGlite driver: PostgreSQL in this process, without a server. The same driver as PostgreSQL's over another link; one session, so one lane. */
import { existsSync } from 'node:fs';
import { SluiceError } from '../../errors.ts';
import type { Capabilities, Connection, ConnectOptions, Driver } from '../driver.ts';
import { createPostgresConnection, postgresCapabilities } from '../postgres/index.ts';
import type { PgLink, ServerFacts } from '../postgres/link.ts';
import { joinDatabase, openPrivateDatabase, type SharedDatabase } from './database.ts';
import { parsePlace, type Place } from './place.ts';
import { SessionLink } from './session-link.ts';

export const pgliteCapabilities: Capabilities = {
  ...postgresCapabilities,
  name: 'pglite',
  versionQuery: 'SELECT version() AS version',
  writers: 1,
  usesThreads: false,
  /*
   * A batch is copied into the blob and from there into WebAssembly's memory, which is never given back: the size that SQLite takes, not the one that a
   * connection to a server takes to hide its round trips.
   */
  batchBytes: 6 * 1024 * 1024,
};

/** How long another process's lock, or another connection's transaction, is waited for unless the caller says otherwise. */
const defaultLockTimeoutMs = 30_000;

/** What PGlite is said to be until it is asked. */
const unknownServer: ServerFacts = { version: 0, versionText: '', vectorVersion: undefined, extensionTypes: new Map() };

async function openPlace(place: Place, options: ConnectOptions, lockTimeoutMs: number): Promise<SharedDatabase> {
  const isThere = place.folder === undefined || existsSync(place.folder);
  if (!isThere && options.isPlanning === true) return openPrivateDatabase();
  if (!isThere && options.isReadOnly === true) {
    throw new SluiceError('SLUICE_TARGET_MISSING', `There is no database in ${place.name}.`, {
      hint: 'Check the path, or load into it first: sluice load … --to pglite:FOLDER.',
    });
  }
  return joinDatabase(place, { timeoutMs: lockTimeoutMs, signal: options.signal });
}

async function openSession(place: Place, database: SharedDatabase, lockTimeoutMs: number): Promise<SessionLink> {
  const asking = new SessionLink(place, database, { lockTimeoutMs, server: unknownServer });
  try {
    return new SessionLink(place, database, { lockTimeoutMs, server: await readServer(asking) });
  } catch (error) {
    await asking.close();
    throw error;
  }
}

async function readServer(link: SessionLink): Promise<ServerFacts> {
  const { rows } = await link.query(
    `SELECT current_setting('server_version_num')::int AS version, version() AS text, extversion AS vector FROM pg_extension WHERE extname = 'vector'`,
  );
  const types = await link.query(`SELECT oid, typname FROM pg_type WHERE typname IN ('vector', 'halfvec', 'sparsevec')`);
  const [facts] = rows;
  return {
    version: Number(facts?.['version']),
    versionText: String(facts?.['text']),
    vectorVersion: String(facts?.['vector']),
    extensionTypes: new Map(types.rows.map((row) => [Number(row['oid']), String(row['typname'])])),
  };
}

/** Opens a session in the database of a URL; who opens it closes it. */
export async function openPgliteLink(url: string, options: ConnectOptions = {}): Promise<PgLink> {
  const place = parsePlace(url);
  const lockTimeoutMs = options.lockTimeoutMs ?? defaultLockTimeoutMs;
  return openSession(place, await openPlace(place, options, lockTimeoutMs), lockTimeoutMs);
}

/** `pglite:FOLDER`, `pglite:memory` */
export const driver: Driver = {
  schemes: ['pglite'],
  capabilities: pgliteCapabilities,
  connect: async (url: string, options: ConnectOptions = {}): Promise<Connection> => {
    const { folder } = parsePlace(url);
    // What is planned with then is a database of its own, and gone with the plan.
    const isPlaceholder = options.isPlanning === true && folder !== undefined && !existsSync(folder);
    const capabilities = isPlaceholder ? { ...pgliteCapabilities, plansInSession: false } : pgliteCapabilities;
    return createPostgresConnection(await openPgliteLink(url, options), options, { capabilities });
  },
};
