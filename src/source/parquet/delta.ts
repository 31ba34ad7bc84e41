/** Integers written as differences in blocks of packed bits, read forward a stretch at a time. */
import { PageFault } from './fault.ts';

export interface Delta {
  readonly bytes: Uint8Array;
  readonly valuesPerMiniblock: number;
  readonly miniblocks: number;
  /** Values that have not been read. */
  left: number;
  offset: number;
  value: bigint;
  isFirst: boolean;
  /** Of the current block. */
  leastDelta: bigint;
  widths: Uint8Array;
  miniblock: number;
  /** Values of the current miniblock that have been read. */
  used: number;
}

/** Writers use 128 values a block (parquet-rs 256 for 64 bits). */
const maxBlock = 65_536;

/** Opens a sequence at an offset. */
export function createDelta(bytes: Uint8Array, offset: number): Delta {
  const reader = { bytes, offset };
  const blockSize = readUnsigned(reader);
  const miniblocks = readUnsigned(reader);
  const count = readUnsigned(reader);
  const value = readSigned(reader);
  if (blockSize > maxBlock || miniblocks === 0n || miniblocks > blockSize || blockSize % miniblocks !== 0n || count > 0x7f_ff_ff_ffn)
    throw new PageFault('a page of differences has impossible blocks');
  const valuesPerMiniblock = Number(blockSize / miniblocks);
  if (valuesPerMiniblock % 8 !== 0) throw new PageFault('a page of differences has impossible blocks');
  return {
    bytes,
    valuesPerMiniblock,
    miniblocks: Number(miniblocks),
    left: Number(count),
    offset: reader.offset,
    value,
    isFirst: true,
    leastDelta: 0n,
    widths: new Uint8Array(0),
    miniblock: 0,
    used: 0,
  };
}

/** Fills the target with the next values. @throws PageFault when there are fewer */
export function readDelta(delta: Delta, target: BigInt64Array): void {
  if (target.length > delta.left) throw new PageFault('a page has fewer values than its header says');
  delta.left -= target.length;
  let index = 0;
  if (delta.isFirst && target.length > 0) {
    delta.isFirst = false;
    target[index++] = delta.value;
  }
  for (; index < target.length; index++) {
    const width = openMiniblock(delta);
    // Sums wrap around at 64 bits, as the writer's did.
    delta.value = BigInt.asIntN(64, delta.value + delta.leastDelta + unpackOne(delta, width));
    target[index] = delta.value;
    delta.used++;
  }
}

/** Bits a value of the miniblock that the next value stands in; goes on to it, and to the next block, where the one before is used up. */
function openMiniblock(delta: Delta): number {
  const { valuesPerMiniblock } = delta;
  if (delta.miniblock < delta.widths.length && delta.used === valuesPerMiniblock) {
    delta.offset += ((delta.widths[delta.miniblock] as number) * valuesPerMiniblock) / 8;
    delta.miniblock++;
    delta.used = 0;
  }
  if (delta.miniblock >= delta.widths.length) openBlock(delta);
  const width = delta.widths[delta.miniblock] as number;
  if (width > 64) throw new PageFault('a page of differences has impossible blocks');
  return width;
}

function openBlock(delta: Delta): void {
  delta.leastDelta = readSigned(delta);
  const end = delta.offset + delta.miniblocks;
  if (end > delta.bytes.length) throw new PageFault('a page has fewer values than its header says');
  delta.widths = delta.bytes.subarray(delta.offset, end);
  delta.offset = end;
  delta.miniblock = 0;
  delta.used = 0;
}

function unpackOne({ bytes, offset, used }: Delta, width: number): bigint {
  if (width === 0) return 0n;
  const bit = used * width;
  const first = offset + (bit >> 3);
  const last = offset + ((bit + width - 1) >> 3);
  if (last >= bytes.length) throw new PageFault('a page has fewer values than its header says');
  if (width <= 25) {
    const word = (bytes[first]! | (bytes[first + 1]! << 8) | (bytes[first + 2]! << 16) | (bytes[first + 3]! << 24)) >>> (bit & 7);
    return BigInt(word & (2 ** width - 1));
  }
  let value = 0n;
  for (let at = last; at >= first; at--) value = (value << 8n) | BigInt(bytes[at] as number);
  return BigInt.asUintN(width, value >> BigInt(bit & 7));
}

/** The offset behind a sequence, found by its widths alone. */
export function endDelta(bytes: Uint8Array, start: number): number {
  const delta = createDelta(bytes, start);
  let left = Math.max(0, delta.left - 1);
  while (left > 0) {
    openBlock(delta);
    for (let index = 0; index < delta.miniblocks && left > 0; index++) {
      delta.offset += ((delta.widths[index] as number) * delta.valuesPerMiniblock) / 8;
      left -= delta.valuesPerMiniblock;
    }
  }
  if (delta.offset > bytes.length) throw new PageFault('a page has fewer values than its header says');
  return delta.offset;
}

function readUnsigned(reader: { readonly bytes: Uint8Array; offset: number }): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.bytes[reader.offset];
    if (byte === undefined) break;
    reader.offset++;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return value;
  }
  throw new PageFault('a page of differences ends in the middle');
}

function readSigned(reader: { readonly bytes: Uint8Array; offset: number }): bigint {
  const value = readUnsigned(reader);
  return (value >> 1n) ^ -(value & 1n);
}
