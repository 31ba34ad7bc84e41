/** Wakes one waiting loop: a wake that comes before the wait is not lost. */
export interface Signal {
  notify(): void;
  /** Resolves at the next `notify`, at once if there was one since the last wait, or after the time; without one it waits for ever. */
  wait(timeoutMs?: number): Promise<void>;
}

export function createSignal(): Signal {
  let isSet = false;
  let wake: (() => void) | undefined;
  return {
    notify: () => {
      isSet = true;
      wake?.();
    },
    wait: async (timeoutMs) => {
      if (!isSet) {
        await new Promise<void>((resolve) => {
          const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      isSet = false;
      wake = undefined;
    },
  };
}
