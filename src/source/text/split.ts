/** Cuts a file into shards of about equal size, only ever between two rows: where a row starts is decided by the same scan that reads the rows. */
import { setImmediate } from 'node:timers/promises';
import { ByteWindow } from './byte-window.ts';
import { createCsvScan, scanRows, type CsvDialect, type CsvScan } from './csv-scan.ts';
import type { FileHandles } from '../files/file-handles.ts';
import type { RowCutter } from './text-format.ts';

const LF = 10;

export interface SplitFile {
  readonly handles: Pick<FileHandles, 'createInput'>;
  readonly file: number;
  readonly size: number;
  /** Where the first row may start. */
  readonly start: number;
  readonly maxRowBytes: number;
  /** How quoted newlines are told from the ends of rows; undefined where every newline ends a row. */
  readonly dialect: CsvDialect | undefined;
  /** Where neither tells: the format's own way to the ends of rows. */
  readonly cutter?: RowCutter | undefined;
}

/** Row starts that cut the file into parts of about `targetBytes`, ascending, without the file's start and end. Lets other events run meanwhile. */
export async function* findCuts(split: SplitFile, targetBytes: number): AsyncGenerator<number, void, undefined> {
  const parts = Math.max(1, Math.round(split.size / Math.max(1, targetBytes)));
  if (parts === 1) return;
  const targets = new Targets(split.size, parts, split.start);
  if (split.cutter !== undefined) yield* findOwnCuts(split, split.cutter, targets);
  else yield* split.dialect === undefined ? findLineCuts(split, targets) : findRowCuts(split, split.dialect, targets);
}

/** The places near which a cut is wanted: multiples of an equal part of the size. */
class Targets {
  private readonly size: number;
  private readonly parts: number;
  private part = 1;

  constructor(size: number, parts: number, firstRow: number) {
    this.size = size;
    this.parts = parts;
    this.passTo(firstRow);
  }

  /** The next place; undefined once there is none. */
  get next(): number | undefined {
    return this.part < this.parts ? Math.floor((this.part * this.size) / this.parts) : undefined;
  }

  /** Drops the places up to a cut. */
  passTo(cut: number): void {
    while (this.next !== undefined && this.next <= cut) this.part++;
  }
}

/** Every newline ends a row: only the bytes after each target are read. */
async function* findLineCuts(split: SplitFile, targets: Targets): AsyncGenerator<number, void, undefined> {
  const { handles, file, size, maxRowBytes } = split;
  for (let target = targets.next; target !== undefined; target = targets.next) {
    // From the byte before, so that a row that starts right at the target is found.
    const window = new ByteWindow(handles.createInput(file, target - 1, size), {
      offset: target - 1,
      maxRowBytes,
      capacityBytes: 16 * 1024,
    });
    const cut = target - 1 + (await window.skipLine());
    if (cut >= size) return;
    yield cut;
    targets.passTo(cut);
    await setImmediate();
  }
}

/** The format finds the ends of its rows, from the file's start on. */
async function* findOwnCuts(split: SplitFile, cutter: RowCutter, targets: Targets): AsyncGenerator<number, void, undefined> {
  const { handles, file, size, start, maxRowBytes } = split;
  const window = new ByteWindow(handles.createInput(file, start, size), { offset: start, maxRowBytes });
  for (let target = targets.next; target !== undefined; target = targets.next) {
    if (!window.isFinal && window.byteCount < 256 * 1024) {
      await window.fill();
      await setImmediate();
    }
    const { isFinal, offset } = window;
    if (isFinal && window.byteCount === 0) return;
    const { byteCount: rowBytes } = cutter.passTo(window.view(), { offset, isFinal, isCut: false }, target - offset);
    window.advance(rowBytes);
    if (rowBytes === 0 && isFinal) return;
    if (rowBytes === 0 && window.byteCount > maxRowBytes) await cutter.passLong(window, false);
    else if (rowBytes === 0) await window.fill();
    if (window.offset < target || window.offset >= size) continue;
    yield window.offset;
    targets.passTo(window.offset);
  }
}

/** A newline may be quoted: rows are followed from the file's start. Stretches without a quote, where every newline ends a row, are passed at once. */
async function* findRowCuts(split: SplitFile, dialect: CsvDialect, targets: Targets): AsyncGenerator<number, void, undefined> {
  const { handles, file, size, start, maxRowBytes } = split;
  const window = new ByteWindow(handles.createInput(file, start, size), { offset: start, maxRowBytes });
  const scan = createCsvScan(dialect, scannedRows);
  for (let target = targets.next; target !== undefined; target = targets.next) {
    if (!window.isFinal && window.byteCount < 256 * 1024) {
      await window.fill();
      await setImmediate();
    }
    const view = window.view();
    if (view.length === 0) return;
    const base = window.offset;
    const plainBytes = countPlainBytes(view, dialect.quote);
    if (plainBytes === 0) scanRows(scan, view, { isFinal: window.isFinal, maxBytes: scannedBytes });
    const rowBytes = plainBytes > 0 ? plainBytes : scan.consumed;
    // The first row start at or after the target, if it is in sight.
    const cut =
      rowBytes === 0 || target > base + rowBytes
        ? undefined
        : base + (plainBytes > 0 ? findLine(view, target - base) : findRow(scan, target - base));
    if (rowBytes > 0) window.advance(cut === undefined ? rowBytes : cut - base);
    else if (scan.isTooLong) await window.skipLine();
    else await window.fill();
    if (cut === undefined || cut >= size) continue;
    yield cut;
    targets.passTo(cut);
  }
}

/** Start of the first line at or after `from`, in bytes that end with a newline. */
function findLine(view: Buffer, from: number): number {
  return from <= 0 ? 0 : view.indexOf(LF, from - 1) + 1;
}

/** Start of the first row at or after `from`; the place after the scanned rows if there is none among them. */
function findRow(scan: CsvScan, from: number): number {
  const { starts, count } = scan.index;
  for (let row = 0; row < count; row++) {
    if (starts[row]! >= from) return starts[row]!;
  }
  return scan.consumed;
}

/** What is scanned before the next look for a stretch without quotes. */
const scannedBytes = 64 * 1024;
const scannedRows = 1_024;

/** Bytes at the front that hold whole rows and no quote. */
function countPlainBytes(view: Buffer, quote: number): number {
  const first = view.indexOf(quote);
  if (first === 0) return 0;
  return view.lastIndexOf(LF, first < 0 ? view.length - 1 : first - 1) + 1;
}
