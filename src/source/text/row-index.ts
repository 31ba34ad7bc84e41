/** Where the rows of one stretch of bytes stand: filled in place by a tokenizer, then copied out to the places and rejects that outlive the stretch. */
import type { Places, Position, Reject, RejectCode, RowTexts } from '../../rows/batch.ts';

/** Starts, ends and line numbers of rows, relative to the stretch. Reused from stretch to stretch, so that a row costs no allocation. */
export interface RowIndex {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly lines: Int32Array;
  count: number;
}

/** A row that could not be read, by its place in the stretch. */
export interface RowFault {
  readonly code: RejectCode;
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

/** Gives the text of bytes `start … end` of a stretch, for as long as anybody holds it. */
export type ReadText = (start: number, end: number) => string;

/** The stretch that an index speaks of. */
export interface IndexedStretch {
  readonly index: RowIndex;
  /** In the order of the bytes. */
  readonly faults: readonly RowFault[];
  readonly base: Position;
  readonly readText: ReadText;
  /** The bytes that `readText` reads from, until the next stretch is asked for. */
  readonly view: Uint8Array;
  /** Line ends inside a row are told as blanks. */
  readonly isOneLine?: boolean | undefined;
}

export function createRowIndex(maxRows: number): RowIndex {
  return { starts: new Int32Array(maxRows), ends: new Int32Array(maxRows), lines: new Int32Array(maxRows), count: 0 };
}

/** Copies the places of the rows out of the index. The typed arrays share one buffer of exactly the size needed: 28 bytes a row. */
export function copyPlaces(stretch: IndexedStretch): Places {
  const { index, faults, base, readText } = stretch;
  const { starts, ends, lines: rowLines, count } = index;
  const buffer = new ArrayBuffer(28 * count);
  const offsets = new Float64Array(buffer, 0, count);
  const rows = new Float64Array(buffer, 8 * count, count);
  const lines = new Float64Array(buffer, 16 * count, count);
  const lengths = new Int32Array(buffer, 24 * count, count);
  let refused = 0;
  for (let row = 0; row < count; row++) {
    const start = starts[row]!;
    // A refused row takes its ordinal before the rows that follow it.
    while (refused < faults.length && faults[refused]!.start < start) refused++;
    offsets[row] = base.offset + start;
    rows[row] = base.row + row + refused;
    lines[row] = base.line + rowLines[row]!;
    lengths[row] = ends[row]! - start;
  }
  const raw = (row: number): string => {
    const start = offsets[row]! - base.offset;
    return readText(start, start + lengths[row]!);
  };
  const copyTexts = (): RowTexts => {
    const last = count - 1;
    const byteCount = count === 0 ? 0 : offsets[last]! - base.offset + lengths[last]!;
    return { bytes: copyText(stretch, byteCount), base: base.offset, lengths: lengths.slice() };
  };
  return { offsets, rows, lines, raw, copyTexts };
}

function copyText({ isOneLine, view }: IndexedStretch, byteCount: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(view.subarray(0, byteCount));
  return isOneLine === true ? bytes.map((byte) => (byte === 10 || byte === 13 ? 32 : byte)) : bytes;
}

/** Makes rejects of the faults. Their text is read at once: rejects are few, and live longer than the stretch. */
export function copyRejects(stretch: IndexedStretch): Reject[] {
  const { index, faults, base, readText } = stretch;
  const rejects: Reject[] = [];
  let rowsBefore = 0;
  for (const fault of faults) {
    while (rowsBefore < index.count && index.starts[rowsBefore]! < fault.start) rowsBefore++;
    rejects.push({
      code: fault.code,
      message: fault.message,
      row: base.row + rowsBefore + rejects.length,
      offset: base.offset + fault.start,
      line: base.line + fault.line,
      // A row over the limit is not worth as much memory as was spared by refusing it.
      ...(fault.code === 'ROW_TOO_LONG' ? {} : { raw: readText(fault.start, fault.end) }),
    });
  }
  return rejects;
}
