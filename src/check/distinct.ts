/**
 * How many different values there are, in 12 KiB: up to 1,024 their hashes are kept, which is exact but for one collision in about 8,000 columns; above that
 * HyperLogLog (Flajolet and others, 2007) with 2^12 registers, a standard error of 1.6 %, and linear counting below its range. Parts are merged without loss.
 */
import type { Scalar } from '../rows/schema.ts';
import type { AsciiText } from './text-range.ts';

const indexBits = 12;
const registerCount = 1 << indexBits;
/** For 2^12 registers, as in the paper. */
const alpha = 0.7213 / (1 + 1.079 / registerCount);

/** Of a longer text only both ends and the length are looked at. */
const hashedCharacters = 128;

/** Values that are counted exactly. */
const maxExact = 1_024;
/** Twice as many as values, so that a search ends soon. */
const slotCount = 2 * maxExact;

/** Whole numbers that were counted lately, each at the place of its last bits: of a column of few of them most are not hashed again. */
const recentCount = 256;

export interface DistinctCounter {
  readonly registers: Uint8Array;
  /** Hashes in open addressing, 0 for none; undefined once there were too many, and the registers count. */
  slots: Int32Array | undefined;
  /** Of slots that are taken. */
  exact: number;
  readonly recent: Float64Array;
}

export function createDistinctCounter(): DistinctCounter {
  return {
    registers: new Uint8Array(registerCount),
    slots: new Int32Array(slotCount),
    exact: 0,
    recent: new Float64Array(recentCount).fill(NaN),
  };
}

/** Avalanche of MurmurHash3: each bit of the input changes half of the bits. */
function mix(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

function hashNumber(value: number): number {
  if ((value | 0) === value) return mix(value);
  float[0] = value;
  return mix((words[0] as number) ^ mix(words[1] as number));
}

/** Texts in ASCII are hashed four characters at a time, so that their bytes give the same hash without a string; others two at a time. */
function hashText(text: string): number {
  const { length } = text;
  const half = hashedCharacters / 2;
  if (length <= hashedCharacters) return mix((hashCharacters(text, 0, length) ?? hashUnits(text, 0, length)) ^ length);
  const [head, tail] = [hashCharacters(text, 0, half), hashCharacters(text, length - half, length)];
  if (head !== undefined && tail !== undefined) return mixEnds(head, tail, length);
  return mixEnds(hashUnits(text, 0, half), hashUnits(text, length - half, length), length);
}

function mixEnds(head: number, tail: number, length: number): number {
  return mix(head ^ Math.imul(tail, 0x9e3779b1) ^ length);
}

const firstBits = 0x2f0b4c47;
const prime = 0x85ebca6b;

/** Of characters that are all ASCII; undefined where one is not. The last four may overlap with those before, so that no rest is left. */
function hashCharacters(text: string, from: number, to: number): number | undefined {
  let bits = firstBits;
  let seen = 0;
  const last = to - 4;
  if (last < from) {
    for (let at = from; at < to; at++) {
      const unit = text.charCodeAt(at);
      seen |= unit;
      bits = Math.imul(bits ^ unit, prime);
    }
    return seen > 127 ? undefined : bits;
  }
  for (let at = from; ; at = Math.min(at + 4, last)) {
    const [a, b, c, d] = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2), text.charCodeAt(at + 3)];
    seen |= a | b | c | d;
    bits = Math.imul(bits ^ (a | (b << 8) | (c << 16) | (d << 24)), prime);
    if (at === last) return seen > 127 ? undefined : bits;
    bits ^= bits >>> 15;
  }
}

/** {@link hashCharacters} of bytes. */
function hashOctets(view: DataView, from: number, to: number): number {
  let bits = firstBits;
  const last = to - 4;
  if (last < from) {
    for (let at = from; at < to; at++) bits = Math.imul(bits ^ view.getUint8(at), prime);
    return bits;
  }
  for (let at = from; at < last; at += 4) {
    bits = Math.imul(bits ^ view.getInt32(at, true), prime);
    bits ^= bits >>> 15;
  }
  return Math.imul(bits ^ view.getInt32(last, true), prime);
}

/** Two characters at a time, since each step waits for the one before. */
function hashUnits(text: string, from: number, to: number): number {
  let bits = firstBits;
  let at = from;
  for (; at + 1 < to; at += 2) {
    bits = Math.imul(bits ^ (text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)), prime);
    bits ^= bits >>> 15;
  }
  return at < to ? Math.imul(bits ^ text.charCodeAt(at), 0xc2b2ae35) : bits;
}

