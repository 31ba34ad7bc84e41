/** Reads PostgreSQL's tokens as its scanner does (scan.l, with standard_conforming_strings on, its default), so that a text is cut where the server would cut it. */
import { closeToken, kinds, openings, type Cursor, type Lexer } from './lexer.ts';

const classes = { operator: 0, word: 1, digit: 2, blank: 3, quote: 4, self: 5, semicolon: 6, dollar: 7, dot: 8, colon: 9 };

const classOf = new Uint8Array(128).fill(classes.self);
function assign(characters: string, value: number): void {
  for (const character of characters) classOf[character.charCodeAt(0)] = value;
}
assign('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', classes.word);
assign('0123456789', classes.digit);
assign(' \t\n\v\f\r', classes.blank);
assign('\'"', classes.quote);
assign('~!@#^&|`?+-*/%<>=', classes.operator);
assign(';', classes.semicolon);
assign('$', classes.dollar);
assign('.', classes.dot);
assign(':', classes.colon);

/** No operator is longer (NAMEDATALEN less 1). A longer run of signs, which the server refuses, is cut, so that it is not read to its end over and over. */
const maxOperatorLength = 63;

/** Whether a character may stand inside a name: letters, digits, `_`, `$` and all beyond ASCII. */
export function isPostgresNamePart(code: number): boolean {
  return code > 127 || code === 36 || classOf[code] === classes.word || classOf[code] === classes.digit;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export const postgresLexer: Lexer = { advance, close: closeToken };

function advance(cursor: Cursor): void {
  const { text } = cursor;
  const { length } = text;
  let start = cursor.end;
  while (start < length && isBlank(text.charCodeAt(start))) start++;
  cursor.start = start;
  cursor.open = openings.none;
  if (start >= length) {
    cursor.end = length;
    cursor.kind = kinds.end;
    return;
  }
  const code = text.charCodeAt(start);
  switch (code > 127 ? classes.word : classOf[code]) {
    case classes.word:
      readWord(cursor);
      break;
    case classes.quote:
      readQuote(cursor, start, code === 39 ? kinds.string : kinds.quoted);
      break;
    case classes.digit:
      readNumber(cursor);
      break;
    case classes.semicolon:
      cursor.kind = kinds.semicolon;
      cursor.end = start + 1;
      break;
    case classes.dollar:
      readDollar(cursor);
      break;
    case classes.dot:
    case classes.colon:
      readDots(cursor, code);
      break;
    case classes.operator:
      readOperator(cursor, code);
      break;
    default:
      cursor.kind = kinds.operator;
      cursor.end = start + 1;
  }
}

function isBlank(code: number): boolean {
  return code < 128 && classOf[code] === classes.blank;
}

/** Reads a string or quoted name whose delimiter stands at `place`. */
function readQuote(cursor: Cursor, place: number, kind: number): void {
  cursor.kind = kind;
  cursor.open = openings.quote;
  cursor.closing = cursor.text.charCodeAt(place) === 39 ? "'" : '"';
  cursor.end = place + 1;
  closeToken(cursor);
}

/** A name or keyword; or, where a quote follows at once, a string with a prefix: E'', B'', X'', N'', U&'', U&"". */
function readWord(cursor: Cursor): void {
  const { text, start } = cursor;
  const { length } = text;
  let at = start + 1;
  while (at < length && isPostgresNamePart(text.charCodeAt(at))) at++;
  cursor.kind = kinds.word;
  cursor.end = at;
  if (at !== start + 1) return;
  const prefix = text.charCodeAt(start) | 32;
  const next = text.charCodeAt(at);
  if (next === 39 && prefix === 101) {
    cursor.kind = kinds.string;
    cursor.open = openings.escaped;
    cursor.end = at + 1;
    closeToken(cursor);
  } else if (next === 39 && (prefix === 98 || prefix === 120)) {
    readQuote(cursor, at, kinds.blob);
  } else if (next === 39 && prefix === 110) {
    readQuote(cursor, at, kinds.string);
  } else if (next === 38 && prefix === 117) {
    const quote = text.charCodeAt(at + 1);
    if (quote === 39 || quote === 34) readQuote(cursor, at + 1, quote === 39 ? kinds.string : kinds.quoted);
    // Whether a quote follows the & is not yet known: the word is kept back together with it.
    else if (at + 1 === length && !cursor.isLast) cursor.end = length;
  }
}

/** Decimal, 0x, 0o, 0b, fractions and exponents; `1..2` is a number, two dots and a number. Letters that stick to them make one token that the server refuses. */
function readNumber(cursor: Cursor): void {
  const { text } = cursor;
  const { length } = text;
  let at = cursor.start;
  while (isDigit(text.charCodeAt(at)) || text.charCodeAt(at) === 95) at++;
  if (text.charCodeAt(at) === 46 && text.charCodeAt(at + 1) !== 46) {
    at++;
    while (isDigit(text.charCodeAt(at)) || text.charCodeAt(at) === 95) at++;
  }
  if ((text.charCodeAt(at) | 32) === 101) {
    const sign = text.charCodeAt(at + 1);
    const digits = sign === 43 || sign === 45 ? at + 2 : at + 1;
    if (isDigit(text.charCodeAt(digits))) at = digits;
  }
  while (at < length && text.charCodeAt(at) !== 36 && isPostgresNamePart(text.charCodeAt(at))) at++;
  cursor.kind = kinds.number;
  cursor.end = at;
}

/** `$1`, or a string between `$tag$` and `$tag$`. */
function readDollar(cursor: Cursor): void {
  const { text, start } = cursor;
  const { length } = text;
  let at = start + 1;
  cursor.kind = kinds.operator;
  if (isDigit(text.charCodeAt(at))) {
    while (isDigit(text.charCodeAt(at))) at++;
    cursor.kind = kinds.parameter;
    cursor.end = at;
    return;
  }
  while (at < length && text.charCodeAt(at) !== 36 && isPostgresNamePart(text.charCodeAt(at))) at++;
  if (at >= length && !cursor.isLast) {
    cursor.end = length;
    return;
  }
  if (text.charCodeAt(at) !== 36) {
    cursor.end = start + 1;
    return;
  }
  cursor.kind = kinds.string;
  cursor.open = openings.dollar;
  cursor.closing = text.slice(start, at + 1);
  cursor.end = at + 1;
  closeToken(cursor);
}

/** `.`, `..`, `.5`, `:`, `::`, `:=`. */
function readDots(cursor: Cursor, code: number): void {
  const { text, start } = cursor;
  const next = text.charCodeAt(start + 1);
  if (code === 46 && isDigit(next)) {
    readNumber(cursor);
    return;
  }
  cursor.kind = kinds.operator;
  cursor.end = next === code || (code === 58 && next === 61) ? start + 2 : start + 1;
}

/** The longest run of operator characters, cut before a comment; `+` and `-` end it only where it holds a character that no operator of the standard has. */
function readOperator(cursor: Cursor, code: number): void {
  const { text, start } = cursor;
  const second = text.charCodeAt(start + 1);
  if (code === 45 && second === 45) {
    cursor.kind = kinds.comment;
    cursor.open = openings.line;
    cursor.closing = '\r';
    cursor.end = start + 2;
    closeToken(cursor);
    return;
  }
  if (code === 47 && second === 42) {
    cursor.kind = kinds.comment;
    cursor.open = openings.nested;
    cursor.depth = 1;
    cursor.end = start + 2;
    closeToken(cursor);
    return;
  }
  let end = start + 1;
  while (end - start < maxOperatorLength && isOperatorPart(text, end)) end++;
  cursor.kind = kinds.operator;
  cursor.end = end - start > 1 ? trimSigns(text, start, end) : end;
}

function isOperatorPart(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (!(code < 128) || classOf[code] !== classes.operator) return false;
  const next = text.charCodeAt(at + 1);
  return !(code === 45 && next === 45) && !(code === 47 && next === 42);
}

function trimSigns(text: string, start: number, end: number): number {
  if (/[~!@#^&|`?%]/.test(text.slice(start, end))) return end;
  let at = end;
  while (at > start + 1 && (text.charCodeAt(at - 1) === 43 || text.charCodeAt(at - 1) === 45)) at--;
  return at;
}
