/** Vectors of a column in one growing `Float32Array`: every element is checked before its row counts, and a refused row leaves zeros behind. */
import type { VectorValues } from './batch.ts';
import { readNumberList } from './number-list.ts';
import { decodeBase64 } from './text-value.ts';
import type { ScalarFill } from './fill.ts';
import type { Unfit } from './unfit.ts';
import { nullUnfit, unfitType } from './unfit.ts';

/** The vectors of a column so far: `[rowCount, dimensions]`, with room for more behind. */
export interface VectorStore {
  readonly dimensions: number;
  readonly needsNorm: boolean;
  values: Float32Array<ArrayBuffer>;
  /** 1 where the row has none; undefined until the first of them. */
  nulls: Uint8Array<ArrayBuffer> | undefined;
  rowCount: number;
  /** Rows that there is room for. */
  capacity: number;
  /** Rows of the batch before. */
  lastRowCount: number;
}

const noVector: Unfit = { code: 'VALUE_FORMAT', message: 'the text is neither a list of numbers in brackets nor base64 of float32' };
const brokenBytes: Unfit = { code: 'VALUE_FORMAT', message: 'the bytes of the vector are no whole number of 32-bit floats' };
const zeroVector: Unfit = { code: 'VECTOR_ZERO', message: 'the vector is all zeros, which has no direction to compare by cosine' };

export function createVectorStore(dimensions: number, needsNorm: boolean): VectorStore {
  return { dimensions, needsNorm, values: new Float32Array(0), nulls: undefined, rowCount: 0, capacity: 0, lastRowCount: 0 };
}

/** The least room: memory that is not written to costs nothing, and growing to it by doubling would copy as much. */
const leastFloats = 4 * 1024 * 1024;

/**
 * Makes room for more rows, at first for as many as the last batch had. `transfer` frees the old buffer at once instead of leaving megabytes to the
 * garbage collector.
 */
export function reserveVectors(store: VectorStore, moreRows: number): void {
  const neededRows = store.rowCount + moreRows;
  if (neededRows <= store.capacity) return;
  store.capacity = Math.max(neededRows, store.capacity * 2, store.lastRowCount, Math.ceil(leastFloats / store.dimensions));
  store.values = new Float32Array(store.values.buffer.transfer(store.capacity * store.dimensions * 4));
  if (store.nulls !== undefined) store.nulls = new Uint8Array(store.nulls.buffer.transfer(store.capacity));
}

/** Takes the memory of a batch that nobody reads any more, so that the next one need not ask the system for new pages (a fifth of the work of a load from memory). */
export function reuseVectors(store: VectorStore, { values }: VectorValues): void {
  const { buffer } = values;
  if (store.rowCount > 0 || !(buffer instanceof ArrayBuffer) || buffer.byteLength <= store.values.buffer.byteLength) return;
  store.values = new Float32Array(buffer);
  store.capacity = Math.floor(store.values.length / store.dimensions);
  store.nulls = undefined;
}

/** What a vector column needs of a fill: no array, for its numbers stand in the store. */
type VectorFill = Pick<ScalarFill, 'isNullable' | 'refuse'>;

/** Counts a row of a stretch without a vector, which a column that takes none refuses; its numbers are zeros. Room must have been reserved. */
export function setNullVector(store: VectorStore, fill: VectorFill, row: number): void {
  const from = store.rowCount * store.dimensions;
  store.values.fill(0, from, from + store.dimensions);
  store.nulls ??= new Uint8Array(store.capacity);
  store.nulls[store.rowCount] = 1;
  store.rowCount++;
  if (!fill.isNullable) fill.refuse(row, nullUnfit);
}

/**
 * Checks the vector of a row of a stretch: an array of numbers, a typed array, bytes of little-endian float32, or text ({@link parseVectorText}).
 * A refused row counts too until it is dropped with the others. Room must have been reserved.
 */
export function setVector(store: VectorStore, value: unknown): Unfit | undefined {
  const unfit = writeVector(store, value);
  store.rowCount++;
  return unfit;
}

