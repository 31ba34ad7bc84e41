/** pgvector's types in binary form: vectors are copied whole and their bytes swapped in place, four (or two) at a time. */
import type { VectorValues } from '../../../rows/batch.ts';
import type { Unfit } from '../../../rows/unfit.ts';
import { convertToHalf, fitsHalf } from './half.ts';
import type { Block } from './block.ts';
import { lacksRoom, putText, tellNeed } from './block.ts';

/** As {@link Put}, of one row of a vector column. */
export type PutVector = (block: Block, at: number, place: VectorPlace) => number;

/** The vector of one row. */
export interface VectorPlace {
  readonly data: VectorValues;
  readonly row: number;
}

const wrongDimension: Unfit = { code: 'VECTOR_DIMENSION', message: 'the vector has another dimension than the column' };
const tooLargeForHalf: Unfit = { code: 'VALUE_RANGE', message: 'an element is beyond the range of a 16-bit float' };
const notFinite: Unfit = { code: 'VECTOR_NOT_FINITE', message: 'an element is not a finite number' };
const noVector: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no list of numbers in brackets' };
const noSparse: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no sparse vector of the form {index:value,…}/dimensions' };
const sparseRange: Unfit = { code: 'VALUE_RANGE', message: 'an index or the dimension of the sparse vector is out of range' };

/** Floats of the values as bytes, for one copy a row. */
function viewFloats({ values }: VectorValues): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Dimension and a word that is unused, then the floats in network order. */
export function createVectorPut(data: VectorValues): PutVector {
  const { dimensions } = data;
  const source = viewFloats(data);
  const byteCount = dimensions * 4;
  return (block, at, { row }) => {
    if (lacksRoom(block, at, byteCount + 8)) return tellNeed(block, at, byteCount + 8);
    block.view.setInt32(at, byteCount + 4);
    block.view.setInt32(at + 4, dimensions << 16);
    const end = at + 8 + byteCount;
    block.bytes.set(source.subarray(row * byteCount, (row + 1) * byteCount), at + 8);
    block.bytes.subarray(at + 8, end).swap32();
    return end;
  };
}

export function createHalfPut({ dimensions, values }: VectorValues): PutVector {
  const halves = new Float16Array(dimensions);
  const source = new Uint8Array(halves.buffer);
  const byteCount = dimensions * 2;
  return (block, at, { row }) => {
    if (lacksRoom(block, at, byteCount + 8)) return tellNeed(block, at, byteCount + 8);
    block.view.setInt32(at, byteCount + 4);
    block.view.setInt32(at + 4, dimensions << 16);
    convertToHalf(values.subarray(row * dimensions, (row + 1) * dimensions), halves);
    block.bytes.set(source, at + 8);
    block.bytes.subarray(at + 8, at + 8 + byteCount).swap16();
    return at + 8 + byteCount;
  };
}

/** A dense vector as sparsevec: dimension, count, unused, indices from 0, values; zeros are left out. */
export const putSparse: PutVector = (block, at, { data, row }) => {
  const start = row * data.dimensions;
  const entries: Entry[] = [];
  for (let index = 0; index < data.dimensions; index++) {
    const value = data.values[start + index] as number;
    if (value !== 0) entries.push({ index, value });
  }
  return writeSparse(block, at, { dimensions: data.dimensions, entries });
};

/** A vector as an array of float4 or float8: the layout of {@link putArray}, written straight. */
export function createFloatArrayPut(data: VectorValues, elementOid: number, width: 4 | 8): PutVector {
  const { dimensions, values } = data;
  const byteCount = (dimensions === 0 ? 12 : 20) + dimensions * (4 + width);
  return (block, at, { row }) => {
    if (lacksRoom(block, at, byteCount + 4)) return tellNeed(block, at, byteCount + 4);
    const { view } = block;
    let to = writeArrayHead(block, at, { elementOid, count: dimensions, hasNulls: false });
    view.setInt32(at, byteCount);
    for (let index = row * dimensions; index < (row + 1) * dimensions; index++) {
      view.setInt32(to, width);
      if (width === 4) view.setFloat32(to + 4, values[index] as number);
      else view.setFloat64(to + 4, values[index] as number);
      to += 4 + width;
    }
    return to;
  };
}

/** Head of a one-dimensional array, of no dimension where it is empty. The length at `at` is left to the caller. */
export function writeArrayHead(
  { view }: Block,
  at: number,
  head: { readonly elementOid: number; readonly count: number; readonly hasNulls: boolean },
): number {
  view.setInt32(at + 4, head.count === 0 ? 0 : 1);
  view.setInt32(at + 8, head.hasNulls ? 1 : 0);
  view.setUint32(at + 12, head.elementOid);
  if (head.count === 0) return at + 16;
  view.setInt32(at + 16, head.count);
  view.setInt32(at + 20, 1);
  return at + 24;
}

