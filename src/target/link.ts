/** Errors of a target that the flow acts on: a broken link that knows whether what was sent may have landed, and keys that came twice. */
import { SluiceError, type ErrorDetail } from '../errors.ts';
import type { Scalar } from '../rows/schema.ts';
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

/** The key of a table was put off and can't be made: these keys came more than once. Code SLUICE_KEYS_DOUBLED. */
export class DuplicateKeysError extends SluiceError {
  /** Each key once, as values in the order of the plan's key columns; at most {@link maxDuplicateKeys}. */
  readonly keys: readonly (readonly Scalar[])[];

  constructor(keys: readonly (readonly Scalar[])[], message: string, detail: ErrorDetail = {}) {
    super('SLUICE_KEYS_DOUBLED', message, detail);
    this.keys = keys;
  }
}

/** Above this many doubled keys, or rows that repeat one, the input is not what the caller thinks it is; the load stops. */
export const maxDuplicateKeys = 1_000_000;
