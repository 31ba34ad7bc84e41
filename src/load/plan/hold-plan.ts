/** What the plan says of a load that is held back: how far it will go in this session, and what that means for a table that is published or mirrored as a whole. */
import { formatCount } from '../../count-text.ts';
import type { Decision } from '../../target/driver.ts';
import type { LoadOptions } from '../options.ts';

/** The decisions that follow from a limit of rows, of time, or of speed. */
export function describeHold({ limit, maxDurationMs, mode, rate, target }: LoadOptions): readonly Decision[] {
  const isWhole = mode === 'replace' || mode === 'sync' || target?.isAtomic === true;
  const whole = mode === 'sync' ? 'vanished rows are deleted only once' : 'nothing is visible before';
  const why = isWhole ? `resumable; ${whole} the whole source was read` : 'resumable';
  const rows = rate?.rowsPerSecond === undefined ? [] : [`${formatCount(rate.rowsPerSecond)} rows/s`];
  const bytes = rate?.bytesPerSecond === undefined ? [] : [`${formatCount(rate.bytesPerSecond)} B/s`];
  return [
    ...(limit === undefined
      ? []
      : [{ what: 'limit', choice: `stops after ${formatCount(limit)} rows in all, the first of the input`, why }]),
    ...(maxDurationMs === undefined ? [] : [{ what: 'time limit', choice: `stops after ${formatCount(maxDurationMs)} ms`, why }]),
    ...(rate === undefined
      ? []
      : [{ what: 'rate', choice: `at most ${[...rows, ...bytes].join(' and ')}`, why: 'over all lanes of this process' }]),
  ];
}
