/**
 * Finds the rows and fields of delimited text in bytes, making no string and no object per row. Where a row ends depends only on the bytes from its
 * start on, never on how much of the file is in memory, so the splitter and every shard's reader see the same rows.
 *
 * The grammar is RFC 4180 with these decisions:
 * - a line ends with LF or CRLF (the CR of a CRLF that was cut by the end of the file included); any other CR is data;
 * - an empty line is no row, in files of one column too (an empty text is written `""`);
 * - a quote counts only as the first byte of a field; elsewhere in an unquoted field it is data;
 * - a row whose quoting is broken, or that is too long, ends at the first newline after its start, so that its neighbours survive. Broken quoting is
 *   `ROW_QUOTE_STRAY` if text follows a closing quote on the row's first line, else `ROW_QUOTE_UNCLOSED`: the code says what is wrong with the line that is
 *   refused. A row is too long, not unclosed, if its first line is.
 */
import { createRowIndex, type RowFault, type RowIndex } from './row-index.ts';

const LF = 10;
const CR = 13;

export interface CsvDialect {
  /** The byte between two fields. */
  readonly delimiter: number;
  /** The byte around a quoted field; -1 for none. */
  readonly quote: number;
  /** Fields of a row. */
  readonly width: number;
  readonly maxRowBytes: number;
}

/** What one scan found at the front of its bytes. One record is reused for all stretches of a reader. */
export interface CsvScan {
  readonly dialect: CsvDialect;
  readonly maxRows: number;
  /** Field `f` of row `r` stands at `r * width + f`. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly quoting: Uint8Array;
  readonly index: RowIndex;
  faults: RowFault[];
  /** Bytes up to the start of the first row that was not taken. */
  consumed: number;
  /** Lines in the consumed bytes. */
  lines: number;
  /** The row at `consumed` is longer than allowed. */
  isTooLong: boolean;
  /** Where the row in hand stands, handed between the scan and its slow ways. */
  rowStart: number;
  at: number;
  fields: number;
  newlines: number;
}

/** What the slow ways return instead of the next row's start when the row is not whole in the view, or too long. */
const needsMore = -1;

/** Fields of one stretch: with 8 bytes a field, 512 KiB of places. */
const maxFields = 65_536;

export function createCsvScan(dialect: CsvDialect, maxRows: number): CsvScan {
  const rows = Math.max(1, Math.min(maxRows, Math.floor(maxFields / dialect.width)));
  return {
    dialect,
    maxRows: rows,
    starts: new Int32Array(rows * dialect.width),
    ends: new Int32Array(rows * dialect.width),
    quoting: new Uint8Array(rows * dialect.width),
    index: createRowIndex(rows),
    faults: [],
    consumed: 0,
    lines: 0,
    isTooLong: false,
    rowStart: 0,
    at: 0,
    fields: 0,
    newlines: 0,
  };
}

/**
 * Scans the rows that start in the first `maxBytes` of `view`, which begins at a row's start. `isFinal`: the input ends with the view, so a last row
 * needs no newline; otherwise a row that is not whole is left for the next call.
 */
