/** Some rows of a column as its buffers hold them: bytes, offsets, which are null. Nothing is made of a row yet. */
import type { BatchBody } from './body.ts';
import type { Column } from './message.ts';
import type { Field } from './schema.ts';

export interface Chunk {
  readonly field: Field;
  readonly count: number;
  readonly isNull: (row: number) => boolean;
  readonly hasNulls: boolean;
  /** Values of fixed width, bits of booleans, or the bytes that `offsets` point into. */
  readonly data: Uint8Array;
  /** The bit or, of others, the place in `data` that the first row has. */
  readonly bit: number;
  /** Of text, bytes and lists: `count + 1` places in `data` or in the child, the first one 0. */
  readonly offsets: Float64Array | undefined;
  readonly children: readonly Chunk[];
  /** Of views: the buffers that long values stand in. */
  readonly blocks: readonly Uint8Array[];
}

/** What a stretch of one column may take: a value of 16 MiB is the longest row that is taken elsewhere. */
const maxChunkBytes = 256 * 1024 * 1024;

interface Rows {
  readonly start: number;
  readonly end: number;
}

const none = new Uint8Array(0);

/** Reads rows of a column. @throws RangeError where a buffer does not hold what its column says */
export async function readChunk(body: BatchBody, column: Column, rows: Rows): Promise<Chunk> {
  const { field } = column;
  const { type } = field;
  if (rows.end > column.length) throw new RangeError('a column is shorter than the lists that point into it');
  const validity = await readValidity(body, column, rows);
  const base = { field, count: rows.end - rows.start, ...validity, data: none, bit: 0, offsets: undefined, children: [], blocks: [] };
  if (field.dictionary !== undefined)
    return { ...base, data: await readFixed(body, column, { ...rows, bytes: field.dictionary.index.bits / 8 }) };
  if (type.kind === 'null' || type.kind === 'unread') return { ...base, hasNulls: true, isNull: () => true };
  if (type.kind === 'bool') return { ...base, ...(await readBits(body, column.buffers[1] as number, rows)) };
  if (type.kind === 'text' || type.kind === 'binary') {
    return type.isView ? { ...base, ...(await readViews(body, column, rows)) } : { ...base, ...(await readVariable(body, column, rows)) };
  }
  if (type.kind === 'list' || type.kind === 'map') return { ...base, ...(await readLists(body, column, rows)) };
  if (type.kind === 'fixed_list') {
    const { start, end } = { start: rows.start * type.size, end: rows.end * type.size };
    return { ...base, children: [await readChunk(body, childOf(column), { start, end })] };
  }
  if (type.kind === 'struct') {
    const children: Chunk[] = [];
    for (const child of column.children) children.push(await readChunk(body, child, rows));
    return { ...base, children };
  }
  return { ...base, data: await readFixed(body, column, { ...rows, bytes: fixedBytes(field) }) };
}

function childOf(column: Column): Column {
  const [child] = column.children;
  if (child === undefined) throw new RangeError('a list has no values');
  return child;
}

/** Bytes of a value of fixed width. */
function fixedBytes({ type }: Field): number {
  if (type.kind === 'fixed_binary') return type.width;
  if ('bits' in type) return type.bits / 8;
  return 8;
}

async function readValidity(body: BatchBody, column: Column, rows: Rows): Promise<Pick<Chunk, 'isNull' | 'hasNulls'>> {
  const [buffer] = column.buffers;
  if (column.nullCount === 0 || buffer === undefined || !body.has(buffer)) return { hasNulls: false, isNull: () => false };
  const { bit, data } = await readBits(body, buffer, rows);
  return { hasNulls: true, isNull: (row) => ((data[(bit + row) >> 3] as number) & (1 << ((bit + row) & 7))) === 0 };
}

async function readBits(body: BatchBody, buffer: number, { start, end }: Rows): Promise<Pick<Chunk, 'data' | 'bit'>> {
  const first = Math.floor(start / 8);
  return { data: await body.slice(buffer, first, start === end ? first : Math.ceil(end / 8)), bit: start - first * 8 };
}

function readFixed(body: BatchBody, column: Column, { start, end, bytes }: Rows & { readonly bytes: number }): Promise<Uint8Array> {
  return readBounded(body, column.buffers[1] as number, { start: start * bytes, end: end * bytes });
}

async function readBounded(body: BatchBody, buffer: number, { start, end }: Rows): Promise<Uint8Array> {
  if (end - start > maxChunkBytes) throw new RangeError(`some values take more than ${String(maxChunkBytes / 1024 / 1024)} MiB`);
  return body.slice(buffer, start, end);
}

/** Offsets of rows, and where in the values they begin and end. */
async function readOffsets(
  body: BatchBody,
  column: Column,
  { start, end }: Rows,
): Promise<{ readonly offsets: Float64Array; readonly first: number; readonly last: number }> {
  const count = end - start;
  const offsets = new Float64Array(count + 1);
  if (count === 0) return { offsets, first: 0, last: 0 };
  const { type } = column.field;
  const isLarge = 'isLarge' in type && type.isLarge;
  const width = isLarge ? 8 : 4;
  const bytes = await body.slice(column.buffers[1] as number, start * width, (end + 1) * width);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = isLarge ? Number(view.getBigInt64(0, true)) : view.getInt32(0, true);
  let last = first;
  for (let row = 0; row <= count; row++) {
    const offset = isLarge ? Number(view.getBigInt64(row * 8, true)) : view.getInt32(row * 4, true);
    if (offset < last) throw new RangeError('the offsets of a column go backwards');
    offsets[row] = offset - first;
    last = offset;
  }
  if (first < 0 || !Number.isSafeInteger(last)) throw new RangeError('the offsets of a column are out of range');
  return { offsets, first, last };
}

async function readVariable(body: BatchBody, column: Column, rows: Rows): Promise<Pick<Chunk, 'data' | 'offsets'>> {
  const { first, last, offsets } = await readOffsets(body, column, rows);
  return { offsets, data: await readBounded(body, column.buffers[2] as number, { start: first, end: last }) };
}

async function readLists(body: BatchBody, column: Column, rows: Rows): Promise<Pick<Chunk, 'offsets' | 'children'>> {
  const { first, last, offsets } = await readOffsets(body, column, rows);
  return { offsets, children: [await readChunk(body, childOf(column), { start: first, end: last })] };
}

/** Views point anywhere into their buffers, so those are read whole. */
async function readViews(body: BatchBody, column: Column, { start, end }: Rows): Promise<Pick<Chunk, 'data' | 'blocks'>> {
  const data = await body.slice(column.buffers[1] as number, start * 16, end * 16);
  const blocks: Uint8Array[] = [];
  for (const buffer of column.buffers.slice(2)) blocks.push(await body.all(buffer));
  return { data, blocks };
}
