/** Delimited text: a header line that names the fields, then rows whose fields are places in the bytes; nothing is converted here. */
import { isAscii, isUtf8 } from 'node:buffer';
import { SluiceError } from '../../errors.ts';
import { createCsvScan, scanRows, type CsvDialect, type CsvScan } from './csv-scan.ts';
import { createDelimitedCounter } from './row-count.ts';
import { copyPlaces, copyRejects, type RowFault } from './row-index.ts';
import type { ByteWindow } from './byte-window.ts';
import type { Head, StretchLimits, TextFormat, Tokenizer } from './text-format.ts';
import { readTextStart } from './text-start.ts';

export interface CsvOptions {
  readonly name: string;
  /** Names of the fields when there is no header line. */
  readonly columns: readonly string[] | undefined;
  readonly delimiter: number;
  /** -1 for none. */
  readonly quote: number;
  readonly nullText: string;
  readonly maxRowBytes: number;
}

/** More names than this in a header are taken for a file that is not delimited text. */
const maxFields = 65_535;

export function createCsvFormat(options: CsvOptions): TextFormat {
  const { name, columns, quote, maxRowBytes } = options;
  if (columns !== undefined) checkNames(columns, '--columns');
  // Its memory for 65,536 fields is shared by the headers of all files: nothing in it outlives a step that waits.
  let headerScan: CsvScan | undefined;
  return {
    name,
    maxRowBytes,
    async readHead(window, file) {
      const markBytes = await readTextStart(window, file);
      window.advance(markBytes);
      if (columns !== undefined) return { fields: columns, byteCount: markBytes, lines: 0 };
      headerScan ??= createHeaderScan(options);
      const header = await readHeader(window, headerScan, file);
      return { ...header, byteCount: markBytes + header.byteCount };
    },
    createTokenizer: (head, limits) => createTokenizer(head.fields ?? [], limits, options),
    openCounter: (head) => createDelimitedCounter({ ...options, width: head.fields?.length ?? 0 }),
    describeRows: (head) => (quote < 0 ? undefined : { ...options, width: head.fields?.length ?? 0 }),
  };
}

/** A tokenizer whose arrays serve every stretch: a stretch allocates its places and its text, nothing per row. */
function createTokenizer(fields: readonly string[], limits: StretchLimits, options: CsvOptions): Tokenizer {
  const scan = createCsvScan({ ...options, width: fields.length }, limits.maxRows);
  const constant = { kind: 'text', fields, quote: options.quote, nullText: options.nullText } as const;
  const arrays = { starts: scan.starts, ends: scan.ends, quoting: scan.quoting };
  return {
    take(input) {
      const { view, base, isFinal, readText } = input;
      scanRows(scan, view, { isFinal, maxBytes: limits.maxBytes });
      const byteCount = scan.consumed;
      if (byteCount === 0) return scan.isTooLong ? 'too_long' : 'needs_more';
      const bytes = view.subarray(0, byteCount);
      // Most stretches are ASCII, which is told at 26 GB/s: only others are checked, and only broken ones row by row.
      const isPlain = isAscii(bytes);
      if (!isPlain && !isUtf8(bytes)) refuseBrokenText(scan, bytes);
      const stretch = { index: scan.index, faults: scan.faults, base, readText, view };
      const rejects = copyRejects(stretch);
      const rowCount = scan.index.count;
      const end = { offset: base.offset + byteCount, row: base.row + rowCount + rejects.length, line: base.line + scan.lines };
      return { ...constant, ...arrays, bytes, isAscii: isPlain, rowCount, rejects, places: copyPlaces(stretch), end, byteCount };
    },
    refuse(reject, end, byteCount) {
      const none = new Float64Array(0);
      const places = { offsets: none, rows: none, lines: none, raw: () => '' };
      const bytes = Buffer.alloc(0);
      return { ...constant, ...arrays, bytes, isAscii: true, rowCount: 0, rejects: [reject], places, end, byteCount };
    },
  };
}

