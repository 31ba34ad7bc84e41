/** What a leaf of the schema is: its column type, and how one stored value becomes a scalar, exactly. */
import { isUtf8 } from 'node:buffer';
import type { ScalarType } from '../../rows/schema.ts';
import type { Scalar } from '../../rows/schema.ts';
import { PageFault } from './fault.ts';
import {
  microseconds,
  milliseconds,
  nanoseconds,
  readInt96,
  writeDate,
  writeInterval,
  writeTime,
  writeTimestamp,
  type TimeUnit,
} from './moments.ts';
import type { SchemaNode } from './schema.ts';

/** Bytes that values stand in. */
export interface Octets {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** Makes a scalar of the bytes `start … end`. */
export type Convert = (octets: Octets, start: number, end: number) => Scalar;

export interface Kind {
  readonly type: ScalarType;
  readonly convert: Convert;
  /** Bytes that a value takes in memory where all take about as many; undefined: as many as its characters. */
  readonly memoryBytes: number | undefined;
}

export function viewOctets(bytes: Uint8Array): Octets {
  return {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  };
}

/** Longer decimals are none: 256 bits are 32 bytes. */
const maxDecimalBytes = 64;
const numberBytes = 8;
const shortTextBytes = 48;

/** How a leaf is read. `isText`: bytes without an annotation are taken for text, as the target column asks. */
export function findKind(leaf: SchemaNode, isText = false): Kind {
  const { element } = leaf;
  const { converted_type: converted, logical_type: logical, type } = element;
  const isDecimal = converted === 'DECIMAL' || logical?.type === 'DECIMAL';
  switch (type) {
    case 'BOOLEAN':
      return number('boolean', ({ bytes }, start) => bytes[start] === 1);
    case 'INT32':
      return isDecimal ? findDecimal(leaf) : findInt32(leaf);
    case 'INT64':
      return isDecimal ? findDecimal(leaf) : findInt64(leaf);
    case 'INT96':
      return text('timestamp', ({ view }, start) => writeTimestamp(readInt96(view, start), nanoseconds, false));
    case 'FLOAT':
      return number('real', ({ view }, start) => view.getFloat32(start, true));
    case 'DOUBLE':
      return number('real', ({ view }, start) => view.getFloat64(start, true));
    case 'BYTE_ARRAY':
      return isDecimal ? findDecimal(leaf) : findBytes(leaf, isText);
    case 'FIXED_LEN_BYTE_ARRAY':
      return isDecimal ? findDecimal(leaf) : findFixed(leaf, isText);
    default:
      throw new PageFault(`its type ${String(type)} is unknown`);
  }
}

function number(type: ScalarType, convert: Convert): Kind {
  return { type, convert, memoryBytes: numberBytes };
}

function text(type: ScalarType, convert: Convert): Kind {
  return { type, convert, memoryBytes: shortTextBytes };
}

function findInt32({ element }: SchemaNode): Kind {
  const { converted_type: converted, logical_type: logical } = element;
  if (isNullOnly(element)) return text('text', ({ view }, start) => String(view.getInt32(start, true)));
  if (converted === 'DATE' || logical?.type === 'DATE') return text('date', ({ view }, start) => writeDate(view.getInt32(start, true)));
  if (converted === 'TIME_MILLIS' || logical?.type === 'TIME')
    return text('text', ({ view }, start) => writeTime(BigInt(view.getInt32(start, true)), milliseconds));
  if (isUnsigned(element)) return number('integer', ({ view }, start) => view.getUint32(start, true));
  return number('integer', ({ view }, start) => view.getInt32(start, true));
}

function isUnsigned({ converted_type: converted, logical_type: logical }: SchemaNode['element']): boolean {
  return converted?.startsWith('UINT_') === true || (logical?.type === 'INTEGER' && !logical.isSigned);
}

/** A column that holds nulls alone says nothing of its type. */
export function isNullOnly({ logical_type: logical }: SchemaNode['element']): boolean {
  return logical?.type === 'NULL';
}

function findInt64({ element }: SchemaNode): Kind {
  const { converted_type: converted, logical_type: logical } = element;
  if (logical?.type === 'TIMESTAMP' || converted === 'TIMESTAMP_MILLIS' || converted === 'TIMESTAMP_MICROS') {
    const unit = logical?.type === 'TIMESTAMP' ? unitOf(logical.unit) : converted === 'TIMESTAMP_MILLIS' ? milliseconds : microseconds;
    // The older annotation means moments in UTC.
    const isUtc = logical?.type === 'TIMESTAMP' ? logical.isAdjustedToUTC : true;
    return text('timestamp', ({ view }, start) => writeTimestamp(view.getBigInt64(start, true), unit, isUtc));
  }
  if (logical?.type === 'TIME' || converted === 'TIME_MICROS') {
    const unit = logical?.type === 'TIME' ? unitOf(logical.unit) : microseconds;
    return text('text', ({ view }, start) => writeTime(view.getBigInt64(start, true), unit));
  }
  if (isUnsigned(element)) return number('integer', readUint64);
  return number('integer', readInt64);
}

function unitOf(unit: 'MILLIS' | 'MICROS' | 'NANOS'): TimeUnit {
  return unit === 'MILLIS' ? milliseconds : unit === 'MICROS' ? microseconds : nanoseconds;
}

/** High halves of safe integers are within ±2^21; in 32-bit halves a third faster than by way of bigints. */
const safeHigh = 0x20_00_00;

function readInt64({ view }: Octets, start: number): number | bigint {
  const high = view.getInt32(start + 4, true);
  // −2^53 itself is not safe: one less is allowed below than above.
  if (high >= safeHigh || high < -safeHigh || (high === -safeHigh && view.getUint32(start, true) === 0))
    return view.getBigInt64(start, true);
  return high * 4_294_967_296 + view.getUint32(start, true);
}

function readUint64({ view }: Octets, start: number): number | bigint {
  const high = view.getUint32(start + 4, true);
  return high >= safeHigh ? view.getBigUint64(start, true) : high * 4_294_967_296 + view.getUint32(start, true);
}

/** Beyond a signed integer of 64 bits an unsigned one is a decimal. */
export const wideUnsigned: Kind = text('decimal', ({ view }, start) => String(view.getBigUint64(start, true)));

/** Tells whether a leaf is an unsigned integer of 64 bits. */
export function isUnsigned64({ element }: SchemaNode): boolean {
  return element.type === 'INT64' && isUnsigned(element);
}

function findBytes({ element }: SchemaNode, isText: boolean): Kind {
  const { converted_type: converted, logical_type: logical } = element;
  if (converted === 'JSON' || logical?.type === 'JSON') return { type: 'json', convert: readText, memoryBytes: undefined };
  const isAnnotated = converted === 'UTF8' || converted === 'ENUM' || logical?.type === 'STRING' || logical?.type === 'ENUM';
  if (isAnnotated || isText) return { type: 'text', convert: readText, memoryBytes: undefined };
  return { type: 'bytes', convert: readBytes, memoryBytes: undefined };
}

function findFixed(leaf: SchemaNode, isText: boolean): Kind {
  const { converted_type: converted, logical_type: logical, type_length: length } = leaf.element;
  if (logical?.type === 'UUID' && length === 16) return text('uuid', readUuid);
  if (logical?.type === 'FLOAT16' && length === 2) return number('real', ({ view }, start) => readFloat16(view.getUint16(start, true)));
  if (converted === 'INTERVAL' && length === 12) return text('text', ({ view }, start) => writeInterval(view, start));
  return findBytes(leaf, isText);
}

/** Text that is no UTF-8 stays the bytes that it is, which a text column refuses: replaced characters would be an alteration in silence. */
function readText({ bytes }: Octets, start: number, end: number): string | Uint8Array {
  const read = bytes.toString('utf8', start, end);
  if (read.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) return copyBytes(bytes, start, end);
  return read;
}

function readBytes({ bytes }: Octets, start: number, end: number): Uint8Array {
  return copyBytes(bytes, start, end);
}

/** In memory of its own: a view would keep its whole page alive. */
function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, start, end);
}

