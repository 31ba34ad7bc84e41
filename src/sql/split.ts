/** Cuts a text into its statements, just where the engine would: what is between two cuts is one statement for it. */
import type { Dialect } from './dialect.ts';
import { createCursor, kinds } from './lexer.ts';
import { createEndWatch, endsStatement, resetEndWatch } from './statement-end.ts';
import { lexerOf } from './tokens.ts';

export { createSplitter, type StreamedStatement } from './splitter.ts';

/** A statement in a text; the parts of a text follow each other without a gap. */
export interface StatementPart {
  /** From the semicolon before, without the semicolon that ends it. */
  readonly sql: string;
  readonly start: number;
  /** Behind the semicolon. */
  readonly end: number;
  /** Only blanks and comments. */
  readonly isBlank: boolean;
  /** A semicolon ended it; the last part may have none. */
  readonly hasEnd: boolean;
}

/** All statements of a text. What follows the last semicolon is a part of its own, even if only blanks; a text without a character has none. */
export function splitStatements(text: string, dialect: Dialect): readonly StatementPart[] {
  const { advance } = lexerOf(dialect);
  const cursor = createCursor(text, true);
  const watch = createEndWatch(dialect);
  const parts: StatementPart[] = [];
  let start = 0;
  let isBlank = true;
  for (advance(cursor); cursor.kind !== kinds.end; advance(cursor)) {
    if (cursor.kind === kinds.comment) continue;
    if (endsStatement(watch, cursor)) {
      parts.push({ sql: text.slice(start, cursor.start), start, end: cursor.end, isBlank, hasEnd: true });
      start = cursor.end;
      isBlank = true;
      resetEndWatch(watch);
    } else {
      isBlank = false;
    }
  }
  if (start < text.length) parts.push({ sql: text.slice(start), start, end: text.length, isBlank, hasEnd: false });
  return parts;
}
