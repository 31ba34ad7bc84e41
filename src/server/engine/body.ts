/** Bytes of a request → its statements, with rqlite's acceptance and its error texts; the common body is read by JSON.parse, any other by a scanner of its own. */
import type { SQLInputValue } from 'node:sqlite';
import { decodeText } from './body-bytes.ts';
import { jsonFault, RealText, type Scanned, scanValue, skipBlanks } from './body-scan.ts';

/** One statement of a request with its values, ready to be bound: integers are bigint, all other numbers REAL. */
export interface BodyStatement {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
  /** By place: the name of a value that came with one; undefined where no value has a name. */
  readonly names: readonly (string | undefined)[] | undefined;
  /** Literals stand in it for RANDOM() or the time: rqlite names its columns by the text that its own parser prints then. */
  readonly isRewritten?: boolean;
}

/** The statements of a body, or the text of the 400 that it is answered with. */
export type ParsedBody = { readonly statements: readonly BodyStatement[]; readonly error?: undefined } | { readonly error: string };

export interface BodyOptions {
  readonly isPlainText: boolean;
  /** Text that looks like `x'..'` stays text. */
  readonly keepsBlobText: boolean;
}

/** Why a body is refused, in rqlite's words. */
class BodyRefusal extends Error {}

const invalidJson = 'invalid JSON body';
const invalidRequest = 'invalid request';

const noValues: readonly SQLInputValue[] = [];

/**
 * What JSON.parse would read otherwise than Go: integers beyond 15 digits, reals that look like integers (`1.0`, `1e3`: REAL all the same), and escapes
 * that may be half a surrogate pair. Found in a string it only costs time.
 */
const carefulPattern = /\d{16}|\.0+(?!\d)|\d[eE][-+]?\d|\\u[dD]/;

const blobPattern = /^[xX]'((?:[0-9a-fA-F]{2})*)'$/;

/** A text of the form `x'hex'` is a blob to rqlite, blanks around it included. */
function readText(text: string, options: BodyOptions): string | Uint8Array {
  const end = text.length - 1;
  if (options.keepsBlobText || end < 2) return text;
  const last = text.charCodeAt(end);
  // A quote at the end, or a blank that may hide one; all other texts need no pattern.
  if (last !== 39 && last > 32 && last < 128) return text;
  const match = blobPattern.exec(text.trim());
  return match === null ? text : new Uint8Array(Buffer.from(match[1] ?? '', 'hex'));
}

/** What Go calls the type of a value, as far as its texts show it. */
function nameType(value: Scanned): string {
  if (value === null) return '<nil>';
  if (value instanceof RealText) return value.text;
  if (Array.isArray(value)) return '[]interface {}';
  if (value instanceof Map) return 'map[string]interface {}';
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'boolean' ? 'bool' : 'string';
}

function readBytes(items: readonly Scanned[]): Uint8Array {
  const bytes = new Uint8Array(items.length);
  for (const [index, item] of items.entries()) {
    if (typeof item !== 'bigint' || item < 0n || item > 255n) throw new BodyRefusal(`unsupported type ${nameType(item)}`);
    bytes[index] = Number(item);
  }
  return bytes;
}

function readReal({ text }: RealText): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new BodyRefusal(`invalid number ${text}`);
  return value;
}

