/**
 * How many different values there are, in 4 KiB: HyperLogLog (Flajolet and others, 2007) with 2^12 registers, a standard error of 1.6 %, and linear counting
 * below its range. Estimates of parts are merged without loss.
 */
import type { Scalar } from '../rows/schema.ts';

const indexBits = 12;
const registerCount = 1 << indexBits;
/** For 2^12 registers, as in the paper. */
const alpha = 0.7213 / (1 + 1.079 / registerCount);

/** Of a longer text only both ends and the length are looked at. */
const hashedCharacters = 128;

export interface DistinctCounter {
  readonly registers: Uint8Array;
}

export function createDistinctCounter(): DistinctCounter {
  return { registers: new Uint8Array(registerCount) };
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

function hashText(text: string): number {
  const { length } = text;
  let bits = length;
  const head = length <= hashedCharacters ? length : hashedCharacters / 2;
  for (let at = 0; at < head; at++) bits = Math.imul(bits ^ text.charCodeAt(at), 0x01000193);
  if (length > hashedCharacters)
    for (let at = length - hashedCharacters / 2; at < length; at++) bits = Math.imul(bits ^ text.charCodeAt(at), 0x01000193);
  return mix(bits);
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
  addHash(counter, hashNumber(value));
}

export function addDistinctText(counter: DistinctCounter, value: string): void {
  addHash(counter, hashText(value));
}

function addHash({ registers }: DistinctCounter, hash: number): void {
  const index = hash >>> (32 - indexBits);
  // The 20 bits that are left, and a guard bit that ends the count of zeros.
  const rank = Math.clz32((hash << indexBits) | (1 << (indexBits - 1))) + 1;
  if (rank > (registers[index] as number)) registers[index] = rank;
}

export function mergeDistinct(into: DistinctCounter, from: DistinctCounter): void {
  for (let index = 0; index < registerCount; index++) {
    const rank = from.registers[index] as number;
    if (rank > (into.registers[index] as number)) into.registers[index] = rank;
  }
}

/** With hashes of 32 bits, values begin to share one: the estimate is corrected for it near 2^32. */
export function estimateDistinct({ registers }: DistinctCounter): number {
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
