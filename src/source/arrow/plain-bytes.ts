/** A buffer that stands in the file as it is: read where it is asked for, and a little ahead. */
import type { ByteFile } from '../files/byte-file.ts';

/** Bytes of one buffer at any place; faster where each lies behind the last. */
export interface BufferBytes {
  /** @throws RangeError where the buffer is shorter, or its compressed bytes are damaged */
  slice(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface PlainRange {
  readonly file: ByteFile;
  readonly start: number;
  readonly byteCount: number;
  /** Its first bytes, where they were read already. */
  readonly head?: Uint8Array;
}

/** Read ahead in each buffer, so that small columns don't cost a read, or a request, a stretch. */
const readAheadBytes = 256 * 1024;

export function openPlain({ byteCount, file, head = new Uint8Array(0), start: fileStart }: PlainRange): BufferBytes {
  let kept = { start: 0, bytes: head };
  return {
    async slice(start, end) {
      if (end > byteCount) throw new RangeError('a buffer is shorter than its column');
      if (start < kept.start || end > kept.start + kept.bytes.length) {
        const upTo = Math.min(byteCount, Math.max(end, start + readAheadBytes));
        kept = { start, bytes: await file.read(fileStart + start, fileStart + upTo) };
        if (end > start + kept.bytes.length) throw new RangeError('a buffer is shorter than its column');
      }
      return kept.bytes.subarray(start - kept.start, end - kept.start);
    },
    close: async () => undefined,
  };
}

/** A buffer that is in memory. */
export function holdBytes(bytes: Uint8Array): BufferBytes {
  return {
    async slice(start, end) {
      if (end > bytes.length) throw new RangeError('a buffer is shorter than its column');
      return bytes.subarray(start, end);
    },
    close: async () => undefined,
  };
}
