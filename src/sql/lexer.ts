/** What the lexers of both dialects share: a cursor over a text, the kinds of tokens, and how a string or comment that has been opened is closed again, over any number of pieces. */

/** Kinds of tokens, as numbers so that a scan of a large file makes no objects. */
export const kinds = {
  /** Nothing is left. */
  end: 0,
  word: 1,
  quoted: 2,
  string: 3,
  number: 4,
  parameter: 5,
  operator: 6,
  blob: 7,
  comment: 8,
  semicolon: 9,
} as const;

/** How the token at the cursor goes on when the text ended in the middle of it. */
export const openings = { none: 0, quote: 1, line: 2, block: 3, nested: 4, escaped: 5, dollar: 6 } as const;

/** A place in a text and the token in front of it; changed in place by a lexer. */
export interface Cursor {
  text: string;
  /** Of the token. */
  start: number;
  /** Behind the token, and where the next one is looked for. */
  end: number;
  /** One of {@link kinds}. */
  kind: number;
  /** One of {@link openings}: `none` for a token that is complete. */
  open: number;
  /** What ends an open token. */
  closing: string;
  /** How many comments are open inside each other. */
  depth: number;
  /** No text follows this one. */
  isLast: boolean;
}

/** How one dialect is read. */
export interface Lexer {
  /** Goes on to the next token, over blanks but not over comments. */
  readonly advance: (cursor: Cursor) => void;
  /** Reads on, from `cursor.end`, in a token that is open. */
  readonly close: (cursor: Cursor) => void;
}

/** A cursor in front of a whole text. */
export function createCursor(text: string, isLast: boolean): Cursor {
  return { text, start: 0, end: 0, kind: kinds.end, open: openings.none, closing: '', depth: 0, isLast };
}

/** Reads on in an open token; what belongs to its closing may be cut in two by the end of the text, so that much of it is left unread. */
export function closeToken(cursor: Cursor): void {
  switch (cursor.open) {
    case openings.quote:
      closeQuote(cursor);
      break;
    case openings.line:
      closeLine(cursor);
      break;
    case openings.nested:
      closeNested(cursor);
      break;
    case openings.escaped:
      closeEscaped(cursor);
      break;
    default:
      closeAt(cursor, cursor.text.indexOf(cursor.closing, cursor.end));
  }
}

/** Block comments of SQLite and dollar quotes: the first place of a longer closing. */
function closeAt(cursor: Cursor, place: number): void {
  if (place >= 0) {
    cursor.end = place + cursor.closing.length;
    cursor.open = openings.none;
    return;
  }
  const unread = cursor.isLast ? 0 : cursor.closing.length - 1;
  cursor.end = Math.max(cursor.end, cursor.text.length - unread);
}

/** A doubled delimiter stays inside. Where the text ends between the two, the second opens a token that ends where this one would have. */
function closeQuote(cursor: Cursor): void {
  const { text, closing } = cursor;
  const code = closing.charCodeAt(0);
  let at = cursor.end;
  for (;;) {
    const place = text.indexOf(closing, at);
    if (place < 0) {
      cursor.end = text.length;
      return;
    }
    at = place + 1;
    // Nothing is doubled inside [ ], which closes at the first ].
    if (code === 93 || text.charCodeAt(at) !== code) {
      cursor.end = at;
      cursor.open = openings.none;
      return;
    }
    at++;
  }
}

/** A line comment ends at a newline; for PostgreSQL (`closing` is a carriage return) at that as well. Searched by hand: indexOf would run through the rest of the text for the rarer one. */
function closeLine(cursor: Cursor): void {
  const { text } = cursor;
  const other = cursor.closing.charCodeAt(0);
  let at = cursor.end;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    at++;
    if (code === 10 || code === other) {
      cursor.open = openings.none;
      break;
    }
  }
  cursor.end = at;
}

/** Comments of PostgreSQL stand inside each other. */
function closeNested(cursor: Cursor): void {
  const { text } = cursor;
  let at = cursor.end;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code !== 42 && code !== 47) {
      at++;
      continue;
    }
    if (at + 1 === text.length && !cursor.isLast) break;
    const next = text.charCodeAt(at + 1);
    at++;
    if (code === 47 && next === 42) {
      cursor.depth++;
      at++;
    } else if (code === 42 && next === 47) {
      cursor.depth--;
      at++;
      if (cursor.depth > 0) continue;
      cursor.open = openings.none;
      break;
    }
  }
  cursor.end = at;
}

/** A string of PostgreSQL with escapes; on another line a further piece may follow, which has escapes too. */
function closeEscaped(cursor: Cursor): void {
  const { text } = cursor;
  let at = cursor.end;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 92) {
      if (at + 1 >= text.length) break;
      at += 2;
      continue;
    }
    if (code !== 39) {
      at++;
      continue;
    }
    const next = text.charCodeAt(at + 1) === 39 ? at + 1 : findContinuation(text, at + 1);
    if (next === text.length && !cursor.isLast) break;
    if (text.charCodeAt(next) !== 39) {
      cursor.end = at + 1;
      cursor.open = openings.none;
      return;
    }
    at = next + 1;
  }
  cursor.end = cursor.isLast ? text.length : at;
}

/** Where the text goes on behind blanks and line comments; `from` if there is no newline among them. */
function findContinuation(text: string, from: number): number {
  let at = from;
  let hasNewline = false;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) {
      hasNewline = true;
    } else if (code === 45 && (text.charCodeAt(at + 1) === 45 || at + 1 === text.length)) {
      const newline = text.slice(at).search(/[\n\r]/);
      if (newline < 0) return text.length;
      at += newline - 1;
    } else if (code !== 32 && (code < 9 || code > 13)) {
      break;
    }
  }
  return hasNewline || at === text.length ? at : from;
}
