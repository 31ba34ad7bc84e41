/** Exact search: every candidate row is scored, the nearest k come back in the order of their double-precision scores, equal ones in the order of the table. */
import type { DatabaseSync } from 'node:sqlite';
import type { Metric, SearchHit, SearchRequest } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { cacheKib } from './connect.ts';
import { prepareFreshRows, prepareRows, readRows, type RowValues, type VectorLink } from './vector-link.ts';
import type { Scorer } from './vector-score.ts';
import { isVectorSql, readVector, writeVector, type VectorTable } from './vector-table.ts';
import { runRestricted, wrapWhere } from './vector-where.ts';

/**
 * Rows that SQLite returns beyond k, to be scored again in double precision: sqlite-vec adds up in single precision, so rows whose scores differ by
 * less than about 1e-6 may come in the wrong order, and only those at the border of k matter.
 */
const marginRows = 32;

/** What all statements of one search share. */
export interface Scan {
  readonly link: VectorLink;
  readonly table: VectorTable;
  readonly metric: Metric;
  readonly query: Float32Array;
  readonly score: Scorer;
  /** Columns that go into the hits. */
  readonly columns: readonly string[];
}

/** A scored row. */
export interface ScoredRow {
  readonly rowid: bigint | undefined;
  readonly hit: SearchHit;
}

/** Which rows are scanned: a condition and its values. */
export interface RowFilter {
  readonly sql: string;
  readonly values: readonly (number | bigint | string)[];
}

/** The columns of every statement here: vector, row id, key, columns asked for. */
function selectList({ table, columns }: Pick<Scan, 'table' | 'columns'>): string {
  const rowid = table.rowid === undefined ? 'NULL' : table.rowid;
  return [quoteIdentifier(table.column), rowid, ...table.key.map(quoteIdentifier), ...columns.map(quoteIdentifier)].join(', ');
}

/** How far a row is from the query, for ORDER BY; NULL for a row that has no score. Takes one parameter or none. */
function distanceSql(scan: Scan): { readonly sql: string; readonly takesQuery: boolean } {
  const column = quoteIdentifier(scan.table.column);
  const hasFunction = scan.metric !== 'ip' && scan.link.withoutExtension === undefined;
  // sqlite-vec 0.1.9 has no inner product. Scoring in JavaScript costs 2.9 µs a row at 384 dimensions, sqlite-vec 1.5 µs.
  if (!hasFunction) return { sql: `-sluice_score(${column})`, takesQuery: false };
  return { sql: `vec_distance_${scan.metric}(${column}, ?)`, takesQuery: true };
}

/** Names of what a row of the table is found by; none where columns took all names of the row id and there is no key. */
function listPlace({ key, rowid }: VectorTable): readonly string[] {
  return rowid === undefined ? key.map(quoteIdentifier) : [rowid];
}

/**
 * The nearest rows first, by their place: what the sorter holds of a row it copies for every row that is scanned, and vectors in it made a scan take a
 * quarter longer. What is no vector comes last, with NULL; a vector without a finite distance before it: in double precision it may have one.
 */
function scanSql(scan: Scan, condition: string): string {
  const { table } = scan;
  const place = listPlace(table);
  const column = quoteIdentifier(table.column);
  // What is skipped is counted among the rows that the condition lets through.
  const distance = `CASE WHEN ${isVectorSql(table)} THEN ifnull(${distanceSql(scan).sql}, 9e999) WHEN ${column} IS NOT NULL THEN sluice_skipped() END`;
  return (
    `SELECT ${distance}, ${place.length === 0 ? selectList(scan) : place.join(', ')} FROM ${quoteIdentifier(table.name)} ` +
    `WHERE ${condition} ORDER BY ${['1 NULLS LAST', ...place].join(', ')} LIMIT ?`
  );
}

/** One row by its place, if it holds a vector: what {@link scoreRows} takes. */
export function lookupSql(scan: Scan): string {
  const { table } = scan;
  const isRow = listPlace(table).map((name) => `${name} = ?`);
  return `SELECT ${selectList(scan)} FROM ${quoteIdentifier(table.name)} WHERE ${[...isRow, isVectorSql(table)].join(' AND ')}`;
}

