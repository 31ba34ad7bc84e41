/** Reads an INSERT: its table, its columns, its rows as ranges of text, and what it says about rows in the way. */
import { readName, readTable } from './names.ts';
import { findWord, isSign, rangeOf, skipGroup, splitSpan, wordAt, type Reading, type Span } from './reading.ts';
import type { ShapeRows, ShapeTable, TextRange, WrittenName } from './shape-contract.ts';

/** The part of a shape that an INSERT has. */
export interface InsertShape {
  readonly table: ShapeTable | undefined;
  readonly columns: readonly WrittenName[] | undefined;
  readonly rows: ShapeRows | undefined;
  readonly ignoresConflict: boolean;
  readonly replacesConflict: boolean;
  readonly guardsConflict: boolean;
}

/** Words that make a SELECT more than one row of its own values, or not surely one. */
const wordsOfLargerQueries = [
  'FROM',
  'GROUP',
  'HAVING',
  'WINDOW',
  'UNION',
  'INTERSECT',
  'EXCEPT',
  'ORDER',
  'LIMIT',
  'OFFSET',
  'FETCH',
  'INTO',
  'FOR',
];

const none: InsertShape = {
  table: undefined,
  columns: undefined,
  rows: undefined,
  ignoresConflict: false,
  replacesConflict: false,
  guardsConflict: false,
};

/** Of the INSERT or REPLACE at a place. */
export function readInsert(reading: Reading, at: number): InsertShape {
  const choice = wordAt(reading, at + 1) === 'OR' ? wordAt(reading, at + 2) : '';
  const into = choice === '' ? at + 1 : at + 3;
  const shape = {
    ...none,
    ignoresConflict: choice === 'IGNORE',
    replacesConflict: choice === 'REPLACE' || wordAt(reading, at) === 'REPLACE',
  };
  const read =
    wordAt(reading, into) === 'INTO'
      ? readTable(reading, into + 1, ['DEFAULT', 'VALUES', 'SELECT', 'WITH', 'TABLE', 'OVERRIDING'])
      : undefined;
  if (read === undefined) return shape;
  const columns = readColumns(reading, read.next);
  let body = columns === undefined ? read.next : skipGroup(reading, read.next);
  if (wordAt(reading, body) === 'OVERRIDING') body += 3;
  const span = { from: body, to: findBodyEnd(reading, body) };
  return { ...shape, ...readConflict(reading, span.to, shape), table: read.table, columns, rows: readRows(reading, span) };
}

/** The column list; a query in parentheses is none. */
function readColumns(reading: Reading, at: number): readonly WrittenName[] | undefined {
  if (!isSign(reading, at, '(') || isSign(reading, at + 1, '(')) return undefined;
  const isQuery = ['SELECT', 'VALUES', 'WITH', 'TABLE'].includes(wordAt(reading, at + 1));
  if (isQuery && !isSign(reading, at + 2, ',') && !isSign(reading, at + 2, ')')) return undefined;
  const span = { from: at + 1, to: skipGroup(reading, at) - 1 };
  return splitSpan(reading, span, ',').flatMap((part) => readName(reading, part.from)?.name ?? []);
}

/** Where the rows end: at ON CONFLICT, RETURNING, or the end. */
function findBodyEnd(reading: Reading, body: number): number {
  for (let at = body; at < reading.tokens.length; at = skipGroup(reading, at)) {
    const word = wordAt(reading, at);
    if (word === 'RETURNING' || (word === 'ON' && wordAt(reading, at + 1) === 'CONFLICT')) return at;
  }
  return reading.tokens.length;
}

