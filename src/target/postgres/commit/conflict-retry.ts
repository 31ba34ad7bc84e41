/** Runs a transaction again when the server chose it to give way to another one: deadlocks and serialization failures, which leave nothing behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../../errors.ts';
import { isConflict } from '../errors.ts';

/** A deadlock takes the server 1 s to see (deadlock_timeout), so this many tries with the waits below span about 20 s. */
const maxTries = 8;

/** The first wait, doubled up to the longest; each is cut by chance so that the two that met don't meet again. */
const firstWaitMs = 20;
const longestWaitMs = 1_000;

/** @throws SLUICE_TARGET_BUSY after the last try; whatever else `work` throws */
export async function retryConflicts<Result>(place: string, work: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  let waitMs = firstWaitMs;
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (tries >= maxTries) throw toBusyError(place, error);
    }
    if (signal?.aborted === true)
      throw new SluiceError('SLUICE_CANCELLED', `Stopped while a transaction on ${place} waited for another try.`);
    await sleep(waitMs * (0.5 + Math.random()));
    waitMs = Math.min(waitMs * 2, longestWaitMs);
  }
}

function toBusyError(place: string, cause: unknown): SluiceError {
  return new SluiceError('SLUICE_TARGET_BUSY', `A transaction on ${place} had to give way to others ${maxTries} times in a row.`, {
    cause,
    hint: 'Resume the load when less is written to the table, or with fewer lanes.',
  });
}
