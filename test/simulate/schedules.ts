/** Plays schedules seed after seed. Some are played side by side, since each waits for the event loop at every event; none sees another. */
import { createScenario } from './scenario.ts';
import { simulate, type Breakage, type Verdict } from './world.ts';

/** Measured with 2,000 schedules: 1 side by side 1,000 a second, 16: 2,900, 64: 3,300, 256: 3,200. */
const sideBySide = 64;

export interface ScheduleOptions {
  readonly first: number;
  readonly count: number;
  readonly breakage?: Breakage;
  /** Ends with the first schedule that broke an invariant. */
  readonly stopsAtFailure?: boolean;
  readonly onFailure?: (verdict: Verdict) => void;
  readonly onProgress?: (done: number) => void;
}

export interface ScheduleSummary {
  readonly count: number;
  readonly eventCount: number;
  readonly failures: readonly Verdict[];
}

export async function playSchedules(options: ScheduleOptions): Promise<ScheduleSummary> {
  const failures: Verdict[] = [];
  let count = 0;
  let eventCount = 0;
  let next = options.first;
  const end = options.first + options.count;
  const play = async (): Promise<void> => {
    while (next < end && !(options.stopsAtFailure === true && failures.length > 0)) {
      const verdict = await simulate(createScenario(next++), options.breakage);
      count += 1;
      eventCount += verdict.eventCount;
      if (verdict.violations.length > 0) {
        failures.push(verdict);
        options.onFailure?.(verdict);
      }
      options.onProgress?.(count);
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, play));
  return { count, eventCount, failures };
}
