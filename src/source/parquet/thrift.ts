/** Thrift's compact protocol as Parquet uses it, into plain records. A list or text that claims more than the bytes that are left is refused before memory is taken. */
import { PageFault } from './fault.ts';

export type ThriftValue = number | boolean | Uint8Array | readonly ThriftValue[] | ThriftStruct;
/** Fields by their number. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

export interface ThriftReader {
  readonly bytes: Uint8Array;
  offset: number;
}

/** Deeper than any structure of Parquet's (its statistics are at five). */
const maxDepth = 16;
/** Ten groups of seven bits hold 64. */
const maxVarintBytes = 10;

const trueType = 1;
const falseType = 2;

/** Thrown when the bytes end too early: with more of them the structure may be whole. */
export class ThriftEnd extends PageFault {
  override readonly name: string = 'ThriftEnd';
}

/** Reads one structure and leaves the reader behind it. */
export function readStruct(reader: ThriftReader, depth = 0): ThriftStruct {
  if (depth > maxDepth) throw new PageFault('its description is nested too deep');
  const fields = new Map<number, ThriftValue>();
  let field = 0;
  for (;;) {
    const byte = readByte(reader);
    const type = byte & 15;
    if (type === 0) return fields;
    const delta = byte >> 4;
    field = delta === 0 ? readInteger(reader) : field + delta;
    fields.set(field, type === trueType ? true : type === falseType ? false : readValue(reader, type, depth));
  }
}

function readValue(reader: ThriftReader, type: number, depth: number): ThriftValue {
  switch (type) {
    case trueType:
    case falseType:
      // In a list a boolean takes a byte.
      return readByte(reader) === 1;
    case 3:
      return (readByte(reader) << 24) >> 24;
    case 4:
    case 5:
    case 6:
      return readInteger(reader);
    case 7:
      return take(reader, 8).length;
    case 8:
      return take(reader, readVarint(reader));
    case 9:
    case 10:
      return readList(reader, depth);
    case 12:
      return readStruct(reader, depth + 1);
    default:
      throw new PageFault('its description holds a kind of value that Parquet does not have');
  }
}

function readList(reader: ThriftReader, depth: number): readonly ThriftValue[] {
  if (depth > maxDepth) throw new PageFault('its description is nested too deep');
  const byte = readByte(reader);
  const size = byte >> 4 === 15 ? readVarint(reader) : byte >> 4;
  // Every element takes at least one byte.
  if (size > reader.bytes.length - reader.offset) throw new ThriftEnd('a list in its description is longer than the description');
  const values: ThriftValue[] = [];
  for (let index = 0; index < size; index++) values.push(readValue(reader, byte & 15, depth + 1));
  return values;
}

function readByte(reader: ThriftReader): number {
  const byte = reader.bytes[reader.offset];
  if (byte === undefined) throw new ThriftEnd('its description ends in the middle');
  reader.offset++;
  return byte;
}

function take(reader: ThriftReader, length: number): Uint8Array {
  if (length > reader.bytes.length - reader.offset) throw new ThriftEnd('a text in its description is longer than the description');
  reader.offset += length;
  return reader.bytes.subarray(reader.offset - length, reader.offset);
}

/** Exact up to 2^53; what is larger is no length or count that a file could have. */
export function readVarint(reader: ThriftReader): number {
  let value = 0;
  let scale = 1;
  for (let count = 0; count < maxVarintBytes; count++) {
    const byte = readByte(reader);
    value += (byte & 127) * scale;
    if (byte < 128) return value;
    scale *= 128;
  }
  throw new PageFault('a number in its description has too many bytes');
}

/** Zigzag: 0, -1, 1, -2 … */
export function readInteger(reader: ThriftReader): number {
  const value = readVarint(reader);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
