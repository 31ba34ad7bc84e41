/** One PGlite of this process for each place, shared by all connections to it: closed with the last of them, its one session lent to one transaction at a time. */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { SluiceError } from '../../errors.ts';
import { lockFolder, type FolderLock, type LockWait } from './folder-lock.ts';
import { openPglite } from './package.ts';
import type { Place } from './place.ts';

/** Closing writes a checkpoint; a database that crashed may never answer. */
const closeTimeoutMs = 30_000;

interface Waiting {
  readonly borrower: object;
  readonly resolve: () => void;
}

/** An open database and who is at work in its session. */
export class SharedDatabase {
  readonly db: PGlite;
  /** Nobody else joins it. */
  readonly isPrivate: boolean;
  /** Open connections. */
  users = 0;
  #isDead = false;
  readonly #lock: FolderLock | undefined;
  #borrower: object | undefined;
  readonly #waiting: Waiting[] = [];

  constructor(db: PGlite, lock: FolderLock | undefined, isPrivate = false) {
    this.db = db;
    this.isPrivate = isPrivate;
    this.#lock = lock;
  }

  isBorrowedBy(borrower: object): boolean {
    return this.#borrower === borrower;
  }

  /**
   * Lends the session; whoever has it keeps it until {@link giveBack}.
   * @throws SLUICE_TARGET_LOCKED after the deadline
   */
  async borrow(borrower: object, { timeoutMs, signal }: LockWait): Promise<void> {
    if (this.#borrower === borrower) return;
    if (this.#borrower === undefined) {
      this.#borrower = borrower;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = { borrower, resolve: () => end(resolve) };
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
        settle();
      };
      const cancel = (): void => end(() => reject(new SluiceError('SLUICE_CANCELLED', 'Stopped while waiting for another transaction.')));
      const timer = setTimeout(() => end(() => reject(makeLockedError(timeoutMs))), timeoutMs);
      signal?.addEventListener('abort', cancel, { once: true });
      this.#waiting.push(waiting);
    });
  }

  /** Hands the session to the one who has waited longest. */
  giveBack(borrower: object): void {
    if (this.#borrower !== borrower) return;
    const next = this.#waiting[0];
    this.#borrower = next?.borrower;
    next?.resolve();
  }

  /** The program inside has crashed: nothing can be asked of it any more, and it writes nothing any more. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Lets others open the folder anew, which recovers what was committed. */
  bury(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#lock?.release();
  }

  async close(): Promise<void> {
    if (this.#isDead) return;
    try {
      await Promise.race([this.db.close(), waitUnheld(closeTimeoutMs)]);
    } finally {
      this.bury();
    }
  }
}

function makeLockedError(timeoutMs: number): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_LOCKED',
    `Another connection of this process kept the PGlite database in a transaction for ${String(timeoutMs)} ms.`,
    { hint: 'PGlite has one session; let the other transaction end, or load into a server: postgres:// …' },
  );
}

/** A wait that does not keep the process alive. */
function waitUnheld(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** By folder. One that is being opened or closed is there too, so that nobody opens it a second time beside. */
const databases = new Map<string, Promise<SharedDatabase>>();
const closings = new Map<string, Promise<void>>();

/** Of the database in memory. */
const memoryKey = ':memory:';

/**
 * Opens a database, or joins those who have it open. {@link leaveDatabase} when done.
 * @throws SLUICE_TARGET_LOCKED, SLUICE_TARGET_DENIED, SLUICE_PACKAGE_MISSING
 */
export async function joinDatabase({ folder }: Place, wait: LockWait): Promise<SharedDatabase> {
  const key = folder ?? memoryKey;
  for (;;) {
    await closings.get(key);
    const known = databases.get(key);
    if (known === undefined) break;
    const database = await known;
    if (databases.get(key) !== known) continue;
    if (!database.isDead) {
      database.users++;
      return database;
    }
    databases.delete(key);
  }
  const opening = openDatabase(folder, wait);
  databases.set(key, opening);
  try {
    const database = await opening;
    database.users++;
    return database;
  } catch (error) {
    databases.delete(key);
    throw error;
  }
}

/** The last one out closes it, but for the one in memory: its rows would be gone before anybody could read them. */
export async function leaveDatabase({ folder }: Place, database: SharedDatabase): Promise<void> {
  database.users--;
  if (database.users > 0 || database.isDead) return;
  if (database.isPrivate) return database.close();
  if (folder === undefined) return;
  databases.delete(folder);
  const closing = database.close();
  closings.set(folder, closing);
  try {
    await closing;
  } finally {
    closings.delete(folder);
  }
}

/** A database of one connection that nothing else sees: what a plan looks at where there is nothing yet. */
export async function openPrivateDatabase(): Promise<SharedDatabase> {
  const database = new SharedDatabase(await openPglite(undefined), undefined, true);
  database.users = 1;
  return database;
}

async function openDatabase(folder: string | undefined, wait: LockWait): Promise<SharedDatabase> {
  if (folder === undefined) return new SharedDatabase(await openPglite(undefined), undefined);
  const parent = path.dirname(folder);
  if (!existsSync(parent)) {
    throw new SluiceError('SLUICE_TARGET_DENIED', `The folder ${parent} does not exist, so ${folder} can't be made.`, {
      hint: 'Make the folder first.',
    });
  }
  const lock = await lockFolder(folder, wait);
  try {
    mkdirSync(folder, { recursive: true });
    return new SharedDatabase(await openPglite(folder), lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}
