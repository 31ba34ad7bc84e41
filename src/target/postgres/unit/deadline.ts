/** The time that a unit has: when it is over, what runs is cancelled, and the error says so. */
import { isSluiceError, SluiceError } from '../../../errors.ts';

/** As the contract says. */
export const defaultTimeoutMs = 300_000;

/** What timers of the runtime and limits of the server can hold is 2³¹ - 1 ms, some 24 days; the server's limit comes a little after this one. */
const longestTimerMs = 2_147_000_000;

export interface Deadline {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The error to throw for one that was caught: whose doing a cancelled statement was. */
  explain(error: unknown, place: string): unknown;
  clear(): void;
}

/** @throws SLUICE_USAGE for a time that is none */
export function startDeadline(timeoutMs: number, signal: AbortSignal | undefined): Deadline {
  if (!(timeoutMs > 0))
    throw new SluiceError('SLUICE_USAGE', `A unit can't be given ${String(timeoutMs)} ms.`, { hint: 'timeoutMs is above 0.' });
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), Math.min(timeoutMs, longestTimerMs));
  return {
    timeoutMs: Math.min(Math.ceil(timeoutMs), longestTimerMs),
    signal: signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]),
    explain: (error, place) => {
      if (!over.signal.aborted || signal?.aborted === true || !isSluiceError(error, 'SLUICE_CANCELLED')) return error;
      return new SluiceError(
        'SLUICE_TARGET_BUSY',
        `A unit of statements on ${place} was not done after ${String(timeoutMs)} ms and was undone.`,
        {
          cause: error,
          hint: 'Give it more time, or less work; a lock that another session holds may be what it waited for.',
        },
      );
    },
    clear: () => clearTimeout(timer),
  };
}
