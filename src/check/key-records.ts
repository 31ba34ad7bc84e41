/**
 * Digests of keys with the places of their rows, in memory up to a budget and in a temporary file beyond it, laid out by the digest's first byte: equal keys
 * are found part by part, each part small enough for memory.
 *
 * A digest has 128 bits, from a seed of the run's own, so that nobody can prepare two keys with the same one; of 10⁹ different keys two share one with a
 * probability below 10⁻²⁰.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { SluiceError } from '../errors.ts';
import type { Scalar } from '../rows/schema.ts';

/** 32-bit words of a record: four of the digest, the shard's ordinal, the row in the shard. */
export const recordWords = 6;
const partCount = 256;
/** Records of a block: 1.5 MiB, laid out by parts when it is full. */
const blockRecords = 65_536;

/** Four words that begin a digest. */
export type KeySeed = readonly [number, number, number, number];

/** A block laid out by parts: part p is at the records `starts[p] … starts[p + 1]`. */
export interface KeyBlock {
  readonly starts: Uint32Array;
  /** In memory, or the byte in the file where the block begins. */
  readonly words: Uint32Array | number;
}

/** What one lane gathered; plain data. */
export interface KeyRecords {
  readonly blocks: readonly KeyBlock[];
  readonly file: string | undefined;
}

export interface KeyCollector {
  add(keys: readonly (readonly Scalar[])[], row: number, place: { readonly shard: number; readonly row: number }): void;
  /** All that was added. The file stays for whoever reads it, who deletes it. */
  end(): KeyRecords;
  /** Closes the file of a collector that will not come to its end. */
  close(): void;
}

export interface CollectorOptions {
  readonly seed: KeySeed;
  readonly maxBytes: number;
  /** Of the temporary file, which is made when it is needed. */
  readonly file: string;
}

export function createKeyCollector({ seed, maxBytes, file }: CollectorOptions): KeyCollector {
  const blocks: KeyBlock[] = [];
  let block = new Uint32Array(blockRecords * recordWords);
  let count = 0;
  let heldBytes = block.byteLength;
  let handle: number | undefined;
  let fileBytes = 0;
  const state = new Int32Array(4);
  const close = (): void => {
    if (handle !== undefined) closeSync(handle);
    handle = undefined;
  };
  const endBlock = (): void => {
    if (count === 0) return;
    const laidOut = layoutParts(block.subarray(0, count * recordWords));
    count = 0;
    if (heldBytes + laidOut.words.byteLength <= maxBytes) {
      heldBytes += laidOut.words.byteLength;
      blocks.push(laidOut);
      return;
    }
    try {
      handle ??= openSync(file, 'wx', 0o600);
      blocks.push({ starts: laidOut.starts, words: fileBytes });
      fileBytes += writeAll(handle, laidOut.words, fileBytes);
    } catch (cause) {
      throw toFileError(file, cause);
    }
  };
  return {
    add(keys, row, place) {
      state.set(seed);
      for (const values of keys) digestScalar(state, values[row] ?? null);
      const at = count * recordWords;
      finishDigest(state, block, at);
      block[at + 4] = place.shard;
      block[at + 5] = place.row;
      if (++count === blockRecords) endBlock();
    },
    end() {
      endBlock();
      block = new Uint32Array(0);
      const hasFile = handle !== undefined;
      close();
      return { blocks, file: hasFile ? file : undefined };
    },
    close,
  };
}

function toFileError(file: string, cause: unknown): SluiceError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
  return new SluiceError('SLUICE_USAGE', `keys to be compared could not be written to ${file} (${code})`, {
    cause,
    hint: 'Name a folder with room by --temp-folder, or give keys more memory by --key-memory.',
  });
}

function writeAll(handle: number, words: Uint32Array, position: number): number {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  for (let done = 0; done < bytes.length;) done += writeSync(handle, bytes, done, bytes.length - done, position + done);
  return bytes.length;
}

