/** Fills columns from delimited text, one loop per type; numbers are read from the bytes without a string in between. */
import type { TextRecords } from '../source/source.ts';
import type { ScalarFill } from './fill.ts';
import { setConverted, setNull, slotBytes, stringOverheadBytes } from './fill.ts';
import { parseDecimal, parseInteger, parseReal } from './numeral.ts';
import type { Scalar, ScalarType } from './schema.ts';
import { parseDate, parseTimestamp } from './temporal.ts';
import { checkJson, parseBoolean, parseBytes, parseUuid } from './text-value.ts';
import type { Unfit } from './unfit.ts';
import type { VectorStore } from './vector.ts';
import { setListedVector, setNullVector, setVector } from './vector.ts';

/** One field of every row of a stretch. */
export interface TextField {
  readonly records: TextRecords;
  /** Place of the field in a row. */
  readonly index: number;
  /** The stretch's bytes as a `Buffer`, to decode from. */
  readonly buffer: Buffer;
  /** The text that means null, in UTF-8. */
  readonly nullText: Buffer;
}

export function openTextField(records: TextRecords, index: number): TextField {
  const { bytes, nullText } = records;
  return {
    records,
    index,
    buffer: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    nullText: Buffer.from(nullText),
  };
}

function isNullCell({ records, buffer, nullText }: TextField, cell: number): boolean {
  const start = records.starts[cell] as number;
  const end = records.ends[cell] as number;
  if (end - start !== nullText.length || records.quoting[cell] !== 0) return false;
  return start === end || nullText.compare(buffer, start, end) === 0;
}

/** The true text of a field: UTF-8 decoded where it must be, doubled quotes made one. */
function readCell({ records, buffer }: TextField, cell: number): string {
  const start = records.starts[cell] as number;
  const end = records.ends[cell] as number;
  const isLatin = records.isAscii || isAsciiBetween(records.bytes, start, end);
  const text = buffer.toString(isLatin ? 'latin1' : 'utf8', start, end);
  if (records.quoting[cell] !== 2) return text;
  const quote = String.fromCharCode(records.quote);
  return text.replaceAll(quote + quote, quote);
}

function isAsciiBetween(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) > 127) return false;
  return true;
}

/** The field of one row: its text, or null where it stands for none. */
export function readTextValue(field: TextField, row: number): string | null {
  const cell = row * field.records.fields.length + field.index;
  return isNullCell(field, cell) ? null : readCell(field, cell);
}

/** Fills a scalar column and answers the estimated bytes of what was added. */
export function fillFromText(field: TextField, type: ScalarType, fill: ScalarFill): number {
  if (type === 'integer') {
    const byteCount = fillIntegers(field, fill);
    if (fill.isGuessed) refusePadded(field, fill);
    return byteCount;
  }
  if (type === 'real') return fillReals(field, fill);
  if (type === 'text') return fillTexts(field, fill);
  return fillParsed(field, textParsers[type], fill);
}

/** Up to this many digits always make a safe integer. */
const maxSafeDigits = 15;

function fillIntegers(field: TextField, fill: ScalarFill): number {
  const { rowCount, fields, starts, ends, bytes } = field.records;
  const { values } = fill;
  for (let row = 0, cell = field.index; row < rowCount; row++, cell += fields.length) {
    if (isNullCell(field, cell)) {
      setNull(fill, row);
      continue;
    }
    const end = ends[cell] as number;
    let at = starts[cell] as number;
    const isNegative = bytes[at] === 45;
    if (isNegative) at++;
    const isShort = at < end && end - at <= maxSafeDigits;
    let value = 0;
    let digit = 0;
    while (isShort && at < end) {
      digit = (bytes[at] as number) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
    }
    // Zero is pushed as it is, for -0 is no integer.
    if (isShort && at === end) values[row] = isNegative && value !== 0 ? -value : value;
    else setConverted(fill, row, parseInteger(readCell(field, cell)));
  }
  return rowCount * slotBytes;
}

const paddedNumber: Unfit = {
  code: 'VALUE_INEXACT',
  message:
    'leading zeros, which the integer column guessed from the sample would drop; give the column its type (text, or integer to drop them)',
};

