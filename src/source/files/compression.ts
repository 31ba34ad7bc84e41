/** Compressed input: which compression it is, and its bytes decompressed as a stream. An input that ends early or goes on after its end is an error, never a shorter file. */
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import { extname } from 'node:path';
import type { Transform } from 'node:stream';
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import type { SourceOptions } from '../source.ts';

/** A compression that is there. */
export type Compression = Exclude<NonNullable<SourceOptions['compression']>, 'none'>;

type Decoder = Transform & { readonly bytesWritten: number };

interface CompressionEntry {
  /** Endings of file names, lower case, with the dot. */
  readonly extensions: readonly string[];
  /** First bytes; none for brotli, whose streams begin with anything. */
  readonly magic: readonly number[] | undefined;
  readonly create: (options: { readonly chunkSize: number; readonly readableHighWaterMark: number }) => Decoder;
}

const compressions: Readonly<Record<Compression, CompressionEntry>> = {
  gzip: { extensions: ['.gz', '.gzip'], magic: [0x1f, 0x8b], create: (options) => createGunzip(options) },
  zstd: { extensions: ['.zst', '.zstd'], magic: [0x28, 0xb5, 0x2f, 0xfd], create: (options) => createZstdDecompress(options) },
  brotli: { extensions: ['.br'], magic: undefined, create: (options) => createBrotliDecompress(options) },
};

const compressionList = Object.keys(compressions) as Compression[];

/** Names that `--compression` takes. */
export const compressionNames: readonly string[] = ['none', ...compressionList];

/** @throws SLUICE_USAGE */
export function readCompression(name: string | undefined): SourceOptions['compression'] {
  if (name === undefined || name === 'none') return name;
  const known = compressionList.find((each) => each === name.toLowerCase());
  if (known !== undefined) return known;
  throw new SluiceError('SLUICE_USAGE', `there is no compression ${JSON.stringify(name)}`, {
    hint: `--compression is one of: ${compressionNames.join(', ')}.`,
  });
}

/** The compression that the ending of a name tells. */
export function findCompressionByName(name: string): Compression | undefined {
  const extension = extname(name).toLowerCase();
  return compressionList.find((each) => compressions[each].extensions.includes(extension));
}

/** The compression that the first bytes tell. */
export function findCompressionByBytes(head: Uint8Array): Compression | undefined {
  return compressionList.find((each) => compressions[each].magic?.every((byte, at) => head[at] === byte));
}

/** The name without the ending of its compression: `rows.csv` of `rows.csv.gz`. */
export function withoutCompression(name: string): string {
  return findCompressionByName(name) === undefined ? name : name.slice(0, -extname(name).length);
}

/** What is made ahead: zlib's thread comes back for each piece of `chunkSize`, and with large ones goes on while this one parses and writes. */
const usual = { chunkSize: 1024 * 1024, readableHighWaterMark: 2 * 1024 * 1024 };

/** As zlib has it by default: where only the beginning is wanted, as of 10,000 files, large buffers for each take longer than that. */
export const briefChunkBytes: number = 16 * 1024;

/** How far a stream has been decompressed. */
export interface DecompressionProgress {
  /** Compressed bytes that were used. */
  taken: number;
  /** Compressed bytes that the decoder was given, of which it may not have used the last. */
  offered?: number;
  /** Compressed bytes for a byte of text, as far as was read. */
  ratio: number;
}

export interface Decompression {
  readonly name: string;
  readonly compression: Compression;
  readonly progress: DecompressionProgress;
  /** What is made at once, and ahead, in place of 1 and 2 MiB. */
  readonly chunkBytes?: number | undefined;
}

/**
 * The bytes of `chunks` decompressed. All members of a gzip file and all frames of a zstd file are read; zeros after the last one are padding.
 * @throws SLUICE_SOURCE_INVALID for an input that is truncated, corrupt or followed by something else, and whatever `chunks` throws
 */
export async function* decompress(
  chunks: AsyncIterable<unknown> | Iterable<unknown>,
  options: Decompression,
): AsyncGenerator<Buffer, void, undefined> {
  const input = createInput(chunks, options.name);
  let given = 0;
  try {
    await checkStart(input, options);
    do {
      for await (const bytes of decompressOne(input, options, given)) {
        given += bytes.length;
        yield bytes;
      }
      // Node 24 ends at the end of a frame of zstd, later ones at that of the last.
    } while (await hasFrame(input, options.compression));
    await refuseRest(input, options.name);
  } finally {
    input.close();
  }
}

/** Bytes of the compressed input; those that were not used can be put back. */
interface CompressedInput {
  /** Bytes that were handed out and not put back. */
  taken: number;
  next(): Promise<Uint8Array | undefined>;
  unread(bytes: Uint8Array): void;
  /** Whoever makes the chunks hears that no more is wanted. */
  close(): void;
}

