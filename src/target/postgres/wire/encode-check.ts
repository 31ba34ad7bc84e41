/** Finds the rows of a batch that the server would refuse before they are sent; columns that can't fail are not looked at. */
import type { Batch, VectorValues } from '../../../rows/batch.ts';
import type { Scalar } from '../../../rows/schema.ts';
import type { Unfit } from '../../../rows/unfit.ts';
import { isUnfit } from '../../../rows/unfit.ts';
import { findValues } from './encode-field.ts';
import type { Refusal } from '../refusal.ts';
import type { Value } from './block.ts';
import type { WireColumn } from '../wire-column.ts';
import { findFit } from './fit.ts';
import { checkVector } from './vector.ts';

type Refuse = (row: number, unfit: Unfit) => void;

/** Refusals by the row's index in its batch, one a row: of the first column that refuses. Nulls are the server's to judge. */
export function checkBatch(columns: readonly WireColumn[], batch: Batch): ReadonlyMap<number, Refusal> {
  const refusals = new Map<number, Refusal>();
  for (const wire of columns) {
    const { column, type } = wire;
    const values = findValues(batch, wire);
    const refuse: Refuse = (row, { code, message }) => {
      if (refusals.has(row)) return;
      const typeName = type.isArray ? `${type.name}[]` : type.name;
      refusals.set(row, { code, message: `column "${column.name}" (${typeName}): ${message}`, column: column.name });
    };
    if (values.kind === 'vector') checkVectors(values, wire, refuse);
    else checkScalars(values.values, wire, refuse);
  }
  return refusals;
}

function checkVectors(data: VectorValues, { type }: WireColumn, refuse: Refuse): void {
  const isHalf = type.name === 'halfvec';
  const hasDimension = type.name === 'vector' || isHalf || type.name === 'sparsevec';
  const typmod = hasDimension && !type.isArray ? type.typmod : -1;
  if (!isHalf && (typmod === -1 || typmod === data.dimensions)) return;
  const rowCount = data.dimensions === 0 ? 0 : data.values.length / data.dimensions;
  for (let row = 0; row < rowCount; row++) {
    const unfit = data.nulls?.[row] === 1 ? undefined : checkVector({ data, row }, typmod, isHalf);
    if (unfit !== undefined) refuse(row, unfit);
  }
}

function checkScalars(values: readonly Scalar[], wire: WireColumn, refuse: Refuse): void {
  const fit = findFit(wire);
  if (fit === undefined) throw new RangeError(`column "${wire.column.name}" has no way into ${wire.type.name}`);
  const { convert, check } = fit;
  if (convert === undefined && check === undefined) return;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as Scalar;
    if (value === null) continue;
    const converted: Value | Unfit = convert === undefined ? value : convert(value);
    const unfit = isUnfit(converted) ? converted : check?.(converted);
    if (unfit !== undefined) refuse(row, unfit);
  }
}
