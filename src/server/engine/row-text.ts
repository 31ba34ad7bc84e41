/** The entry of a statement that gives rows, written in pieces straight from the statement: no object per row, integers exact, memory for one piece only. */
import {
  DatabaseSync,
  type SQLInputValue,
  type StatementColumnMetadata,
  type StatementResultingChanges,
  type StatementSync,
} from 'node:sqlite';
import { type AnswerOptions, printSeconds } from './answer-format.ts';
import type { Bound } from './binding.ts';
import { type ColumnKind, escapeForGo, printText, printValue, type ValueColumn } from './json-value.ts';
import type { Prepared } from './link.ts';

/** A column of an answer. */
interface AnswerColumn extends ValueColumn {
  readonly name: string;
  readonly type: string;
}

/** Text in one piece: pieces of 64 to 256 KiB go over the wire. */
const pieceLength = 64 * 1024;

/** Rows that are turned into text at once, at most and to begin with: enough for JSON.stringify to be fast; long rows make them fewer. */
const maxRows = 256;
const firstRows = 8;

const textTypePattern = /^(?:text$|json$|$|varchar|varying character|nchar|native character|nvarchar|clob)/;
const dateTypes: ReadonlySet<string> = new Set(['date', 'datetime', 'timestamp']);

function chooseKind(type: string): ColumnKind {
  if (type === 'boolean') return 'boolean';
  return dateTypes.has(type) ? 'date' : 'plain';
}

/** What rqlite calls the type of a value, where its column has none. */
function nameValueType(value: unknown): string {
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'number') return 'real';
  // A blob in a column without a type is printed as text, and said to be.
  return value === null ? '' : 'text';
}

/** What the columns of a statement are by their declaration; found once, since nothing of a statement costs more to ask for. */
function readDeclared(prepared: Prepared, statement: StatementSync, isOnlyOnce: boolean): readonly StatementColumnMetadata[] {
  // A write is prepared again by SQLite when it finds the schema changed; only then are its columns those of the rows.
  if (isOnlyOnce) return statement.columns();
  prepared.columns ??= statement.columns();
  return prepared.columns;
}

interface FirstRow {
  readonly row: Row | undefined;
  readonly options: AnswerOptions;
  readonly isOnlyOnce: boolean;
}

/** The columns, their missing types taken from the first row. */
function findColumns(prepared: Prepared, statement: StatementSync, { row, options, isOnlyOnce }: FirstRow): readonly AnswerColumn[] {
  return readDeclared(prepared, statement, isOnlyOnce).map((column, index) => {
    const declared = column.type?.toLowerCase() ?? '';
    const type = declared === '' && row !== undefined ? nameValueType(row[index]) : declared;
    const name = options.qualifiesColumns && column.table !== null ? `${column.table}.${column.name}` : column.name;
    return { name, type, kind: chooseKind(declared), isText: textTypePattern.test(type), isExpression: column.table === null };
  });
}

/** Names of an associative answer in the order of Go's maps, each with the place of its last column. */
function sortNames(columns: readonly AnswerColumn[]): readonly (readonly [string, number])[] {
  const places = new Map(columns.map((column, index) => [column.name, index]));
  return [...places].sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}

type Row = readonly unknown[];

/** Turns rows into text. */
type RowWriter = (rows: readonly Row[]) => string;

/** Whether JSON.stringify writes the value as Go does. */
function isHarmless(value: unknown): boolean {
  if (typeof value === 'string') return true;
  if (typeof value === 'number') return value === 0 ? !Object.is(value, -0) : value - value === 0;
  return value === null;
}

function createListWriter(columns: readonly AnswerColumn[], options: AnswerOptions): RowWriter {
  const isPlain = columns.every(({ kind }) => kind === 'plain');
  const mayHoldBytes = columns.some(({ isExpression }) => isExpression);
  const writeRow = (row: Row): string =>
    `[${columns.map((column, index) => printValue(row[index], column, options.usesBlobArrays)).join(',')}]`;
  return (rows) => {
    if (isPlain && rows.every((row) => row.every(isHarmless))) {
      const text = escapeForGo(JSON.stringify(rows).slice(1, -1));
      if (!mayHoldBytes || !text.includes('\ufffd')) return text;
    }
    return rows.map(writeRow).join(',');
  };
}

function createMapWriter(columns: readonly AnswerColumn[], options: AnswerOptions): RowWriter {
  const fields = sortNames(columns).flatMap(([name, index]) => {
    const column = columns[index];
    return column === undefined ? [] : [{ column, index, key: `${printText(name)}:` }];
  });
  const writeRow = (row: Row): string =>
    `{${fields.map(({ column, index, key }) => key + printValue(row[index], column, options.usesBlobArrays)).join(',')}}`;
  return (rows) => rows.map(writeRow).join(',');
}

/** What stands in front of the rows. */
function printHead(columns: readonly AnswerColumn[], options: AnswerOptions, names: readonly string[]): string {
  if (options.isAssociative) {
    const types = sortNames(columns).map(([name, index]) => `${printText(name)}:${printText(columns[index]?.type ?? '')}`);
    return `{"types":{${types.join(',')}},"rows":[`;
  }
  const types = columns.map(({ type }) => printText(type)).join(',');
  return `{"columns":[${names.map(printText).join(',')}],"types":[${types}]`;
}

/** How the rows of a statement are read. */
export interface RowReading {
  readonly bound: Bound;
  readonly options: AnswerOptions;
  readonly startMs: number;
  /** A write, or one that would not give the same rows twice: its integers are read as bigint from the start. */
  readonly isOnlyOnce: boolean;
  /** Names instead of those that SQLite gives. */
  readonly names?: readonly string[] | undefined;
}

