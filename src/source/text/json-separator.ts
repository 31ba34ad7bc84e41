/** What stands between the elements of a JSON array. Every row that is taken has its comma or its `]` in sight, so an array that is cut short is always noticed. */
import { SluiceError } from '../../errors.ts';
import { passBlanks, type ElementScan } from './json-element.ts';

const comma = 44;
const closeArray = 93;
const openObject = 123;

/** The bytes that are looked at, and what comes behind them. */
export interface ArrayView {
  readonly view: Uint8Array;
  /** Place of the view's first byte in the file. */
  readonly offset: number;
  /** A file's name, for messages. */
  readonly name: string;
  /** Nothing more comes: of the file or, where it `isCut`, of the shard. */
  readonly isFinal: boolean;
  readonly isCut: boolean;
}

/**
 * The place where the next row's bytes begin: behind the comma that follows the element which ends at `end`, or before the `]`. -1: more has to be seen.
 * @throws SLUICE_SOURCE_INVALID where neither follows
 */
export function passSeparator(input: ArrayView, scan: ElementScan, end: number): number {
  const { view, isCut, isFinal } = input;
  const linesBefore = scan.lines;
  const at = passBlanks(scan, view, end);
  if (at === view.length) return needMore(input, end);
  const byte = view[at];
  if (byte === closeArray) {
    // Its blanks are passed with it.
    scan.lines = linesBefore;
    return end;
  }
  // The comma behind a broken string was taken for a part of it: the next element's start is as good.
  if (scan.isBroken && byte === openObject) return at;
  if (byte !== comma) throw invalidArray(input, at, "',' or ']' is expected");
  const next = passBlanks({ lines: 0 }, view, at + 1);
  if (next < view.length || (isFinal && isCut)) return at + 1;
  return needMore(input, at);
}

/** What follows is not in sight yet. @throws SLUICE_SOURCE_INVALID if nothing does */
export function needMore(input: ArrayView, at: number): -1 {
  if (!input.isFinal) return -1;
  throw invalidArray(input, at, "it ends inside the array, without a ']'");
}

/** @throws SLUICE_SOURCE_INVALID where more than blanks follows the array */
export function checkEnd(input: ArrayView, from: number): void {
  const at = passBlanks({ lines: 0 }, input.view, from);
  if (at < input.view.length) throw invalidArray(input, at, 'the array has ended, and more follows');
}

export function invalidArray({ name, offset }: ArrayView, at: number, what: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_INVALID', `${name} is no whole JSON array: at byte ${String(offset + at)} ${what}`, {
    hint: 'Mend or fetch the file again and load it anew; "jq empty FILE" checks it. Rows before that place may have been loaded: the ledger says how many.',
  });
}