/** `[1,0.5]`: digits that give the same 32-bit floats back, zeros with their sign. */
export function printVector({ data, row }: VectorPlace): string {
  const vector = data.values.subarray(row * data.dimensions, (row + 1) * data.dimensions);
  return `[${Array.from(vector, (value) => (Object.is(value, -0) ? '-0' : String(value))).join(',')}]`;
}

/** A vector in a column of text or JSON. */
export const putVectorText: PutVector = (block, at, place) => putText(block, at, printVector(place));

/** What a column of vectors refuses of one row; `typmod` is its dimension, -1 for any. */
export function checkVector({ data, row }: VectorPlace, typmod: number, isHalf: boolean): Unfit | undefined {
  if (typmod !== -1 && data.dimensions !== typmod) return wrongDimension;
  const start = row * data.dimensions;
  return isHalf && !fitsHalf(data.values, start, start + data.dimensions) ? tooLargeForHalf : undefined;
}

/** A vector given as text, as bytes of its binary form. */
export function packVectorText(text: string, typmod: number, isHalf: boolean): Uint8Array | Unfit {
  const values = readNumbers(text);
  if (values === undefined || values.length === 0) return noVector;
  if (!values.every((value) => Number.isFinite(Math.fround(value)))) return notFinite;
  const floats = Float32Array.from(values);
  const data: VectorValues = { kind: 'vector', dimensions: floats.length, values: floats, nulls: undefined };
  const unfit = checkVector({ data, row: 0 }, typmod, isHalf);
  if (unfit !== undefined) return unfit;
  const packed = Buffer.alloc(4 + floats.length * (isHalf ? 2 : 4));
  packed.writeUInt16BE(floats.length);
  floats.forEach((value, index) => {
    if (isHalf) new DataView(packed.buffer, packed.byteOffset).setFloat16(4 + index * 2, value);
    else packed.writeFloatBE(value, 4 + index * 4);
  });
  return packed;
}

function readNumbers(text: string): readonly number[] | undefined {
  if (!/^\s*\[[\d\s.,eE+-]*\]\s*$/u.test(text)) return undefined;
  const parts = text.trim().slice(1, -1).split(',');
  const values = parts.map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  return values.some((value) => Number.isNaN(value)) ? undefined : values;
}

interface Entry {
  readonly index: number;
  readonly value: number;
}

interface Sparse {
  readonly dimensions: number;
  readonly entries: readonly Entry[];
}

/** pgvector's limit of dimensions of a sparsevec, and of what it stores of them. */
const maxSparseDimensions = 1_000_000_000;
const maxSparseEntries = 16_000;
const sparsePattern = /^\s*\{([^}]*)\}\s*\/\s*(\d+)\s*$/u;
const entryPattern = /^\s*(\d+)\s*:\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*$/iu;

/** Reads `{1:0.5,3:2}/5`, indices from 1; the order of the indices does not matter. */
export function parseSparse(text: string, typmod: number): Sparse | Unfit {
  const match = sparsePattern.exec(text);
  if (match === null) return noSparse;
  const dimensions = Number(match[2]);
  if (dimensions < 1 || dimensions > maxSparseDimensions) return sparseRange;
  if (typmod !== -1 && dimensions !== typmod) return wrongDimension;
  const entries: Entry[] = [];
  for (const part of (match[1] ?? '').trim() === '' ? [] : (match[1] ?? '').split(',')) {
    const entry = entryPattern.exec(part);
    if (entry === null) return noSparse;
    const index = Number(entry[1]) - 1;
    const value = Math.fround(Number(entry[2]));
    if (!Number.isFinite(value)) return notFinite;
    // pgvector drops zeros before it looks at their index.
    if (value === 0) continue;
    if (index < 0 || index >= dimensions) return sparseRange;
    entries.push({ index, value });
  }
  entries.sort((one, other) => one.index - other.index);
  if (entries.length > maxSparseEntries || entries.some((entry, place) => entry.index === entries[place + 1]?.index)) return sparseRange;
  return { dimensions, entries };
}

export function writeSparse({ bytes, view, limit }: Block, at: number, { dimensions, entries }: Sparse): number {
  const byteCount = 12 + entries.length * 8;
  if (lacksRoom({ bytes, view, limit }, at, byteCount + 4)) return tellNeed({ bytes, view, limit }, at, byteCount + 4);
  view.setInt32(at, byteCount);
  view.setInt32(at + 4, dimensions);
  view.setInt32(at + 8, entries.length);
  view.setInt32(at + 12, 0);
  entries.forEach(({ index, value }, place) => {
    view.setInt32(at + 16 + place * 4, index);
    view.setFloat32(at + 16 + (entries.length + place) * 4, value);
  });
  return at + 4 + byteCount;
}
