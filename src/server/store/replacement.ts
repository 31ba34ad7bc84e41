/** A database file that came in takes the place of the live one; where it can't, the live one stays, and the client is told as rqlite would. */
import { isSluiceError } from '../../errors.ts';
import type { Engine, Reply } from '../engine/contract.ts';
import { refuse } from '../http/reply.ts';
import type { BootOptions } from './contract.ts';
import type { Spooled } from './spool.ts';

export interface Fault {
  readonly error: unknown;
}

/** Puts the file that came in the place of the database, with the queue emptied before. undefined: it is done. */
export async function replaceDatabase(engine: Engine, spooled: Spooled, { queue }: BootOptions): Promise<Fault | undefined> {
  const file = await spooled.toFile();
  const run = (): Promise<void> => engine.replaceFile(file);
  try {
    await (queue === undefined ? run() : queue.whileEmpty(run));
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** What rqlite says of a broken file; what may pass is 503 with a hint when to come back. */
export function refuseFault({ error }: Fault, status: number, prefix: string): Reply {
  const message = error instanceof Error ? error.message : String(error);
  if (isSluiceError(error) && error.isTransient) return refuse(503, message, { 'Retry-After': '1' });
  if (!isSluiceError(error, 'SLUICE_TARGET_NOT_A_DATABASE')) return refuse(status, `${prefix}${message}`);
  const cause = error.cause instanceof Error ? error.cause.message : 'database disk image is malformed';
  return refuse(status, `${prefix}open SQLite file failed: disable autocheckpointing: ${cause}`);
}
