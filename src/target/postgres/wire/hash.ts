/** PostgreSQL's extended hash functions (Bob Jenkins' lookup3, src/common/hashfn.c) in 32-bit arithmetic, with the same answers as the server's. */

/** A 64-bit hash, in halves of 32 bits; filled again and again by the functions here. */
export interface Hash {
  high: number;
  low: number;
}

/** The golden ratio and 3923095, the base of all three words of the state. */
const basis = (0x9e37_79b9 + 3_923_095) | 0;

/** The three words between the rounds; each round works on copies of them, which the compiler keeps in registers. */
const state = new Int32Array(3);

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function mix(): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  a = (a - c) ^ rotate(c, 4);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 6);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 8);
  b = (b + a) | 0;
  a = (a - c) ^ rotate(c, 16);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 19);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 4);
  b = (b + a) | 0;
  state[0] = a;
  state[1] = b;
  state[2] = c;
}

function finish(hash: Hash): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  hash.high = b;
  hash.low = c;
}

/** Adds to one of the words. */
function add(place: 0 | 1 | 2, value: number): void {
  state[place] = (state[place] as number) + value;
}

/** The state at the start; the hash so far is the seed. */
function begin(length: number, { high, low }: Hash): void {
  // `fill` is a call that costs more than the three stores.
  state[0] = state[1] = state[2] = basis + length;
  if (high === 0 && low === 0) return;
  add(0, high);
  add(1, low);
  mix();
}

/** `hashint4extended(word, hash)`. */
function hashWord(hash: Hash, word: number): void {
  begin(4, hash);
  add(0, word);
  finish(hash);
}

/** `hashint8extended(long, hash)` of an integer in two words, and `timestamp_hash_extended` of its microseconds. */
export function foldLong(hash: Hash, high: number, low: number): void {
  hashWord(hash, low ^ (high >= 0 ? high : ~high));
}

/** `hashint8extended(long, hash # (long >> 32))`: no two integers are folded into one. */
export function hashLong(hash: Hash, high: number, low: number): void {
  hash.high ^= high >> 31;
  hash.low ^= high;
  foldLong(hash, high, low);
}

/** `hashtextextended` of the first `length` bytes, on a server of little-endian byte order. */
export function hashBytes(hash: Hash, bytes: Uint8Array, length: number): void {
  begin(length, hash);
  let at = 0;
  for (; length - at >= 12; at += 12) {
    add(0, readWord(bytes, at));
    add(1, readWord(bytes, at + 4));
    add(2, readWord(bytes, at + 8));
    mix();
  }
  // The lowest byte of `c` is kept for the length.
  for (let place = length - at - 1; place >= 0; place--) {
    const byte = bytes[at + place] as number;
    if (place >= 8) add(2, byte << ((place - 7) * 8));
    else if (place >= 4) add(1, byte << ((place - 4) * 8));
    else add(0, byte << (place * 8));
  }
  finish(hash);
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}
