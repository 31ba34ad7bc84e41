/** One value of PostgreSQL's binary form as sluice holds it in memory, by type. */
import { SluiceError } from '../../../errors.ts';
import type { ColumnValues } from '../../../rows/batch.ts';
import type { Scalar } from '../../../rows/schema.ts';
import { readNumeric } from './numeric.ts';
import { printInterval } from './temporal-interval.ts';
import { printDays, printMoment, printTime, printZone } from './temporal.ts';
import { printBits } from './bits.ts';
import type { WireType } from '../wire-column.ts';
import { printMac, printNetwork } from './network.ts';

/** The same bytes twice: for numbers, and for text. */
export interface Source {
  readonly view: DataView;
  readonly bytes: Buffer;
}

/** The values of one column so far. */
export interface Cell {
  /** `length` -1: null. */
  add(source: Source, at: number, length: number): void;
  take(): ColumnValues;
}

type Read = (source: Source, at: number, length: number) => Scalar;

const readText: Read = ({ bytes }, at, length) => bytes.toString('utf8', at, at + length);

/** The largest high word of a safe integer, and the smallest. */
const maxSafeHigh = 0x1f_ffff;
const minSafeHigh = -0x20_0000;

const readInt8: Read = ({ view }, at) => {
  const high = view.getInt32(at);
  const low = view.getUint32(at + 4);
  // -2⁵³ itself is no safe integer.
  if (high > maxSafeHigh || high < minSafeHigh || (high === minSafeHigh && low === 0)) return view.getBigInt64(at);
  return high * 0x1_0000_0000 + low;
};

const readUuid: Read = ({ bytes }, at, length) => {
  const hex = bytes.toString('hex', at, at + length);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

function readMoment(zone: '' | 'Z'): Read {
  return ({ view }, at) => printMoment(view.getInt32(at), view.getUint32(at + 4), zone);
}

/** Bytes of its own: the stream's memory is used again. */
const readBytes: Read = ({ bytes }, at, length) => Uint8Array.from(bytes.subarray(at, at + length));

const readSparse: Read = ({ view }, at) => {
  const count = view.getInt32(at + 4);
  const entries = Array.from({ length: count }, (_, index) => {
    const value = view.getFloat32(at + 12 + (count + index) * 4);
    return `${view.getInt32(at + 12 + index * 4) + 1}:${printFloat4(value)}`;
  });
  return `{${entries.join(',')}}/${view.getInt32(at)}`;
};

/** The shortest digits that give the same 32-bit float back, as PostgreSQL prints one. */
function printFloat4(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}

const readInterval: Read = ({ view }, at) => {
  const [months, days, microseconds] = [view.getInt32(at + 12), view.getInt32(at + 8), view.getBigInt64(at)];
  // PostgreSQL 17: all three at an end of their range.
  if (months === 0x7fff_ffff && days === 0x7fff_ffff && microseconds === 2n ** 63n - 1n) return 'infinity';
  if (months === -0x8000_0000 && days === -0x8000_0000 && microseconds === -(2n ** 63n)) return '-infinity';
  return printInterval({ months, days, microseconds });
};

const readers: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['int2', ({ view }, at) => view.getInt16(at)],
  ['int4', ({ view }, at) => view.getInt32(at)],
  ['int8', readInt8],
  ['oid', ({ view }, at) => view.getUint32(at)],
  ['float4', ({ view }, at) => view.getFloat32(at)],
  ['float8', ({ view }, at) => view.getFloat64(at)],
  ['numeric', ({ view }, at) => readNumeric(view, at)],
  ['text', readText],
  ['varchar', readText],
  ['bpchar', readText],
  ['name', readText],
  ['citext', readText],
  ['json', readText],
  ['jsonb', (source, at, length) => readText(source, at + 1, length - 1)],
  ['bool', ({ view }, at) => view.getUint8(at) === 1],
  ['bytea', readBytes],
  ['uuid', readUuid],
  ['date', ({ view }, at) => printDays(view.getInt32(at))],
  ['timestamp', readMoment('')],
  ['timestamptz', readMoment('Z')],
  ['time', ({ view }, at) => printTime(Number(view.getBigInt64(at)))],
  ['timetz', ({ view }, at) => printTime(Number(view.getBigInt64(at))) + printZone(-view.getInt32(at + 8))],
  ['interval', readInterval],
  ['inet', ({ bytes }, at, length) => printNetwork(bytes.subarray(at, at + length))],
  ['cidr', ({ bytes }, at, length) => printNetwork(bytes.subarray(at, at + length))],
  ['macaddr', ({ bytes }, at, length) => printMac(bytes.subarray(at, at + length))],
  ['bit', ({ bytes }, at, length) => printBits(bytes.subarray(at, at + length))],
  ['varbit', ({ bytes }, at, length) => printBits(bytes.subarray(at, at + length))],
  ['sparsevec', readSparse],
]);

