/** A reader's session in PostgreSQL: one read-only transaction with one snapshot, which the readers of a load share. */
import { PgError, type PgLink } from '../../target/postgres/link.ts';
import type { DatabaseAddress } from './database-url.ts';

/** What the readers of one session share: how to connect, and the snapshot's name. */
export interface SharedSession {
  readonly url: string;
  /** undefined where the server gives none: then there is one reader. */
  readonly snapshot: string | undefined;
}

export function readShared(text: string | undefined): SharedSession | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as SharedSession);
}

/** Opens the link of a URL; a server's client or the database in process is loaded only now. */
export async function openReaderLink(address: DatabaseAddress, url: string): Promise<PgLink> {
  if (address.scheme === 'pglite') return (await import('../../target/pglite/index.ts')).openPgliteLink(url, { isReadOnly: true });
  return (await import('../../target/postgres/connect/connect.ts')).openLink(url, { isReadOnly: true });
}

/**
 * Rows must come in the same order each time, so scans neither begin where another one is nor are shared out among processes. The transaction idles while
 * rows are embedded and written; how long that takes is the target's matter, and no reason to end it.
 */
const settings = [
  'SET LOCAL synchronize_seqscans = off',
  'SET LOCAL max_parallel_workers_per_gather = 0',
  'SET LOCAL idle_in_transaction_session_timeout = 0',
];

/** Begins the transaction, with a snapshot of its own or the one that is named. */
export async function beginReading(link: PgLink, snapshot: string | undefined): Promise<void> {
  const named = snapshot === undefined ? [] : [`SET TRANSACTION SNAPSHOT '${snapshot.replaceAll("'", "''")}'`];
  await link.script(['BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY', ...named, ...settings].join('; '));
}

/** The name of the transaction's snapshot for other sessions; undefined where the server, a pooler or a relative of PostgreSQL gives none. */
export async function exportSnapshot(link: PgLink): Promise<string | undefined> {
  if (!link.ownsSession) return undefined;
  try {
    const { rows } = await link.query('SELECT pg_export_snapshot() AS name');
    return String(rows[0]?.['name']);
  } catch (error) {
    if (!(error instanceof PgError) || link.isBroken) throw error;
    // A subtransaction can't export, so there is no savepoint to go back to; nothing has been read yet.
    await link.script('ROLLBACK');
    await beginReading(link, undefined);
    return undefined;
  }
}

/** Runs a COPY in the transaction; one that is not read to its end leaves the transaction, and with it the snapshot, as it was. */
export async function* copyInTransaction(
  link: PgLink,
  sql: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  await link.script('SAVEPOINT sluice_copy');
  let isWhole = false;
  try {
    // No limit of its own: the reader may wait for the target as long as it likes.
    yield* link.copyOut(sql, { signal, timeoutMs: 0 });
    isWhole = true;
  } finally {
    if (!link.isBroken) await link.script(isWhole ? 'RELEASE SAVEPOINT sluice_copy' : 'ROLLBACK TO SAVEPOINT sluice_copy');
  }
}
