/** Writes the query that finds the row in the way of a statement, out of the statement's own text and values; it changes nothing, and is not written where the text does not tell. */
import type { Dialect } from './dialect.ts';
import { isRepeatable } from './repeatable.ts';
import { isSameName } from './names.ts';
import { listParameters, type ParameterPlace } from './parameters.ts';
import type { ShapeEquality, StatementShape, TextRange, WrittenName } from './shape-contract.ts';

/** What has to be known besides the statement. */
export interface ExistingOptions {
  /** Columns of a key of the table, as the database names them. */
  readonly key: readonly string[];
  /** Puts a name in quotes. */
  readonly quote: (name: string) => string;
  readonly dialect: Dialect;
  /** The table's columns in their order, for an INSERT without a column list. Those that are generated left out. */
  readonly columns?: readonly string[] | undefined;
  /** Types by column, for PostgreSQL's casts; without those of the key, comparisons take their types from the column. */
  readonly types?: Readonly<Record<string, string>> | undefined;
}

/** A SELECT that gives at most one row, with all columns of the table in their order. */
export interface ExistingQuery {
  readonly sql: string;
  /** By number less 1 of the query's parameters (`?1` or `$1` …): the number, from 1, of the statement's parameter whose value goes there. */
  readonly parameterIndexes: readonly number[];
}

interface Writing extends ExistingOptions {
  readonly text: string;
  readonly shape: StatementShape;
  readonly places: readonly ParameterPlace[];
  /** The new number of each parameter that was taken over, in their order. */
  readonly numbers: Map<number, number>;
}

/** One row's values of the key. */
type KeyRow = readonly TextRange[];

/**
 * The row that has the key of a conditional INSERT (the first of several rows that has one), UPDATE or DELETE. Undefined for a key that the text does not tell:
 * it is made by a default, a sequence or a query that can't be asked again, or the WHERE does not fix it.
 */
export function writeExistingQuery(sql: string, shape: StatementShape, options: ExistingOptions): ExistingQuery | undefined {
  if (shape.table === undefined || options.key.length === 0) return undefined;
  const writing: Writing = { ...options, text: sql, shape, places: listParameters(sql, options.dialect).places, numbers: new Map() };
  const query = shape.verb === 'INSERT' ? writeForInsert(writing) : writeForChange(writing);
  return query === undefined ? undefined : { sql: query, parameterIndexes: [...writing.numbers.keys()] };
}

function writeForChange(writing: Writing): string | undefined {
  const row = writing.key.flatMap((column) => findValue(writing, column) ?? []);
  if (row.length < writing.key.length || !areRepeatable(writing, row)) return undefined;
  return `SELECT * FROM ${tableOf(writing)} WHERE ${writeConditions(writing, row)} LIMIT 1`;
}

/** The value that the WHERE asks a column for. */
function findValue(writing: Writing, column: string): TextRange | undefined {
  const { shape, dialect } = writing;
  const names = [shape.table?.alias ?? shape.table?.name].flatMap((name) => name ?? []);
  return shape.equalities.find((equality) => {
    const { qualifier } = equality;
    const isOwn = qualifier === undefined || names.some((name) => isSameName(qualifier, plainName(name, dialect), dialect));
    return isOwn && isSameName(equality.column, column, dialect) && (equality.isConstant || isText(writing, equality));
  })?.value;
}

function plainName(name: WrittenName, dialect: Dialect): string {
  return name.isQuoted || dialect === 'sqlite' ? name.text : name.text.toLowerCase();
}

/** SQLite takes "fiona" for a text where no column is called so. */
function isText({ text, dialect, columns }: Writing, { value }: ShapeEquality): boolean {
  const written = text.slice(value.start, value.end);
  if (dialect !== 'sqlite' || columns === undefined || !/^"(?:[^"]|"")*"$/.test(written)) return false;
  const name = written.slice(1, -1).replaceAll('""', '"').toLowerCase();
  return !['rowid', 'oid', '_rowid_', ...columns].some((column) => column.toLowerCase() === name);
}

function writeForInsert(writing: Writing): string | undefined {
  const { shape, text, dialect } = writing;
  const { rows } = shape;
  if (rows === undefined || rows.kind === 'default') return undefined;
  if (shape.withClause !== undefined && !isRepeatable(text.slice(shape.withClause.start, shape.withClause.end), dialect)) return undefined;
  const places = writing.key.map((column) => findColumn(writing, column));
  if (places.includes(-1)) return undefined;
  if (rows.rows === undefined) return writeForQuery(writing, rows.range, places);
  const keyRows = rows.rows.flatMap((row) => {
    const key = places.flatMap((place) => row[place] ?? []);
    return key.length === places.length && !key.some((value) => isDefault(writing, value)) ? [key] : [];
  });
  if (keyRows.length === 0 || !keyRows.every((row) => areRepeatable(writing, row))) return undefined;
  const isTyped = dialect === 'sqlite' || writing.key.every((column) => typeOf(writing, column) !== undefined);
  return isTyped ? writeJoin(writing, writeList(writing, keyRows)) : writeAlternatives(writing, keyRows);
}

/** The place of a column among the values of a row; -1 where it has no value of its own. */
function findColumn({ shape, columns, dialect }: Writing, column: string): number {
  if (shape.columns !== undefined) return shape.columns.findIndex((written) => isSameName(written, column, dialect));
  return (columns ?? []).indexOf(column);
}

