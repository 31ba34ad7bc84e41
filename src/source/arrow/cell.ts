/** Single values of a chunk: as the scalars that a batch holds, or as JSON text where they nest. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Scalar } from '../../rows/schema.ts';
import { widenHalves } from '../vectors/element.ts';
import type { Chunk } from './chunk.ts';
import { writeDate, writeDecimal, writeTime, writeTimestamp } from './moment.ts';
import { toColumnType, type ArrowType, type Field } from './schema.ts';

/** The value of a row; null where it has none. */
export type Cells = (row: number) => Scalar;

/** Chunks of dictionaries, each value as the column's own would be. */
export type Dictionaries = ReadonlyMap<number, readonly Chunk[]>;

/** Half of a surrogate pair: no text, so that a value that is not UTF-8 is refused, and its row told, instead of being altered. */
const notUtf8 = '\uD800';

/** How the values of a chunk are read; of nested ones as JSON. */
export function openCells(chunk: Chunk, dictionaries: Dictionaries, depth = 0): Cells {
  const cells = openValues(chunk, dictionaries, depth);
  return chunk.hasNulls ? (row) => (chunk.isNull(row) ? null : cells(row)) : cells;
}

function openValues(chunk: Chunk, dictionaries: Dictionaries, depth: number): Cells {
  const { field } = chunk;
  if (field.dictionary !== undefined) return openIndexed(chunk, dictionaries, depth);
  if (['list', 'fixed_list', 'struct', 'map'].includes(field.type.kind)) return openJson(chunk, dictionaries, depth);
  if (field.type.kind === 'text') return openTexts(chunk);
  if (field.type.kind === 'binary') return openBytes(chunk);
  if (field.type.kind === 'fixed_binary') return openFixedBytes(chunk, field.type.width);
  return openNumbers(chunk, field.type);
}

function openIndexed(chunk: Chunk, dictionaries: Dictionaries, depth: number): Cells {
  const { field } = chunk;
  const parts = dictionaries.get(field.dictionary?.id ?? -1);
  // A dictionary that refers to itself would be followed for ever.
  if (parts === undefined || depth > 8) throw new RangeError('a column has no dictionary');
  const readers = parts.map((part) => openCells(part, dictionaries, depth + 1));
  const index = openNumbers(chunk, field.dictionary!.index);
  return (row) => {
    let at = Number(index(row));
    for (let part = 0; part < parts.length; part++) {
      const count = parts[part]!.count;
      if (at >= 0 && at < count) return readers[part]!(at);
      at -= count;
    }
    throw new RangeError('an index points beyond its dictionary');
  };
}

function openTexts(chunk: Chunk): Cells {
  const { data, offsets } = chunk;
  if (offsets === undefined) return openViews(chunk, decodeText);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (isAscii(bytes)) {
    const text = bytes.toString('latin1');
    return (row) => text.slice(offsets[row], offsets[row + 1]);
  }
  if (isUtf8(bytes)) return (row) => bytes.toString('utf8', offsets[row], offsets[row + 1]);
  return (row) => decodeText(bytes.subarray(offsets[row], offsets[row + 1]));
}

function decodeText(bytes: Uint8Array): string {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8') : notUtf8;
}

function openBytes(chunk: Chunk): Cells {
  const { data, offsets } = chunk;
  return offsets === undefined ? openViews(chunk, (bytes) => bytes) : (row) => data.subarray(offsets[row], offsets[row + 1]);
}

/** Up to 12 bytes stand in the view itself; longer values behind a block's number and a place in it. */
function openViews({ blocks, data }: Chunk, decode: (bytes: Uint8Array) => Scalar): Cells {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return (row) => {
    const at = row * 16;
    const length = view.getInt32(at, true);
    if (length >= 0 && length <= 12) return decode(data.subarray(at + 4, at + 4 + length));
    const block = blocks[view.getInt32(at + 8, true)];
    const start = view.getInt32(at + 12, true);
    if (length < 0 || start < 0 || block === undefined || start + length > block.length)
      throw new RangeError('a view points beyond its buffers');
    return decode(block.subarray(start, start + length));
  };
}

