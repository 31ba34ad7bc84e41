/** Ctrl-C and SIGTERM: the first lets the batches in flight finish, the second ends the process at once. */

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const interruptedExitCode = 130;
/**
 * One Ctrl-C in a terminal reaches a process twice when `npm` runs it: from the terminal and forwarded by npm, a few milliseconds apart.
 * Two presses of a hand are at least 120 ms apart.
 */
const samePressMs = 100;

interface InterruptWatch {
  /** Aborted by the first interrupt. */
  readonly signal: AbortSignal;
  /** Gives signals back to their default: the end of the process. */
  release(): void;
}

/** Watches until released. `onFirst` tells the person what happens now; `onSecond` puts the terminal in order before the process ends. */
export function watchInterrupts(onFirst: () => void, onSecond: () => void): InterruptWatch {
  const controller = new AbortController();
  let firstMs: number | undefined;

  function interrupt(): void {
    if (firstMs === undefined) {
      firstMs = performance.now();
      onFirst();
      controller.abort();
    } else if (performance.now() - firstMs >= samePressMs) {
      onSecond();
      process.exit(interruptedExitCode);
    }
  }

  for (const signal of signals) process.on(signal, interrupt);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of signals) process.off(signal, interrupt);
    },
  };
}