export function scanRows(scan: CsvScan, view: Uint8Array, input: { readonly isFinal: boolean; readonly maxBytes: number }): void {
  const { starts, ends, quoting, index, maxRows } = scan;
  const { delimiter, quote, width, maxRowBytes } = scan.dialect;
  const stop = Math.min(view.length, input.maxBytes);
  // One comparison passes over letters and most digits: what ends a field is at most this.
  const high = Math.max(delimiter, LF);
  resetScan(scan);
  let at = 0;
  while (at < stop && index.count < maxRows && scan.faults.length < maxRows) {
    const rowStart = at;
    const cap = Math.min(view.length, rowStart + maxRowBytes + 1);
    const firstSlot = index.count * width;
    const lastSlot = firstSlot + width;
    let slot = firstSlot;
    let start = at;
    let isQuoted = view[at] === quote;
    let isEnded = false;
    while (!isQuoted && at < cap) {
      let byte = view[at]!;
      while ((byte > high || (byte !== delimiter && byte !== LF)) && ++at < cap) byte = view[at]!;
      if (at >= cap) break;
      if (slot < lastSlot) {
        starts[slot] = start;
        ends[slot] = at;
        quoting[slot] = 0;
      }
      slot++;
      isEnded = byte === LF;
      if (isEnded) break;
      start = ++at;
      isQuoted = at < cap && view[at] === quote;
    }
    if (isEnded && slot === lastSlot && (width > 1 || at - rowStart > 1)) {
      // The one way that nearly all rows take; a line of one column that may be empty is left to the careful way.
      if (view[at - 1] === CR && at > start) ends[slot - 1] = at - 1;
      const row = index.count++;
      index.starts[row] = rowStart;
      index.ends[row] = ends[slot - 1]!;
      index.lines[row] = scan.lines++;
      at++;
      continue;
    }
    // From here on the row is handed over by the scan: it is blank, quoted, refused, or not whole.
    scan.rowStart = rowStart;
    scan.at = at;
    scan.fields = slot - firstSlot;
    scan.newlines = 0;
    if (!isEnded && !isQuoted) addField(scan, start, { end: at, quoting: 0 });
    at = isQuoted ? finishQuotedRow(scan, view, input.isFinal) : closeRow(scan, view, input.isFinal);
    if (at === needsMore) {
      at = rowStart;
      break;
    }
  }
  scan.consumed = at;
}

function resetScan(scan: CsvScan): void {
  scan.index.count = 0;
  scan.faults = [];
  scan.lines = 0;
  scan.isTooLong = false;
}

/** Goes on in a row at the first quoted field of it; returns the next row's start. */
function finishQuotedRow(scan: CsvScan, view: Uint8Array, isFinal: boolean): number {
  const { quote, width, maxRowBytes } = scan.dialect;
  const cap = Math.min(view.length, scan.rowStart + maxRowBytes + 1);
  // With lines such as `a","b` each opens a quote for the next: without a bound every row would be looked for through `maxRowBytes`. No row of real
  // data has four times its fields and is spread over lines, so it is broken quoting, and a file of such lines is still read in linear time.
  const fieldLimit = 4 * width + 64;
  for (;;) {
    if (scan.at < cap && view[scan.at] === quote) {
      if (scan.fields > fieldLimit && scan.newlines > 0) return breakRow(scan, view, { isFinal, isStray: false });
      const outcome = scanQuotedField(scan, view, { cap, isEnd: isFinal && cap === view.length });
      const isOver = cap - scan.rowStart > maxRowBytes;
      if (outcome === 'open' && !isOver && !isFinal) return needsMore;
      if (outcome !== 'closed') return breakRow(scan, view, { isFinal, isStray: outcome === 'stray' && scan.newlines === 0 });
    } else {
      scanPlainField(scan, view, cap);
    }
    if (scan.at === cap || view[scan.at] === LF) return closeRow(scan, view, isFinal);
    scan.at++;
  }
}

function scanPlainField(scan: CsvScan, view: Uint8Array, cap: number): void {
  const { delimiter } = scan.dialect;
  const start = scan.at;
  let at = start;
  while (at < cap && view[at] !== delimiter && view[at] !== LF) at++;
  scan.at = at;
  addField(scan, start, { end: at, quoting: 0 });
}

/** A field that is longer than this is searched by the system's own search, which passes 4 kB of a vector in 0.1 µs; starting it costs 50 ns. */
const longField = 96;

/** The place of the next quote from `at` on, or `cap`; newlines on the way are counted. */
function passPlainBytes(scan: CsvScan, view: Uint8Array, { at, cap }: { readonly at: number; readonly cap: number }): number {
  const found = view.indexOf(scan.dialect.quote, at);
  const end = found < 0 || found > cap ? cap : found;
  for (let newline = view.indexOf(LF, at); newline >= 0 && newline < end; newline = view.indexOf(LF, newline + 1)) scan.newlines++;
  return end;
}

