/** A broken link to a target, as an error that knows whether what was sent before the break may have landed. */
import { SluiceError, type ErrorDetail } from '../errors.ts';
import type { Landed } from './driver.ts';

/**
 * The link broke under a commit. `no`: certainly nothing was written, sending again is safe. `unknown`: only the ledger can tell,
 * read over a new connection. Code SLUICE_LINK_LOST.
 */
export class LinkLostError extends SluiceError {
  readonly landed: Landed;

  constructor(landed: Landed, message: string, detail: ErrorDetail = {}) {
    super('SLUICE_LINK_LOST', message, detail);
    this.landed = landed;
  }
}

/** What an error says about the link: whether the work in flight landed, or undefined when the link is not what broke. A lost link that doesn't say is `unknown`. */
export function readLanded(error: unknown): Landed | undefined {
  if (error instanceof LinkLostError) return error.landed;
  return error instanceof SluiceError && error.code === 'SLUICE_LINK_LOST' ? 'unknown' : undefined;
}
