/** Values as fields of COPY's text format: tab between, one line a row, backslash before what would end them. */
import type { ColumnValues, VectorValues } from '../../../rows/batch.ts';
import { isUnfit } from '../../../rows/unfit.ts';
import type { WireColumn } from '../wire-column.ts';
import { findFit, findVectorTarget } from './fit.ts';
import { printVector } from './vector.ts';

/** The field of one row, escaped. */
export type PrintField = (row: number) => string;

/** The value of one row as PostgreSQL reads it. */
export type PrintValue = (row: number) => string | null;

const nullField = '\\N';

export function openTextColumn(wire: WireColumn, data: ColumnValues): PrintField {
  const print = openPrinter(wire, data);
  return (row) => {
    const text = print(row);
    return text === null ? nullField : escapeField(text);
  };
}

/** The values of a column as texts, for casts; rows must have passed `checkBatch`. */
export function openPrinter(wire: WireColumn, data: ColumnValues): PrintValue {
  if (data.kind === 'vector') return openVectorPrinter(wire, data);
  const fit = findFit(wire);
  if (fit === undefined) throw new RangeError(`column "${wire.column.name}" has no way into ${wire.type.name}`);
  const { convert, print } = fit;
  const { values } = data;
  return (row) => {
    const value = values[row] ?? null;
    if (value === null) return null;
    const converted = convert === undefined ? value : convert(value);
    if (isUnfit(converted)) throw new RangeError('a value was printed that its column refuses');
    return print(converted);
  };
}

function openVectorPrinter({ type }: WireColumn, data: VectorValues): PrintValue {
  const target = findVectorTarget(type);
  const print = target === 'sparsevec' ? printSparse : printVector;
  const isArray = target === 'float4[]' || target === 'float8[]';
  return (row) => {
    if (data.nulls?.[row] === 1) return null;
    const text = print({ data, row });
    return isArray ? `{${text.slice(1, -1)}}` : text;
  };
}

function printSparse({ data, row }: { readonly data: VectorValues; readonly row: number }): string {
  const entries: string[] = [];
  for (let index = 0; index < data.dimensions; index++) {
    const value = data.values[row * data.dimensions + index] as number;
    if (value !== 0) entries.push(`${index + 1}:${value}`);
  }
  return `{${entries.join(',')}}/${data.dimensions}`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escapeField(text: string): string {
  return /[\\\t\n\r]/u.test(text) ? text.replace(/[\\\t\n\r]/gu, (character) => escapes[character] ?? character) : text;
}