/**
 * A scan reads each page once, so a large cache only moves it out of the processor's own: 10⁵ × 384 took a tenth longer with 16 MB than with the 2 MB that
 * SQLite has by default.
 */
function withScanCache<Result>(db: DatabaseSync, scan: () => Result): Result {
  db.exec('PRAGMA cache_size = -2000');
  try {
    return scan();
  } finally {
    db.exec(`PRAGMA cache_size = -${String(cacheKib)}`);
  }
}

/** The nearest `k` rows of the whole table, of those that a filter of ours lets through, or of those that match a user's expression. */
export function scanExact(scan: Scan, k: number, filter: RowFilter | string | undefined): readonly ScoredRow[] {
  const { link, table } = scan;
  const isExpression = typeof filter === 'string';
  const condition = isExpression ? wrapWhere(filter) : (filter?.sql ?? '1');
  const sql = scanSql(scan, condition);
  const query = distanceSql(scan).takesQuery ? [writeVector(scan.query)] : [];
  const ours = isExpression || filter === undefined ? [] : filter.values;
  const values = [...query, ...ours, k + marginRows];
  const read = (): readonly RowValues[] =>
    isExpression
      ? runRestricted(link.db, () => readRows(prepareFreshRows(link, sql), ...values))
      : readRows(prepareRows(link, sql), ...values);
  // The few rows beside an index are looked up, and the next search's with them.
  const found = typeof filter === 'object' ? read() : withScanCache(link.db, read);
  const near = found.filter(([distance]) => distance !== null).map(([, ...rest]) => rest);
  const rows = listPlace(table).length === 0 ? near : near.flatMap((place) => readRows(prepareRows(link, lookupSql(scan)), ...place));
  return takeNearest(scoreRows(scan, rows), k);
}

/** Rows as selected by {@link selectList}, scored; those without a score are left out. */
export function scoreRows(scan: Scan, rows: readonly RowValues[]): readonly ScoredRow[] {
  const scored: ScoredRow[] = [];
  for (const row of rows) {
    const score = scan.score(readVector(row[0] as Uint8Array));
    if (Number.isFinite(score)) scored.push(toScoredRow(scan, row, score));
  }
  return scored;
}

/** The nearest first, equal ones by row id; without one the sort is stable and leaves them as they came, in the order of the key. */
export function takeNearest(rows: readonly ScoredRow[], k: number): readonly ScoredRow[] {
  return rows.toSorted((left, right) => right.hit.score - left.hit.score || compareRowids(left.rowid, right.rowid)).slice(0, k);
}

function compareRowids(left: bigint | undefined, right: bigint | undefined): number {
  if (left === undefined || right === undefined || left === right) return 0;
  return left < right ? -1 : 1;
}

function toScoredRow({ table, columns }: Scan, row: RowValues, score: number): ScoredRow {
  const rowid = typeof row[1] === 'bigint' ? row[1] : undefined;
  const keyStart = 2;
  const columnStart = keyStart + table.key.length;
  const key = table.key.map((name, index) => [name, narrow(row[keyStart + index])] as const);
  const values = columns.map((name, index) => {
    const value = row[columnStart + index];
    const isVector = value instanceof Uint8Array && table.vectors.get(name) === value.byteLength / 4;
    return [name, isVector ? readVector(value) : narrow(value)] as const;
  });
  const hasKey = key.length > 0 || rowid === undefined;
  return { rowid, hit: { key: hasKey ? Object.fromEntries(key) : { rowid: narrow(rowid) }, score, columns: Object.fromEntries(values) } };
}

/** Integers that a double holds exactly as numbers, others as bigint. */
function narrow(value: RowValues[number] | undefined): unknown {
  if (typeof value !== 'bigint') return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** The columns that go into the hits: those asked for, by default all but vectors. Unknown ones are the caller's to refuse. */
export function chooseColumns(table: VectorTable, request: Pick<SearchRequest, 'columns'>): readonly string[] {
  if (request.columns === undefined) return table.columns.filter((name) => !table.vectors.has(name));
  return request.columns;
}
