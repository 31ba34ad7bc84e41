/** One process at a time has a folder open: PGlite takes no lock of its own, and two of them would ruin the data. The lock is the system's, so it ends with its process. */
import { closeSync, openSync, statSync, unlinkSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';

export interface FolderLock {
  release(): void;
}

export interface LockWait {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Between two tries. */
const retryMs = 50;

/**
 * Takes the lock of a folder, a file beside it.
 * @throws SLUICE_TARGET_LOCKED when another process, or another thread, holds it until the deadline
 */
export async function lockFolder(folder: string, { timeoutMs, signal }: LockWait): Promise<FolderLock> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const lock = tryLock(`${folder}.lock`);
    if (lock !== undefined) return lock;
    if (signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', `Stopped while waiting for the lock of ${folder}.`);
    if (performance.now() >= deadline) {
      throw new SluiceError('SLUICE_TARGET_LOCKED', `${folder} is open in another process or thread, and PGlite takes one at a time.`, {
        hint: 'Wait until the other has closed it. For several at once, load into a server: postgres:// …',
      });
    }
    await sleep(retryMs);
  }
}

/** SQLite's lock on an empty file is the portable way to one that a dying process can't leave behind. */
function tryLock(file: string): FolderLock | undefined {
  closeSync(openSync(file, 'a'));
  const opened = readIdentity(file);
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (error instanceof Error && /locked|busy/u.test(error.message)) return undefined;
    throw error;
  }
  // Whoever held it before has removed the file: then this lock is on a file that nobody else finds any more.
  if (opened === undefined || readIdentity(file) !== opened) {
    db.close();
    return undefined;
  }
  return {
    release: () => {
      // Only who holds the lock removes the file, and before letting go. Windows keeps open files; there it stays, empty.
      if (process.platform !== 'win32') unlinkSync(file);
      db.close();
    },
  };
}

function readIdentity(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? undefined : `${String(stat.dev)}/${String(stat.ino)}`;
}
