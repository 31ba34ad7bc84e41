/** The verb stats: a table in numbers: rows, vectors and their coverage, indexes, loads, room on the disk. Reads only. */
import { hasLedger, readLoads } from '../ledger/reading.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import type { VectorColumn } from '../search/column.ts';
import { readSearchNotes } from '../search/search-notes.ts';
import { SluiceError } from '../errors.ts';
import type { Connection, VectorIndexState } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import { hideSecrets } from '../secret-text.ts';
import { quoteIdentifier } from '../target/sql-text.ts';
import { listVectorColumns } from './indexes.ts';
import { tableNames, type StatsOptions, type TableStats, type VectorStats } from './options.ts';
import { quoteTableFor } from './where.ts';

const maxLoads = 10;

/**
 * A table in numbers. Counts read the whole table.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_TARGET_…
 */
export async function stats(options: StatsOptions): Promise<TableStats> {
  refuseUnknownOptions('stats', options, tableNames);
  const lockTimeout = options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs };
  const connection = await connect(options.in, { isReadOnly: true, ...lockTimeout });
  try {
    const description = await connection.describe(options.table);
    if (description === undefined)
      throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${options.table} in ${hideSecrets(options.in)}.`, {
        hint: 'Check the name; sluice status --in … lists the tables that were loaded.',
      });
    const { columns, key, name: table } = description;
    const columnsFound = await listVectorColumns(connection, table);
    const indexes = (await connection.listIndexes?.(table)) ?? [];
    const counts = await countVectors(connection, table, columnsFound);
    const texts = await readTextColumns(connection, table);
    const loads = (await hasLedger(connection)) ? await readLoads(connection, table) : [];
    const ownIndexes = connection.capabilities.dialect === 'postgres' ? [] : indexes;
    return {
      schema: 1,
      database: hideSecrets(options.in),
      table,
      rows: counts.rows,
      columns: columns.length,
      key,
      bytes: await connection.measureTable?.(table),
      indexBytes: ownIndexes.reduce((sum, index) => sum + (index.byteCount ?? 0), 0),
      vectors: columnsFound.map((column, at) =>
        describeVectors(column, { present: counts.present[at] ?? 0, rows: counts.rows, indexes, text: texts.get(column.column) }),
      ),
      loadCount: loads.length,
      loads: loads
        .slice(-maxLoads)
        .reverse()
        .map(({ load, label, mode, state, counts: { written }, startedAt }) => ({ load, label, mode, state, written, startedAt })),
      lastSearches: await readSearchNotes(options.in, table),
    };
  } finally {
    await connection.close();
  }
}

/** In one scan. */
async function countVectors(
  connection: Connection,
  table: string,
  columns: readonly VectorColumn[],
): Promise<{ readonly rows: number; readonly present: readonly number[] }> {
  const counts = columns.map(({ column }, at) => `, count(${quoteIdentifier(column)}) AS n${String(at)}`);
  const [row] = await connection.query({
    sql: `SELECT count(*) AS n${counts.join('')} FROM ${quoteTableFor(connection, table)}`,
    parameters: [],
  });
  return { rows: Number(row?.['n'] ?? 0), present: columns.map((_, at) => Number(row?.[`n${String(at)}`] ?? 0)) };
}

async function readTextColumns(connection: Connection, table: string): Promise<ReadonlyMap<string, string>> {
  if ((await connection.describe('sluice_vectors')) === undefined) return new Map();
  const rows = await connection.query({
    sql: 'SELECT column_name, text_column FROM sluice_vectors WHERE table_name = ? AND text_column IS NOT NULL',
    parameters: [table],
  });
  return new Map(rows.map((row) => [String(row['column_name']), String(row['text_column'])]));
}

function describeVectors(
  { column, dimensions, embedder, metric }: VectorColumn,
  found: {
    readonly present: number;
    readonly rows: number;
    readonly indexes: readonly VectorIndexState[];
    readonly text: string | undefined;
  },
): VectorStats {
  return {
    column,
    dimensions,
    metric,
    embedder: embedder === undefined ? undefined : `${embedder.identity.provider}/${embedder.identity.model}`,
    textColumn: found.text,
    present: found.present,
    coverage: found.rows === 0 ? 1 : found.present / found.rows,
    indexes: found.indexes.filter((index) => index.column === column),
  };
}