function readValue(value: Scanned, options: BodyOptions): SQLInputValue {
  if (typeof value === 'string') return readText(value, options);
  if (value === null || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (value instanceof RealText) return readReal(value);
  if (Array.isArray(value)) return readBytes(value);
  throw new BodyRefusal(`unsupported type ${nameType(value)}`);
}

/** One element of the body's array. */
function readElement(element: Scanned, options: BodyOptions): BodyStatement {
  if (typeof element === 'string') return { sql: element, values: noValues, names: undefined };
  if (!Array.isArray(element) || typeof element[0] !== 'string') throw new BodyRefusal(invalidRequest);
  const values: SQLInputValue[] = [];
  let names: (string | undefined)[] | undefined;
  for (let index = 1; index < element.length; index++) {
    const item = element[index] ?? null;
    if (item instanceof Map) {
      names ??= values.map(() => undefined);
      for (const [name, value] of item) {
        values.push(readValue(value, options));
        names.push(name);
      }
    } else {
      values.push(readValue(item, options));
      names?.push(undefined);
    }
  }
  return { sql: element[0], values, names };
}

/** Reads element after element, as rqlite does: what is wrong first is told first, and nothing behind the array is looked at. */
function readSlowly(text: string, options: BodyOptions): ParsedBody {
  const statements: BodyStatement[] = [];
  let place = skipBlanks(text, 0);
  if (text[place] !== '[') {
    // A value of another kind is JSON, but no request; an opening brace is told before what follows it is read.
    if (text[place] !== '{') scanValue(text, place);
    return { error: invalidRequest };
  }
  place = skipBlanks(text, place + 1);
  while (text[place] !== ']') {
    const element = scanValue(text, place);
    statements.push(readElement(element.value, options));
    place = skipBlanks(text, element.end);
    if (text[place] === ']') break;
    if (text[place] !== ',') throw jsonFault;
    place = skipBlanks(text, place + 1);
    if (text[place] === ']') throw jsonFault;
  }
  return statements.length === 0 ? { error: 'no statements' } : { statements };
}

/** A value that JSON.parse gave and {@link carefulPattern} let pass; undefined where rqlite would refuse it. */
function toInput(value: unknown, options: BodyOptions): SQLInputValue | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value === 'string') return readText(value, options);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (value === null) return null;
  if (!Array.isArray(value)) return undefined;
  const items: readonly unknown[] = value;
  return items.every((item) => Number.isInteger(item) && Number(item) >= 0 && Number(item) <= 255)
    ? Uint8Array.from(items, Number)
    : undefined;
}

/** An element as JSON.parse gave it; undefined sends the whole body to the scanner, which finds the words for what is wrong. */
function takeElement(element: unknown, options: BodyOptions): BodyStatement | undefined {
  if (typeof element === 'string') return { sql: element, values: noValues, names: undefined };
  if (!Array.isArray(element)) return undefined;
  const items: readonly unknown[] = element;
  const sql = items[0];
  if (typeof sql !== 'string') return undefined;
  const values: SQLInputValue[] = [];
  for (let index = 1; index < items.length; index++) {
    const item = items[index];
    const value = toInput(item, options);
    if (value === undefined)
      return items.length === 2 && typeof item === 'object' && item !== null ? takeNamed(sql, item, options) : undefined;
    values.push(value);
  }
  return { sql, values, names: undefined };
}

/** `[sql, {name: value, …}]`. */
function takeNamed(sql: string, item: object, options: BodyOptions): BodyStatement | undefined {
  if (Array.isArray(item)) return undefined;
  const values: SQLInputValue[] = [];
  for (const entry of Object.values(item)) {
    const value = toInput(entry, options);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return { sql, values, names: Object.keys(item) };
}

/** The way of nearly all bodies; undefined where the bytes don't prove harmless. */
function readFast(text: string, options: BodyOptions): ParsedBody | undefined {
  if (carefulPattern.test(text)) return undefined;
  let elements: unknown;
  try {
    elements = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!Array.isArray(elements) || elements.length === 0) return undefined;
  const statements: BodyStatement[] = [];
  for (const element of elements) {
    const statement = takeElement(element, options);
    if (statement === undefined) return undefined;
    statements.push(statement);
  }
  return { statements };
}

/** Reads a body. Never throws for what is in it. */
export function readBody(body: Uint8Array, options: BodyOptions): ParsedBody {
  const text = decodeText(body);
  if (options.isPlainText) return { statements: [{ sql: text, values: noValues, names: undefined }] };
  const parsed = readFast(text, options);
  if (parsed !== undefined) return parsed;
  try {
    return readSlowly(text, options);
  } catch (error) {
    if (error === jsonFault) return { error: invalidJson };
    if (error instanceof BodyRefusal) return { error: error.message };
    throw error;
  }
}
