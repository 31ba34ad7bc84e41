/** Sets rows of a batch beside those of a table: many keys a statement, values compared by SQLite itself as it would store them. Reads only. */
import type { StatementSync } from 'node:sqlite';
import type { Batch } from '../../rows/batch.ts';
import { pickColumns } from '../../rows/batch-keys.ts';
import { SluiceError } from '../../errors.ts';
import type { CompareRequest, RowComparison } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { prepareOnce, type SqliteFile } from './connect.ts';
import { createEncoder, findInexactDecimals, type Parameter } from './encode.ts';
import { describeTable } from './schema.ts';

/** Rows of one statement, the limit of parameters allowing. It hardly counts: 20, 100, 250 and 1,000 took 50 to 100 ms for 100,000 rows, in no order. */
const rowsPerStatement = 250;

/** SQLite's default limit of parameters of one statement. */
const maxParameters = 32_766;

/** What is compared, and the statement for it. */
export interface ComparePlan {
  readonly sql: string;
  readonly size: number;
  /** The columns of which the statement tells whether they differ, in its order. */
  readonly names: readonly string[];
}

type CompareShape = Pick<CompareRequest, 'table' | 'key' | 'filled'> & { readonly compared: readonly string[] };

/**
 * The statement answers the rows that differ: ordinal, whether there is no such row, and a flag for each column. Values have no type of their own there, so the
 * stored column's affinity is applied to them, as it would be on the way in. Texts are compared byte by byte whatever the column's collation: a mirror keeps case.
 */
export function planCompare(shape: CompareShape, maxRows: number = rowsPerStatement): ComparePlan {
  const { table, key, compared, filled = [] } = shape;
  const width = key.length + compared.length;
  const size = Math.max(1, Math.min(maxRows, Math.floor(maxParameters / Math.max(1, width))));
  const names = ['o', ...key.map((_, index) => `k${index}`), ...compared.map((_, index) => `c${index}`)];
  const values = Array.from({ length: size }, (_, row) => `(${[String(row), ...Array<string>(width).fill('?')].join(',')})`).join(',');
  const match = key.map((name, index) => `t.${quoteIdentifier(name)} = v.k${index}`).join(' AND ');
  const flags = [
    ...compared.map((name, index) => `t.${quoteIdentifier(name)} IS NOT v.c${index} COLLATE BINARY`),
    ...filled.map((name) => `t.${quoteIdentifier(name)} IS NULL`),
  ];
  const missing = `t.${quoteIdentifier(key[0] ?? '')} IS NULL`;
  const sql = `WITH v(${names.join(',')}) AS (VALUES ${values}) SELECT ${['v.o', missing, ...flags].join(', ')} FROM v LEFT JOIN ${quoteIdentifier(table)} t ON ${match} WHERE ${[missing, ...flags].join(' OR ')}`;
  return { sql, size, names: [...compared, ...filled] };
}

/** Fills in what the statement answered of the rows from `from` on. */
export function readDifferences(
  rows: readonly (readonly unknown[])[],
  answer: {
    readonly states: Uint8Array;
    readonly differing: Map<number, readonly string[]>;
    readonly names: readonly string[];
    readonly from: number;
  },
): void {
  const { states, differing, names, from } = answer;
  for (const [ordinal, missing, ...flags] of rows) {
    const row = from + Number(ordinal);
    if (row >= states.length) continue;
    states[row] = Number(missing) === 1 ? 0 : 1;
    if (states[row] === 1)
      differing.set(
        row,
        names.filter((_, index) => Number(flags[index]) === 1),
      );
  }
}

/** @throws SLUICE_TABLE_UNKNOWN */
export function compareSqlite(link: SqliteFile, request: CompareRequest): RowComparison {
  const { table, key, compared } = request;
  const description = describeTable(link, table);
  if (description === undefined)
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${table} in ${link.file}.`, { hint: 'Check the name of the table.' });
  const batch = pickColumns(request.batch, [...key, ...compared]);
  const declaredTypes = batch.columns.map(({ name }) => description.columns.find((column) => column.name === name)?.declaredType ?? '');
  const plan = planCompare(request);
  const statement = prepareOnce(link, plan.sql);
  const states = new Uint8Array(batch.rowCount).fill(2);
  const differing = new Map<number, readonly string[]>();
  runPieces(statement, { batch, declaredTypes, size: plan.size }, (rows, from) =>
    readDifferences(rows, { states, differing, names: plan.names, from }),
  );
  markInexact({ batch, declaredTypes }, states, differing);
  return { states, differing };
}

interface Pieces {
  readonly batch: Batch;
  readonly declaredTypes: readonly string[];
  readonly size: number;
}

/** One statement for all pieces: the last one is filled up with nulls, which are no row's key. */
function runPieces(
  statement: StatementSync,
  { batch, declaredTypes, size }: Pieces,
  take: (rows: readonly (readonly unknown[])[], from: number) => void,
): void {
  const encoder = createEncoder(batch, declaredTypes);
  const width = batch.columns.length;
  const parameters = Array.from({ length: size * width }, (): Parameter => null);
  statement.setReturnArrays(true);
  for (let from = 0; from < batch.rowCount; from += size) {
    const to = Math.min(batch.rowCount, from + size);
    encoder.fill(parameters, from, to);
    parameters.fill(null, (to - from) * width);
    take(statement.all(...parameters) as unknown as unknown[][], from);
  }
}

/** A decimal that the column would round is refused when it is written; an equal row must not make it pass. */
function markInexact({ batch, declaredTypes }: Omit<Pieces, 'size'>, states: Uint8Array, differing: Map<number, readonly string[]>): void {
  for (const [row, { column }] of findInexactDecimals(batch, declaredTypes)) {
    if (states[row] !== 2) continue;
    states[row] = 1;
    differing.set(row, [column]);
  }
}
