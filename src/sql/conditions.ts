/** Reads from a WHERE the equalities that must hold for every row it finds; what it does not surely understand it leaves out. */
import { readName, type ReadName } from './names.ts';
import { isSign, rangeOf, skipGroup, splitSpan, wordAt, type Reading, type Span } from './reading.ts';
import type { ShapeEquality, WrittenName } from './shape-contract.ts';

/** Signs and words that bind as loosely as `=` or more so: beside one of them an equality is not one alone. */
const looseSigns = new Set(['=', '==', '<>', '!=', '<', '>', '<=', '>=', ',']);
const looseWords = new Set(
  'AND OR NOT IS ISNULL NOTNULL IN LIKE ILIKE SIMILAR GLOB MATCH REGEXP BETWEEN COLLATE ESCAPE OVERLAPS'.split(' '),
);

/** Words that stand in a value without being a column. */
const plainWords = new Set(
  (
    'NULL TRUE FALSE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP CURRENT_USER SESSION_USER USER CURRENT_SCHEMA ' +
    'CASE WHEN THEN ELSE END AND OR NOT IS ISNULL NOTNULL IN BETWEEN LIKE FROM FOR AT TIME ZONE ARRAY ROW'
  ).split(' '),
);

/** Words of queries: a value that holds one may differ from row to row. */
const queryWords = new Set(['SELECT', 'EXISTS', 'VALUES', 'WITH', 'TABLE', 'ANY', 'ALL', 'SOME']);

/** Parentheses inside each other beyond which nothing is told: a condition that a person or a library writes has few, and SQLite refuses more than 1,000. */
const maxDepth = 100;

/** The equalities among conditions that are joined by AND; none where an OR stands between them. */
export function readConditions(reading: Reading, span: Span, depth = 0): readonly ShapeEquality[] {
  if (depth > maxDepth) return [];
  const inner = { from: span.from + 1, to: span.to - 1 };
  if (isSign(reading, span.from, '(') && skipGroup(reading, span.from) === span.to && wordAt(reading, inner.from) !== 'SELECT') {
    return readConditions(reading, inner, depth + 1);
  }
  const parts = splitConditions(reading, span);
  if (parts.length > 1) return parts.flatMap((part) => readConditions(reading, part, depth + 1));
  return parts.length === 1 ? readEquality(reading, span) : [];
}

/** The parts between the ANDs outside of parentheses, CASE and BETWEEN; none if there is an OR. */
function splitConditions(reading: Reading, span: Span): readonly Span[] {
  const parts: Span[] = [];
  let from = span.from;
  let cases = 0;
  let betweens = 0;
  for (let at = span.from; at < span.to; at = skipGroup(reading, at)) {
    const word = wordAt(reading, at);
    if (word === 'CASE') cases++;
    else if (word === 'END' && cases > 0) cases--;
    else if (cases > 0) continue;
    else if (word === 'OR') return [];
    else if (word === 'BETWEEN') betweens++;
    else if (word === 'AND' && betweens > 0) betweens--;
    else if (word === 'AND') {
      parts.push({ from, to: at });
      from = at + 1;
    }
  }
  parts.push({ from, to: span.to });
  return parts;
}

/** `column = value`, `value = column`, `(a, b) = (1, 2)`. */
function readEquality(reading: Reading, span: Span): readonly ShapeEquality[] {
  let sign: number | undefined;
  for (let at = span.from; at < span.to; at = skipGroup(reading, at)) {
    const isEqual = isSign(reading, at, '=') || (reading.dialect === 'sqlite' && isSign(reading, at, '=='));
    if (isEqual && sign === undefined) sign = at;
    else if (isLoose(reading, at)) return [];
  }
  if (sign === undefined) return [];
  const left = { from: span.from, to: sign };
  const right = { from: sign + 1, to: span.to };
  const lefts = readItems(reading, left);
  const rights = readItems(reading, right);
  if (lefts.length > 1 && lefts.length === rights.length)
    return lefts.flatMap((item, index) => pair(reading, item, rights[index] ?? right));
  return pair(reading, left, right);
}

function isLoose(reading: Reading, at: number): boolean {
  const token = reading.tokens[at];
  if (token?.kind === 'operator') return looseSigns.has(token.text);
  return looseWords.has(wordAt(reading, at));
}

/** The parts of a row in parentheses. */
function readItems(reading: Reading, span: Span): readonly Span[] {
  const isGroup = isSign(reading, span.from, '(') && skipGroup(reading, span.from) === span.to;
  return isGroup ? splitSpan(reading, { from: span.from + 1, to: span.to - 1 }, ',') : [span];
}

function pair(reading: Reading, left: Span, right: Span): readonly ShapeEquality[] {
  return [toEquality(reading, left, right), toEquality(reading, right, left)].flatMap((equality) => equality ?? []);
}

function toEquality(reading: Reading, side: Span, value: Span): ShapeEquality | undefined {
  const path = readPath(reading, side);
  if (path === undefined || value.to <= value.from || queryWords.has(wordAt(reading, value.from))) return undefined;
  return { column: path.column, qualifier: path.qualifier, value: rangeOf(reading, value), isConstant: isConstant(reading, value) };
}

/** `column`, `table.column`, `schema.table.column`. A string or a word like NULL is none. */
function readPath(reading: Reading, span: Span): { readonly column: WrittenName; readonly qualifier: WrittenName | undefined } | undefined {
  let qualifier: WrittenName | undefined;
  let read: ReadName | undefined = readColumn(reading, span.from);
  while (read !== undefined && read.next < span.to && isSign(reading, read.next, '.')) {
    qualifier = read.name;
    read = readName(reading, read.next + 1);
  }
  return read !== undefined && read.next === span.to ? { column: read.name, qualifier } : undefined;
}

function readColumn(reading: Reading, at: number): ReadName | undefined {
  const isValue = reading.tokens[at]?.kind === 'string' || plainWords.has(wordAt(reading, at));
  return isValue ? undefined : readName(reading, at);
}

/** Whether a value is made of literals, parameters and functions alone. */
function isConstant(reading: Reading, span: Span): boolean {
  for (let at = span.from; at < span.to; at++) {
    const token = reading.tokens[at];
    if (token?.kind === 'quoted') return false;
    if (token?.kind !== 'word') continue;
    const word = wordAt(reading, at);
    if (queryWords.has(word)) return false;
    const follower = reading.tokens[at + 1];
    const isFunction = follower?.text === '(' || (reading.dialect === 'postgres' && follower?.kind === 'string');
    if (word === 'AS') at = skipWords(reading, at + 1) - 1;
    else if (!isFunction && !plainWords.has(word) && !isTypeName(reading, at)) return false;
    else if (isTypeName(reading, at)) at = skipWords(reading, at) - 1;
  }
  return true;
}

/** A word behind `::`. */
function isTypeName(reading: Reading, at: number): boolean {
  return reading.dialect === 'postgres' && isSign(reading, at - 1, '::');
}

/** Over the words of a type (`timestamp with time zone`, `pg_catalog.int4`). */
function skipWords(reading: Reading, from: number): number {
  let at = from;
  while (wordAt(reading, at) !== '' || (isSign(reading, at, '.') && wordAt(reading, at + 1) !== '')) at++;
  return Math.max(at, from);
}
