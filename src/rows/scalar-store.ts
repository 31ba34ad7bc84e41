/**
 * The values of a scalar column while a batch grows: one array per stretch, joined at the end.
 *
 * A single array that grows leaves three times its size behind, and beyond 128 KiB lies in V8's large-object space, where each string put in costs a write
 * barrier: two integers and a text of 100,000 rows took twice as long that way (178–279 against 83–125 ns a row, in stretches of 8,192 rows).
 */
import type { Scalar } from './schema.ts';

export interface ScalarStore {
  chunks: Scalar[][];
}

/** Chunks are joined before there are too many to hand to one call of `concat` (sources may yield row by row). */
const maxChunks = 512;

export function createScalarStore(): ScalarStore {
  return { chunks: [] };
}

/** Adds an array for the rows of a stretch, every place of which is to be set. */
export function addChunk(store: ScalarStore, rowCount: number): Scalar[] {
  const chunk: Scalar[] = [];
  chunk.length = rowCount;
  addScalars(store, chunk);
  return chunk;
}

/** Adds the values of a stretch that were checked elsewhere. */
export function addScalars(store: ScalarStore, values: Scalar[]): void {
  if (store.chunks.length === maxChunks) store.chunks = [joinChunks(store.chunks)];
  store.chunks.push(values);
}

/** Keeps of the newest chunk only the rows at `kept`, which ascend. */
export function compactChunk(store: ScalarStore, kept: Int32Array): void {
  const chunk = store.chunks.at(-1);
  if (chunk === undefined) return;
  for (let to = 0; to < kept.length; to++) chunk[to] = chunk[kept[to] as number] as Scalar;
  chunk.length = kept.length;
}

/** The values so far in one array; the store is empty afterwards. */
export function takeScalars(store: ScalarStore): Scalar[] {
  const values = joinChunks(store.chunks);
  store.chunks = [];
  return values;
}

function joinChunks(chunks: readonly Scalar[][]): Scalar[] {
  const [first = [], ...rest] = chunks;
  return rest.length === 0 ? first : first.concat(...rest);
}
