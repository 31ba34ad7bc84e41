/** New batches from old ones: rows taken out, vectors put in. The old batch is never changed. */
import { SluiceError } from '../errors.ts';
import type { Batch, ColumnValues, VectorValues } from './batch.ts';
import { pickPlaces } from './place-list.ts';

/** The batch without the rows at `indexes`, which ascend and are in range; the batch itself when there are none. */
export function dropRows(batch: Batch, indexes: readonly number[]): Batch {
  if (indexes.length === 0) return batch;
  const kept = new Int32Array(batch.rowCount - indexes.length);
  for (let row = 0, to = 0, next = 0; row < batch.rowCount; row++) {
    if (row === indexes[next]) next++;
    else kept[to++] = row;
  }
  return {
    ...batch,
    values: batch.values.map((values) => pickValues(values, kept)),
    rowCount: kept.length,
    byteCount: Math.round((batch.byteCount * kept.length) / batch.rowCount),
    places: pickPlaces(batch.places, kept),
  };
}

function pickValues(values: ColumnValues, kept: Int32Array): ColumnValues {
  if (values.kind === 'vector') return pickVectors(values, kept);
  return { kind: 'scalar', values: Array.from(kept, (row) => values.values[row] ?? null) };
}

/** The vectors of these rows, copied. */
export function pickVectors(vectors: VectorValues, kept: Int32Array): VectorValues {
  const { dimensions, values, nulls } = vectors;
  // An embedded column is empty until the embedding stage has filled it.
  if (values.length === 0) return vectors;
  const picked = new Float32Array(kept.length * dimensions);
  kept.forEach((row, to) => picked.set(values.subarray(row * dimensions, (row + 1) * dimensions), to * dimensions));
  return { kind: 'vector', dimensions, values: picked, nulls: nulls && Uint8Array.from(kept, (row) => nulls[row] ?? 0) };
}

/** Vectors of every row of a batch, `[rowCount, dimensions]`, and 1 in `nulls` where a row has none. */
export interface RowVectors {
  readonly vectors: Float32Array;
  readonly nulls: Uint8Array | undefined;
}

/**
 * The batch with the vectors of the column at `columnIndex` filled in. The batch takes the arrays over.
 * @throws SLUICE_INTERNAL when they don't have the shape of the batch and the column.
 */
export function withVectors(batch: Batch, columnIndex: number, { vectors, nulls }: RowVectors): Batch {
  const old = batch.values[columnIndex];
  if (old?.kind !== 'vector' || vectors.length !== batch.rowCount * old.dimensions || (nulls && nulls.length !== batch.rowCount)) {
    throw new SluiceError(
      'SLUICE_INTERNAL',
      `${vectors.length} numbers do not fill column ${columnIndex} of a batch of ${batch.rowCount} rows`,
    );
  }
  const filled: VectorValues = { kind: 'vector', dimensions: old.dimensions, values: vectors, nulls };
  const byteCount = batch.byteCount + vectors.byteLength - old.values.byteLength;
  return { ...batch, values: batch.values.with(columnIndex, filled), byteCount };
}