function openFixedBytes({ data, field }: Chunk, width: number): Cells {
  const bytes: Cells = (row) => data.subarray(row * width, (row + 1) * width);
  if (toColumnType(field) !== 'uuid') return bytes;
  return (row) => {
    const hex = Buffer.from(bytes(row) as Uint8Array).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  };
}

function toInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Values of fixed width. */
function openNumbers({ bit, data }: Chunk, type: ArrowType): Cells {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const readLong = (row: number): bigint => view.getBigInt64(row * 8, true);
  switch (type.kind) {
    case 'bool':
      return (row) => ((data[(bit + row) >> 3] as number) & (1 << ((bit + row) & 7))) !== 0;
    case 'int':
      return openIntegers(view, type);
    case 'float':
      return openFloats(view, type.bits);
    case 'decimal':
      return (row) => writeDecimal(readBits(view, row * (type.bits / 8), type.bits / 32), type.scale);
    case 'date':
      return type.bits === 32 ? (row) => writeDate(view.getInt32(row * 4, true)) : (row) => writeDate(Number(readLong(row)) / 86_400_000);
    case 'time':
      return type.bits === 64
        ? (row) => writeTime(readLong(row), type.unit)
        : (row) => writeTime(BigInt(view.getInt32(row * 4, true)), type.unit);
    case 'timestamp':
      return (row) => writeTimestamp(readLong(row), type.unit, type.hasZone);
    case 'duration':
      return (row) => toInteger(readLong(row));
    default:
      return () => null;
  }
}

function openIntegers(view: DataView, { bits, isSigned }: Extract<ArrowType, { kind: 'int' }>): Cells {
  if (bits === 64) return (row) => toInteger(isSigned ? view.getBigInt64(row * 8, true) : view.getBigUint64(row * 8, true));
  if (bits === 32) return isSigned ? (row) => view.getInt32(row * 4, true) : (row) => view.getUint32(row * 4, true);
  if (bits === 16) return isSigned ? (row) => view.getInt16(row * 2, true) : (row) => view.getUint16(row * 2, true);
  return isSigned ? (row) => view.getInt8(row) : (row) => view.getUint8(row);
}

function openFloats(view: DataView, bits: number): Cells {
  if (bits === 64) return (row) => view.getFloat64(row * 8, true);
  if (bits === 32) return (row) => view.getFloat32(row * 4, true);
  return (row) => widenHalves(Uint16Array.of(view.getUint16(row * 2, true)))[0] as number;
}

/** A signed whole number of so many 32-bit words, the lowest first. */
function readBits(view: DataView, at: number, words: number): bigint {
  let value = BigInt(view.getInt32(at + 4 * (words - 1), true));
  for (let word = words - 2; word >= 0; word--) value = (value << 32n) | BigInt(view.getUint32(at + 4 * word, true));
  return value;
}

type Json = (row: number) => string;

/** Nested values as JSON text: bytes as base64, times as text, integers with all their digits. */
function openJson(chunk: Chunk, dictionaries: Dictionaries, depth: number): Json {
  const { children, field, offsets } = chunk;
  const { type } = field;
  if (type.kind === 'struct') {
    const members = children.map((child) => ({ key: JSON.stringify(child.field.name), write: openMember(child, dictionaries, depth) }));
    return (row) => `{${members.map(({ key, write }) => `${key}:${write(row)}`).join(',')}}`;
  }
  const [child] = children;
  if (child === undefined) throw new RangeError('a list has no values');
  const write = openMember(child, dictionaries, depth);
  const placeOf = type.kind === 'fixed_list' ? (row: number) => row * type.size : (row: number) => offsets?.[row] ?? 0;
  return (row) => {
    const elements: string[] = [];
    for (let at = placeOf(row); at < placeOf(row + 1); at++) elements.push(write(at));
    return `[${elements.join(',')}]`;
  };
}

function openMember(chunk: Chunk, dictionaries: Dictionaries, depth: number): Json {
  const cells = openCells(chunk, dictionaries, depth);
  const isJson = isNested(chunk.field);
  return (row) => writeJson(cells(row), isJson);
}

/** Whether the values of a field are JSON text already. */
function isNested(field: Field): boolean {
  return toColumnType(field) === 'json';
}

function writeJson(value: Scalar, isJson: boolean): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return isJson ? value : JSON.stringify(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'));
  return String(value);
}
