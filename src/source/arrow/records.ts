/** Rows of an Arrow file as records: their places are row numbers, and a refused row is kept as JSON. */
import type { ColumnValues } from '../../rows/batch.ts';
import { readCell } from '../../rows/column-records.ts';
import type { ColumnType } from '../../rows/schema.ts';
import { checkJson } from '../../rows/text-value.ts';
import { writeRowText } from '../row-text.ts';
import type { ColumnRecords } from '../source.ts';

export interface Stretch {
  readonly fields: readonly string[];
  readonly types: readonly ColumnType[];
  readonly values: readonly ColumnValues[];
  /** Rows of the file. */
  readonly start: number;
  readonly end: number;
  /** Of the part. */
  readonly partStart: number;
  readonly byteCount: number;
}

export function makeRecords({ byteCount, end, fields, partStart, start, types, values }: Stretch): ColumnRecords {
  const rowCount = end - start;
  const offsets = new Float64Array(rowCount);
  const rows = new Float64Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    offsets[row] = start + row;
    rows[row] = start + row - partStart;
  }
  return {
    kind: 'columns',
    fields,
    values,
    types,
    rowCount,
    rejects: [],
    places: { offsets, rows, lines: rows, raw: (row) => writeRow({ fields, types, values }, row) },
    end: { offset: end, row: end - partStart, line: end - partStart },
    byteCount,
  };
}

/** JSON stands in the row as JSON, on one line. */
function writeRow({ fields, types, values }: Pick<Stretch, 'fields' | 'types' | 'values'>, row: number): string {
  const members = fields.map((field, index) => {
    const value = readCell(values[index], row);
    const isJson = types[index] === 'json' && typeof value === 'string' && typeof checkJson(value) === 'string';
    return `${JSON.stringify(field)}:${isJson ? value.replaceAll(/[\r\n]/gu, ' ') : writeRowText(value)}`;
  });
  return `{${members.join(',')}}`;
}
