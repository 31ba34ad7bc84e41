/** Calls a load's progress callback ten times a second, and at each change of phase; nothing when there is no callback. */
import type { Progress } from '../options.ts';
import type { ProgressMeter } from './progress-meter.ts';

const intervalMs = 100;

export interface ProgressWatch {
  readonly enter: (phase: Progress['phase']) => void;
  end(): void;
}

export function watchProgress(meter: ProgressMeter, onProgress: ((progress: Progress) => void) | undefined): ProgressWatch {
  const tell = (): void => onProgress?.(meter.progress(performance.now()));
  const timer = onProgress === undefined ? undefined : setInterval(tell, intervalMs);
  return {
    enter: (phase) => {
      meter.observe({ kind: 'phase', phase }, performance.now());
      tell();
    },
    end: () => clearInterval(timer),
  };
}
