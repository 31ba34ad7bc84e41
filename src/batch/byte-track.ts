/** Keeps a checksum of a file's bytes up to any place that is still ahead: it tells a later session whether what was run is what stands there now. */
import { crc32 } from 'node:zlib';

/** Bytes that were read, and how far they are in the checksum. */
export interface ByteTrack {
  note(bytes: Buffer): void;
  /** CRC-32 of the bytes before `offset`, which may not be before that of an earlier call. */
  digestTo(offset: number): number;
}

export function createByteTrack(from: { readonly offset: number; readonly crc: number }): ByteTrack {
  const ahead: Buffer[] = [];
  let { crc, offset: done } = from;
  return {
    note: (bytes) => void ahead.push(bytes),
    digestTo: (offset) => {
      while (done < offset) {
        const [first] = ahead;
        if (first === undefined) break;
        const part = first.subarray(0, offset - done);
        crc = crc32(part, crc);
        done += part.length;
        if (part.length === first.length) ahead.shift();
        else ahead[0] = first.subarray(part.length);
      }
      return crc;
    },
  };
}
