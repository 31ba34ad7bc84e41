/** Reads SQLite's tokens exactly as its tokenizer does (tokenize.c), so that a text is cut where the engine would cut it. */
import { closeToken, kinds, openings, type Cursor, type Lexer } from './lexer.ts';

const classes = {
  operator: 0,
  word: 1,
  digit: 2,
  blank: 3,
  quote: 4,
  bracket: 5,
  minus: 6,
  slash: 7,
  semicolon: 8,
  sigil: 9,
  question: 10,
  dot: 11,
  pair: 12,
};

const classOf = new Uint8Array(128);
function assign(characters: string, value: number): void {
  for (const character of characters) classOf[character.charCodeAt(0)] = value;
}
assign('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', classes.word);
assign('0123456789', classes.digit);
assign(' \t\n\f\r', classes.blank);
assign('\'"`', classes.quote);
assign('[', classes.bracket);
assign('-', classes.minus);
assign('/', classes.slash);
assign(';', classes.semicolon);
assign('$@:#', classes.sigil);
assign('?', classes.question);
assign('.', classes.dot);
assign('|<>=!', classes.pair);

/** Whether a character may stand inside a name: letters, digits, `_`, `$` and all beyond ASCII. */
export function isSqliteNamePart(code: number): boolean {
  return code > 127 || code === 36 || classOf[code] === classes.word || classOf[code] === classes.digit;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export const sqliteLexer: Lexer = { advance, close: closeToken };

function advance(cursor: Cursor): void {
  const { text } = cursor;
  const { length } = text;
  const start = skipBlanks(text, cursor.end);
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
      readWord(cursor, code);
      break;
    case classes.quote:
      open(cursor, code === 39 ? kinds.string : kinds.quoted, openings.quote);
      cursor.closing = code === 39 ? "'" : code === 34 ? '"' : '`';
      closeToken(cursor);
      break;
    case classes.bracket:
      open(cursor, kinds.quoted, openings.quote);
      cursor.closing = ']';
      closeToken(cursor);
      break;
    case classes.digit:
      readNumber(cursor);
      break;
    case classes.semicolon:
      cursor.kind = kinds.semicolon;
      cursor.end = start + 1;
      break;
    case classes.question:
      cursor.kind = kinds.parameter;
      cursor.end = skipDigits(text, start + 1);
      break;
    case classes.sigil:
      readNamedParameter(cursor);
      break;
    case classes.dot:
      if (isDigit(text.charCodeAt(start + 1))) {
        readNumber(cursor);
        break;
      }
      cursor.kind = kinds.operator;
      cursor.end = start + 1;
      break;
    default:
      readOperator(cursor, code);
  }
}

function open(cursor: Cursor, kind: number, opening: number): void {
  cursor.kind = kind;
  cursor.open = opening;
  cursor.end = cursor.start + 1;
}

/** Blanks and a byte order mark; a vertical tab only behind another blank, an oddity of the engine. */
function skipBlanks(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0xfeff || (code < 128 && classOf[code] === classes.blank)) continue;
    if (code !== 11 || at === from) break;
  }
  return at;
}

function skipDigits(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** A name or keyword, or x'…'. */
function readWord(cursor: Cursor, first: number): void {
  const { text } = cursor;
  const { length } = text;
  let at = cursor.start + 1;
  if ((first === 120 || first === 88) && text.charCodeAt(at) === 39) {
    cursor.kind = kinds.blob;
    cursor.open = openings.quote;
    cursor.closing = "'";
    cursor.end = at + 1;
    closeToken(cursor);
    return;
  }
  while (at < length && isSqliteNamePart(text.charCodeAt(at))) at++;
  cursor.kind = kinds.word;
  cursor.end = at;
}

/** Digits, hexadecimals, fractions and exponents; letters that stick to them make one token that the engine refuses. */
function readNumber(cursor: Cursor): void {
  const { text } = cursor;
  let at = cursor.start;
  const isHexadecimal = /^0[xX][\da-fA-F]/.test(text.slice(at, at + 3));
  if (!isHexadecimal) {
    while (isDigit(text.charCodeAt(at)) || text.charCodeAt(at) === 95) at++;
    if (text.charCodeAt(at) === 46) {
      at++;
      while (isDigit(text.charCodeAt(at)) || text.charCodeAt(at) === 95) at++;
    }
    const exponent = text.charCodeAt(at) | 32;
    if (exponent === 101) {
      const sign = text.charCodeAt(at + 1);
      const digits = sign === 43 || sign === 45 ? at + 2 : at + 1;
      if (isDigit(text.charCodeAt(digits))) at = digits;
    }
  }
  while (at < text.length && isSqliteNamePart(text.charCodeAt(at))) at++;
  cursor.kind = kinds.number;
  cursor.end = at;
}

/** `:a`, `@a`, `#a`, and `$a::b(c)` of Tcl, whose parentheses may hold anything but blanks. */
function readNamedParameter(cursor: Cursor): void {
  const { text } = cursor;
  const { length } = text;
  let at = cursor.start + 1;
  let named = 0;
  for (; at < length; at++) {
    const code = text.charCodeAt(at);
    if (isSqliteNamePart(code)) {
      named++;
    } else if (code === 40 && named > 0) {
      at = skipParenthesis(text, at + 1);
      break;
    } else if (code === 58 && (text.charCodeAt(at + 1) === 58 || (at + 1 === length && !cursor.isLast))) {
      at++;
    } else {
      break;
    }
  }
  cursor.kind = named > 0 ? kinds.parameter : kinds.operator;
  cursor.end = Math.min(at, length);
}

function skipParenthesis(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 41) return at + 1;
    if (code === 32 || (code >= 9 && code <= 13)) return at;
    at++;
  }
  return at;
}

function readOperator(cursor: Cursor, code: number): void {
  const { text, start } = cursor;
  const next = text.charCodeAt(start + 1);
  cursor.kind = kinds.operator;
  cursor.end = start + 1;
  if (code === 45 && next === 45) {
    open(cursor, kinds.comment, openings.line);
    cursor.closing = '\n';
    cursor.end = start + 2;
    closeToken(cursor);
  } else if (code === 47 && next === 42 && start + 2 < text.length) {
    // Where nothing follows, the engine takes /* for two operators.
    open(cursor, kinds.comment, openings.block);
    cursor.closing = '*/';
    cursor.end = start + 2;
    closeToken(cursor);
  } else if (code === 47 && next === 42) {
    cursor.end = start + 2;
  } else if (code === 45 && next === 62) {
    cursor.end = text.charCodeAt(start + 2) === 62 ? start + 3 : start + 2;
  } else if (isPair(code, next)) {
    cursor.end = start + 2;
  }
}

/** `||`, `<=`, `<>`, `<<`, `>=`, `>>`, `==`, `!=`. */
function isPair(code: number, next: number): boolean {
  if (code === 124) return next === 124;
  if (code === 60) return next === 61 || next === 62 || next === 60;
  if (code === 62) return next === 61 || next === 62;
  return (code === 61 || code === 33) && next === 61;
}
