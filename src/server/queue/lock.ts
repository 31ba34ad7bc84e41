/** One process owns a queue: the lock is the operating system's, so that it ends with the process, however that ends. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { SluiceError } from '../../errors.ts';

/**
 * Locks the queue's folder; the answer unlocks it.
 * @throws SLUICE_TARGET_LOCKED another process has it
 */
export function takeLock(folder: string): () => void {
  // An empty database file that is never written: SQLite's locks work on every platform, and two of one process exclude each other too.
  const lock = new DatabaseSync(join(folder, 'lock'), { timeout: 100 });
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new SluiceError('SLUICE_TARGET_LOCKED', 'another process serves this database: its queue is locked', {
      cause,
      hint: 'Stop the other server first.',
    });
  }
  return () => lock.close();
}
