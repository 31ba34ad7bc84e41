/** A buffer that is zstd, decompressed at once or as a stream: what is wrong with its bytes is a RangeError, as for every fault of a batch. */
import { zstdDecompressSync } from 'node:zlib';
import { isSluiceError } from '../../errors.ts';
import { briefChunkBytes, decompress } from '../files/compression.ts';
import type { PieceDecoder } from './forward-bytes.ts';
import { countPieceBytes, readPieces, type PackedRange } from './packed-input.ts';

/** A frame that says it holds up to this many times its own size gets its memory in one piece; more memory than that grows with what comes out. */
const maxTrustedRatio = 16;
const chunkBytes = 64 * 1024;

/** @throws RangeError for a frame that is damaged, or does not give exactly `length` bytes */
export function decompressZstd(input: Uint8Array, length: number): Uint8Array {
  if (length === 0) return new Uint8Array(0);
  // A little more than the output, so that its end is seen without a second piece.
  const chunkSize = length <= maxTrustedRatio * input.length ? length + 64 : chunkBytes;
  try {
    const bytes = zstdDecompressSync(input, { maxOutputLength: length, chunkSize });
    if (bytes.length === length) return bytes;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw toDamaged(error);
  }
  throw new RangeError('a zstd frame has another length than it was said to have');
}

/**
 * What zlib's thread is given and gives at once: it goes on with it while this thread commits. 10⁶ rows of 384 floats in batches of 65,536: 132,000 rows/s
 * with 4 MiB and 375 MB in all, 127,000 and 360 MB with 3 MiB, 109,000 and 318 MB with 1 MiB.
 */
const largePieceBytes = 3 * 1024 * 1024;

/** `isBrief`: with small buffers, where many columns are read side by side. */
export function openZstd(range: PackedRange, isBrief: boolean): PieceDecoder {
  const pieceBytes = Math.max(countPieceBytes(range.file), isBrief ? 0 : largePieceBytes);
  const chunks = decompress(readPieces(range, pieceBytes), {
    name: 'a zstd frame',
    compression: 'zstd',
    progress: { taken: 0, ratio: 1 },
    chunkBytes: isBrief ? briefChunkBytes : largePieceBytes,
  });
  let chunk: Uint8Array | undefined = new Uint8Array(0);
  return {
    room: 1,
    async fill(memory, at) {
      while (chunk?.length === 0) chunk = await readNext(chunks);
      if (chunk === undefined) return undefined;
      const piece = chunk.subarray(0, memory.length - at);
      if (piece.length === 0) throw new RangeError('a zstd frame is longer than it was said to be');
      memory.set(piece, at);
      chunk = chunk.subarray(piece.length);
      return piece.length;
    },
    async close() {
      await chunks.return();
    },
  };
}

async function readNext(chunks: AsyncGenerator<Buffer, void, undefined>): Promise<Buffer | undefined> {
  try {
    const next = await chunks.next();
    return next.done === true ? undefined : next.value;
  } catch (error) {
    throw isSluiceError(error, 'SLUICE_SOURCE_INVALID') ? toDamaged(error) : error;
  }
}

function toDamaged(cause: Error): RangeError {
  return new RangeError('a zstd frame is damaged, or longer than it was said to be', { cause });
}
