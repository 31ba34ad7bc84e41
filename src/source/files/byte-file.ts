/** A file of known length that is read at any place: on this machine or behind an HTTP server. What binary formats are written against. */
import { FileHandles } from './file-handles.ts';

/** Bytes at any place of one file. Never read beyond `byteCount`, which is what the file had when it was opened. */
export interface ByteFile {
  /** A path or URL, for messages; without a password. */
  readonly name: string;
  readonly byteCount: number;
  /** Each read is a request over a network: few large ones are better than many small ones. */
  readonly isRemote?: boolean;
  /**
   * The bytes `start … end`, in memory of their own. Both are checked against `byteCount` by the caller: a length out of a file is never believed.
   * @throws SLUICE_SOURCE_READ, SLUICE_SOURCE_CHANGED
   */
  read(start: number, end: number): Uint8Array | Promise<Uint8Array>;
  /** The same into memory of the caller's, from `start` on; answers how many bytes there were. Undefined where bytes come in memory of their own anyway. */
  readonly readInto?: (target: Uint8Array, start: number) => number;
  close(): void | Promise<void>;
}

/**
 * A file of this machine.
 * @throws SLUICE_SOURCE_MISSING, SLUICE_SOURCE_NOT_A_FILE, SLUICE_SOURCE_DENIED or SLUICE_SOURCE_READ
 */
export function openLocalFile(path: string): ByteFile {
  const handles = new FileHandles([path]);
  const byteCount = handles.identify(0).size;
  return {
    name: path,
    byteCount,
    read: (start, end) => {
      const bytes = Buffer.allocUnsafeSlow(end - start);
      return bytes.subarray(0, handles.read(0, bytes, start));
    },
    readInto: (target, start) => handles.read(0, target, start),
    close: () => handles.close(),
  };
}
