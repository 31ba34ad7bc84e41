/** A row as JSON made from its values, for a reject whose original text is gone: shown to people, never read again as the source's own. */
import type { ColumnValues } from '../../rows/batch.ts';
import type { Column, Scalar } from '../../rows/schema.ts';

/** By the names of the table's columns. */
export function writeRowText(columns: readonly Column[], values: readonly ColumnValues[], row: number): string {
  const fields = columns.map((column, at) => `${JSON.stringify(column.name)}:${writeField(column, values[at], row)}`);
  return `{${fields.join(',')}}`;
}

function writeField({ type }: Column, data: ColumnValues | undefined, row: number): string {
  if (data === undefined) return 'null';
  if (data.kind === 'scalar') return writeScalar(data.values[row] ?? null, type === 'json');
  const { values, nulls, dimensions } = data;
  return nulls?.[row] === 1 ? 'null' : `[${values.subarray(row * dimensions, (row + 1) * dimensions).join(',')}]`;
}

function writeScalar(value: Scalar, isJson: boolean): string {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'));
  return isJson && typeof value === 'string' ? value : JSON.stringify(value);
}