/** Zip codes and the like: a sample without leading zeros makes an integer column, and a padded number beyond it must not lose its zeros in silence. */
function refusePadded({ records, index }: TextField, { values, refuse }: ScalarFill): void {
  const { rowCount, fields, starts, ends, bytes } = records;
  for (let row = 0, cell = index; row < rowCount; row++, cell += fields.length) {
    const start = starts[cell] as number;
    if (bytes[start] === 48 && (ends[cell] as number) - start > 1 && values[row] !== null && isDigit(bytes[start + 1] as number))
      refuse(row, paddedNumber);
  }
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/** Powers of ten that a double holds exactly. A quotient of two exact doubles is rounded once, so it is the nearest one (Clinger 1990). */
const exactPowers = Float64Array.from({ length: maxSafeDigits + 1 }, (_, power) => 10 ** power);

function fillReals(field: TextField, fill: ScalarFill): number {
  const { rowCount, fields, starts, ends } = field.records;
  const { values } = fill;
  for (let row = 0, cell = field.index; row < rowCount; row++, cell += fields.length) {
    if (isNullCell(field, cell)) {
      setNull(fill, row);
      continue;
    }
    const value = readShortReal(field.records.bytes, starts[cell] as number, ends[cell] as number);
    if (value === value) values[row] = value;
    else setConverted(fill, row, parseReal(readCell(field, cell)));
  }
  return rowCount * slotBytes;
}

/** A number of at most 15 characters of digits and one point; NaN for any other text. */
function readShortReal(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const isNegative = bytes[at] === 45;
  if (isNegative) at++;
  if (at >= end || end - at > maxSafeDigits) return Number.NaN;
  let value = 0;
  let point = -1;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit >= 0 && digit <= 9) value = value * 10 + digit;
    else if (digit === -2 && point === -1) point = at;
    else return Number.NaN;
  }
  // A point at either end is left to the parser that knows what to make of it.
  if (point === start || point === end - 1 || (isNegative && point === start + 1)) return Number.NaN;
  if (point !== -1) value /= exactPowers[end - 1 - point] as number;
  return isNegative ? -value : value;
}

/** A text that holds those of a column, field after field, and how far apart it is from the stretch's own bytes. */
interface ColumnText {
  readonly text: string;
  /** The fields lie in `text` as they do in the stretch; else one behind the other. */
  readonly isWhole: boolean;
}

/** Other columns that take more than this many times the bytes of one make it cheaper to copy its fields than to make a text of all. */
const maxWholeShare = 4;

/**
 * One text for all fields of a column of an ASCII stretch: making one costs as much as making a field's. A text keeps all of its bytes in memory as long as a field
 * of it lives, so what belongs to other columns (a vector takes kilobytes) stays out where it is much.
 */
function readColumnText({ records, buffer, index }: TextField): ColumnText {
  const { rowCount, fields, starts, ends } = records;
  let byteCount = 0;
  for (let row = 0, cell = index; row < rowCount; row++, cell += fields.length)
    byteCount += (ends[cell] as number) - (starts[cell] as number);
  if (byteCount * maxWholeShare > buffer.length) return { text: buffer.toString('latin1'), isWhole: true };
  const gathered = Buffer.allocUnsafe(byteCount);
  let at = 0;
  for (let row = 0, cell = index; row < rowCount; row++, cell += fields.length) at += buffer.copy(gathered, at, starts[cell], ends[cell]);
  return { text: gathered.toString('latin1'), isWhole: false };
}

/** Text of an ASCII stretch is a slice of it: V8 copies up to 12 characters and refers to the stretch for more. */
function fillTexts(field: TextField, fill: ScalarFill): number {
  const { rowCount, fields, starts, ends, quoting, isAscii } = field.records;
  const { values } = fill;
  const { text, isWhole } = isAscii ? readColumnText(field) : { text: '', isWhole: true };
  let byteCount = rowCount * stringOverheadBytes;
  let gathered = 0;
  for (let row = 0, cell = field.index; row < rowCount; row++, cell += fields.length) {
    const start = starts[cell] as number;
    const length = (ends[cell] as number) - start;
    const from = isWhole ? start : gathered;
    byteCount += length;
    gathered += length;
    if (isNullCell(field, cell)) setNull(fill, row);
    else if (isAscii && quoting[cell] !== 2) values[row] = text.slice(from, from + length);
    else values[row] = readCell(field, cell);
  }
  return byteCount;
}

type TextParser = (text: string) => Scalar | Unfit;

const textParsers: Readonly<Record<Exclude<ScalarType, 'integer' | 'real' | 'text'>, TextParser>> = {
  boolean: parseBoolean,
  bytes: parseBytes,
  json: checkJson,
  timestamp: parseTimestamp,
  date: parseDate,
  uuid: parseUuid,
  decimal: parseDecimal,
};

function fillParsed(field: TextField, parse: TextParser, fill: ScalarFill): number {
  const { rowCount, fields } = field.records;
  let byteCount = 0;
  for (let row = 0, cell = field.index; row < rowCount; row++, cell += fields.length) {
    if (isNullCell(field, cell)) setNull(fill, row);
    else byteCount += setConverted(fill, row, parse(readCell(field, cell)));
  }
  return byteCount;
}

/** Fills a vector column; room must have been reserved. */
export function fillVectorsFromText(field: TextField, store: VectorStore, fill: Pick<ScalarFill, 'isNullable' | 'refuse'>): void {
  const { rowCount, fields, starts, ends, bytes } = field.records;
  for (let row = 0, cell = field.index; row < rowCount; row++, cell += fields.length) {
    if (isNullCell(field, cell)) {
      setNullVector(store, fill, row);
      continue;
    }
    if (setListedVector(store, bytes, { start: starts[cell] as number, end: ends[cell] as number })) continue;
    const unfit = setVector(store, readCell(field, cell));
    if (unfit !== undefined) fill.refuse(row, unfit);
  }
}
