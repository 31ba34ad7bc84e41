/**
 * Keys that come in ascending order need no digests: a stretch of them is known by its first and last key, and two stretches that do not overlap share no
 * key. Only what is not in order, or overlaps, is compared key by key; a file sorted by its key costs nothing.
 */
import type { Scalar } from '../rows/schema.ts';

export type OrderedKey = string | number | bigint;

/** Rows of a shard whose first key column ascends, or (`isAscending: false`) whose digests were taken. */
export interface KeyRun {
  readonly shard: number;
  /** Rows of the shard, refused ones counted: first and last. */
  readonly from: number;
  readonly to: number;
  readonly min: OrderedKey;
  readonly max: OrderedKey;
  readonly isAscending: boolean;
}

/** Types whose memory form has one spelling a value and is in order where the keys are. */
export const runTypes: ReadonlySet<string> = new Set(['integer', 'real', 'text', 'uuid', 'date']);

/** The least and greatest of the values, and whether each is greater than the one before; undefined for none, or where one has no order. */
export function measureRun(values: readonly Scalar[]): Pick<KeyRun, 'min' | 'max' | 'isAscending'> | undefined {
  const first = values[0];
  if (!isOrdered(first)) return undefined;
  let [min, max, last]: [OrderedKey, OrderedKey, OrderedKey] = [first, first, first];
  let isAscending = true;
  for (let row = 1; row < values.length; row++) {
    const value = values[row];
    if (!isOrdered(value)) return undefined;
    if (value > last) {
      if (value > max) max = value;
    } else {
      isAscending = false;
      if (value < min) min = value;
    }
    last = value;
  }
  return { min, max, isAscending };
}

function isOrdered(value: Scalar | undefined): value is OrderedKey {
  return typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint';
}

/** Ascending runs that overlap with any other run: their keys have to be compared after all. */
export function findOverlapping(runs: readonly KeyRun[]): readonly KeyRun[] {
  const sorted = runs.toSorted((left, right) => (left.min < right.min ? -1 : left.min > right.min ? 1 : 0));
  const overlapping = new Set<KeyRun>();
  let reaching: KeyRun | undefined;
  for (const run of sorted) {
    if (reaching !== undefined && run.min <= reaching.max) {
      overlapping.add(run);
      overlapping.add(reaching);
    }
    if (reaching === undefined || run.max > reaching.max) reaching = run;
  }
  return [...overlapping].filter(({ isAscending }) => isAscending);
}
