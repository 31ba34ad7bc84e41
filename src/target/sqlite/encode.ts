/** Lays the rows of a batch out as parameters of SQLite statements, row after row, column by column; values are never changed on the way. */
import type { Batch, ColumnValues, RejectCode, VectorValues } from '../../rows/batch.ts';
import type { Scalar } from '../../rows/schema.ts';
import { hasNumericAffinity, takesDoublesAsIntegers } from './column-types.ts';

export type Parameter = string | number | bigint | Uint8Array | null;

/** Fills `parameters` with rows `from` to `to` of a batch, `columns.length` values a row. */
export interface Encoder {
  fill(parameters: Parameter[], from: number, to: number): void;
}

interface EncodedColumn {
  readonly index: number;
  readonly width: number;
}

type Fill = (parameters: Parameter[], from: number, to: number) => void;

function fillPlain(values: readonly Scalar[], { index, width }: EncodedColumn): Fill {
  return (parameters, from, to) => {
    let at = index;
    for (let row = from; row < to; row++, at += width) parameters[at] = values[row] as Parameter;
  };
}

function fillMapped(values: readonly Scalar[], { index, width }: EncodedColumn, map: (value: Scalar) => Parameter): Fill {
  return (parameters, from, to) => {
    let at = index;
    for (let row = from; row < to; row++, at += width) parameters[at] = map(values[row] ?? null);
  };
}

function fillVectors({ values, dimensions, nulls }: VectorValues, { index, width }: EncodedColumn): Fill {
  // Float32Array is little-endian on every platform that Node runs on, so its bytes are the stored form.
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const size = dimensions * 4;
  return (parameters, from, to) => {
    let at = index;
    for (let row = from; row < to; row++, at += width) {
      parameters[at] = nulls?.[row] === 1 ? null : bytes.subarray(row * size, (row + 1) * size);
    }
  };
}

function toFlag(value: Scalar): Parameter {
  return value === null ? null : value === true ? 1 : 0;
}

function toBigInt(value: Scalar): Parameter {
  return typeof value === 'number' ? BigInt(value) : (value as Parameter);
}

function chooseFill(data: ColumnValues, place: EncodedColumn, target: { readonly type: string; readonly declaredType: string }): Fill {
  if (data.kind === 'vector') return fillVectors(data, place);
  if (target.type === 'boolean') return fillMapped(data.values, place, toFlag);
  // node:sqlite binds a JavaScript number as a double; a column without INTEGER or NUMERIC affinity would keep it as one.
  if (target.type === 'integer' && !takesDoublesAsIntegers(target.declaredType)) return fillMapped(data.values, place, toBigInt);
  return fillPlain(data.values, place);
}

/** An encoder for one batch; `declaredTypes[i]` is what column `i` of the batch is declared as in the table. */
export function createEncoder(batch: Batch, declaredTypes: readonly string[]): Encoder {
  const width = batch.columns.length;
  const fills = batch.values.map((data, index) =>
    chooseFill(data, { index, width }, { type: batch.columns[index]?.type ?? 'text', declaredType: declaredTypes[index] ?? '' }),
  );
  return {
    fill: (parameters, from, to) => {
      for (const fill of fills) fill(parameters, from, to);
    },
  };
}

/** Digits that a double always keeps; SQLite turns text that is a number into one in a column of numeric affinity, unless it is a 64-bit integer. */
const exactDigits = 15;
const [minInteger, maxInteger] = [-(2n ** 63n), 2n ** 63n - 1n];

/** Rows whose decimals, or JSON numbers, a column of numeric affinity would round, with the column's name. */
export function findInexactDecimals(
  batch: Batch,
  declaredTypes: readonly string[],
): ReadonlyMap<number, { readonly code: RejectCode; readonly column: string }> {
  const found = new Map<number, { code: RejectCode; column: string }>();
  batch.columns.forEach((column, index) => {
    const data = batch.values[index];
    const declaredType = declaredTypes[index] ?? '';
    if (column.type !== 'decimal' && column.type !== 'json') return;
    if (data?.kind !== 'scalar' || !hasNumericAffinity(declaredType)) return;
    const keepsIntegers = takesDoublesAsIntegers(declaredType);
    data.values.forEach((value, row) => {
      if (typeof value === 'string' && isRounded(value, keepsIntegers)) found.set(row, { code: 'VALUE_INEXACT', column: column.name });
    });
  });
  return found;
}

function isRounded(text: string, keepsIntegers: boolean): boolean {
  // Most values are short, and then nothing else need be asked.
  if (text.length <= exactDigits && !/e/iu.test(text)) return false;
  const match = /^(-?\d+(?:\.\d+)?)(e[+-]?\d+)?$/iu.exec(text);
  if (match === null) return false;
  const [, digits = '', exponent] = match;
  if (keepsIntegers && exponent === undefined && !digits.includes('.')) {
    const value = BigInt(digits);
    if (value >= minInteger && value <= maxInteger) return false;
  }
  return countDigits(digits) > exactDigits || !Number.isFinite(Number(text));
}

function countDigits(decimal: string): number {
  const digits = decimal.replace(/^-?0*\.?0*/u, '').replace('.', '');
  return decimal.includes('.') ? digits.replace(/0+$/u, '').length : digits.length;
}