/** Takes the rows that are not UTF-8 out of the scan; the delimiters are ASCII, so a row is valid if and only if each of its fields is. */
function refuseBrokenText(scan: CsvScan, bytes: Buffer): void {
  const { index, starts, ends, quoting } = scan;
  const { width } = scan.dialect;
  const broken: RowFault[] = [];
  let kept = 0;
  for (let row = 0; row < index.count; row++) {
    const start = index.starts[row]!;
    const end = index.ends[row]!;
    const line = index.lines[row]!;
    if (!isUtf8(bytes.subarray(start, end))) {
      broken.push({ code: 'ROW_UTF8_INVALID', message: 'the row is not valid UTF-8', start, end, line });
      continue;
    }
    if (kept < row) {
      starts.copyWithin(kept * width, row * width, (row + 1) * width);
      ends.copyWithin(kept * width, row * width, (row + 1) * width);
      quoting.copyWithin(kept * width, row * width, (row + 1) * width);
      index.starts[kept] = start;
      index.ends[kept] = end;
      index.lines[kept] = line;
    }
    kept++;
  }
  index.count = kept;
  scan.faults = [...scan.faults, ...broken].sort((a, b) => a.start - b.start);
}

/** A scan that expects more fields than any header may have, so that a header is handed back as a row of the wrong width, with its fields noted. */
function createHeaderScan(options: CsvOptions): CsvScan {
  const dialect: CsvDialect = { ...options, width: maxFields + 1 };
  return createCsvScan(dialect, 1);
}

/** Reads the first line that is not empty by the rules of every other row, and drops it from the window. */
async function readHeader(window: ByteWindow, scan: CsvScan, file: string): Promise<Head & { readonly fields: readonly string[] }> {
  let byteCount = 0;
  let lines = 0;
  for (;;) {
    const view = window.view();
    if (view.length === 0 && window.isFinal) throw new SluiceError('SLUICE_SOURCE_EMPTY', `${file} is empty`);
    scanRows(scan, view, { isFinal: window.isFinal, maxBytes: 1 });
    if (scan.isTooLong) throw headerError(file, `is longer than ${scan.dialect.maxRowBytes} bytes`);
    const fault = scan.faults[0];
    const fields = fault === undefined ? [] : readNames(scan, view, { fault, file });
    byteCount += scan.consumed;
    lines += scan.lines;
    window.advance(scan.consumed);
    if (fault !== undefined) return { fields, byteCount, lines };
    if (scan.consumed === 0) await window.fill();
  }
}

/** The names that a header line holds, unquoted and checked. */
function readNames(scan: CsvScan, view: Buffer, header: { readonly fault: RowFault; readonly file: string }): string[] {
  const { fault, file } = header;
  if (fault.code !== 'ROW_FIELD_COUNT') throw headerError(file, `has broken quoting: ${fault.message}`);
  if (scan.fields > maxFields) throw headerError(file, `has more than ${maxFields} fields`);
  if (!isUtf8(view.subarray(fault.start, fault.end))) throw headerError(file, 'is not valid UTF-8');
  const quote = String.fromCharCode(Math.max(0, scan.dialect.quote));
  const names = Array.from({ length: scan.fields }, (_, field) => {
    // The end of a row of the wrong width is not noted in its last field, which may hold the CR of its line's end.
    const text = view.toString('utf8', scan.starts[field], Math.min(scan.ends[field]!, fault.end));
    return scan.quoting[field] === 2 ? text.replaceAll(quote + quote, quote) : text;
  });
  if (names.some((name) => name.includes('\r') && !name.includes('\n'))) {
    throw headerError(file, 'holds a carriage return: lines have to end with LF or CRLF', "Convert the line ends: tr '\\r' '\\n' < FILE.");
  }
  checkNames(names, `the header line of ${file}`);
  return names;
}

/** Fields are found by their names: each needs one, and one of its own. */
function checkNames(names: readonly string[], where: string): void {
  const hint = 'Mend the header line, or name the fields by --columns a,b,c if the file has none.';
  const empty = names.indexOf('');
  if (names.length === 0 || empty >= 0) throw new SluiceError('SLUICE_USAGE', `field ${empty + 1} has no name in ${where}`, { hint });
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new SluiceError('SLUICE_USAGE', `two fields are named ${JSON.stringify(name)} in ${where}`, { hint });
    seen.add(name);
  }
}

function headerError(file: string, what: string, hint = 'Mend it, or check --delimiter, --quote and --format.'): SluiceError {
  return new SluiceError('SLUICE_USAGE', `the header line of ${file} ${what}`, { hint });
}
