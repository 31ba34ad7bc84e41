/** JSON files: one array of objects, of any size, read element by element. An element that is no row is refused alone; a file of lines is read as JSON lines. */
import { isAscii, isUtf8 } from 'node:buffer';
import { createElementScan, openElement, passBlanks, passElement, type ElementScan } from './json-element.ts';
import { checkRowBytes, describeNoRow, isJsonRow, parseJson, type JsonRow, type RowCheck } from './json-row.ts';
import { readArrayHead } from './json-start.ts';
import { checkEnd, invalidArray, needMore, passSeparator, type ArrayView } from './json-separator.ts';
import { createJsonlFormat } from './jsonl.ts';
import { copyPlaces, copyRejects, createRowIndex, type RowFault, type RowIndex } from './row-index.ts';
import type { ByteWindow } from './byte-window.ts';
import type { ValueRecords } from '../source.ts';
import type { PassedRow, PassedRows, RowCutter, StretchLimits, TextFormat, Tokenizer, TokenizerInput } from './text-format.ts';
import { openVectorLines, type VectorLines } from './vector-line.ts';

const comma = 44;
const closeArray = 93;
const closeObject = 125;

/** Opens the format with its only option. */
export function createJsonFormat(maxRowBytes: number): TextFormat {
  const lines = createJsonlFormat(maxRowBytes);
  return {
    name: 'json',
    maxRowBytes,
    readHead: readArrayHead,
    createTokenizer(head, limits, columns = []) {
      if (head.array === undefined) return lines.createTokenizer(head, limits, columns);
      return createTokenizer(limits, { name: head.array, maxRowBytes, vectors: openVectorLines(columns) });
    },
    describeRows: () => undefined,
    openCutter: (head) => (head.array === undefined ? undefined : createCutter(head.array)),
    openCounter: (head) => (head.array === undefined ? lines.openCounter(head) : createCutter(head.array)),
  };
}

function createCutter(name: string): RowCutter {
  return {
    passTo: (view, input, upTo) => passToComma({ view, name, ...input }, upTo),
    count: (view, input) => countElements({ view, name, ...input }),
    passLong: (window, isCut) => skipElement(window, { name, isCut }),
  };
}

interface ArrayOptions {
  readonly name: string;
  readonly maxRowBytes: number;
  readonly vectors: VectorLines | undefined;
}

function createTokenizer(limits: StretchLimits, options: ArrayOptions): Tokenizer {
  const index = createRowIndex(limits.maxRows);
  return {
    take(input) {
      const records = takeElements(index, input, { ...options, maxBytes: limits.maxBytes });
      if (records !== undefined) return records;
      return input.view.length > options.maxRowBytes ? 'too_long' : 'needs_more';
    },
    refuse(reject, end, byteCount) {
      const none = new Float64Array(0);
      const places = { offsets: none, rows: none, lines: none, raw: () => '' };
      return { kind: 'values', isJsonText: true, values: [], rowCount: 0, rejects: [reject], places, end, byteCount };
    },
    passLong: (window, isCut) => skipElement(window, { name: options.name, isCut }),
  };
}

/** An element and where the next one's bytes begin. */
interface Found {
  readonly start: number;
  readonly end: number;
  readonly next: number;
  /** Line ends before it. */
  readonly line: number;
}

/** The next element from `from` on; `closed` at the `]`, undefined if it is not whole. */
function findElement(input: ArrayView, scan: ElementScan, from: number): Found | 'closed' | undefined {
  const { view } = input;
  const start = passBlanks(scan, view, from);
  const byte = view[start];
  // A shard ends behind a comma.
  if (byte === undefined) return input.isCut && from > 0 ? undefined : void needMore(input, start);
  if (byte === closeArray) return 'closed';
  if (byte === comma || byte === closeObject) throw invalidArray(input, start, "an element or ']' is expected");
  const line = scan.lines;
  const end = passElement(scan, view, openElement(scan, view, start));
  if (end < 0) return void needMore(input, start);
  const next = passSeparator(input, scan, end);
  return next < 0 ? undefined : { start, end, next, line };
}

