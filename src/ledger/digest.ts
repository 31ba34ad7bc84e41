/** A digest of a set of keys that does not depend on their order: sums of two 32-bit hashes, so shards can be added up and a table compared with them. */
import type { Scalar } from '../rows/schema.ts';

/** Two sums modulo 2³². */
export interface KeyDigest {
  high: number;
  low: number;
}

const separator = 0x1f;

/** Two unrelated starting values make two independent hashes of one key. */
const highSeed = 0x9747b28c;
const lowSeed = 0x3c6ef372;

/** The digest of no keys. */
export function emptyDigest(): KeyDigest {
  return { high: 0, low: 0 };
}

function mix(hash: number, value: number): number {
  // Multiply-and-shift rounds with the constants of MurmurHash3's finaliser: every input bit reaches every output bit.
  let h = Math.imul(hash ^ value, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function mixText(hash: number, text: string): number {
  let h = hash;
  for (let index = 0; index < text.length; index++) h = mix(h, text.charCodeAt(index));
  return mix(h, text.length);
}

function keyText(value: Scalar): string {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  if (typeof value === 'boolean') return value ? '1' : '0';
  return String(value);
}

function mixValue(hash: number, value: Scalar): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    return mix(mix(hash, value | 0), Math.floor(value / 0x100000000) | 0);
  }
  if (typeof value === 'boolean') return mixValue(hash, value ? 1 : 0);
  if (typeof value === 'bigint' && value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER)
    return mixValue(hash, Number(value));
  return mixText(hash, keyText(value));
}

/** Adds one key, given as its columns' values in order. Equal numbers count as equal whether they come as number, bigint or boolean. */
export function addKey(digest: KeyDigest, key: readonly Scalar[]): void {
  let high = highSeed;
  let low = lowSeed;
  for (const value of key) {
    high = mix(mixValue(high, value), separator);
    low = mix(mixValue(low, value), separator);
  }
  digest.high = (digest.high + high) >>> 0;
  digest.low = (digest.low + low) >>> 0;
}

/** Adds the keys of rows `from` to `to` (exclusive), given by column; a single column of numbers takes a way without garbage. */
export function addKeyRange(
  digest: KeyDigest,
  columns: readonly (readonly Scalar[])[],
  range: { readonly from: number; readonly to: number },
): void {
  const only = columns.length === 1 ? columns[0] : undefined;
  if (only === undefined) {
    for (let row = range.from; row < range.to; row++) {
      addKey(
        digest,
        columns.map((values) => values[row] ?? null),
      );
    }
    return;
  }
  let { high, low } = digest;
  for (let row = range.from; row < range.to; row++) {
    const value = only[row] ?? null;
    high = (high + mix(mixValue(highSeed, value), separator)) | 0;
    low = (low + mix(mixValue(lowSeed, value), separator)) | 0;
  }
  digest.high = high >>> 0;
  digest.low = low >>> 0;
}

/** Adds all of `other` to `digest`. */
export function addDigest(digest: KeyDigest, other: KeyDigest): void {
  digest.high = (digest.high + other.high) >>> 0;
  digest.low = (digest.low + other.low) >>> 0;
}

/** 16 hex digits. */
export function formatDigest(digest: KeyDigest): string {
  return (digest.high >>> 0).toString(16).padStart(8, '0') + (digest.low >>> 0).toString(16).padStart(8, '0');
}

/** The inverse of {@link formatDigest}. */
export function parseDigest(text: string): KeyDigest {
  return { high: Number.parseInt(text.slice(0, 8), 16), low: Number.parseInt(text.slice(8, 16), 16) };
}