function isDense({ name }: WireType): boolean {
  return name === 'vector' || name === 'halfvec';
}

/** Whether values of the type are decoded; a caller casts the others to text. */
export function canDecode(type: WireType): boolean {
  return !type.isArray && (type.kind === 'enum' || (type.kind === 'base' && (isDense(type) || readers.has(type.name))));
}

/** @throws SLUICE_INTERNAL for a type that is not decoded: a caller casts those to text */
export function openCell(type: WireType): Cell {
  if (!canDecode(type)) throw new SluiceError('SLUICE_INTERNAL', `values of type ${type.name} are not decoded from binary`);
  if (type.kind === 'base' && isDense(type)) return new VectorCell(type);
  return new ScalarCell(type.kind === 'enum' ? readText : (readers.get(type.name) ?? readText));
}

class ScalarCell implements Cell {
  #values: Scalar[] = [];
  readonly #read: Read;

  constructor(read: Read) {
    this.#read = read;
  }

  add(source: Source, at: number, length: number): void {
    this.#values.push(length === -1 ? null : this.#read(source, at, length));
  }

  take(): ColumnValues {
    const values = this.#values;
    this.#values = [];
    return { kind: 'scalar', values };
  }
}

/** Vectors of one dimension: the column's, or the first one's where the column has none. */
class VectorCell implements Cell {
  readonly #isHalf: boolean;
  #dimensions: number | undefined;
  #values: Float32Array<ArrayBuffer> = new Float32Array(0);
  #nulls: number[] = [];
  #rowCount = 0;
  /** Floats of the last batch: room is made for as many at once. */
  #lastLength = 1024;

  constructor({ name, typmod }: WireType) {
    this.#isHalf = name === 'halfvec';
    this.#dimensions = typmod > 0 ? typmod : undefined;
  }

  add({ view, bytes }: Source, at: number, length: number): void {
    if (length === -1) {
      this.#nulls.push(this.#rowCount++);
      return;
    }
    const dimensions = view.getUint16(at);
    this.#dimensions ??= dimensions;
    if (dimensions !== this.#dimensions) throw mixedDimensions(this.#dimensions, dimensions);
    this.#reserve(this.#rowCount + 1);
    const start = this.#rowCount++ * dimensions;
    if (this.#isHalf) {
      for (let index = 0; index < dimensions; index++) this.#values[start + index] = view.getFloat16(at + 4 + index * 2);
      return;
    }
    // Copied as bytes and swapped in place, as they are when they are sent.
    const target = Buffer.from(this.#values.buffer, start * 4, dimensions * 4);
    target.set(bytes.subarray(at + 4, at + 4 + dimensions * 4));
    target.swap32();
  }

  #reserve(rowCount: number): void {
    const needed = rowCount * (this.#dimensions ?? 0);
    if (needed > this.#values.length) {
      this.#values = new Float32Array(this.#values.buffer.transfer(Math.max(needed, this.#values.length * 2, this.#lastLength) * 4));
    }
  }

  take(): ColumnValues {
    const dimensions = this.#dimensions ?? 0;
    const rowCount = this.#rowCount;
    this.#reserve(rowCount);
    const values = new Float32Array(this.#values.buffer.transfer(rowCount * dimensions * 4));
    const nulls = this.#nulls.length === 0 ? undefined : new Uint8Array(rowCount);
    for (const row of this.#nulls) if (nulls !== undefined) nulls[row] = 1;
    this.#lastLength = Math.max(values.length, 1024);
    this.#values = new Float32Array(0);
    this.#nulls = [];
    this.#rowCount = 0;
    return { kind: 'vector', dimensions, values, nulls };
  }
}

function mixedDimensions(expected: number, found: number): SluiceError {
  return new SluiceError('SLUICE_DIMENSION_MISMATCH', `a vector has ${found} dimensions, others of its column have ${expected}`, {
    hint: 'ask for vectors of one dimension (vector_dims), or cast the column to text',
  });
}
