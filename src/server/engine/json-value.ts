/** Values as Go's encoder writes them into JSON: the digits, the escapes, and which bytes of a blob become what. */
import { decodeBlob } from './body-bytes.ts';
import { printDateNumber, printDateText } from './go-time.ts';

/** What the declared type of a column does to its values. */
export type ColumnKind = 'plain' | 'boolean' | 'date';

/** What a value is to be written for. */
export interface ValueColumn {
  readonly kind: ColumnKind;
  /** Blobs come as text: rqlite does so in columns that are text or have no type. */
  readonly isText: boolean;
  /** Not a column of a table: its text may hold bytes that are none. */
  readonly isExpression: boolean;
}

/** Go can't print it; the whole request becomes a 500. */
export class UnprintableNumber extends Error {}

/** A year that RFC 3339 has no room for; the statement's entry becomes an error. */
export class UnprintableDate extends Error {}

const escapedPattern = /[<>&\u2028\u2029]/;
const escapedAll = /[<>&\u2028\u2029]/g;

/** Stands for a byte that is no text until the text is escaped: half a surrogate pair, which no UTF-8 decodes to. */
const brokenByte = '\ud800';
const brokenBytes = /\ud800/u;

/** JSON text in which everything that Go escapes besides JSON's own is escaped. */
export function escapeForGo(json: string): string {
  return escapedPattern.test(json)
    ? json.replace(escapedAll, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
    : json;
}

/** A text as a JSON string. */
export function printText(text: string): string {
  return escapeForGo(JSON.stringify(text));
}

/** Bytes as a JSON string of themselves; bytes that are no text become `\ufffd`. */
function printBlobText(bytes: Uint8Array): string {
  const parts = decodeBlob(bytes, brokenByte).split(brokenBytes);
  return `"${parts.map((part) => printText(part).slice(1, -1)).join('\\ufffd')}"`;
}

/** A number; 1e21 and 1e-7 are where Go and JavaScript both begin to write exponents, in the same form. */
export function printNumber(value: number): string {
  if (!Number.isFinite(value)) {
    const name = Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
    throw new UnprintableNumber(`json: error calling MarshalJSON for type *http.DBResults: json: unsupported value: ${name}`);
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

function printBytes(bytes: Uint8Array, column: ValueColumn, usesArrays: boolean): string {
  if (column.isText) return printBlobText(bytes);
  if (usesArrays) return `[${bytes.join(',')}]`;
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')}"`;
}

function printDate(value: string | bigint): string {
  if (typeof value === 'string') return `"${printDateText(value)}"`;
  const text = printDateNumber(value);
  if (text === undefined) throw new UnprintableDate('Time.MarshalText: year outside of range [0,9999]');
  return `"${text}"`;
}

function printString(value: string, column: ValueColumn): string {
  const text = printText(value);
  // The value of an expression can hold bytes that are no text (a blob that was cast); Node gives them as U+FFFD, Go writes the escape.
  return column.isExpression && text.includes('\ufffd') ? text.replaceAll('\ufffd', '\\ufffd') : text;
}

/** One value, as SQLite gave it: integers as bigint, reals as number. In columns of no kind an integer may come as a number as well. */
export function printValue(value: unknown, column: ValueColumn, usesArrays: boolean): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return column.kind === 'date' ? printDate(value) : printString(value, column);
  if (typeof value === 'bigint') {
    if (column.kind === 'boolean') return value > 0n ? 'true' : 'false';
    return column.kind === 'date' ? printDate(value) : String(value);
  }
  if (typeof value === 'number') return printNumber(value);
  if (value instanceof Uint8Array) return printBytes(value, column, usesArrays);
  throw new TypeError('SQLite gave a value of no known type.');
}
