/** Rows by column seen as rows of objects, for those who look at few rows: samples and evidence. */
import type { ColumnRecords, ValueRecords } from '../source/source.ts';
import type { ColumnValues } from './batch.ts';

/** The same rows as objects, with the named fields alone; a vector is a view of its column. */
export function toValueRecords(records: ColumnRecords, names: readonly string[] = records.fields): ValueRecords {
  const { fields, values, types: _types, ...stretch } = records;
  const columns = names.map((name) => ({ name, column: values[fields.indexOf(name)] }));
  const rows = Array.from({ length: records.rowCount }, (_, row) =>
    Object.fromEntries(columns.map(({ name, column }) => [name, readCell(column, row)])),
  );
  return { ...stretch, kind: 'values', values: rows, isJsonText: false };
}

/** The value of one row; null where the stretch has no such column. */
export function readCell(column: ColumnValues | undefined, row: number): unknown {
  if (column === undefined) return null;
  if (column.kind === 'scalar') return column.values[row] ?? null;
  if (column.nulls?.[row] === 1) return null;
  return column.values.subarray(row * column.dimensions, (row + 1) * column.dimensions);
}
