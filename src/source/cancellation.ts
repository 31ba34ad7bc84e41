/** Ends reads and waits when a signal is aborted. */
import { SluiceError } from '../errors.ts';

/** The reason that the caller gave is kept as the cause. */
function cancelledError(name: string, signal: AbortSignal): SluiceError {
  return new SluiceError('SLUICE_CANCELLED', `reading ${name} was cancelled`, { cause: signal.reason });
}

/** A check that throws SLUICE_CANCELLED once the signal is aborted. */
export function createCancelCheck(name: string, signal: AbortSignal | undefined): () => void {
  return () => {
    if (signal?.aborted === true) throw cancelledError(name, signal);
  };
}

/** Waits that end with SLUICE_CANCELLED when the signal is aborted. One listener serves all of them, so that a wait per row is cheap. */
export class Waiter {
  private readonly name: string;
  private readonly signal: AbortSignal | undefined;
  private rejectWait: ((error: Error) => void) | undefined;

  constructor(name: string, signal: AbortSignal | undefined) {
    this.name = name;
    this.signal = signal;
    signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  wait<Value>(promise: Promise<Value>): Promise<Value> {
    const { signal } = this;
    if (signal === undefined) return promise;
    return new Promise<Value>((resolve, reject) => {
      // A signal that was aborted before the listener was added tells nobody.
      if (signal.aborted) reject(cancelledError(this.name, signal));
      this.rejectWait = reject;
      promise.then(resolve, reject);
    });
  }

  /** Takes the listener off the signal. */
  close(): void {
    this.signal?.removeEventListener('abort', this.onAbort);
  }

  private readonly onAbort = (): void => {
    if (this.signal !== undefined) this.rejectWait?.(cancelledError(this.name, this.signal));
  };
}
