/** Reads JSON as Go's decoder does with exact numbers: integers within int64 as bigint, other numbers as their text; no recursion, so nesting can't end the stack. */

/** A number that is no integer within int64, by its text. */
export class RealText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Scanned = null | boolean | string | bigint | RealText | Scanned[] | Map<string, Scanned>;

/** Where a value ends, and the value; thrown away texts are told by {@link jsonFault}. */
export interface ScannedValue {
  readonly value: Scanned;
  readonly end: number;
}

/** Thrown by the scanner, caught by who reads a body: the text is no JSON. */
export const jsonFault: Error = new SyntaxError('invalid JSON');

/** Go refuses more than this (encoding/json, maxNestingDepth). */
const maxDepth = 10_000;

const numberPattern = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
// oxlint-disable-next-line no-control-regex -- JSON forbids them in a string
const plainPattern = /[^"\\\u0000-\u001f]*/y;
const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** The place of the first character at or behind `at` that is no blank. */
export function skipBlanks(text: string, at: number): number {
  let place = at;
  for (;;) {
    const code = text.charCodeAt(place);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return place;
    place++;
  }
}

function readEscape(text: string, at: number): { readonly value: string; readonly end: number } {
  const letter = text[at + 1] ?? '';
  if (letter !== 'u') {
    const value = escapes[letter];
    if (value === undefined) throw jsonFault;
    return { value, end: at + 2 };
  }
  const digits = text.slice(at + 2, at + 6);
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw jsonFault;
  return { value: String.fromCharCode(Number.parseInt(digits, 16)), end: at + 6 };
}

/** Reads the string whose opening quote is at `at`. */
export function scanString(text: string, at: number): { readonly value: string; readonly end: number } {
  let place = at + 1;
  let value = '';
  let isEscaped = false;
  for (;;) {
    plainPattern.lastIndex = place;
    plainPattern.test(text);
    const end = plainPattern.lastIndex;
    value += text.slice(place, end);
    const letter = text[end];
    // Half a surrogate pair becomes U+FFFD, as in Go; only escapes can bring one.
    if (letter === '"') return { value: isEscaped ? value.toWellFormed() : value, end: end + 1 };
    if (letter !== '\\') throw jsonFault;
    const escape = readEscape(text, end);
    isEscaped = true;
    value += escape.value;
    place = escape.end;
  }
}

function scanNumber(text: string, at: number): ScannedValue {
  numberPattern.lastIndex = at;
  const match = numberPattern.exec(text);
  if (match === null) throw jsonFault;
  const [digits, fraction, exponent] = match;
  const end = at + digits.length;
  if (fraction === undefined && exponent === undefined) {
    // 19 digits and a sign at most; longer ones are not worth a bigint of any size.
    const value = digits.length <= 20 ? BigInt(digits) : undefined;
    if (value !== undefined && BigInt.asIntN(64, value) === value) return { value, end };
  }
  return { value: new RealText(digits), end };
}

const words: readonly (readonly [string, Scanned])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
];

function scanScalar(text: string, at: number): ScannedValue {
  if (text[at] === '"') return scanString(text, at);
  for (const [word, value] of words) {
    if (text.startsWith(word, at)) return { value, end: at + word.length };
  }
  return scanNumber(text, at);
}

/** An array or object that is being read. */
interface OpenValue {
  readonly value: Scanned[] | Map<string, Scanned>;
  key: string;
}

/** Reads `"key":` of an object; gives the place behind the colon. */
function readKey(text: string, at: number, open: OpenValue): number {
  const place = skipBlanks(text, at);
  if (text[place] !== '"') throw jsonFault;
  const key = scanString(text, place);
  open.key = key.value;
  const colon = skipBlanks(text, key.end);
  if (text[colon] !== ':') throw jsonFault;
  return colon + 1;
}

function keep(open: OpenValue, value: Scanned): void {
  if (open.value instanceof Map) open.value.set(open.key, value);
  else open.value.push(value);
}

/** Enters an array or object; gives the place of its first value. */
function openValue(text: string, opened: OpenValue[], { open, inside }: { readonly open: OpenValue; readonly inside: number }): number {
  opened.push(open);
  if (opened.length > maxDepth) throw jsonFault;
  return skipBlanks(text, open.value instanceof Map ? readKey(text, inside, open) : inside);
}

/** Reads the value at `at`, of any depth up to Go's limit. @throws jsonFault */
export function scanValue(text: string, at: number): ScannedValue {
  const opened: OpenValue[] = [];
  let place = skipBlanks(text, at);
  for (;;) {
    let done: ScannedValue | undefined;
    const letter = text[place];
    if (letter === '[' || letter === '{') {
      const value = letter === '[' ? [] : new Map<string, Scanned>();
      const inside = skipBlanks(text, place + 1);
      if (text[inside] === (letter === '[' ? ']' : '}')) done = { value, end: inside + 1 };
      else {
        const open = { value, key: '' };
        place = openValue(text, opened, { open, inside });
        continue;
      }
    } else done = scanScalar(text, place);
    const next = closeValues(text, opened, done);
    if (typeof next !== 'number') return next;
    place = next;
  }
}

/** Puts a value where it belongs and closes what ends behind it: the place of the next value, or the outermost value. */
function closeValues(text: string, opened: OpenValue[], first: ScannedValue): number | ScannedValue {
  let done = first;
  for (;;) {
    const open = opened.at(-1);
    if (open === undefined) return done;
    keep(open, done.value);
    const place = skipBlanks(text, done.end);
    const isMap = open.value instanceof Map;
    if (text[place] === ',') return skipBlanks(text, isMap ? readKey(text, place + 1, open) : place + 1);
    if (text[place] !== (isMap ? '}' : ']')) throw jsonFault;
    opened.pop();
    done = { value: open.value, end: place + 1 };
  }
}
