/** Names in SQL text: how they are written, what they mean without their quotes, and whether two of them are the same name. */
import type { Dialect } from './dialect.ts';
import { isSign, wordAt, type Reading } from './reading.ts';
import type { ShapeTable, WrittenName } from './shape-contract.ts';
import type { Token } from './tokens.ts';

/** A name at a place and the place behind it. */
export interface ReadName {
  readonly name: WrittenName;
  readonly next: number;
}

/** A name, quoted or not; SQLite takes strings for names as well. */
export function readName(reading: Reading, at: number): ReadName | undefined {
  const token = reading.tokens[at];
  if (token === undefined) return undefined;
  const isName = token.kind === 'word' || token.kind === 'quoted' || (token.kind === 'string' && reading.dialect === 'sqlite');
  return isName ? { name: toName(token), next: at + 1 } : undefined;
}

function toName(token: Token): WrittenName {
  const { start, end } = token;
  return token.kind === 'word'
    ? { start, end, text: token.text, isQuoted: false }
    : { start, end, text: removeQuotes(token.text), isQuoted: true };
}

/** A quoted name without its quotes; U&"…" with its escapes resolved. */
function removeQuotes(text: string): string {
  if (/^u&/i.test(text)) {
    const inner = text.slice(3, -1).replaceAll('""', '"');
    return inner.replace(/\\(\\|\+[\da-f]{6}|[\da-f]{4})/gi, (_, code: string) =>
      code === '\\' ? code : String.fromCodePoint(Math.min(Number.parseInt(code.replace('+', ''), 16), 0x10ffff)),
    );
  }
  const quote = text[0] ?? '';
  return quote === '[' ? text.slice(1, -1) : text.slice(1, -1).replaceAll(quote + quote, quote);
}

/** Whether a name in a statement is that of a column or table called `name`: SQLite disregards case (of ASCII letters) always, PostgreSQL turns unquoted names to lower case. */
export function isSameName(written: WrittenName, name: string, dialect: Dialect): boolean {
  if (dialect === 'sqlite') return toLowerAscii(written.text) === toLowerAscii(name);
  return (written.isQuoted ? written.text : toLowerAscii(written.text)) === name;
}

function toLowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** A table at a place and the place behind it. */
export interface ReadTable {
  readonly table: ShapeTable;
  readonly next: number;
}

/** `[ONLY] [schema .] name [*] [[AS] alias]`; `followers` are the words behind it that are no alias. */
export function readTable(reading: Reading, from: number, followers: readonly string[]): ReadTable | undefined {
  const isOnly = reading.dialect === 'postgres' && wordAt(reading, from) === 'ONLY';
  const first = readName(reading, isOnly ? from + 1 : from);
  const second = first !== undefined && isSign(reading, first.next, '.') ? readName(reading, first.next + 1) : undefined;
  const last = second ?? first;
  // Three names are a database, a schema and a table: no table that could be told from here.
  if (first === undefined || last === undefined || isSign(reading, last.next, '.')) return undefined;
  const written = reading.sql.slice(first.name.start, last.name.end);
  const next = isSign(reading, last.next, '*') ? last.next + 1 : last.next;
  const alias = readAlias(reading, next, followers);
  return {
    table: { schema: second === undefined ? undefined : first.name, name: last.name, alias: alias?.name, written },
    next: alias?.next ?? next,
  };
}

function readAlias(reading: Reading, at: number, followers: readonly string[]): ReadName | undefined {
  if (wordAt(reading, at) === 'AS') return readName(reading, at + 1);
  return followers.includes(wordAt(reading, at)) ? undefined : readName(reading, at);
}
