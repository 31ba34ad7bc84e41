/** A load by way of a file: SQLite's driver builds it on this machine, ledger and all, and it takes the place of the server's empty database. */
import { createReadStream } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import type { Connection, Decision, TablePlan } from '../driver.ts';
import { readLanded } from '../link.ts';
import { driver as sqliteDriver } from '../sqlite/index.ts';
import { readRows, writeStatement } from './answer.ts';
import { findObstacles } from './boot-plan.ts';
import { hasBootFile, makeBootFolder, removeBootFile } from './boot-place.ts';
import { sendRequest, type RqliteLink } from './link.ts';
import { withShadow } from './shadow.ts';

/** Files of hundreds of gigabytes take hours. */
const bootTimeoutMs = 24 * 60 * 60_000;

/** Pieces of the file on their way. */
const chunkBytes = 1024 * 1024;

/** The file that a plan builds; undefined for one that writes to the server. */
export function readBootFile({ settings }: TablePlan): string | undefined {
  const file = settings['bootFile'];
  return settings['isBoot'] === true && typeof file === 'string' ? file : undefined;
}

function writeFileUrl(file: string): string {
  return `sqlite:${file.replaceAll('%', '%25').replaceAll('?', '%3F')}`;
}

/** Opens the file of a load that is under way; undefined where there is none, because it has been booted. */
export async function joinBootFile(plan: TablePlan): Promise<Connection | undefined> {
  const file = readBootFile(plan);
  return file !== undefined && hasBootFile(file) ? sqliteDriver.connect(writeFileUrl(file)) : undefined;
}

/** Opens the file of a load that begins; undefined where the server has the load already, and it goes on there. */
export async function beginBootFile(link: RqliteLink, load: string, plan: TablePlan): Promise<Connection | undefined> {
  const file = readBootFile(plan);
  if (file === undefined) return undefined;
  if (await hasLoad(link, load)) {
    // A process that was killed behind the boot has left it.
    await removeBootFile(file);
    return undefined;
  }
  await makeBootFolder(link, file);
  return sqliteDriver.connect(writeFileUrl(file));
}

async function hasLoad(link: RqliteLink, load: string): Promise<boolean> {
  const tables = await readRows(link, writeStatement(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sluice_loads'`, []));
  if (tables.values.length === 0) return false;
  return (await readRows(link, writeStatement('SELECT 1 FROM sluice_loads WHERE load = ?', [load]))).values.length > 0;
}

/**
 * Sends the file, which nobody has open any more, and removes it. Also after a load that was stopped: it goes on over the server's own API.
 * @throws SLUICE_TARGET_FAILED; the file stays, and the server's database as it was
 */
export async function bootFile(link: RqliteLink, load: string, plan: TablePlan): Promise<Decision> {
  const file = readBootFile(plan) ?? '';
  // One file without a journal beside it.
  const db = new DatabaseSync(file, { timeout: 5000 });
  try {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE');
  } finally {
    db.close();
  }
  const obstacles = await withShadow(link, {}, (shadow) => findObstacles(link, shadow));
  if (obstacles.length > 0) throw keepFile(link, file, { why: obstacles.join(' ') });
  await sendFile(link, load, file);
  await removeBootFile(file);
  return { what: 'boot', choice: `${link.address.label} holds the file now`, why: 'it was built on this machine, and POST /boot took it' };
}

async function sendFile(link: RqliteLink, load: string, file: string): Promise<void> {
  try {
    const answer = await sendRequest(link, {
      method: 'POST',
      path: '/boot',
      contentType: 'application/octet-stream',
      body: () => createReadStream(file, { highWaterMark: chunkBytes }),
      isRead: false,
      timeoutMs: bootTimeoutMs,
    });
    if (answer.status !== 200)
      throw keepFile(link, file, { why: `It answered ${String(answer.status)} ${answer.text.trim().slice(0, 200)}.` });
  } catch (error) {
    // The ledger is in the file, and so tells whether it is in place.
    if (readLanded(error) !== 'unknown') throw error;
    if (!(await hasLoad(link, load))) throw keepFile(link, file, { why: 'The link broke while it was sent.', cause: error });
  }
}

function keepFile(link: RqliteLink, file: string, { why, cause }: { readonly why: string; readonly cause?: unknown }): SluiceError {
  return new SluiceError('SLUICE_TARGET_FAILED', `${link.address.label} did not take the file that was built for it. ${why}`, {
    cause,
    hint: `Run the same command again, which builds the file anew, or load without --boot. Until then it is there: ${file}.`,
  });
}
