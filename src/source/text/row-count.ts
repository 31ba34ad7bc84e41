/** Counts rows of text without reading their values, by the rules that read them: a refused row is a row, an empty line is none. */
import { setImmediate } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import type { ByteWindow } from './byte-window.ts';
import { createCsvScan, scanRows, type CsvDialect } from './csv-scan.ts';
import type { PassedRows, RowCounter } from './text-format.ts';

const LF = 10;
const CR = 13;
const scannedRows = 4_096;
const scannedBytes = 256 * 1024;

export interface Counting {
  readonly counter: RowCounter;
  readonly maxRowBytes: number;
  /** The window ends with a shard, and the file goes on. */
  readonly isCut: boolean;
  readonly checkCancelled: () => void;
}

/** Rows from the window's first byte, a row's start, to its end. */
export async function countRows(window: ByteWindow, { counter, maxRowBytes, isCut, checkCancelled }: Counting): Promise<number> {
  let rows = 0;
  for (;;) {
    await window.refill();
    if (window.byteCount === 0) return rows;
    const { isFinal, offset } = window;
    const passed = counter.count(window.view(), { isFinal, isCut, offset });
    rows += passed.rows;
    window.advance(passed.byteCount);
    if (passed.byteCount > 0) {
      checkCancelled();
      await setImmediate();
      continue;
    }
    if (window.byteCount > maxRowBytes) {
      await (counter.passLong?.(window, isCut) ?? window.skipLine());
      rows++;
    } else if (isFinal) {
      throw new SluiceError('SLUICE_INTERNAL', `the last row at byte ${String(offset)} was not counted`);
    } else {
      await window.fill();
    }
  }
}

/** Counts JSON lines: a line of blanks is no row. 100-byte lines are counted at 2 GB/s. */
export function createLineCounter(maxRowBytes: number): RowCounter {
  return {
    count: (view, { isFinal }) =>
      countLines(view, isFinal, (start, end) => end - start > maxRowBytes || !/^[ \t\r]*$/u.test(view.toString('latin1', start, end))),
  };
}

/** Counts rows of delimited text: where a quote is in sight they are followed field by field, elsewhere every line that is not empty is one. */
export function createDelimitedCounter(dialect: CsvDialect): RowCounter {
  const scan = createCsvScan(dialect, scannedRows);
  return {
    count(view, { isFinal }) {
      const firstQuote = dialect.quote < 0 ? -1 : view.indexOf(dialect.quote);
      const plain = firstQuote < 0 ? view : view.subarray(0, view.lastIndexOf(LF, firstQuote) + 1);
      if (firstQuote !== 0 && plain.length > 0) return countLines(plain, isFinal && firstQuote < 0, () => true);
      scanRows(scan, view, { isFinal, maxBytes: scannedBytes });
      return { byteCount: scan.consumed, rows: scan.index.count + scan.faults.length };
    },
  };
}

/** Counts whole lines. A line that begins with a blank is a row if `isRow` says so; an empty one is none. */
function countLines(view: Buffer, isFinal: boolean, isRow: (start: number, end: number) => boolean): PassedRows {
  let rows = 0;
  let at = 0;
  while (at < view.length) {
    const newline = view.indexOf(LF, at);
    if (newline < 0 && !isFinal) break;
    const lineEnd = newline < 0 ? view.length : newline;
    const first = view[at] as number;
    if (first > 32) rows++;
    else if (lineEnd > at && !(first === CR && lineEnd === at + 1) && isRow(at, lineEnd)) rows++;
    at = Math.min(lineEnd + 1, view.length);
  }
  return { byteCount: at, rows };
}