/** What stands behind ON CONFLICT, of which SQLite takes several. */
function readConflict(
  reading: Reading,
  from: number,
  before: InsertShape,
): Pick<InsertShape, 'ignoresConflict' | 'replacesConflict' | 'guardsConflict'> {
  let { ignoresConflict, replacesConflict, guardsConflict } = before;
  const returning = findWord(reading, from, ['RETURNING']) ?? reading.tokens.length;
  for (
    let at = findWord(reading, { from, to: returning }, ['DO']);
    at !== undefined;
    at = findWord(reading, { from: at + 1, to: returning }, ['DO'])
  ) {
    ignoresConflict ||= wordAt(reading, at + 1) === 'NOTHING';
    if (wordAt(reading, at + 1) !== 'UPDATE') continue;
    replacesConflict = true;
    const next = findWord(reading, { from: at, to: returning }, ['CONFLICT']) ?? returning;
    guardsConflict ||= findWord(reading, { from: at, to: next }, ['WHERE']) !== undefined;
  }
  return { ignoresConflict, replacesConflict, guardsConflict };
}

function readRows(reading: Reading, span: Span): ShapeRows | undefined {
  const word = wordAt(reading, span.from);
  const range = rangeOf(reading, span);
  if (word === 'DEFAULT') return { kind: 'default' };
  if (word === 'VALUES') {
    const rows = readValues(reading, { from: span.from + 1, to: span.to });
    return rows === undefined ? { kind: 'select', range, rows } : { kind: 'values', range, rows };
  }
  if (word === 'SELECT') {
    const row = readOwnRow(reading, span);
    return { kind: 'select', range, rows: row === undefined ? undefined : [row] };
  }
  const isQuery = word === 'WITH' || word === 'TABLE' || isSign(reading, span.from, '(');
  return isQuery ? { kind: 'select', range, rows: undefined } : undefined;
}

/** `(…), (…)`; undefined where more follows (UNION, ORDER BY). */
function readValues(reading: Reading, span: Span): readonly (readonly TextRange[])[] | undefined {
  const rows: (readonly TextRange[])[] = [];
  for (const part of splitSpan(reading, span, ',')) {
    if (!isSign(reading, part.from, '(') || skipGroup(reading, part.from) !== part.to) return undefined;
    rows.push(splitSpan(reading, { from: part.from + 1, to: part.to - 1 }, ',').map((item) => rangeOf(reading, item)));
  }
  return rows;
}

/** The values of `SELECT 1, ? WHERE …`, which are told although its condition may not hold; undefined for all other queries. */
function readOwnRow(reading: Reading, span: Span): readonly TextRange[] | undefined {
  if (['DISTINCT', 'ALL'].includes(wordAt(reading, span.from + 1))) return undefined;
  for (let at = findWord(reading, span, wordsOfLargerQueries); at !== undefined;) {
    if (wordAt(reading, at) !== 'FROM' || wordAt(reading, at - 1) !== 'DISTINCT') return undefined;
    at = findWord(reading, { from: at + 1, to: span.to }, wordsOfLargerQueries);
  }
  const to = findWord(reading, span, ['WHERE']) ?? span.to;
  const items = splitSpan(reading, { from: span.from + 1, to }, ',').map((item) => removeAlias(reading, item));
  return items.every((item) => item.to > item.from && !isSign(reading, item.to - 1, '*'))
    ? items.map((item) => rangeOf(reading, item))
    : undefined;
}

/** `expression [AS] name` without the name. A name without AS is told by what stands before it. */
function removeAlias(reading: Reading, item: Span): Span {
  const last = reading.tokens[item.to - 1];
  const before = reading.tokens[item.to - 2];
  if (item.to - item.from < 2 || last === undefined || before === undefined) return item;
  if (item.to - item.from > 2 && wordAt(reading, item.to - 2) === 'AS') return { from: item.from, to: item.to - 2 };
  const isName = last.kind === 'quoted' || (last.kind === 'word' && !/^(?:END|ISNULL|NOTNULL)$/i.test(last.text));
  const isAlone = item.to - item.from === 2 && /^(?:null|true|false|current_\w+)$/i.test(before.text);
  const endsValue = before.kind === 'operator' ? before.text === ')' || before.text === ']' : before.kind !== 'word' || isAlone;
  return isName && endsValue ? { from: item.from, to: item.to - 1 } : item;
}
