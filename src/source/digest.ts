/** Digests of a shard's first and last bytes: enough to see that a file is another one, at the cost of two small reads a shard. */
import { hash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { FileHandles } from './files/file-handles.ts';
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

/** Whether the bytes of a shard are, as far as the digests tell, the ones that it was cut from. */
export function isUnchanged(handles: FileHandles, shard: Shard): boolean {
  const { file, start, end } = shard;
  if (file >= handles.fileCount || end === undefined) return false;
  try {
    const { head, tail } = digestEnds(handles, file, { start, end });
    return head === shard.head && tail === shard.tail;
  } catch (error) {
    // A file that shrinks just now has changed; whatever else is wrong with it is not a matter of its content.
    if (error instanceof SluiceError && error.code === 'SLUICE_SOURCE_READ' && error.cause === undefined) return false;
    throw error;
  }
}
