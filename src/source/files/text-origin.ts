/** Where the bytes of a text come from that is no plain file of this machine: a place in it may cost a request, or decompressing all before it. */
import { SluiceError } from '../../errors.ts';
import type { ByteFile } from './byte-file.ts';
import type { ByteInput } from '../text/byte-window.ts';
import { briefChunkBytes, decompress, type Compression, type DecompressionProgress } from './compression.ts';
import { decompressSmall } from './small-decompression.ts';

/** An input that holds something until it is closed. */
export interface OpenInput extends ByteInput {
  /** How far the stored file has been used; undefined where its bytes are those that are read. */
  readonly progress: DecompressionProgress | undefined;
  close(): Promise<void>;
}

/** The text of one file. Offsets are those of the text, after decompression. */
export interface TextOrigin {
  /** For messages. */
  readonly name: string;
  /** Of the file as it is stored. */
  readonly byteCount: number | undefined;
  /** Hex; tells the file from another one. */
  readonly digest: string;
  /** Length of the text; undefined where it is not known before it was read. */
  readonly textBytes: number | undefined;
  /** A place can only be reached by reading everything before it. */
  readonly isWhole: boolean;
  /** Bytes from one place to another, or to the end: read as they come. `isBrief`: only the first few are wanted. */
  open(start: number, end: number | undefined, isBrief?: boolean): OpenInput;
  /** The same a little at a time, for who looks at a few bytes only; undefined where `isWhole`. */
  readonly glance: ((start: number, end: number) => ByteInput) | undefined;
  /** Bytes again as text; undefined where that would mean to read everything before them. */
  readonly reread: ((offset: number, byteCount: number) => string) | undefined;
  close(): Promise<void>;
}

/** Bytes as chunks, from a place on. The iterator is closed by who asked for it. */
export type OpenChunks = (start: number, end: number | undefined) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** How much of a window is there before it is read again: a parser that takes 256 KiB at once should not get less. */
const lowBytes = 256 * 1024;

/**
 * An input over chunks, of which the first `skip` bytes are passed over.
 * @throws SLUICE_SOURCE_CHANGED when there are fewer
 */
export function createChunkInput(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { name, progress, skip }: { readonly name: string; readonly skip: number; readonly progress?: DecompressionProgress | undefined },
): OpenInput {
  const iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  let rest: Uint8Array = new Uint8Array(0);
  let toSkip = skip;
  let isDone = false;
  const pull = async (): Promise<boolean> => {
    const result = await iterator.next();
    isDone = result.done === true;
    if (result.done !== true) rest = result.value;
    return !isDone;
  };
  return {
    lowBytes,
    progress,
    async read(target, at, length) {
      while (rest.length === 0 || toSkip > 0) {
        if (rest.length === 0 && (isDone || !(await pull()))) {
          if (toSkip > 0) throw endedError(name, skip - toSkip, skip);
          return 0;
        }
        const passed = Math.min(toSkip, rest.length);
        rest = rest.subarray(passed);
        toSkip -= passed;
      }
      const count = Math.min(length, rest.length);
      target.set(rest.subarray(0, count), at);
      rest = rest.subarray(count);
      return count;
    },
    async close() {
      isDone = true;
      rest = new Uint8Array(0);
      await iterator.return?.();
    },
  };
}

function endedError(name: string, found: number, wanted: number): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCE_CHANGED',
    `${name} ends at byte ${String(found)}, before byte ${String(wanted)}, up to which it was loaded`,
    {
      hint: 'Put the file back as it was and resume.',
    },
  );
}

/** What a compressed text is made of. */
export interface CompressedFile {
  readonly name: string;
  readonly byteCount: number | undefined;
  readonly digest: string;
  readonly compression: Compression;
  readonly openChunks: OpenChunks;
  /** It is small, and all of its bytes are at hand. */
  readonly isSmall?: boolean;
  readonly close: () => Promise<void>;
}

/** A compressed text: read from its start each time, and what was loaded before is passed over. */
export function createCompressedOrigin({ byteCount, close, compression, digest, isSmall, name, openChunks }: CompressedFile): TextOrigin {
  const unpack = isSmall === true ? decompressSmall : decompress;
  return {
    name,
    byteCount,
    digest,
    textBytes: undefined,
    isWhole: true,
    open(start, _end, isBrief) {
      const progress: DecompressionProgress = { taken: 0, ratio: 1 };
      const chunkBytes = isBrief === true ? briefChunkBytes : undefined;
      const chunks = unpack(openChunks(0, undefined), { name, compression, progress, chunkBytes });
      return createChunkInput(chunks, { name, skip: start, progress });
    },
    glance: undefined,
    reread: undefined,
    close,
  };
}

/** Compressed bytes that are read at once. */
const readBytes = 256 * 1024;

/** The bytes of a file piece by piece. */
export function chunksOf(file: ByteFile): OpenChunks {
  return async function* (start, end = file.byteCount) {
    for (let at = start; at < end; at += readBytes) yield await file.read(at, Math.min(end, at + readBytes));
  };
}
