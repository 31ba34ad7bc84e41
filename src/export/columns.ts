/** Which columns an export has: those asked for, or all that can be loaded again. Unknown names are answered with the names there are. */
import { SluiceError } from '../errors.ts';
import { findNearest } from '../nearest.ts';
import type { ColumnDescription, Connection, TableDescription } from '../target/driver.ts';
import type { ExportColumn, ExportFormat, ExportOptions, ExportReport } from './options.ts';

export interface ExportChoice {
  /** As the database spells it. */
  readonly table: string;
  readonly columns: readonly ExportColumn[];
  /** Columns of the file of ids; empty for none. */
  readonly ids: readonly ExportColumn[];
  readonly leftOut: ExportReport['leftOut'];
}

/** @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_USAGE */
export async function chooseExport(
  connection: Pick<Connection, 'describe' | 'query'>,
  options: ExportOptions,
  format: ExportFormat,
): Promise<ExportChoice> {
  const description = await connection.describe(options.table);
  if (description === undefined)
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${options.table} in the database.`, {
      hint: 'Check the name; sluice stats --in … lists the tables that hold vectors.',
    });
  const recorded = await readDimensions(connection, description.name);
  const known = description.columns.map((column) => toExportColumn(column, recorded));
  if (format === 'npy') return chooseVector(description, known, options);
  if (options.columns !== undefined) {
    const columns = options.columns.map((name) => findColumn(description.name, name, known));
    return { table: description.name, columns, ids: [], leftOut: [] };
  }
  const generated = description.columns.filter(({ isGenerated }) => isGenerated).map(({ name }) => name);
  return {
    table: description.name,
    columns: known.filter(({ name }) => !generated.includes(name)),
    ids: [],
    leftOut: generated.map((name) => ({ name, why: 'the database computes it' })),
  };
}

/** What loads said of vector columns that are declared as plain bytes. */
async function readDimensions(connection: Pick<Connection, 'describe' | 'query'>, table: string): Promise<ReadonlyMap<string, number>> {
  if ((await connection.describe('sluice_vectors')) === undefined) return new Map();
  const rows = await connection.query({
    sql: 'SELECT column_name, dimensions FROM sluice_vectors WHERE lower(table_name) = lower(?)',
    parameters: [table],
  });
  return new Map(rows.map((row) => [String(row['column_name']), Number(row['dimensions'])]));
}

function toExportColumn({ name, type, dimensions, isNullable }: ColumnDescription, recorded: ReadonlyMap<string, number>): ExportColumn {
  const length = dimensions ?? (type === 'bytes' || type === 'vector' ? recorded.get(name) : undefined);
  return { name, type: length === undefined ? type : 'vector', dimensions: length, isNullable };
}

function findColumn(table: string, name: string, known: readonly ExportColumn[]): ExportColumn {
  const found = known.find((each) => each.name === name) ?? known.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  const names = known.map((each) => each.name);
  const nearest = findNearest(name, names);
  throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${table} has no column ${name} that could be exported.`, {
    hint: `${nearest === undefined ? '' : `Did you mean ${nearest}? `}There are: ${names.join(', ')}.`,
  });
}

function chooseVector({ key, name: table }: TableDescription, known: readonly ExportColumn[], options: ExportOptions): ExportChoice {
  const vectors = known.filter(({ type }) => type === 'vector');
  const asked = options.columns?.map((name) => findColumn(table, name, vectors));
  const [column, ...others] = asked ?? vectors;
  const list = vectors.map(({ name }) => name).join(', ');
  if (column === undefined || others.length > 0) {
    throw new SluiceError('SLUICE_USAGE', `An .npy file holds one vector column; ${table} has ${list === '' ? 'none' : `several`}.`, {
      hint: list === '' ? 'Export to another format.' : `Name one with --columns: ${list}.`,
    });
  }
  if (options.ids !== undefined && key.length === 0)
    throw new SluiceError('SLUICE_USAGE', `The table ${table} has no key, so there are no ids of its vectors.`, {
      hint: 'Leave the file of ids out, or export to .jsonl.',
    });
  const ids = options.ids === undefined ? [] : key.map((name) => findColumn(table, name, known));
  const left = known.filter(({ name }) => name !== column.name && !ids.some((id) => id.name === name));
  return { table, columns: [column], ids, leftOut: left.map(({ name }) => ({ name, why: '.npy holds one vector column' })) };
}