function readUuid({ bytes }: Octets, start: number): string {
  const hex = bytes.toString('hex', start, start + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** IEEE 754 half precision. */
export function readFloat16(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function findDecimal({ element }: SchemaNode): Kind {
  const { logical_type: logical, type } = element;
  const scale = (logical?.type === 'DECIMAL' ? logical.scale : element.scale) ?? 0;
  if (scale < -1000 || scale > 1000) throw new PageFault(`its decimals have an impossible scale of ${String(scale)}`);
  if (type === 'INT32') return text('decimal', ({ view }, start) => writeDecimal(String(view.getInt32(start, true)), scale));
  if (type === 'INT64') return text('decimal', ({ view }, start) => writeDecimal(String(view.getBigInt64(start, true)), scale));
  return text('decimal', ({ bytes }, start, end) => writeDecimal(readBigEndian(bytes, start, end), scale));
}

function readBigEndian(bytes: Buffer, start: number, end: number): string {
  if (end === start) return '0';
  if (end - start > maxDecimalBytes) throw new PageFault(`a decimal of ${String(end - start)} bytes`);
  const unsigned = BigInt(`0x${bytes.toString('hex', start, end)}`);
  return String(BigInt.asIntN((end - start) * 8, unsigned));
}

/** Puts the point into a whole number: every digit of the scale is kept. */
export function writeDecimal(whole: string, scale: number): string {
  if (scale === 0) return whole;
  const sign = whole.startsWith('-') ? '-' : '';
  const digits = sign === '' ? whole : whole.slice(1);
  if (scale < 0) return digits === '0' ? '0' : `${sign}${digits}${'0'.repeat(-scale)}`;
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}
