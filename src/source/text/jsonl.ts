/** JSON lines: one object a line. A line that is none is refused alone; an empty line is no row. */
import { isAscii, isUtf8 } from 'node:buffer';
import { checkRowBytes, describeNoRow, isJsonRow, parseJson, type JsonRow } from './json-row.ts';
import { createLineCounter } from './row-count.ts';
import { copyPlaces, copyRejects, createRowIndex, type RowFault, type RowIndex } from './row-index.ts';
import type { ValueRecords } from '../source.ts';
import type { StretchLimits, TextFormat, Tokenizer, TokenizerInput } from './text-format.ts';
import { readTextStart } from './text-start.ts';
import { openVectorLines, type VectorLines } from './vector-line.ts';

const LF = 10;
const CR = 13;

/** Opens the format with its only option. */
export function createJsonlFormat(maxRowBytes: number): TextFormat {
  return {
    name: 'jsonl',
    maxRowBytes,
    async readHead(window, name) {
      const byteCount = await readTextStart(window, name);
      window.advance(byteCount);
      return { fields: undefined, byteCount, lines: 0 };
    },
    createTokenizer: (_head, limits, columns = []) => createTokenizer(limits, maxRowBytes, openVectorLines(columns)),
    describeRows: () => undefined,
    openCounter: () => createLineCounter(maxRowBytes),
  };
}

function createTokenizer(limits: StretchLimits, maxRowBytes: number, vectors: VectorLines | undefined): Tokenizer {
  const index = createRowIndex(limits.maxRows);
  return {
    take(input) {
      // Without a newline in it the front is the start of one row: whether that is too long can be told already.
      const usable = findWholeLines(input, limits);
      if (usable === 0) return input.view.length > maxRowBytes ? 'too_long' : 'needs_more';
      return takeLines(index, { ...input, view: input.view.subarray(0, usable) }, { maxRowBytes, vectors });
    },
    refuse(reject, end, byteCount) {
      const none = new Float64Array(0);
      const places = { offsets: none, rows: none, lines: none, raw: () => '' };
      return { kind: 'values', isJsonText: true, values: [], rowCount: 0, rejects: [reject], places, end, byteCount };
    },
  };
}

/** Bytes at the front that hold whole lines: as many as the limit allows, one line at least; 0 if there is none. */
function findWholeLines(input: TokenizerInput, limits: StretchLimits): number {
  const { view, isFinal } = input;
  if (isFinal && view.length <= limits.maxBytes) return view.length;
  const last = view.lastIndexOf(LF, limits.maxBytes - 1);
  const newline = last >= 0 ? last : view.indexOf(LF, limits.maxBytes);
  if (newline >= 0) return newline + 1;
  return isFinal ? view.length : 0;
}

interface LineOptions {
  readonly maxRowBytes: number;
  readonly vectors: VectorLines | undefined;
}

/** Parses the lines of `view`, which are whole. ASCII, which most data is, is made one string and cut; other text is decoded line by line. */
function takeLines(index: RowIndex, input: TokenizerInput, { maxRowBytes, vectors }: LineOptions): ValueRecords {
  const { view, base } = input;
  const isPlain = isAscii(view);
  // Lines with vectors are wide: what is left of one without its vector is decoded by itself.
  const text = isPlain && vectors === undefined ? view.toString('latin1') : undefined;
  const check = { maxRowBytes, isValid: isPlain || isUtf8(view) };
  vectors?.restart();
  const values: JsonRow[] = [];
  const faults: RowFault[] = [];
  const maxRows = index.starts.length;
  let at = 0;
  let lines = 0;
  while (at < view.length && values.length < maxRows && faults.length < maxRows) {
    const start = at;
    const newline = text === undefined ? view.indexOf(LF, at) : text.indexOf('\n', at);
    const lineEnd = newline < 0 ? view.length : newline;
    const end = lineEnd > start && view[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    const line = lines++;
    // One past the last newline or, at the end, past the bytes: the loop ends either way.
    at = lineEnd + 1;
    if (end === start) continue;
    const unread = lineEnd - start > maxRowBytes || !check.isValid ? checkRowBytes(view.subarray(start, lineEnd), check) : undefined;
    const cut = unread === undefined ? vectors?.read({ view, start, end, isAscii: isPlain }) : undefined;
    const json = cut !== undefined ? '' : text === undefined ? view.toString('utf8', start, end) : text.slice(start, end);
    const value = cut ?? (unread === undefined ? parseJson(json) : undefined);
    if (isJsonRow(value)) {
      const row = values.push(value) - 1;
      index.starts[row] = start;
      index.ends[row] = end;
      index.lines[row] = line;
      continue;
    }
    // A line of blanks is no row by right.
    if (unread === undefined && /^[ \t\r]*$/.test(json)) continue;
    faults.push({ ...(unread ?? describeNoRow(json, value)), start, end, line });
  }
  index.count = values.length;
  const byteCount = Math.min(at, view.length);
  const stretch = { index, faults, base, readText: input.readText, view };
  const rejects = copyRejects(stretch);
  const end = { offset: base.offset + byteCount, row: base.row + values.length + rejects.length, line: base.line + lines };
  return { kind: 'values', isJsonText: true, values, rowCount: values.length, rejects, places: copyPlaces(stretch), end, byteCount };
}