/** {@link hashText} of a text in ASCII, by its bytes. */
function hashAscii({ end, start, view }: AsciiText): number {
  const length = end - start;
  const half = hashedCharacters / 2;
  if (length <= hashedCharacters) return mix(hashOctets(view, start, end) ^ length);
  return mixEnds(hashOctets(view, start, start + half), hashOctets(view, end - half, end), length);
}

function hashBytes(bytes: Uint8Array): number {
  let hash = bytes.length;
  const head = Math.min(bytes.length, hashedCharacters);
  for (let at = 0; at < head; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return mix(hash);
}

function hashScalar(value: Exclude<Scalar, null>): number {
  if (typeof value === 'number') return hashNumber(value);
  if (typeof value === 'string') return hashText(value);
  if (typeof value === 'boolean') return mix(value ? 1 : 2);
  return typeof value === 'bigint' ? hashText(String(value)) : hashBytes(value);
}

/** Counts one value in. */
export function addDistinct(counter: DistinctCounter, value: Exclude<Scalar, null>): void {
  addHash(counter, hashScalar(value));
}

export function addDistinctNumber(counter: DistinctCounter, value: number): void {
  const { recent } = counter;
  const place = value & (recentCount - 1);
  if (recent[place] === value) return;
  recent[place] = value;
  addHash(counter, hashNumber(value));
}

export function addDistinctText(counter: DistinctCounter, value: string): void {
  addHash(counter, hashText(value));
}

/** A text in ASCII, which counts as the same text does. */
export function addDistinctAscii(counter: DistinctCounter, text: AsciiText): void {
  addHash(counter, hashAscii(text));
}

function addHash(counter: DistinctCounter, hash: number): void {
  const { registers, slots } = counter;
  if (slots === undefined) addToRegisters(registers, hash);
  else if (enterHash(slots, hash) && ++counter.exact > maxExact) leaveExact(counter, slots);
}

/** Whether it was not there yet. 0 stands for an empty slot, so it counts as 1. */
function enterHash(slots: Int32Array, hash: number): boolean {
  const sought = hash === 0 ? 1 : hash;
  for (let at = sought & (slotCount - 1); ; at = (at + 1) & (slotCount - 1)) {
    const found = slots[at];
    if (found === sought) return false;
    if (found !== 0) continue;
    slots[at] = sought;
    return true;
  }
}

function leaveExact(counter: DistinctCounter, slots: Int32Array): void {
  for (const hash of slots) if (hash !== 0) addToRegisters(counter.registers, hash);
  counter.slots = undefined;
}

function addToRegisters(registers: Uint8Array, hash: number): void {
  const index = hash >>> (32 - indexBits);
  // The 20 bits that are left, and a guard bit that ends the count of zeros.
  const rank = Math.clz32((hash << indexBits) | (1 << (indexBits - 1))) + 1;
  if (rank > (registers[index] as number)) registers[index] = rank;
}

export function mergeDistinct(into: DistinctCounter, from: DistinctCounter): void {
  if (from.slots !== undefined) {
    for (const hash of from.slots) if (hash !== 0) addHash(into, hash);
    return;
  }
  if (into.slots !== undefined) leaveExact(into, into.slots);
  for (let index = 0; index < registerCount; index++) {
    const rank = from.registers[index] as number;
    if (rank > (into.registers[index] as number)) into.registers[index] = rank;
  }
}

/** Exact up to 1,024, and never below that once there were more. */
export function countDistinct({ exact, registers, slots }: DistinctCounter): number {
  return slots === undefined ? Math.max(maxExact + 1, estimate(registers)) : exact;
}

/** With hashes of 32 bits, values begin to share one: the estimate is corrected for it near 2^32. */
function estimate(registers: Uint8Array): number {
  let sum = 0;
  let zeros = 0;
  for (const rank of registers) {
    sum += 2 ** -rank;
    if (rank === 0) zeros++;
  }
  const raw = (alpha * registerCount * registerCount) / sum;
  if (raw <= 2.5 * registerCount && zeros > 0) return Math.round(registerCount * Math.log(registerCount / zeros));
  const range = 2 ** 32;
  return Math.round(raw > range / 30 ? -range * Math.log(1 - Math.min(raw / range, 0.999_999)) : raw);
}
