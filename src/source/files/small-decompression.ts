/** Decompresses a small file at once: of 10,000 of them each is there in 0.1 ms, by a stream in 1 ms. What is not whole and sound is left to the stream, which knows what to say of it. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { decompress, type Compression, type Decompression } from './compression.ts';

/** Files up to this size are taken at once. */
export const maxSmallBytes: number = 128 * 1024;
/** What unpacks to more is no small file. */
const maxOutputLength = 4 * 1024 * 1024;

interface Unpacked {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

type Unpack = (bytes: Uint8Array, options: { readonly info: true; readonly maxOutputLength: number }) => unknown;

const unpackers: Readonly<Record<Compression, Unpack>> = {
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
  brotli: brotliDecompressSync,
};

/** The bytes of `chunks`, all of a small file, decompressed as `decompress` does. */
export async function* decompressSmall(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: Decompression,
): AsyncGenerator<Buffer, void, undefined> {
  const pieces: Uint8Array[] = [];
  for await (const piece of chunks) pieces.push(piece);
  const bytes = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  const unpacked = unpackWhole(bytes, options.compression);
  if (unpacked === undefined) {
    yield* decompress([bytes], options);
    return;
  }
  options.progress.taken = bytes.length;
  options.progress.ratio = bytes.length / Math.max(1, unpacked.length);
  yield unpacked;
}

/** Undefined for bytes that are damaged, cut short, followed by others, or too many once they are unpacked. */
function unpackWhole(bytes: Uint8Array, compression: Compression): Buffer | undefined {
  try {
    const { buffer, engine } = unpackers[compression](bytes, { info: true, maxOutputLength }) as Unpacked;
    return engine.bytesWritten === bytes.length ? buffer : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