function writeVector(store: VectorStore, value: unknown): Unfit | undefined {
  const numbers = typeof value === 'string' ? parseVectorText(value) : value;
  if (Array.isArray(numbers)) return writeNumbers(store, numbers);
  if (numbers instanceof Uint8Array) return writeBytes(store, numbers);
  if (isNumericArray(numbers)) return writeTyped(store, numbers);
  return typeof value === 'string' ? noVector : unfitType('a vector', value);
}

/** The quick way of {@link setVector} for a list of numbers in bytes; false, and nothing done, for everything else, also for a vector that is to be refused. */
export function setListedVector(store: VectorStore, bytes: Uint8Array, cell: { readonly start: number; readonly end: number }): boolean {
  const { dimensions, values } = store;
  const from = store.rowCount * dimensions;
  if (readNumberList(bytes, cell.start, { into: values, from, count: dimensions }) !== cell.end) return false;
  if (judgeSum(store, sumMagnitudes(values, from, from + dimensions)) !== undefined) return false;
  store.rowCount++;
  return true;
}

/** The loop over every number of a load. One pass: kind, rounding to float32, finiteness and norm. */
function writeNumbers(store: VectorStore, numbers: readonly unknown[]): Unfit | undefined {
  const { dimensions, values } = store;
  if (numbers.length !== dimensions) return describeCount(store, numbers.length);
  const from = store.rowCount * dimensions;
  // A sum of float32 magnitudes can't overflow a double, so it is finite exactly if all of them are, and 0 exactly if all are.
  let sum = 0;
  for (let index = 0; index < dimensions; index++) {
    const number = numbers[index];
    if (typeof number !== 'number') return describeElement(numbers, index);
    const rounded = Math.fround(number);
    values[from + index] = rounded;
    sum += Math.abs(rounded);
  }
  return judgeSum(store, sum);
}

/** Takes the vectors of a whole stretch, of the store's own length, with one copy; each is then checked where it stands. Room must have been reserved. */
export function copyVectors(
  store: VectorStore,
  stretch: { readonly values: VectorValues; readonly rowCount: number },
  fill: VectorFill,
): void {
  const { dimensions } = store;
  const { rowCount, values } = stretch;
  store.values.set(values.values.subarray(0, rowCount * dimensions), store.rowCount * dimensions);
  for (let row = 0; row < rowCount; row++) {
    const from = store.rowCount * dimensions;
    if (values.nulls?.[row] === 1) {
      setNullVector(store, fill, row);
      continue;
    }
    const unfit = judgeSum(store, sumMagnitudes(store.values, from, from + dimensions));
    store.rowCount++;
    if (unfit !== undefined) fill.refuse(row, unfit);
  }
}

/** Adds vectors that were checked elsewhere, of the store's own length. Room must have been reserved. */
export function appendVectors(store: VectorStore, { nulls, values }: VectorValues, rowCount: number): void {
  const { dimensions } = store;
  store.values.set(values.subarray(0, rowCount * dimensions), store.rowCount * dimensions);
  if (nulls !== undefined) {
    store.nulls ??= new Uint8Array(store.capacity);
    store.nulls.set(nulls.subarray(0, rowCount), store.rowCount);
  }
  store.rowCount += rowCount;
}

type NumericArray = Exclude<NodeJS.TypedArray, BigInt64Array | BigUint64Array>;

function isNumericArray(value: unknown): value is NumericArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView || value instanceof BigInt64Array || value instanceof BigUint64Array);
}

/** Apart from {@link writeNumbers} so that each loop sees one kind of array. */
function writeTyped(store: VectorStore, numbers: NumericArray): Unfit | undefined {
  const { dimensions, values } = store;
  if (numbers.length !== dimensions) return describeCount(store, numbers.length);
  const from = store.rowCount * dimensions;
  values.set(numbers, from);
  return judgeSum(store, sumMagnitudes(values, from, from + dimensions));
}

/** Two sums side by side: one chain of additions would wait for each before the next (measured a third slower). */
function sumMagnitudes(values: Float32Array, from: number, to: number): number {
  let even = 0;
  let odd = 0;
  let index = from;
  for (; index + 1 < to; index += 2) {
    even += Math.abs(values[index] as number);
    odd += Math.abs(values[index + 1] as number);
  }
  return index < to ? even + odd + Math.abs(values[index] as number) : even + odd;
}

