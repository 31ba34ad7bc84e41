/** What the database keeps of a vector column that no load told it about: its dimension and metric, found by looking at the values. */
import { SluiceError } from '../errors.ts';
import { ledgerDdl } from '../ledger/schema.ts';
import { findVectorColumn, type VectorColumn } from '../search/column.ts';
import type { Connection, Metric } from '../target/driver.ts';
import { quoteIdentifier } from '../target/sql-text.ts';
import { quoteTableFor } from './where.ts';

/** Values that are looked at to find the length of the vectors. */
const sampleRows = 1_000;

/** The vector column that is meant; a column of plain bytes is one as well when it is named and its values have one length. @throws as `findVectorColumn` */
export async function findColumn(
  connection: Connection,
  choice: {
    readonly table: string;
    readonly column?: string | undefined;
    readonly dimensions?: number | undefined;
    readonly metric?: Metric | undefined;
  },
): Promise<VectorColumn> {
  const { table, column } = choice;
  const plain = column === undefined ? undefined : await findPlainColumn(connection, table, column);
  if (plain === undefined) return findVectorColumn(connection, choice);
  const dimensions = choice.dimensions ?? (await measureVectors(connection, plain));
  await recordMetric(connection, { ...plain, dimensions }, choice.metric ?? 'cosine');
  return findVectorColumn(connection, choice);
}

/** A column of bytes that nothing is known of as vectors; undefined for any other. */
async function findPlainColumn(
  connection: Connection,
  table: string,
  column: string,
): Promise<{ readonly table: string; readonly column: string } | undefined> {
  // Where vectors have a type of their own, bytes are none.
  if (connection.capabilities.dialect === 'postgres') return undefined;
  const description = await connection.describe(table);
  const found = description?.columns.find(({ name }) => name.toLowerCase() === column.toLowerCase());
  if (description === undefined || found?.type !== 'bytes') return undefined;
  const owner = { table: description.name, column: found.name };
  return (await readMetric(connection, owner)) === undefined ? owner : undefined;
}

async function measureVectors(
  connection: Connection,
  { table, column }: { readonly table: string; readonly column: string },
): Promise<number> {
  const name = quoteIdentifier(column);
  const rows = await connection.query({
    sql: `SELECT DISTINCT length(value) AS n FROM (SELECT ${name} AS value FROM ${quoteTableFor(connection, table)} WHERE typeof(${name}) = 'blob' LIMIT ${String(sampleRows)}) LIMIT 3`,
    parameters: [],
  });
  const lengths = rows.map((row) => Number(row['n']));
  const [only] = lengths;
  if (only !== undefined && lengths.length === 1 && only > 0 && only % 4 === 0) return only / 4;
  const found = only === undefined ? 'no values' : `values of ${lengths.join(', ')} bytes${lengths.length > 2 ? ' and others' : ''}`;
  throw new SluiceError(
    'SLUICE_COLUMN_UNKNOWN',
    `The column ${column} of ${table} has ${found}: it can't be told how many float32 a vector has.`,
    {
      hint: 'Say it with --dimensions.',
    },
  );
}

/** The metric that the column is recorded with. */
export async function readMetric(
  connection: Pick<Connection, 'describe' | 'query'>,
  { table, column }: { readonly table: string; readonly column: string },
): Promise<Metric | undefined> {
  if ((await connection.describe('sluice_vectors')) === undefined) return undefined;
  const rows = await connection.query({
    sql: 'SELECT metric FROM sluice_vectors WHERE table_name = ? AND column_name = ?',
    parameters: [table, column],
  });
  return rows[0]?.['metric'] as Metric | undefined;
}

/** Keeps by what metric a column is compared, so that searches know it. What else is recorded of it stays. */
export async function recordMetric(
  connection: Connection,
  { table, column, dimensions }: { readonly table: string; readonly column: string; readonly dimensions: number },
  metric: Metric,
): Promise<void> {
  const known = await readMetric(connection, { table, column });
  if (known === metric) return;
  const makeTable = ledgerDdl.filter((sql) => sql.includes('EXISTS sluice_vectors ')).map((sql) => ({ sql, parameters: [] }));
  const owner = [table, column] as const;
  const record =
    known === undefined
      ? {
          sql: 'INSERT INTO sluice_vectors (table_name, column_name, dimensions, metric) VALUES (?, ?, ?, ?)',
          parameters: [...owner, dimensions, metric],
        }
      : { sql: 'UPDATE sluice_vectors SET metric = ? WHERE table_name = ? AND column_name = ?', parameters: [metric, ...owner] };
  await connection.transact([...makeTable, record]);
}
