/** Digests of a shard's first and last bytes: enough to see that a file is another one, at the cost of two small reads a shard. */
import { hash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { FileHandles } from './files/file-handles.ts';
import { readJoined } from '../rows/joined-place.ts';
import type { Shard } from './source.ts';

const digestedBytes = 4096;
/** Hex digits that are kept: 64 bits, more than a chance collision needs. */
const digestLength = 16;

/** Digests of the bytes `start … end` of a file. */
export function digestEnds(
  handles: FileHandles,
  file: number,
  range: { readonly start: number; readonly end: number },
): Pick<Shard, 'head' | 'tail'> {
  const length = Math.min(digestedBytes, range.end - range.start);
  const bytes = Buffer.allocUnsafe(length);
  const digestAt = (position: number): string =>
    hash('sha256', bytes.subarray(0, handles.read(file, bytes, position)), 'hex').slice(0, digestLength);
  return { head: digestAt(range.start), tail: digestAt(range.end - length) };
}

/** A whole file as a shard of several files names it: its size, and a digest of its first and last bytes. */
export function writeFileEntry(size: number, { head, tail }: Pick<Shard, 'head' | 'tail'>): string {
  return `${String(size)}.${hash('sha256', head + tail, 'hex').slice(0, digestLength)}`;
}

/** The size that a file had. Bytes that came later are not the load's. */
export function readFileSize(entry: string): number {
  return Number.parseInt(entry, 10);
}

function isSameFile(handles: FileHandles, file: number, entry: string): boolean {
  const end = readFileSize(entry);
  return entry === writeFileEntry(end, digestEnds(handles, file, { start: 0, end }));
}

/** Whether the bytes of a shard are, as far as the digests tell, the ones that it was cut from. */
export function isUnchanged(handles: FileHandles, shard: Shard): boolean {
  const { file, start, end } = shard;
  const joined = readJoined(shard);
  if (file + (joined?.length ?? 1) > handles.fileCount || end === undefined) return false;
  try {
    if (joined !== undefined) return joined.every((entry, index) => isSameFile(handles, file + index, entry));
    const { head, tail } = digestEnds(handles, file, { start, end });
    return head === shard.head && tail === shard.tail;
  } catch (error) {
    // A file that shrinks just now has changed; whatever else is wrong with it is not a matter of its content.
    if (error instanceof SluiceError && error.code === 'SLUICE_SOURCE_READ' && error.cause === undefined) return false;
    throw error;
  }
}
