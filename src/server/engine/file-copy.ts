/** Whole database files: a consistent copy while writes go on, and another file put in the place of the database by one transaction of SQLite's own. */
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import { type Link } from './link.ts';
import { readPosition, writePosition } from './queue-position.ts';

/** Pages that are copied before the event loop has its turn: 8 MiB at 4 KiB a page. */
const pagesPerStep = 2048;

/** What a copy is to be. */
export interface CopyOptions {
  readonly vacuum: boolean;
  readonly usesDeleteMode: boolean;
}

function forget(path: string): void {
  for (const ending of ['', '-wal', '-shm', '-journal']) rmSync(path + ending, { force: true });
}

function syncFile(path: string): void {
  const handle = openSync(path, 'r+');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Copies the snapshot that stands when it is called to `path`; a file that is there is written over. What has not been finished is removed. */
export async function copyDatabase(link: Link, path: string, options: CopyOptions): Promise<void> {
  forget(path);
  try {
    if (options.vacuum) link.trust(() => link.db.prepare('VACUUM INTO ?').run(path));
    else {
      // An open read transaction keeps the copy on one snapshot; without it SQLite would begin again after every write of others.
      link.trust(() => link.db.exec('BEGIN; SELECT count(*) FROM sqlite_schema'));
      try {
        await backup(link.db, path, { rate: pagesPerStep });
      } finally {
        link.trust(() => link.db.exec('COMMIT'));
      }
    }
    if (options.usesDeleteMode) changeMode(path);
    syncFile(path);
  } catch (error) {
    forget(path);
    throw error;
  }
}

function changeMode(path: string): void {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA journal_mode = DELETE');
  } finally {
    db.close();
  }
}

function refuse(path: string, cause: unknown): SluiceError {
  return new SluiceError('SLUICE_TARGET_NOT_A_DATABASE', `${path} is not a whole SQLite database; the database was left as it is.`, {
    cause,
    hint: 'Send a file that `PRAGMA integrity_check` finds in order.',
  });
}

/** Looks at every page of a file, and makes it fit to be copied: same page size, and the queue's position in it. */
function prepareSource(path: string, pageSize: number, position: bigint): void {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
    const found = db.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'];
    if (found !== 'ok') throw new Error(String(found));
    const size = Number(db.prepare('PRAGMA page_size').get()?.['page_size']);
    if (size !== pageSize) {
      // SQLite copies into a database in WAL mode only between equal page sizes.
      db.exec(`PRAGMA journal_mode = DELETE; PRAGMA page_size = ${String(pageSize)}; VACUUM`);
    }
    if (position > 0n) writePosition(db, position);
  } catch (error) {
    throw refuse(path, error);
  } finally {
    db?.close();
  }
}

/**
 * Puts the file at `path` in the place of the database: checked first, then copied over it in one transaction. Killed at any moment, the old one or the new one
 * is there, whole; readers keep what they have begun with. The file at `path` is used up.
 */
export async function replaceDatabase(link: Link, file: string, path: string): Promise<void> {
  if (!existsSync(path)) throw refuse(path, undefined);
  const { db } = link;
  if (db.isTransaction) link.trust(() => db.exec('ROLLBACK'));
  const pageSize = Number(link.trust(() => db.prepare('PRAGMA page_size').get())?.['page_size']);
  prepareSource(path, pageSize, readPosition(link));
  const source = new DatabaseSync(path, { readOnly: true });
  try {
    await backup(source, file, { rate: 1_000_000 });
  } finally {
    source.close();
  }
  link.trust(() => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
  forget(path);
}