function iterate(statement: StatementSync, bound: Bound): Iterator<unknown> {
  return statement.iterate(...(bound as SQLInputValue[]));
}

/** Rows that are being read. */
interface OpenRows {
  rows: Iterator<unknown>;
  usesBigInts: boolean;
  /** How many have been read. */
  given: number;
}

/** The lowest integer of 64 bits, which older versions of Node give as a number that is not exact, where they refuse all others of its kind. */
const lowest = -9_223_372_036_854_775_808;

const losesLowest: boolean = (() => {
  const db = new DatabaseSync(':memory:');
  try {
    return db.prepare('SELECT -9223372036854775808 AS x').get()?.['x'] === lowest;
  } catch {
    // It is refused, as it should be.
    return false;
  } finally {
    db.close();
  }
})();

/** Whether a row that came with numbers must be read again with bigints. */
function isInexact(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
}

/**
 * Runs a statement for its effect. undefined: it has run, but its counters are beyond 2⁵³ and must be asked for: node:sqlite throws then, after the write,
 * and again for every later statement of the connection until the next INSERT. (Asking for bigints each time would cost a third of a small INSERT.)
 */
export function runForEffect(statement: StatementSync, bound: Bound): StatementResultingChanges | undefined {
  try {
    const counters = statement.run(...(bound as SQLInputValue[]));
    return Number.isSafeInteger(counters.lastInsertRowid) ? counters : undefined;
  } catch (error) {
    if (isInexact(error)) return undefined;
    throw error;
  }
}

function takeRow(open: OpenRows, value: unknown): Row {
  const row = value as Row;
  if (losesLowest && !open.usesBigInts && row.includes(lowest))
    throw Object.assign(new RangeError('not exact'), { code: 'ERR_OUT_OF_RANGE' });
  open.given++;
  return row;
}

/** The rows that are left; an integer beyond 2⁵³ begins the reading again with bigints, behind the rows that have been given. */
function* readRows(statement: StatementSync, reading: RowReading, open: OpenRows): Generator<Row> {
  for (;;) {
    try {
      const next = open.rows.next();
      if (next.done === true) return;
      yield takeRow(open, next.value);
    } catch (error) {
      if (open.usesBigInts || !isInexact(error)) throw error;
      open.usesBigInts = true;
      statement.setReadBigInts(true);
      open.rows = iterate(statement, reading.bound);
      for (let skipped = 0; skipped < open.given; skipped++) open.rows.next();
    }
  }
}

/** Rows behind the first, in pieces of their text. */
function* writeOthers(rows: Iterable<Row>, write: RowWriter): Generator<string, string> {
  let text = '';
  let batch: Row[] = [];
  let limit = firstRows;
  for (const row of rows) {
    batch.push(row);
    if (batch.length < limit) continue;
    const written = write(batch);
    limit = Math.min(maxRows, Math.max(1, Math.floor((pieceLength * batch.length) / written.length)));
    text += `,${written}`;
    batch = [];
    if (text.length < pieceLength) continue;
    yield text;
    text = '';
  }
  return batch.length > 0 ? `${text},${write(batch)}` : text;
}

/** The entry, in pieces; its last one is the generator's result. @throws what SQLite says; {@link UnprintableNumber}, {@link UnprintableDate} */
export function* writeRows(prepared: Prepared, statement: StatementSync, reading: RowReading): Generator<string, string> {
  const { options, startMs } = reading;
  if (!prepared.hasColumns) {
    runForEffect(statement, reading.bound);
    return finishEntry(options.isAssociative ? '{"rows":[]' : '{', options, startMs);
  }
  const open: OpenRows = { rows: iterate(statement, reading.bound), usesBigInts: true, given: 0 };
  try {
    return finishEntry(yield* writeList(prepared, statement, { reading, open }), options, startMs);
  } finally {
    // A statement that is not read to its end would keep its snapshot.
    open.rows.return?.();
  }
}

/** Columns, types and rows, up to the bracket that closes them. */
function* writeList(
  prepared: Prepared,
  statement: StatementSync,
  place: { reading: RowReading; open: OpenRows },
): Generator<string, string> {
  const { reading, open } = place;
  const { options } = reading;
  // The first rows come with bigints: they show which values are integers, and most answers have no more.
  statement.setReadBigInts(true);
  const first = open.rows.next();
  const row = first.done === true ? undefined : (first.value as Row);
  const columns = findColumns(prepared, statement, { row, options, isOnlyOnce: reading.isOnlyOnce });
  let text = printHead(columns, options, reading.names ?? columns.map(({ name }) => name));
  const close = options.isAssociative ? ']' : '';
  if (first.done === true) return text + close;
  const write = options.isAssociative ? createMapWriter(columns, options) : createListWriter(columns, options);
  text += `${options.isAssociative ? '' : ',"values":['}${write([first.value as Row])}`;
  const second = open.rows.next();
  if (second.done === true) return `${text}]`;
  text += `,${write([second.value as Row])}`;
  open.given = 2;
  // Booleans and dates are made of integers, which must be told from reals; elsewhere numbers are faster than bigints, and as exact where they fit.
  open.usesBigInts = reading.isOnlyOnce || columns.some(({ kind }) => kind !== 'plain');
  statement.setReadBigInts(open.usesBigInts);
  yield text;
  return `${yield* writeOthers(readRows(statement, reading, open), write)}]`;
}

function finishEntry(text: string, options: AnswerOptions, startMs: number): string {
  const time = options.hasTimings ? `${text.endsWith('{') ? '' : ','}"time":${printSeconds(startMs)}` : '';
  return `${text}${time}}`;
}
