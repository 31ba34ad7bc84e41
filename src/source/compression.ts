/** Compressed input: which compression it is, and its bytes decompressed as a stream. An input that ends early or goes on after its end is an error, never a shorter file. */
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import { extname } from 'node:path';
import type { Transform } from 'node:stream';
import { SluiceError } from '../errors.ts';
import { formatCount } from '../count-text.ts';
import type { SourceOptions } from './source.ts';

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

/**
 * Decompressed bytes that are made ahead. zlib works on a thread of its own and comes back for each piece of `chunkSize`: with large ones it goes on
 * while this thread parses and writes.
 */
const chunkSize = 1024 * 1024;
const readableHighWaterMark = 2 * chunkSize;

/** As zlib has it by default. */
const brief = { chunkSize: 16 * 1024, readableHighWaterMark: 16 * 1024 };

/** How far a stream has been decompressed. */
export interface DecompressionProgress {
  /** Compressed bytes that were used. */
  taken: number;
  /** Compressed bytes for a byte of text, as far as was read. */
  ratio: number;
}

export interface Decompression {
  readonly name: string;
  readonly compression: Compression;
  readonly progress: DecompressionProgress;
  /** Only the beginning is wanted: of 10,000 files it is looked at, and large buffers for each take longer than that. */
  readonly isBrief?: boolean | undefined;
}

/**
 * The bytes of `chunks` decompressed. All members of a gzip file and all frames of a zstd file are read; zeros after the last one are padding.
 * @throws SLUICE_SOURCE_INVALID for an input that is truncated, corrupt or followed by something else, and whatever `chunks` throws
 */
export async function* decompress(
  chunks: AsyncIterable<unknown> | Iterable<unknown>,
  options: Decompression,
): AsyncGenerator<Buffer, void, undefined> {
  const decoder = compressions[options.compression].create(options.isBrief === true ? brief : { chunkSize, readableHighWaterMark });
  const feeding = feed(decoder, chunks, options);
  // Told of by the loop below, which it ends.
  feeding.catch((error: unknown) => decoder.destroy(error instanceof Error ? error : new Error(String(error))));
  let given = 0;
  try {
    for await (const chunk of decoder) {
      const bytes = chunk as Buffer;
      given += bytes.length;
      options.progress.ratio = decoder.bytesWritten / Math.max(1, given + decoder.readableLength);
      yield bytes;
    }
    await feeding;
  } catch (error) {
    throw toInvalid(error, decoder.bytesWritten, options);
  } finally {
    // A feeder that waits for its own input hears of it when that comes: it is not waited for.
    decoder.destroy();
  }
}

/** Writes the chunks one by one; what the decoder leaves of them when it has come to its end must be padding. */
async function feed(
  decoder: Decoder,
  chunks: AsyncIterable<unknown> | Iterable<unknown>,
  { name, progress }: Decompression,
): Promise<void> {
  let fed = 0;
  let isOver = false;
  for await (const chunk of chunks) {
    const bytes = toBytes(chunk, name);
    if (bytes.length === 0) continue;
    if (!isOver) await write(decoder, bytes);
    if (decoder.destroyed && !decoder.readableEnded) return;
    const used: number = isOver ? 0 : decoder.bytesWritten - fed;
    isOver ||= used < bytes.length;
    if (isOver && !isPadding(bytes.subarray(used))) throw trailingError(name, fed + used);
    fed += bytes.length;
    progress.taken = fed;
  }
  if (!isOver && !decoder.destroyed) decoder.end();
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

function toInvalid(error: unknown, taken: number, { compression, name }: Decompression): unknown {
  if (error instanceof SluiceError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isOfDecoder = /^(?:Z_|ERR_|ERR__|ZSTD_)/u.test(code);
  if (!isOfDecoder) return error;
  const isShort = code === 'Z_BUF_ERROR';
  const what = isShort ? `is truncated: its ${compression} data does not end` : `is corrupt: its ${compression} data can't be read`;
  return new SluiceError('SLUICE_SOURCE_INVALID', `${name} ${what}, near byte ${formatCount(taken)} of the compressed file`, {
    cause: error,
    hint: keepHint,
  });
}
