/** What the values of a page are handed on as, and what reads them; one reader for each encoding. */
import type { Dictionary } from './dictionary.ts';
import { PageFault } from './fault.ts';

/** Values of one width, one behind the other. */
export interface FixedValues {
  readonly kind: 'fixed';
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly width: number;
}

/** Values of any length. */
export interface SlicedValues {
  readonly kind: 'sliced';
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Values of a dictionary. */
export interface IndexedValues {
  readonly kind: 'indexed';
  readonly count: number;
  readonly indexes: Int32Array;
  readonly dictionary: Dictionary;
}

export type Values = FixedValues | SlicedValues | IndexedValues;

/** Reads the values of a page forward. */
export interface ValueReader {
  /** The next values: at least one, at most `count`, of about `maxBytes` or one. @throws PageFault when the page has fewer than `count` */
  read(count: number, maxBytes: number): Values;
  skip(count: number): void;
}

/** Skips what a reader can only read, a little at a time. */
export function skipByReading(read: (count: number) => { readonly count: number }): (count: number) => void {
  return (count) => {
    for (let left = count; left > 0;) left -= read(Math.min(left, 8192)).count;
  };
}

/** The values end before the header says. */
export function tooFewValues(): PageFault {
  return new PageFault('a page has fewer values than its header says');
}
