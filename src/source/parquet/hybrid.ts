/** Runs and bit-packed groups of small integers (levels, dictionary indexes), read a stretch at a time: a run of 2^31 values costs no memory. */
import { PageFault } from './fault.ts';

export interface Hybrid {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly width: number;
  offset: number;
  /** Values left of the current run. */
  left: number;
  /** Of a run: its value; undefined in a bit-packed group. */
  value: number | undefined;
  /** Of a group: bits of its current byte that are used up. */
  bit: number;
}

/** Values of `width` bits in the bytes `start … end`. */
export function createHybrid(bytes: Uint8Array, range: { readonly start: number; readonly end: number }, width: number): Hybrid {
  if (width > 32 || range.end > bytes.length || range.start > range.end)
    throw new PageFault('the levels or indexes of a page are no such thing');
  return { bytes, end: range.end, width, offset: range.start, left: 0, value: undefined, bit: 0 };
}

/**
 * Reads the next `count` values into `target` from 0 on. Answers the value that all of them have where one run gave them, else -1.
 * @throws PageFault when there are fewer
 */
export function readHybrid(hybrid: Hybrid, target: Uint8Array | Int32Array, count: number): number {
  let at = 0;
  let only = -1;
  while (at < count) {
    if (hybrid.left === 0) readRunHeader(hybrid);
    const taken = Math.min(hybrid.left, count - at);
    if (hybrid.value === undefined) unpack(hybrid, target, { at, count: taken });
    else {
      target.fill(hybrid.value, at, at + taken);
      if (taken === count) only = hybrid.value;
    }
    hybrid.left -= taken;
    at += taken;
  }
  return only;
}

/** Values that are looked at together where they must be unpacked to be told apart. */
const slabValues = 8192;

/**
 * Counts the zeros among the next `count` values. Levels of lists have one bit: of these none is unpacked, which makes passing over the pages of a column of
 * vectors 5 to 15 times as fast.
 * @throws PageFault when there are fewer
 */
export function countZeros(hybrid: Hybrid, count: number): number {
  let zeros = 0;
  for (let left = count; left > 0;) {
    if (hybrid.left === 0) readRunHeader(hybrid);
    const isGroup = hybrid.value === undefined;
    const taken = Math.min(hybrid.left, left, isGroup ? slabValues : left);
    if (isGroup) zeros += hybrid.width === 1 && hybrid.bit === 0 ? countZeroBits(hybrid, taken) : countUnpacked(hybrid, taken);
    else if (hybrid.value === 0) zeros += taken;
    hybrid.left -= taken;
    left -= taken;
  }
  return zeros;
}

function countZeroBits(hybrid: Hybrid, count: number): number {
  const { bytes, end, offset } = hybrid;
  const whole = count >> 3;
  if (offset + Math.ceil(count / 8) > end) throw new PageFault('a page has fewer levels or indexes than its header says');
  let ones = 0;
  for (let at = offset; at < offset + whole; at++) ones += countOnes(bytes[at]!);
  const rest = count & 7;
  if (rest > 0) ones += countOnes(bytes[offset + whole]! & (2 ** rest - 1));
  hybrid.offset = offset + whole;
  hybrid.bit = rest;
  return count - ones;
}

function countOnes(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (fours + (fours >> 4)) & 0x0f;
}

function countUnpacked(hybrid: Hybrid, count: number): number {
  const slab = new Uint8Array(count);
  unpack(hybrid, slab, { at: 0, count });
  let zeros = 0;
  for (let at = slab.indexOf(0); at !== -1; at = slab.indexOf(0, at + 1)) zeros++;
  return zeros;
}

function readRunHeader(hybrid: Hybrid): void {
  // Behind a group stand the unused bits of its last byte.
  if (hybrid.value === undefined && hybrid.bit > 0) hybrid.offset++;
  hybrid.bit = 0;
  const header = readSmallVarint(hybrid);
  if (header % 2 === 1) {
    hybrid.value = undefined;
    hybrid.left = Math.floor(header / 2) * 8;
    return;
  }
  hybrid.left = header / 2;
  let value = 0;
  for (let shift = 0; shift < hybrid.width; shift += 8) value |= takeByte(hybrid) << shift;
  hybrid.value = value >>> 0;
}

function readSmallVarint(hybrid: Hybrid): number {
  let value = 0;
  for (let scale = 1; scale <= 0x10_00_00_00; scale *= 128) {
    const byte = takeByte(hybrid);
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new PageFault('the levels or indexes of a page are no such thing');
}

function takeByte(hybrid: Hybrid): number {
  if (hybrid.offset >= hybrid.end) throw new PageFault('a page has fewer levels or indexes than its header says');
  return hybrid.bytes[hybrid.offset++] as number;
}

/** Of a group, least significant bit first. The last group of a page may lack the bytes that nobody reads. */
function unpack(hybrid: Hybrid, target: Uint8Array | Int32Array, range: { readonly at: number; readonly count: number }): void {
  const { bytes, end, width } = hybrid;
  const bits = hybrid.bit + range.count * width;
  if (hybrid.offset + Math.ceil(bits / 8) > end) throw new PageFault('a page has fewer levels or indexes than its header says');
  let { offset } = hybrid;
  let shift = hybrid.bit;
  const mask = width === 32 ? 0xff_ff_ff_ff : 2 ** width - 1;
  const last = range.at + range.count;
  for (let index = range.at; index < last; index++) {
    // Bytes behind the end read as undefined, which counts as 0 here; their bits are masked away.
    const low = (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> shift;
    // Up to 25 bits always stand in four bytes.
    const high = shift + width > 32 ? bytes[offset + 4]! << (32 - shift) : 0;
    target[index] = (low | high) & mask;
    shift += width;
    offset += shift >> 3;
    shift &= 7;
  }
  hybrid.offset = offset;
  hybrid.bit = shift;
}
