/** Values as rqlite's JSON carries them, and its answers read back: integers of 64 bits stay exact both ways, and no value turns into another on the way. */
import { SluiceError } from '../../errors.ts';

/** A value of SQLite. */
export type SqlValue = string | number | bigint | boolean | Uint8Array | null;

/** What is read from an answer. */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

const [minInteger, maxInteger] = [-(2n ** 63n), 2n ** 63n - 1n];

/** rqlite turns such a text into bytes, blanks around it or not. Text like it is sent as bytes, and turned into text by the statement: {@link isBlobLike}. */
const blobShape = /^[\s\u0085]*x'[^']*'[\s\u0085]*$/iu;

/** Whether rqlite might take a text for a blob literal, so that its placeholder must be {@link textPlaceholder}. */
export function isBlobLike(text: string): boolean {
  // Few texts end with a quotation mark, and then nothing else need be asked.
  return text.includes("'") && blobShape.test(text);
}

/** Takes the place of `?` for a text that looks like a blob: its bytes are sent, and are text again in the database. */
export const textPlaceholder = 'CAST(? AS TEXT)';

/** A number with a point or an exponent is bound as a REAL, any other as an INTEGER. */
export function writeReal(value: number): string {
  const text = Object.is(value, -0) ? '-0.0' : String(value);
  return /[.e]/u.test(text) ? text : `${text}.0`;
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw new SluiceError('SLUICE_USAGE', `JSON has no ${String(value)}, so it can't be sent to rqlite.`);
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : writeReal(value);
}

export function writeBytes(bytes: Uint8Array): string {
  // No bytes at all go as an empty list: `x''` in a column of text came back as text.
  if (bytes.byteLength === 0) return '[]';
  return `"x'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}'"`;
}

/** A text as a parameter; one that looks like a blob goes as its bytes. */
export function writeText(text: string): string {
  return isBlobLike(text) ? writeBytes(Buffer.from(text)) : JSON.stringify(text);
}

/**
 * One value as a parameter of a request.
 * @throws SLUICE_USAGE for what JSON or SQLite can't hold: NaN, Infinity, integers beyond 64 bits, half of a surrogate pair
 */
export function writeValue(value: SqlValue): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed())
        throw new SluiceError('SLUICE_USAGE', 'A text holds half of a surrogate pair, which the server would replace by U+FFFD.');
      return writeText(value);
    case 'number':
      return writeNumber(value);
    case 'bigint':
      if (value < minInteger || value > maxInteger) throw new SluiceError('SLUICE_USAGE', 'An integer is beyond 64 bits.');
      return String(value);
    case 'boolean':
      return value ? '1' : '0';
    default:
      return value === null ? 'null' : writeBytes(value);
  }
}

/** Only numbers of 16 digits and more can be inexact as a double; answers without any are read by the engine's own, fast reader. */
const longNumber = /\d{16}/u;

interface ReviverContext {
  readonly source?: string;
}

function reviveNumber(_name: string, value: unknown, context?: ReviverContext): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  if (!/^-?\d+$/u.test(source)) return value;
  const integer = BigInt(source);
  // A REAL of that size is printed like an integer; no INTEGER is beyond 64 bits.
  return integer >= minInteger && integer <= maxInteger ? integer : value;
}

/** Reads JSON; integers within 64 bits that a double can't hold come as bigint. @throws SyntaxError */
export function readJson(text: string): JsonValue {
  if (!longNumber.test(text)) return JSON.parse(text) as JsonValue;
  return JSON.parse(text, reviveNumber) as JsonValue;
}