function isDefault({ text }: Writing, { start, end }: TextRange): boolean {
  return text.slice(start, end).toUpperCase() === 'DEFAULT';
}

function areRepeatable({ text, dialect }: Writing, row: KeyRow): boolean {
  return row.every(({ start, end }) => isRepeatable(text.slice(start, end), dialect));
}

function typeOf({ types }: Writing, column: string): string | undefined {
  return types !== undefined && Object.hasOwn(types, column) ? types[column] : undefined;
}

/** Names that no statement has, for what the query adds. */
const valuesName = 'sluice values';
const orderName = 'sluice order';

/** `VALUES (1, …), (2, …)`: the rows' keys with their places, so that the first row in the way can be told. */
function writeList(writing: Writing, rows: readonly KeyRow[]): string {
  const lines = rows.map((row, index) => `(${[String(index + 1), ...row.map((value, at) => writeValue(writing, value, at))].join(', ')})`);
  return `VALUES ${lines.join(', ')}`;
}

function writeValue(writing: Writing, value: TextRange, at: number): string {
  const type = typeOf(writing, writing.key[at] ?? '');
  return writing.dialect === 'postgres' && type !== undefined ? `CAST((${copy(writing, value)}) AS ${type})` : copy(writing, value);
}

/** The values stand in a clause of their own, where no column of the table can be meant by a word or, in SQLite, by a text in double quotes. */
function writeJoin(writing: Writing, list: string): string {
  const { key, quote } = writing;
  const names = [orderName, ...key.map((_, at) => `sluice key ${at + 1}`)];
  const conditions = key.map((column, at) => `t.${quote(column)} = v.${quote(names[at + 1] ?? '')}`);
  const clause = `${writeWith(writing)}${quote(valuesName)} (${names.map(quote).join(', ')}) AS (${list})`;
  return `${clause} SELECT t.* FROM ${quote(valuesName)} AS v CROSS JOIN ${tableOf(writing)} AS t WHERE ${conditions.join(' AND ')} ORDER BY v.${quote(orderName)} LIMIT 1`;
}

/** For an INSERT … SELECT: the query's own rows, by the names of their columns. */
function writeForQuery(writing: Writing, range: TextRange, places: readonly number[]): string | undefined {
  const { shape, key, quote, text, dialect } = writing;
  const count = shape.columns?.length ?? writing.columns?.length ?? 0;
  if (!isRepeatable(text.slice(range.start, range.end), dialect)) return undefined;
  const names = Array.from({ length: count }, (_, at) => quote(`sluice column ${at + 1}`));
  const conditions = key.map((column, at) => {
    const type = dialect === 'postgres' ? typeOf(writing, column) : undefined;
    const name = `v.${names[places[at] ?? 0] ?? ''}`;
    return `t.${quote(column)} = ${type === undefined ? name : `CAST(${name} AS ${type})`}`;
  });
  const clause = `${writeWith(writing)}${quote(valuesName)} (${names.join(', ')}) AS (${copy(writing, range)})`;
  return `${clause} SELECT t.* FROM ${quote(valuesName)} AS v CROSS JOIN ${tableOf(writing)} AS t WHERE ${conditions.join(' AND ')} LIMIT 1`;
}

/** For PostgreSQL without types: a value beside a column takes its type. */
function writeAlternatives(writing: Writing, rows: readonly KeyRow[]): string {
  const { withClause } = writing.shape;
  const clause = withClause === undefined ? '' : `${copy(writing, withClause)} `;
  return `${clause}SELECT * FROM ${tableOf(writing)} WHERE ${rows.map((row) => `(${writeConditions(writing, row)})`).join(' OR ')} LIMIT 1`;
}

function writeConditions(writing: Writing, row: KeyRow): string {
  return writing.key.map((column, at) => `${writing.quote(column)} = (${copy(writing, row[at] ?? { start: 0, end: 0 })})`).join(' AND ');
}

/** The statement's own WITH clause, so that one more query can be added; or a new one. */
function writeWith(writing: Writing): string {
  const { withClause } = writing.shape;
  return withClause === undefined ? 'WITH ' : `${copy(writing, withClause)}, `;
}

function tableOf({ shape }: Writing): string {
  return shape.table?.written ?? '';
}

/** A stretch of the statement with its parameters numbered anew, without gaps: PostgreSQL asks for the type of each number up to the highest. */
function copy({ text, places, numbers, dialect }: Writing, range: TextRange): string {
  const sign = dialect === 'sqlite' ? '?' : '$';
  let copied = '';
  let from = range.start;
  for (let at = findPlace(places, range.start); at < places.length; at++) {
    const { start, end, index } = places[at] as ParameterPlace;
    if (end > range.end) break;
    const number = numbers.get(index) ?? numbers.size + 1;
    numbers.set(index, number);
    copied += `${text.slice(from, start)}${sign}${number}`;
    from = end;
  }
  return copied + text.slice(from, range.end);
}

/** The first parameter from a place of the text on; by halving, since an INSERT may have 30,000 of them in as many ranges. */
function findPlace(places: readonly ParameterPlace[], start: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle]?.start ?? 0) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
