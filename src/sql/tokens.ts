/** A statement's tokens, without blanks and comments. */
import type { Dialect } from './dialect.ts';
import { createCursor, kinds, type Lexer } from './lexer.ts';
import { postgresLexer } from './postgres-lexer.ts';
import { sqliteLexer } from './sqlite-lexer.ts';

/** `quoted`: a name in quotes (of SQLite also a string where no column has that name). `blob`: x'…', of PostgreSQL also b'…'. `operator`: all signs, `;` included. */
export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'operator' | 'blob';

export interface Token {
  readonly kind: TokenKind;
  /** UTF-16 units from the start of the text. */
  readonly start: number;
  readonly end: number;
  /** As written, quotes included. */
  readonly text: string;
}

const names: readonly TokenKind[] = [
  'operator',
  'word',
  'quoted',
  'string',
  'number',
  'parameter',
  'operator',
  'blob',
  'operator',
  'operator',
];

/** How a dialect is read. */
export function lexerOf(dialect: Dialect): Lexer {
  return dialect === 'sqlite' ? sqliteLexer : postgresLexer;
}

/** The tokens of a text. A string, name or comment that is not closed goes to the end of the text. */
export function readTokens(sql: string, dialect: Dialect): readonly Token[] {
  const { advance } = lexerOf(dialect);
  const cursor = createCursor(sql, true);
  const tokens: Token[] = [];
  for (advance(cursor); cursor.kind !== kinds.end; advance(cursor)) {
    if (cursor.kind === kinds.comment) continue;
    const { start, end } = cursor;
    tokens.push({ kind: names[cursor.kind] ?? 'operator', start, end, text: sql.slice(start, end) });
  }
  return tokens;
}
