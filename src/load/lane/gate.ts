/** One commit at a time over the connection that the runs of a lane share; whoever waits is let in in the order of coming. */
import type { Turn } from './lane.ts';

/** The right to use a lane's connection. */
export interface Gate {
  /** The turn of one run, which also holds the gate from when it is taken until it is released. */
  guard(turn: Turn): Turn;
}

/** Opens the gate of one lane. */
export function createGate(): Gate {
  let holder: symbol | undefined;
  const waiting: { readonly run: symbol; readonly enter: () => void }[] = [];

  const leave = (run: symbol): void => {
    const at = waiting.findIndex((one) => one.run === run);
    if (at >= 0) waiting.splice(at, 1);
    if (holder !== run) return;
    const next = waiting.shift();
    holder = next?.run;
    next?.enter();
  };

  const enter = async (run: symbol, signal: AbortSignal | undefined): Promise<boolean> => {
    if (signal?.aborted === true) return false;
    if (holder === undefined || holder === run) {
      holder = run;
      return true;
    }
    await new Promise<void>((resolve) => {
      const end = (): void => {
        signal?.removeEventListener('abort', end);
        resolve();
      };
      waiting.push({ run, enter: end });
      signal?.addEventListener('abort', end);
    });
    return holder === run;
  };

  return {
    guard: (turn) => {
      const run = Symbol('run');
      return {
        take: async (signal) => {
          if (!(await enter(run, signal))) {
            leave(run);
            return 'closed';
          }
          const answer = await turn.take(signal);
          if (answer === 'closed') leave(run);
          return answer;
        },
        release: (end) => {
          turn.release(end);
          leave(run);
        },
      };
    },
  };
}
