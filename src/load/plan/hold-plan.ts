/** What the plan says of a load that is held back: how far it will go in this session, and what that means for a table that is published or mirrored as a whole. */
import { formatCount } from '../../count-text.ts';
import type { Decision } from '../../target/driver.ts';
import type { LoadOptions } from '../options.ts';

/** What a limit of rows means where an earlier session read `rowsAhead` rows behind a place that is open yet: they count, and are not the first ones. */
export function describeLimit(limit: number, rowsAhead: number, why: string): Decision {
  const choice = `stops after ${formatCount(limit)} rows in all`;
  if (rowsAhead === 0) return { what: 'limit', choice: `${choice}, the first of the input`, why };
  const ahead = `an earlier session without a limit read ${formatCount(rowsAhead)} rows out of turn, and they count`;
  return {
    what: 'limit',
    choice: `${choice}, not strictly the first of the input`,
    why: `${ahead}; the others come in the order of the input`,
  };
}

/** The decisions that follow from a limit of rows, of time, or of speed. */
export function describeHold({ limit, maxDurationMs, mode, rate, target }: LoadOptions, rowsAhead: number): readonly Decision[] {
  const isWhole = mode === 'replace' || mode === 'sync' || target?.isAtomic === true;
  const whole = mode === 'sync' ? 'vanished rows are deleted only once' : 'nothing is visible before';
  const why = isWhole ? `resumable; ${whole} the whole source was read` : 'resumable';
  const rows = rate?.rowsPerSecond === undefined ? [] : [`${formatCount(rate.rowsPerSecond)} rows/s`];
  const bytes = rate?.bytesPerSecond === undefined ? [] : [`${formatCount(rate.bytesPerSecond)} B/s`];
  return [
    ...(limit === undefined ? [] : [describeLimit(limit, rowsAhead, why)]),
    ...(maxDurationMs === undefined ? [] : [{ what: 'time limit', choice: `stops after ${formatCount(maxDurationMs)} ms`, why }]),
    ...(rate === undefined
      ? []
      : [{ what: 'rate', choice: `at most ${[...rows, ...bytes].join(' and ')}`, why: 'over all lanes of this process' }]),
  ];
}
