/** What a loop over a column of a stretch works on: it sets one value per row, and a placeholder where it refuses one. */
import type { Scalar } from './schema.ts';
import type { Unfit } from './unfit.ts';
import { isUnfit, nullUnfit } from './unfit.ts';

/** Estimated bytes beside a string's characters: V8's header and the pointer to it. */
export const stringOverheadBytes = 16;
/** Estimated bytes of a number, a boolean or a null in an array. */
export const slotBytes = 8;

/** A scalar column being filled from one stretch. */
export interface ScalarFill {
  /** One place per row of the stretch, to be set. */
  readonly values: Scalar[];
  readonly isNullable: boolean;
  /** The column's type was guessed from a sample. */
  readonly isGuessed: boolean;
  /** Notes that a row of the stretch does not fit; its value is taken out with the whole row afterwards. */
  readonly refuse: (row: number, unfit: Unfit) => void;
}

/** Sets a null, which a column that takes none refuses. */
export function setNull(fill: ScalarFill, row: number): void {
  fill.values[row] = null;
  if (!fill.isNullable) fill.refuse(row, nullUnfit);
}

/** Sets a converted value and answers its estimated bytes. */
export function setConverted(fill: ScalarFill, row: number, converted: Scalar | Unfit): number {
  if (isUnfit(converted)) {
    fill.values[row] = null;
    fill.refuse(row, converted);
    return 0;
  }
  fill.values[row] = converted;
  if (typeof converted === 'string') return converted.length * 2 + stringOverheadBytes;
  return converted instanceof Uint8Array ? converted.length + stringOverheadBytes : slotBytes;
}
