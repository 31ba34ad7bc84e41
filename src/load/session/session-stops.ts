/** Everything that may stop a session before its end, behind one signal: the caller, the time limit, a command through the ledger. The first one is the cause. */
import { SluiceError } from '../../errors.ts';

/** Why a session stopped early. */
export type StopCause = 'cancelled' | 'time_limit';

export interface SessionStops {
  /** Aborted by the first stop, with SLUICE_CANCELLED as its reason. */
  readonly signal: AbortSignal;
  /** Undefined while nothing has stopped the session. */
  cause(): StopCause | undefined;
  /** Who stopped it, where that was not this process's caller; for the report. */
  by(): string | undefined;
  stop(cause: StopCause, by?: string): void;
  /** Gives the timer and the caller's signal back. */
  close(): void;
}

interface StopOptions {
  readonly signal?: AbortSignal | undefined;
  readonly maxDurationMs?: number | undefined;
}

/** Watches the caller's signal and the clock until it is closed. */
export function openStops({ maxDurationMs, signal }: StopOptions): SessionStops {
  const controller = new AbortController();
  let found: { readonly cause: StopCause; readonly by: string | undefined } | undefined;
  const stop = (cause: StopCause, by?: string): void => {
    if (found !== undefined) return;
    found = { cause, by };
    controller.abort(new SluiceError('SLUICE_CANCELLED', 'The load was stopped.', { hint: 'Resume it; what was committed stays.' }));
  };
  const cancel = (): void => stop('cancelled');
  if (signal?.aborted === true) cancel();
  signal?.addEventListener('abort', cancel);
  const timer = maxDurationMs === undefined ? undefined : setTimeout(() => stop('time_limit'), maxDurationMs);
  return {
    signal: controller.signal,
    cause: () => found?.cause,
    by: () => found?.by,
    stop,
    close: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    },
  };
}
