/** Columns of lists of floats as vectors: the numbers go from the file's bytes into one Float32Array, without a list per row. */
import type { ColumnValues } from '../../rows/batch.ts';
import { decodeElements } from '../vectors/element.ts';
import { openCells, type Dictionaries } from './cell.ts';
import type { Chunk } from './chunk.ts';

/** Vectors of `dimensions` numbers; where a row has more, fewer or null ones, all rows as JSON text, so that only the wrong ones are refused. */
export function readVectorColumn(chunk: Chunk, dimensions: number, dictionaries: Dictionaries): ColumnValues {
  return (
    readVectors(chunk, dimensions) ?? {
      kind: 'scalar',
      values: Array.from({ length: chunk.count }, (_, row) => openCells(chunk, dictionaries)(row)),
    }
  );
}

function readVectors(chunk: Chunk, dimensions: number): ColumnValues | undefined {
  const [child] = chunk.children;
  if (child === undefined || child.field.type.kind !== 'float' || hasNull(child)) return undefined;
  const floats = decodeElements(child.data, { kind: 'float', byteCount: child.field.type.bits / 8, isBigEndian: false });
  const nulls = findNulls(chunk);
  const { type } = chunk.field;
  if (type.kind === 'fixed_list') return type.size === dimensions ? { kind: 'vector', dimensions, values: floats, nulls } : undefined;
  const { count, offsets } = chunk;
  if (offsets === undefined) return undefined;
  for (let row = 0; row < count; row++) {
    if (nulls?.[row] !== 1 && (offsets[row + 1] as number) - (offsets[row] as number) !== dimensions) return undefined;
  }
  const isDense = floats.length === count * dimensions;
  return { kind: 'vector', dimensions, values: isDense ? floats : spreadRows(chunk, floats, dimensions), nulls };
}

function hasNull(chunk: Chunk): boolean {
  if (!chunk.hasNulls) return false;
  for (let row = 0; row < chunk.count; row++) if (chunk.isNull(row)) return true;
  return false;
}

function findNulls({ count, hasNulls, isNull }: Chunk): Uint8Array | undefined {
  return hasNulls ? Uint8Array.from({ length: count }, (_, row) => (isNull(row) ? 1 : 0)) : undefined;
}

/** Rows that are null take no room in the file. */
function spreadRows({ count, isNull, offsets }: Chunk, floats: Float32Array, dimensions: number): Float32Array {
  const spread = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row++) {
    const from = offsets?.[row] ?? 0;
    if (!isNull(row)) spread.set(floats.subarray(from, from + dimensions), row * dimensions);
  }
  return spread;
}

/** The length that the lists of some chunks have, where nearly all have one; undefined where they differ or are too short to be vectors. */
export function findDimension(chunks: readonly Chunk[]): number | undefined {
  const lengths = new Map<number, number>();
  let total = 0;
  for (const { count, isNull, offsets } of chunks) {
    for (let row = 0; row < count; row++) {
      if (isNull(row)) continue;
      const length = (offsets?.[row + 1] ?? 0) - (offsets?.[row] ?? 0);
      lengths.set(length, (lengths.get(length) ?? 0) + 1);
      total++;
    }
  }
  const [most] = [...lengths].sort(([, a], [, b]) => b - a);
  if (most === undefined) return undefined;
  const [length, count] = most;
  // As for lists in JSON: embeddings are long, and a few faulty ones are refused one by one.
  const isVector = length >= 2 && (count === total || (length >= 16 && count >= 0.9 * total));
  return isVector ? length : undefined;
}