function createInput(chunks: AsyncIterable<unknown> | Iterable<unknown>, name: string): CompressedInput {
  const iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  let rest: Uint8Array | undefined;
  const input: CompressedInput = {
    taken: 0,
    async next() {
      let bytes = rest;
      rest = undefined;
      while (bytes === undefined || bytes.length === 0) {
        const result = await iterator.next();
        if (result.done === true) return undefined;
        bytes = toBytes(result.value, name);
      }
      input.taken += bytes.length;
      return bytes;
    },
    unread(bytes) {
      rest = bytes;
      input.taken -= bytes.length;
    },
    close() {
      // One that waits for its own input hears of it when that comes: it is not waited for, and what it throws then is nobody's.
      Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
  return input;
}

/** Up to where the decoder comes to its end: the whole input, or one frame of it. */
async function* decompressOne(
  input: CompressedInput,
  options: Decompression,
  givenBefore: number,
): AsyncGenerator<Buffer, void, undefined> {
  const { chunkBytes, compression } = options;
  const decoder = compressions[compression].create(
    chunkBytes === undefined ? usual : { chunkSize: chunkBytes, readableHighWaterMark: chunkBytes },
  );
  const before = input.taken;
  const feeding = feed(decoder, input, options.progress);
  // Told of by the loop below, which it ends.
  feeding.catch((error: unknown) => decoder.destroy(error instanceof Error ? error : new Error(String(error))));
  try {
    let given = givenBefore;
    for await (const chunk of decoder) {
      const bytes = chunk as Buffer;
      given += bytes.length;
      options.progress.ratio = (before + decoder.bytesWritten) / Math.max(1, given + decoder.readableLength);
      yield bytes;
    }
    await feeding;
  } catch (error) {
    throw toInvalid(error, before + decoder.bytesWritten, options);
  } finally {
    // A feeder that waits for its own input hears of it when that comes: it is not waited for.
    decoder.destroy();
  }
}

/** Writes the input piece by piece; what the decoder leaves when it has come to its end is put back. */
async function feed(decoder: Decoder, input: CompressedInput, progress: DecompressionProgress): Promise<void> {
  let fed = 0;
  for (let bytes = await input.next(); bytes !== undefined; bytes = await input.next()) {
    progress.offered = input.taken;
    await write(decoder, bytes);
    if (decoder.destroyed && !decoder.readableEnded) return;
    const used = decoder.bytesWritten - fed;
    progress.taken = input.taken - (bytes.length - used);
    if (used < bytes.length) {
      input.unread(bytes.subarray(used));
      return;
    }
    fed += bytes.length;
  }
  if (!decoder.destroyed) decoder.end();
}

const magicBytes = 4;

/** @throws SLUICE_SOURCE_INVALID where the first bytes, as far as there are, are not those of the compression */
async function checkStart(input: CompressedInput, { compression, name }: Decompression): Promise<void> {
  const { magic } = compressions[compression];
  if (magic === undefined) return;
  const head = await peekBytes(input);
  if (isSkippable(head) || magic.every((byte, at) => at >= head.length || head[at] === byte)) return;
  const other = findCompressionByBytes(head);
  throw new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `${name} is no ${compression} data: ${other === undefined ? 'its first bytes are others' : `it is ${other}`}`,
    { hint: `If it should be, fetch it again whole; else say what it is: --compression ${other ?? 'none'} --format …` },
  );
}

/** Whether another frame of zstd follows: one of data, or one that is to be passed over. */
async function hasFrame(input: CompressedInput, compression: Compression): Promise<boolean> {
  if (compression !== 'zstd') return false;
  const head = await peekBytes(input);
  return isSkippable(head) || findCompressionByBytes(head) === 'zstd';
}

/** A frame that zstd passes over. */
function isSkippable(head: Buffer): boolean {
  return head.length >= magicBytes && head.readUInt32LE(0) >>> 4 === 0x184d2a5;
}

/** The next bytes, at least as many as tell a compression, where there are so many; they stay. */
async function peekBytes(input: CompressedInput): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let held = 0;
  while (held < magicBytes) {
    const bytes = await input.next();
    if (bytes === undefined) break;
    pieces.push(bytes);
    held += bytes.length;
  }
  const head = Buffer.concat(pieces);
  input.unread(head);
  return head;
}

async function refuseRest(input: CompressedInput, name: string): Promise<void> {
  const at = input.taken;
  for (let bytes = await input.next(); bytes !== undefined; bytes = await input.next()) {
    if (!isPadding(bytes)) throw trailingError(name, at);
  }
}

/** Ends when the decoder has taken the bytes, or will take no more. */
function write(decoder: Decoder, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      decoder.off('close', finish);
      resolve();
    };
    decoder.once('close', finish);
    decoder.write(bytes, finish);
  });
}

function toBytes(chunk: unknown, name: string): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new SluiceError('SLUICE_SOURCE_READ', `${name} gave a ${typeof chunk} where compressed bytes were expected`, {
    hint: 'Give it as bytes, without decoding it to text.',
  });
}

function isPadding(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function trailingError(name: string, at: number): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `${name} has more bytes after the end of its compressed data, from byte ${formatCount(at)} on`,
    {
      hint: keepHint,
    },
  );
}

const keepHint =
  'The rows before it that were committed stay. Fetch the file again whole, then load it with --again: by key (--mode upsert or skip), or into a new table.';

function toInvalid(error: unknown, taken: number, { compression, name, progress }: Decompression): unknown {
  if (error instanceof SluiceError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isOfDecoder = /^(?:Z_|ERR_|ERR__|ZSTD_)/u.test(code);
  if (!isOfDecoder) return error;
  const what = describeFault(code, error, compression);
  // zlib says how far it came only after a whole chunk: the fault is somewhere in the last one.
  const end = Math.max(taken, progress.offered ?? 0);
  const where = end === taken ? `near byte ${formatCount(taken)}` : `between bytes ${formatCount(taken)} and ${formatCount(end)}`;
  return new SluiceError('SLUICE_SOURCE_INVALID', `${name} ${what}, ${where} of the compressed file`, { cause: error, hint: keepHint });
}

function describeFault(code: string, error: unknown, compression: Compression): string {
  if (code === 'Z_BUF_ERROR') return `is truncated: its ${compression} data does not end`;
  // The start was checked: where a header is expected again, a member has ended before.
  const isBehind = compression === 'gzip' && error instanceof Error && error.message === 'incorrect header check';
  return isBehind ? 'has more bytes after the end of its gzip data, which are none' : `is corrupt: its ${compression} data can't be read`;
}