/** Reads the field whose opening quote is at `scan.at` and stops at the delimiter or line end after it. `isEnd`: the input ends at `cap`. */
function scanQuotedField(
  scan: CsvScan,
  view: Uint8Array,
  bounds: { readonly cap: number; readonly isEnd: boolean },
): 'closed' | 'open' | 'stray' {
  const { delimiter, quote } = scan.dialect;
  const { cap, isEnd } = bounds;
  const start = scan.at + 1;
  let quoting = 1;
  let at = start;
  while (at < cap) {
    const byte = view[at]!;
    if (byte === quote) {
      if (at + 1 >= cap || view[at + 1] !== quote) break;
      quoting = 2;
      at++;
    } else if (byte === LF) {
      scan.newlines++;
    } else if (at - start === longField) {
      at = passPlainBytes(scan, view, { at, cap });
      continue;
    }
    at++;
  }
  if (at === cap) return 'open';
  const end = at++;
  if (at < cap && view[at] === CR && (at + 1 === cap ? isEnd : view[at + 1] === LF)) at++;
  if (at === cap && !isEnd) return 'open';
  if (at < cap && view[at] === CR && at + 1 === cap) return 'open';
  if (at < cap && view[at] !== delimiter && view[at] !== LF) return 'stray';
  addField(scan, start, { end, quoting });
  scan.at = at;
  return 'closed';
}

/** Ends the row at `scan.at`: a newline, or the end of what may be looked at. Returns the next row's start. */
function closeRow(scan: CsvScan, view: Uint8Array, isFinal: boolean): number {
  const { width, maxRowBytes } = scan.dialect;
  const { index, rowStart, at, fields } = scan;
  if (at - rowStart > maxRowBytes) return breakRow(scan, view, { isFinal, isStray: false });
  if (at === view.length && !isFinal) return needsMore;
  const end = at > rowStart && view[at - 1] === CR ? at - 1 : at;
  const line = scan.lines;
  scan.lines += 1 + scan.newlines;
  const next = Math.min(at + 1, view.length);
  if (end === rowStart) return next;
  if (fields !== width) {
    scan.faults.push({
      code: 'ROW_FIELD_COUNT',
      message: `the row has ${fields} fields where ${width} are expected`,
      start: rowStart,
      end,
      line,
    });
    return next;
  }
  const slot = index.count * width + width - 1;
  if (scan.quoting[slot] === 0) scan.ends[slot] = end;
  index.starts[index.count] = rowStart;
  index.ends[index.count] = end;
  index.lines[index.count] = line;
  index.count++;
  return next;
}

/** Refuses a row up to the first newline after its start; returns the next row's start. */
function breakRow(scan: CsvScan, view: Uint8Array, row: { readonly isFinal: boolean; readonly isStray: boolean }): number {
  const { rowStart } = scan;
  const { isFinal, isStray } = row;
  const newline = view.indexOf(LF, rowStart);
  const lineEnd = newline < 0 ? view.length : newline;
  if (lineEnd - rowStart > scan.dialect.maxRowBytes) {
    scan.isTooLong = true;
    return needsMore;
  }
  if (newline < 0 && !isFinal) return needsMore;
  const code = isStray ? 'ROW_QUOTE_STRAY' : 'ROW_QUOTE_UNCLOSED';
  const end = lineEnd > rowStart && view[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
  const message = isStray
    ? 'text follows a closing quote'
    : 'a quoted field that begins in this line is not closed, or its row is too long';
  scan.faults.push({ code, message, start: rowStart, end, line: scan.lines++ });
  return Math.min(lineEnd + 1, view.length);
}

/** Notes a field of the row in hand; what is beyond the width is only counted. */
function addField(scan: CsvScan, start: number, field: { readonly end: number; readonly quoting: number }): void {
  const { width } = scan.dialect;
  if (scan.fields < width) {
    const slot = scan.index.count * width + scan.fields;
    scan.starts[slot] = start;
    scan.ends[slot] = field.end;
    scan.quoting[slot] = field.quoting;
  }
  scan.fields++;
}