/** Sorted by the digest's first byte, by counting. */
function layoutParts(records: Uint32Array): { readonly starts: Uint32Array; readonly words: Uint32Array } {
  const starts = new Uint32Array(partCount + 1);
  for (let at = 0; at < records.length; at += recordWords) starts[((records[at] as number) >>> 24) + 1]!++;
  for (let part = 0; part < partCount; part++) starts[part + 1]! += starts[part] as number;
  const next = starts.slice(0, partCount);
  const words = new Uint32Array(records.length);
  for (let at = 0; at < records.length; at += recordWords) {
    const to = next[(records[at] as number) >>> 24]!++ * recordWords;
    for (let word = 0; word < recordWords; word++) words[to + word] = records[at + word] as number;
  }
  return { starts, words };
}

const float = new Float64Array(1);
const floatWords = new Int32Array(float.buffer);

function addWord(state: Int32Array, word: number): void {
  state[0] = Math.imul((state[0] as number) ^ word, 597_399_067) ^ (state[3] as number);
  state[1] = Math.imul((state[1] as number) ^ word, 2_869_860_233) + state[0];
  state[2] = Math.imul((state[2] as number) ^ word, 951_274_213) ^ (state[1] >>> 7);
  state[3] = Math.imul((state[3] as number) ^ word, 2_716_044_179) + state[2];
}

/** A value after those before it; its kind goes in first, so that 1 and '1' differ, and its length, so that ('a','bc') and ('ab','c') do. */
function digestScalar(state: Int32Array, value: Scalar): void {
  if (typeof value === 'number') digestNumber(state, value);
  else if (typeof value === 'string') digestText(state, value);
  else if (value === null) addWord(state, 5);
  else if (typeof value === 'bigint') digestText(state, String(value));
  else if (typeof value === 'boolean') addWord(state, value ? 7 : 6);
  else {
    addWord(state, 8);
    addWord(state, value.length);
    for (const byte of value) addWord(state, byte);
  }
}

function digestNumber(state: Int32Array, value: number): void {
  // Zero has two signs, and one value.
  float[0] = value === 0 ? 0 : value;
  addWord(state, 1);
  addWord(state, floatWords[0] as number);
  addWord(state, floatWords[1] as number);
}

function digestText(state: Int32Array, text: string): void {
  const { length } = text;
  addWord(state, 2);
  addWord(state, length);
  for (let at = 0; at < length; at++) addWord(state, text.charCodeAt(at));
}

function finishDigest(state: Int32Array, into: Uint32Array, at: number): void {
  for (let round = 0; round < 4; round++) addWord(state, round);
  for (let word = 0; word < 4; word++) {
    let bits = state[word] as number;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    into[at + word] = bits ^ (bits >>> 16);
  }
}

/** The records of each part, of all lanes together; the array is used again for the next part. */
export function* readParts(all: readonly KeyRecords[]): Generator<Uint32Array> {
  const handles = all.map(({ file }) => (file === undefined ? undefined : openSync(file, 'r')));
  try {
    for (let part = 0; part < partCount; part++) yield readPart(all, handles, part);
  } finally {
    for (const handle of handles) if (handle !== undefined) closeSync(handle);
  }
}

function readPart(all: readonly KeyRecords[], handles: readonly (number | undefined)[], part: number): Uint32Array {
  const sizeOf = ({ starts }: KeyBlock): number => ((starts[part + 1] as number) - (starts[part] as number)) * recordWords;
  const size = all.reduce((sum, { blocks }) => sum + blocks.reduce((inner, block) => inner + sizeOf(block), 0), 0);
  const words = new Uint32Array(size);
  let to = 0;
  for (const [lane, { blocks }] of all.entries()) {
    for (const block of blocks) {
      const from = (block.starts[part] as number) * recordWords;
      const count = sizeOf(block);
      if (typeof block.words !== 'number') words.set(block.words.subarray(from, from + count), to);
      else readAll(handles[lane] as number, words.subarray(to, to + count), block.words + from * 4);
      to += count;
    }
  }
  return words;
}

function readAll(handle: number, words: Uint32Array, position: number): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  for (let done = 0; done < bytes.length;) {
    const count = readSync(handle, bytes, done, bytes.length - done, position + done);
    if (count === 0) throw new SluiceError('SLUICE_INTERNAL', `The temporary file of keys ends at byte ${String(position + done)}.`);
    done += count;
  }
}

export function nameRecordFile(folder: string, run: string, lane: number): string {
  return path.join(folder, `sluice-keys-${run}-${String(lane)}`);
}
