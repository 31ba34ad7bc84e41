/** Unpacks pages. What a page claims to hold is compared with what its codec can make of its bytes before memory is taken. */
import { brotliDecompressSync, constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { PageFault } from './fault.ts';
import type { Unpacking } from './room.ts';
import { unpackSnappy } from './snappy.ts';

/** Unpacks one page of one codec into `size` bytes. */
export type Unpack = (input: Uint8Array, size: number, how: Unpacking) => Uint8Array;

type Lz4 = (input: Uint8Array, outputLength: number) => Uint8Array;

/**
 * Answers how pages of a codec are unpacked; LZ4 is loaded on use.
 * @throws PageFault for one that can't be
 */
export async function openCodec(codec: string): Promise<Unpack> {
  const unpack = await findCodec(codec);
  // Nothing is packed in as many ways as there are writers: an empty page, one byte, a frame.
  return (input, size, how) => (size === 0 ? new Uint8Array(0) : unpack(input, size, how));
}

async function findCodec(codec: string): Promise<Unpack> {
  switch (codec) {
    case 'UNCOMPRESSED':
      return (input, size, { wanted }) => (wanted === undefined ? checkLength(input, size) : input.subarray(0, wanted));
    case 'SNAPPY':
      return unpackSnappy;
    case 'GZIP':
      return (input, size, { wanted }) => unpackNative(input, { size, wanted, how: gunzipAny });
    case 'ZSTD':
      return (input, size, { wanted }) => unpackNative(input, { size, wanted, how: unpackZstd });
    case 'BROTLI':
      return (input, size, { wanted }) => unpackNative(input, { size, wanted, how: unpackBrotli });
    case 'LZ4':
    case 'LZ4_RAW':
      return openLz4(codec);
    default:
      throw new PageFault(`its pages are compressed by ${codec}, which can't be read; write it with zstd or snappy`);
  }
}

async function openLz4(codec: 'LZ4' | 'LZ4_RAW'): Promise<Unpack> {
  const { compressors } = await import('hyparquet-compressors');
  const unpack = compressors[codec] as Lz4;
  return (input, size) => {
    // A byte of LZ4 stands for at most 255 others.
    if (size > input.length * 255 + 64) throw brokenPage();
    try {
      return checkLength(unpack(input, size), size);
    } catch (error) {
      throw brokenPage(error);
    }
  };
}

interface NativeOptions {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
  readonly isPartial: boolean;
}

interface NativeRequest {
  readonly size: number;
  readonly wanted: number | undefined;
  readonly how: (input: Uint8Array, options: NativeOptions) => Uint8Array;
}

/** Input that holds the first bytes of a page: a block of zstd takes at most 128 KiB, and of two the first is whole. */
export const partialInput: number = 192 * 1024;

function unpackNative(input: Uint8Array, { how, size, wanted }: NativeRequest): Uint8Array {
  const isPartial = wanted !== undefined && wanted < size;
  // One chunk for all of the output where the page is plausible; a page that claims much out of few bytes grows chunk by chunk.
  const chunkSize = Math.max(64, Math.min(size, Math.max(1024 * 1024, input.length * 8)));
  try {
    if (isPartial) return how(input.subarray(0, partialInput), { maxOutputLength: size, chunkSize, isPartial });
    return checkLength(how(input, { maxOutputLength: size, chunkSize, isPartial }), size);
  } catch (error) {
    throw brokenPage(error);
  }
}

function gunzipAny(input: Uint8Array, { chunkSize, isPartial, maxOutputLength }: NativeOptions): Uint8Array {
  return gunzipSync(input, { maxOutputLength, chunkSize, ...(isPartial ? { finishFlush: constants.Z_SYNC_FLUSH } : {}) });
}

function unpackZstd(input: Uint8Array, { chunkSize, isPartial, maxOutputLength }: NativeOptions): Uint8Array {
  return zstdDecompressSync(input, { maxOutputLength, chunkSize, ...(isPartial ? { finishFlush: constants.ZSTD_e_flush } : {}) });
}

function unpackBrotli(input: Uint8Array, { chunkSize, isPartial, maxOutputLength }: NativeOptions): Uint8Array {
  return brotliDecompressSync(input, {
    maxOutputLength,
    chunkSize,
    ...(isPartial ? { finishFlush: constants.BROTLI_OPERATION_FLUSH } : {}),
  });
}

function checkLength(output: Uint8Array, size: number): Uint8Array {
  if (output.length !== size) throw brokenPage();
  return output;
}

function brokenPage(cause?: unknown): PageFault {
  if (cause instanceof PageFault) return cause;
  const fault = new PageFault('a page does not unpack to the length that its header says');
  fault.cause = cause;
  return fault;
}
