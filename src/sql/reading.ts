/** A statement's tokens with the few ways to move among them that reading its shape takes; places are numbers of tokens. */
import type { Dialect } from './dialect.ts';
import type { TextRange } from './shape-contract.ts';
import { readTokens, type Token } from './tokens.ts';

export interface Reading {
  readonly sql: string;
  readonly dialect: Dialect;
  /** Up to the first semicolon. */
  readonly tokens: readonly Token[];
}

/** Tokens from `from` up to, not including, `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export function createReading(sql: string, dialect: Dialect): Reading {
  const tokens = readTokens(sql, dialect);
  const semicolon = tokens.findIndex((token) => token.text === ';');
  return { sql, dialect, tokens: semicolon < 0 ? tokens : tokens.slice(0, semicolon) };
}

/** The keyword at a place, in upper case; `''` where there is no word. */
export function wordAt(reading: Reading, at: number): string {
  const token = reading.tokens[at];
  return token?.kind === 'word' ? token.text.toUpperCase() : '';
}

/** Whether a sign stands at a place. */
export function isSign(reading: Reading, at: number, sign: string): boolean {
  const token = reading.tokens[at];
  return token?.kind === 'operator' && token.text === sign;
}

/** The place behind the parenthesis or bracket that opens at `at`, or behind the one token that is none. */
export function skipGroup(reading: Reading, at: number): number {
  const { tokens } = reading;
  let depth = 0;
  for (let place = at; place < tokens.length; place++) {
    depth += depthStep(tokens[place]);
    if (depth <= 0) return place + 1;
  }
  return tokens.length;
}

function depthStep(token: Token | undefined): number {
  if (token?.kind !== 'operator') return 0;
  if (token.text === '(' || token.text === '[') return 1;
  return token.text === ')' || token.text === ']' ? -1 : 0;
}

/** The first of some words that stands outside of parentheses, in a span or from a place on; undefined if there is none. */
export function findWord(reading: Reading, where: Span | number, words: readonly string[]): number | undefined {
  const { from, to } = typeof where === 'number' ? { from: where, to: reading.tokens.length } : where;
  // A span may reach beyond the last token, and skipGroup does not.
  const end = Math.min(to, reading.tokens.length);
  for (let at = from; at < end; at = skipGroup(reading, at)) {
    if (words.includes(wordAt(reading, at))) return at;
  }
  return undefined;
}

/** The parts of a span between the signs (commas) outside of parentheses. */
export function splitSpan(reading: Reading, span: Span, sign: string): readonly Span[] {
  const parts: Span[] = [];
  let from = span.from;
  for (let at = span.from; at < span.to; at = skipGroup(reading, at)) {
    if (!isSign(reading, at, sign)) continue;
    parts.push({ from, to: at });
    from = at + 1;
  }
  parts.push({ from, to: span.to });
  return parts;
}

/** The stretch of text that a span covers; an empty span covers an empty one. */
export function rangeOf(reading: Reading, span: Span): TextRange {
  const start = reading.tokens[span.from]?.start ?? reading.sql.length;
  const end = span.to > span.from ? reading.tokens[span.to - 1]?.end : undefined;
  return { start, end: end ?? start };
}