/** The rows at the front; undefined if the first one is not whole. */
function takeElements(
  index: RowIndex,
  input: TokenizerInput,
  options: ArrayOptions & { readonly maxBytes: number },
): ValueRecords | undefined {
  const { base, isCut = false, isFinal, view } = input;
  const array: ArrayView = { view, offset: base.offset, name: options.name, isFinal, isCut };
  const { maxRowBytes, vectors } = options;
  const isPlain = isAscii(view);
  const reader = { view, isPlain, vectors, check: { maxRowBytes, isValid: isPlain || isUtf8(view) } };
  const scan = createElementScan();
  const values: JsonRow[] = [];
  const faults: RowFault[] = [];
  vectors?.restart();
  let at = 0;
  let lines = 0;
  while (at < options.maxBytes && values.length < index.starts.length && faults.length < index.starts.length) {
    const found = findElement(array, scan, at);
    const isFirst = values.length + faults.length === 0;
    if (found === undefined && isFirst) return undefined;
    if (found === undefined || (found === 'closed' && !isFirst)) break;
    if (found === 'closed') {
      checkEnd(array, view.indexOf(closeArray) + 1);
      if (!isFinal) return undefined;
      at = view.length;
      lines = countLines(view);
      break;
    }
    ({ next: at } = found);
    lines = scan.lines;
    readElement(reader, found, { index, values, faults });
  }
  index.count = values.length;
  // The row's own line ends stand between its parts; its copy in the ledger is one line, as a retry reads it.
  const readText = (start: number, end: number): string => input.readText(start, end).replaceAll(/[\r\n]/gu, ' ');
  const stretch = { index, faults, base, readText, view, isOneLine: true };
  const rejects = copyRejects(stretch);
  const end = { offset: base.offset + at, row: base.row + values.length + rejects.length, line: base.line + lines };
  return { kind: 'values', isJsonText: true, values, rowCount: values.length, rejects, places: copyPlaces(stretch), end, byteCount: at };
}

interface ElementReader {
  readonly view: Buffer;
  readonly isPlain: boolean;
  readonly vectors: VectorLines | undefined;
  readonly check: RowCheck;
}

/** Takes an element as a row, or notes what is wrong with it. */
function readElement(
  { check, isPlain, vectors, view }: ElementReader,
  { start, end, line }: Found,
  { index, values, faults }: { readonly index: RowIndex; readonly values: JsonRow[]; readonly faults: RowFault[] },
): void {
  const unread = end - start > check.maxRowBytes || !check.isValid ? checkRowBytes(view.subarray(start, end), check) : undefined;
  const cut = unread === undefined ? vectors?.read({ view, start, end, isAscii: isPlain }) : undefined;
  const json = cut === undefined && unread === undefined ? view.toString(isPlain ? 'latin1' : 'utf8', start, end) : '';
  const value = cut ?? (unread === undefined ? parseJson(json) : undefined);
  if (!isJsonRow(value)) {
    faults.push({ ...(unread ?? describeNoRow(json, value)), start, end, line });
    return;
  }
  const row = values.push(value) - 1;
  index.starts[row] = start;
  index.ends[row] = end;
  index.lines[row] = line;
}

/** Whole elements at the front; the end of the array is passed with nothing before it. */
function countElements(input: ArrayView): PassedRows {
  const scan = createElementScan();
  let at = 0;
  let rows = 0;
  for (let found = findElement(input, scan, at); found !== undefined; found = findElement(input, scan, at)) {
    if (found === 'closed') return rows === 0 ? passEnd(input) : { byteCount: at, rows };
    at = found.next;
    rows++;
    if (at === input.view.length) break;
  }
  return { byteCount: at, rows };
}

/** Elements up to the first comma at or behind `upTo`, or the last one in sight: only there a shard may end. */
function passToComma(input: ArrayView, upTo: number): PassedRows {
  const scan = createElementScan();
  let passed: PassedRows = { byteCount: 0, rows: 0 };
  let at = 0;
  let rows = 0;
  while (passed.byteCount < upTo) {
    const found = findElement(input, scan, at);
    if (found === 'closed' && input.isFinal) return passEnd(input);
    if (found === undefined || found === 'closed') break;
    at = found.next;
    rows++;
    if (input.view[at - 1] === comma) passed = { byteCount: at, rows };
  }
  return passed;
}

/** All that is left, where it is the end of the array; nothing while that can't be told. */
function passEnd({ isFinal, view }: ArrayView): PassedRows {
  return { byteCount: isFinal ? view.length : 0, rows: 0 };
}

/** Drops an element that is too long to be held, with what separates it from the next one. */
async function skipElement(window: ByteWindow, part: Pick<ArrayView, 'name' | 'isCut'>): Promise<PassedRow> {
  const scan = createElementScan();
  const from = window.offset;
  const look = (): ArrayView => ({ view: window.view(), offset: window.offset, isFinal: window.isFinal, ...part });
  window.advance(passBlanks(scan, window.view(), 0));
  window.advance(openElement(scan, window.view(), 0));
  for (;;) {
    const end = passElement(scan, window.view(), 0);
    if (end >= 0) {
      window.advance(end);
      break;
    }
    needMore(look(), 0);
    window.advance(window.byteCount);
    await window.fill();
  }
  let next = passSeparator(look(), scan, 0);
  while (next < 0) {
    await window.fill();
    next = passSeparator(look(), scan, 0);
  }
  window.advance(next);
  return { byteCount: window.offset - from, lines: scan.lines };
}

function countLines(view: Buffer): number {
  let lines = 0;
  for (let at = view.indexOf(10); at >= 0; at = view.indexOf(10, at + 1)) lines++;
  return lines;
}
