/** Finds where a second file begins in what is really two of them, one behind the other: the last footer of such a file tells of the last one alone, and the rows of the others would be lost in silence. */
import type { ByteFile } from './byte-file.ts';

/**
 * How far before the end of what the footer tells of the seam is looked for: there may be what a footer need not measure, such as Bloom filters (1 MiB each
 * where parquet-mr chooses). A file without a gap is not looked at.
 */
const searchedBytes = 8 * 1024 * 1024;

export interface SeamSearch {
  /** The mark that a file ends with, and the one that the next begins with. */
  readonly end: string;
  readonly start: string;
  /** Where the last file begins at most: the bytes from there to its footer are all that the footer tells of. */
  readonly upTo: number;
  /** Bytes before the end's mark in which a file says how long its footer is. */
  readonly lengthBytes: number;
}

/** First byte of the last file; undefined where the bytes are one file. The first file's end must be one, with a footer that has room in it. */
export async function findSeam(file: ByteFile, { end, lengthBytes, start, upTo }: SeamSearch): Promise<number | undefined> {
  const last = Math.min(upTo, file.byteCount - start.length);
  const least = start.length + lengthBytes + end.length;
  if (last < least) return undefined;
  const from = Math.max(0, last - searchedBytes);
  const read = await file.read(from, last + start.length);
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
  const seam = Buffer.from(end + start, 'latin1');
  for (let at = bytes.lastIndexOf(seam); at >= lengthBytes; at = bytes.lastIndexOf(seam, at - 1)) {
    const footerBytes = bytes.readInt32LE(at - lengthBytes);
    if (footerBytes > 0 && footerBytes <= from + at - lengthBytes - start.length) return from + at + end.length;
  }
  return undefined;
}
