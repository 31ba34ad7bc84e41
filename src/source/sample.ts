/** Rows for schema inference out of a few places of a file. A sample may miss rows; it never holds half of one. */
import type { Position } from '../rows/batch.ts';
import type { ByteWindow } from './text/byte-window.ts';
import type { Records, Sample } from './source.ts';
import { holdText, type Head, type Reading, type TextFormat, type TokenizerInput } from './text/text-format.ts';

/** The first rows: what a person would look at, and enough for a type that is rare in a column to turn up. */
export const headSample: { readonly maxRows: number; readonly maxBytes: number } = { maxRows: 1_000, maxBytes: 1024 * 1024 };
/** Places after the head, the file's end among them. */
export const samplePlaces = 8;
/** Rows wanted of each, on average; the bytes for them are read, and all rows in those. */
const placeRows = 200;
const minPlaceBytes = 4 * 1024;
const maxPlaceRows = 4_096;
/** Lines that are tried as a row's start before a place is given up: inside a long quoted text no line starts a row. */
const maxTries = 16;

export interface SampledFile {
  readonly format: TextFormat;
  readonly head: Head;
  readonly size: number;
  readonly reread: Reading['reread'];
  /** An input from a byte of the file to its end. */
  readonly openWindow: (offset: number, capacityBytes: number) => ByteWindow;
}

/** The rows at the front of a window, which is not moved; undefined if the first one is not whole or too long. */
export function peekRows(
  window: ByteWindow,
  base: Position,
  sampled: Pick<SampledFile, 'format' | 'head' | 'reread'>,
): Records | undefined {
  // A copy: the records of a sample are kept, the window goes on.
  const view = Buffer.from(window.view());
  const tokenizer = sampled.format.createTokenizer(sampled.head, headSample);
  const taken = tokenizer.take({ view, base, isFinal: window.isFinal, readText: holdText(view, base.offset, sampled.reread).read });
  return typeof taken === 'string' ? undefined : taken;
}

/** The first rows of a file. A row too long for the whole sample is passed over. */
export async function sampleHead(file: SampledFile): Promise<Records | undefined> {
  const start = file.head.byteCount;
  const window = file.openWindow(start, headSample.maxBytes + 1);
  await gather(window, headSample.maxBytes);
  let line = file.head.lines;
  for (let row = 0; row < maxTries && start < file.size; row++, line++) {
    const records = await peekWholeRows(window, { offset: window.offset, row, line }, file);
    if (records !== undefined || window.isFinal) return records;
    const tokenizer = file.format.createTokenizer(file.head, headSample);
    await (tokenizer.passLong?.(window, false) ?? window.skipLine());
  }
  return undefined;
}

/** Reads until the window holds more than `byteCount` bytes or the end, so that a last row without a newline is known to be whole. */
async function gather(window: ByteWindow, byteCount: number): Promise<void> {
  while (!window.isFinal && window.byteCount <= byteCount) await window.fill();
}

async function peekWholeRows(window: ByteWindow, base: Position, file: SampledFile): Promise<Records | undefined> {
  for (;;) {
    const records = peekRows(window, base, file);
    if (records !== undefined || window.isFinal || window.byteCount > file.format.maxRowBytes) return records;
    await window.fill();
  }
}

/** A place to take a sample from. */
export interface SamplePlace {
  readonly offset: number;
  /** The end of the place before it in the same file, a row's start; 0 if there is none. */
  readonly notBefore: number;
  readonly meanRowBytes: number;
}

/**
 * Some rows from a place on. Where newlines may be quoted the line that follows may be the middle of a row: the first line is taken from which on all
 * rows can be read.
 */
export async function samplePlace(file: SampledFile, place: SamplePlace): Promise<Records | undefined> {
  const placeBytes = Math.min(headSample.maxBytes, Math.max(minPlaceBytes, Math.ceil(placeRows * place.meanRowBytes)));
  const firstRow = Math.max(file.head.byteCount, place.notBefore);
  const from = Math.max(firstRow, Math.min(place.offset, file.size - placeBytes));
  const isRowStart = from === firstRow;
  // From the byte before, so that a row that starts right there is found.
  const window = file.openWindow(isRowStart ? from : from - 1, placeBytes + 2);
  const limits = { maxRows: maxPlaceRows, maxBytes: placeBytes };
  await gather(window, placeBytes + 1);
  for (let tries = 0; tries < maxTries; tries++) {
    if (!isRowStart || tries > 0) await window.skipLine();
    if (window.byteCount === 0) return undefined;
    const view = Buffer.from(window.view());
    const base = { offset: window.offset, row: 0, line: 0 };
    const input: TokenizerInput = { view, base, isFinal: window.isFinal, readText: holdText(view, base.offset, file.reread).read };
    const taken = file.format.createTokenizer(file.head, limits).take(input);
    if (taken === 'too_long' || taken === 'needs_more') return undefined;
    if (taken.rejects.length === 0 || file.format.describeRows(file.head) === undefined) return { ...taken, rejects: [] };
  }
  return undefined;
}

/** Puts the stretches of a sample together. */
export function assembleSample(fields: readonly string[] | undefined, stretches: readonly Records[]): Sample {
  const rows = stretches.reduce((sum, stretch) => sum + stretch.rowCount + stretch.rejects.length, 0);
  const bytes = stretches.reduce((sum, stretch) => sum + stretch.byteCount, 0);
  return { fields: fields ?? collectFields(stretches), stretches, meanRowBytes: rows === 0 ? undefined : bytes / rows };
}

/** Names of the fields of objects, in the order in which they first appear. */
export function collectFields(stretches: readonly Records[]): string[] {
  const names = new Set<string>();
  for (const stretch of stretches) {
    if (stretch.kind !== 'values') continue;
    for (const value of stretch.values) for (const name of Object.keys(value)) names.add(name);
  }
  return [...names];
}