/** Bytes are float32, little-endian, as sluice's own BLOBs and base64 hold them. Copied first: they need not stand at a multiple of four. */
function writeBytes(store: VectorStore, bytes: Uint8Array): Unfit | undefined {
  if (bytes.length % 4 !== 0) return brokenBytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers = new Float32Array(bytes.length / 4);
  for (let index = 0; index < numbers.length; index++) numbers[index] = view.getFloat32(index * 4, true);
  return writeTyped(store, numbers);
}

function judgeSum(store: VectorStore, sum: number): Unfit | undefined {
  if (sum > 0 && sum < Infinity) return undefined;
  if (sum === 0) return store.needsNorm ? zeroVector : undefined;
  const from = store.rowCount * store.dimensions;
  const index = store.values.subarray(from, from + store.dimensions).findIndex((value) => !Number.isFinite(value));
  return { code: 'VECTOR_NOT_FINITE', message: `element ${index} of the vector is not finite as a 32-bit float` };
}

function describeCount(store: VectorStore, found: number): Unfit {
  return { code: 'VECTOR_DIMENSION', message: `the vector has ${found} elements, the column takes ${store.dimensions}` };
}

function describeElement(numbers: readonly unknown[], index: number): Unfit {
  const element = numbers[index];
  const what = element === null || element === undefined ? 'null' : unfitType('a number', element).message;
  return { code: 'VECTOR_ELEMENT', message: `element ${index} of the vector: ${what}` };
}

/** Elements of `[1,2,3]` (JSON, or what pgvector prints), or the bytes of base64; undefined for other text. */
export function parseVectorText(text: string): readonly unknown[] | Uint8Array | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('[')) return trimmed === '' ? undefined : decodeBase64(trimmed);
  if (!trimmed.endsWith(']')) return undefined;
  try {
    const parsed: unknown = JSON.parse(trimmed);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    // `NaN`, `Infinity`, `.5` and `1.` are no JSON, but tell better what is wrong (or are right) when they are read one by one.
    return trimmed.slice(1, -1).split(',').map(readElement);
  }
}

/** Longer than any numeral of a double that a program prints (767 digits are the most that matter to one). */
const maxElementLength = 800;
const elementPattern = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

function readElement(text: string): unknown {
  const trimmed = text.trim();
  if (/^[+-]?(?:nan|inf|infinity)$/i.test(trimmed)) return Number.NaN;
  return trimmed.length <= maxElementLength && elementPattern.test(trimmed) ? Number(trimmed) : trimmed;
}

/** Takes the rows at the ascending `rows` out. */
export function dropVectors(store: VectorStore, rows: readonly number[]): void {
  const { dimensions, values, nulls } = store;
  let to = rows[0] ?? store.rowCount;
  for (let dropped = 0; dropped < rows.length; dropped++) {
    const from = (rows[dropped] as number) + 1;
    const end = rows[dropped + 1] ?? store.rowCount;
    values.copyWithin(to * dimensions, from * dimensions, end * dimensions);
    nulls?.copyWithin(to, from, end);
    to += end - from;
  }
  nulls?.fill(0, to, store.rowCount);
  store.rowCount = to;
}

/**
 * The vectors as a batch holds them; the store is empty afterwards. Few rows are copied out of a large memory, which then serves the next batch; otherwise
 * the batch takes the memory with it, overhang and all: pages that were never written to take no room.
 */
export function takeVectors(store: VectorStore): VectorValues {
  const { dimensions, needsNorm, rowCount } = store;
  const length = rowCount * dimensions;
  const nulls = store.nulls?.includes(1) === true ? store.nulls.subarray(0, rowCount) : undefined;
  if (rowCount < store.capacity / 4) {
    const values = store.values.slice(0, length);
    Object.assign(store, { nulls: undefined, rowCount: 0, lastRowCount: rowCount });
    return { kind: 'vector', dimensions, values, nulls };
  }
  const values = store.values.subarray(0, length);
  Object.assign(store, createVectorStore(dimensions, needsNorm), { lastRowCount: rowCount });
  return { kind: 'vector', dimensions, values, nulls };
}
