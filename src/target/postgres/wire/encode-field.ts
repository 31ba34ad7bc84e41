/** The fields of a row in binary form: for each column of a batch one writer, chosen once. */
import type { Batch, ColumnValues, VectorValues } from '../../../rows/batch.ts';
import type { Scalar } from '../../../rows/schema.ts';
import { isUnfit } from '../../../rows/unfit.ts';
import type { Block, Put } from './block.ts';
import { putJsonb, putNull } from './block.ts';
import type { WireColumn } from '../wire-column.ts';
import type { Fit, VectorTarget } from './fit.ts';
import { findFit, findVectorTarget } from './fit.ts';
import type { PutVector } from './vector.ts';
import { createFloatArrayPut, createHalfPut, createVectorPut, printVector, putSparse, putVectorText } from './vector.ts';

/** pgvector's limit of a stored vector. */
const maxVectorDimensions = 16_000;

/** Writes a value of one row; answers as a {@link Put} does. */
export type WriteField = (block: Block, at: number, row: number) => number;

/** Whether a sane way leads from the load's column into the table's, in one format or the other. */
export function canEncode(wire: WireColumn): boolean {
  const { column, type } = wire;
  if (column.type !== 'vector') return findFit(wire) !== undefined;
  const isStoredDense = !type.isArray && (type.name === 'vector' || type.name === 'halfvec');
  return findVectorTarget(type) !== undefined && !(isStoredDense && (column.dimensions ?? 1) > maxVectorDimensions);
}

/** Whether the column can be sent in binary; else the whole COPY is text. */
export function hasBinaryForm(wire: WireColumn): boolean {
  return wire.column.type === 'vector' ? findVectorTarget(wire.type) !== undefined : findFit(wire)?.put !== undefined;
}

/** Values of a load's column in a batch. */
export function findValues(batch: Batch, { column }: WireColumn): ColumnValues {
  const values = batch.values[batch.columns.findIndex(({ name }) => name === column.name)];
  if (values === undefined) throw new RangeError(`the batch has no column "${column.name}"`);
  return values;
}

/** What a column takes of each row without asking for room. */
export function countFixedBytes(wire: WireColumn): number {
  return findFit(wire)?.fixedBytes ?? 4;
}

/** A writer of one column of a batch, chosen once. */
export function openField(wire: WireColumn, values: ColumnValues): WriteField {
  if (values.kind === 'vector') return openVectors(values, wire);
  const fit = findFit(wire);
  if (fit?.put === undefined) throw new RangeError(`column "${wire.column.name}" has no binary form`);
  return openScalars(values.values, fit.put, fit.convert);
}

function openScalars(values: readonly Scalar[], put: Put, convert: Fit['convert']): WriteField {
  if (convert === undefined) {
    return (block, at, row) => {
      const value = values[row] as Scalar;
      return value === null ? putNull(block, at) : put(block, at, value);
    };
  }
  return (block, at, row) => {
    const value = values[row] as Scalar;
    if (value === null) return putNull(block, at);
    const converted = convert(value);
    if (isUnfit(converted)) throw new RangeError('a value was written that its column refuses');
    return put(block, at, converted);
  };
}

function openVectors(values: VectorValues, { type }: WireColumn): WriteField {
  const target = findVectorTarget(type);
  if (target === undefined) throw new RangeError(`vectors have no form as ${type.name}`);
  const put = type.name === 'jsonb' ? putVectorJsonb : chooseVectorPut(values, target, type.elementOid);
  const { nulls } = values;
  return (block, at, row) => (nulls?.[row] === 1 ? putNull(block, at) : put(block, at, { data: values, row }));
}

const putVectorJsonb: PutVector = (block, at, place) => putJsonb(block, at, printVector(place));

function chooseVectorPut(values: VectorValues, target: VectorTarget, elementOid: number): PutVector {
  switch (target) {
    case 'vector':
      return createVectorPut(values);
    case 'halfvec':
      return createHalfPut(values);
    case 'sparsevec':
      return putSparse;
    case 'float4[]':
      return createFloatArrayPut(values, elementOid, 4);
    case 'float8[]':
      return createFloatArrayPut(values, elementOid, 8);
    case 'text':
      return putVectorText;
  }
}
