/** How the ways of `sluice bench` write rows into PostgreSQL: statements of one row, of many, of arrays, and COPY. What is measured, and nothing else. */
import { SluiceError } from '../../../errors.ts';
import type { Batch } from '../../../rows/batch.ts';
import type { BenchRows } from '../../strategy.ts';
import { encodeArrays } from '../wire/arrays.ts';
import { createRowEncoder } from '../wire/encode.ts';
import type { PgLink, PgParameter } from '../link.ts';
import { runInTransaction } from '../transaction.ts';
import type { WireColumn } from '../wire-column.ts';

/** Where a way writes, and what. */
export interface Writing {
  readonly link: PgLink;
  /** Quoted, with its schema. */
  readonly table: string;
  readonly columns: readonly WireColumn[];
  /** Types as SQL writes them, in the order of the columns. */
  readonly types: readonly string[];
  readonly rows: BenchRows;
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal | undefined;
  readonly isSpent: () => boolean;
  /** Counts the rows that were handed over. */
  readonly tally: { sent: number };
}

/** Batches of at most `step` rows, each looked at with the signal. */
function* cutBatches({ rows, from, to, signal, isSpent, tally }: Writing, step: number): Generator<Batch> {
  for (let start = from; start < to && !isSpent(); start += step) {
    if (signal?.aborted === true)
      throw new SluiceError('SLUICE_CANCELLED', 'The bench was stopped.', { hint: 'What it had made is dropped.' });
    const count = Math.min(step, to - start);
    tally.sent += count;
    yield rows.batch(start, count);
  }
}

/** The parameters of a batch, row after row: vectors as text, as programs without a binary form send them. */
function listParameters({ values, rowCount }: Batch): PgParameter[] {
  const parameters: PgParameter[] = [];
  for (let row = 0; row < rowCount; row++) {
    for (const column of values) {
      if (column.kind === 'scalar') parameters.push(column.values[row] ?? null);
      else parameters.push(`[${column.values.subarray(row * column.dimensions, (row + 1) * column.dimensions).join(',')}]`);
    }
  }
  return parameters;
}

function writeInsert({ table, types }: Writing, rowCount: number): string {
  const tuples = Array.from({ length: rowCount }, (_, row) => {
    const places = types.map((type, column) => `$${row * types.length + column + 1}::${type}`);
    return `(${places.join(', ')})`;
  });
  return `INSERT INTO ${table} VALUES ${tuples.join(', ')}`;
}

/** Statements of `rowsPerStatement` rows; a transaction for each, or for every `statementsPerCommit`. */
export async function insertRows(
  writing: Writing,
  { rowsPerStatement, statementsPerCommit }: { readonly rowsPerStatement: number; readonly statementsPerCommit: number },
): Promise<void> {
  const { link, signal } = writing;
  const full = writeInsert(writing, rowsPerStatement);
  let pending = 0;
  for (const batch of cutBatches(writing, rowsPerStatement)) {
    if (statementsPerCommit > 1 && pending === 0) await link.query('BEGIN', [], { signal });
    await link.query(batch.rowCount === rowsPerStatement ? full : writeInsert(writing, batch.rowCount), listParameters(batch), { signal });
    pending = (pending + 1) % statementsPerCommit;
    if (statementsPerCommit > 1 && pending === 0) await link.query('COMMIT', [], { signal });
  }
  if (pending > 0) await link.query('COMMIT', [], { signal });
}

/** A statement for `rowsPerStatement` rows, with an array for each column in binary form: how sluice writes where COPY is not allowed. */
export async function insertArrays(writing: Writing, rowsPerStatement: number): Promise<void> {
  const { link, signal, table, columns, types } = writing;
  const arrays = types.map((type, index) => `$${index + 1}::${type}[]`);
  const sql = `INSERT INTO ${table} SELECT * FROM unnest(${arrays.join(', ')})`;
  for (const batch of cutBatches(writing, Math.min(rowsPerStatement, writing.rows.batchRows))) {
    await link.queryEncoded(sql, encodeArrays(columns, batch, listRows(batch)), { signal });
  }
}

function listRows({ rowCount }: Batch): Int32Array {
  return Int32Array.from({ length: rowCount }, (_, index) => index);
}

/** A COPY for each batch, all in one transaction. */
export async function copyRows(writing: Writing, format: 'binary' | 'text'): Promise<void> {
  const { link, signal, table, columns } = writing;
  const encoder = createRowEncoder(columns, { format });
  const sql = `COPY ${table} FROM STDIN WITH (FORMAT ${format})`;
  await runInTransaction(link, async () => {
    for (const batch of cutBatches(writing, writing.rows.batchRows))
      await link.copyIn(sql, encoder.pieces(batch, listRows(batch)), { signal });
  });
}
