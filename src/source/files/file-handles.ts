/** Open files of a source: a few at a time, opened when needed, each read only up to the size it had when the source was opened. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SluiceError, type ErrorCode } from '../../errors.ts';
import type { ByteInput } from '../text/byte-window.ts';

/** Handles kept open: as many files as one process reads at a time; a source of 10,000 files must not run into the usual limit of 1,024. */
const maxOpenFiles = 16;

/** What is known of a file, so that another one under the same name is noticed. */
export interface FileIdentity {
  readonly path: string;
  readonly size: number;
  /** Device and inode. */
  readonly key: string;
}

/** The files of one source in one thread. Reads are synchronous: a lane has nothing else to do, and a chunk of 512 KiB in the page cache is there in 0.13 ms. */
export class FileHandles {
  private readonly files: (FileIdentity | undefined)[];
  private readonly paths: readonly string[];
  /** By file number, least recently used first. */
  private readonly open = new Map<number, number>();
  private isClosed = false;

  constructor(paths: readonly string[]) {
    this.paths = paths;
    this.files = paths.map(() => undefined);
  }

  get fileCount(): number {
    return this.paths.length;
  }

  /** @throws SLUICE_SOURCE_MISSING, SLUICE_SOURCE_NOT_A_FILE, SLUICE_SOURCE_DENIED or SLUICE_SOURCE_READ */
  identify(file: number): FileIdentity {
    if (this.files[file] === undefined) this.acquire(file);
    const identity = this.files[file];
    if (identity === undefined) throw new SluiceError('SLUICE_INTERNAL', `file ${file} of the source was opened but not identified`);
    return identity;
  }

  /**
   * Fills `target` from byte `position` on; returns how many bytes there were before the end that the file had when it was opened.
   * @throws SLUICE_SOURCE_READ if the file has become shorter.
   */
  read(file: number, target: Uint8Array, position: number): number {
    const descriptor = this.acquire(file);
    const identity = this.identify(file);
    const length = Math.min(target.length, identity.size - position);
    let done = 0;
    while (done < length) {
      const count = readOnce(identity.path, () => readSync(descriptor, target, done, length - done, position + done));
      if (count === 0) throw shrunkError(identity.path, position + done);
      done += count;
    }
    return Math.max(0, done);
  }

  /** The text of some bytes. */
  readText(file: number, position: number, byteCount: number): string {
    const bytes = Buffer.allocUnsafe(byteCount);
    return bytes.toString('utf8', 0, this.read(file, bytes, position));
  }

  /** An input of the bytes `start … end` of a file. */
  createInput(file: number, start: number, end: number): ByteInput {
    let position = start;
    return {
      lowBytes: 256 * 1024,
      read: (target, at, length) => {
        const wanted = Math.min(length, end - position);
        if (wanted <= 0) return 0;
        const count = this.read(file, target.subarray(at, at + wanted), position);
        // The end of a shard was once inside the file: with less in it now, rows would be lost in silence.
        if (count < wanted) throw shrunkError(this.identify(file).path, position + count);
        position += count;
        return count;
      },
    };
  }

  close(): void {
    this.isClosed = true;
    for (const descriptor of this.open.values()) closeSync(descriptor);
    this.open.clear();
  }

  /** The descriptor of a file, which is opened if it isn't open. */
  private acquire(file: number): number {
    const path = this.paths[file];
    if (path === undefined) throw new SluiceError('SLUICE_INTERNAL', `the source has no file ${file}`);
    if (this.isClosed) throw new SluiceError('SLUICE_CLOSED', `the source of ${path} has been closed`);
    const known = this.open.get(file);
    const descriptor = known ?? readOnce(path, () => openSync(path, 'r'));
    // Taken out and put in again: the map's order is the order of use.
    this.open.delete(file);
    this.open.set(file, descriptor);
    if (known === undefined) this.learn(file, path, descriptor);
    this.closeOldest();
    return descriptor;
  }

  /** Notes what a file is when it is opened first, and compares when it is opened again. */
  private learn(file: number, path: string, descriptor: number): void {
    const stats = readOnce(path, () => fstatSync(descriptor));
    if (!stats.isFile()) throw notAFileError(path, stats.isDirectory());
    const identity = { path, size: stats.size, key: `${stats.dev}:${stats.ino}` };
    const before = this.files[file];
    this.files[file] ??= identity;
    if (before === undefined || before.key === identity.key) return;
    throw new SluiceError('SLUICE_SOURCE_READ', `${path} was replaced by another file while it was read`, {
      hint: 'Load it again when nothing writes to it any more.',
    });
  }

  private closeOldest(): void {
    const [oldest] = this.open;
    if (oldest === undefined || this.open.size <= maxOpenFiles) return;
    this.open.delete(oldest[0]);
    closeSync(oldest[1]);
  }
}

function shrunkError(path: string, end: number): SluiceError {
  return new SluiceError('SLUICE_SOURCE_READ', `${path} has become shorter while it was read: it ends at byte ${end}`, {
    hint: 'Load it again when nothing writes to it any more.',
  });
}

/** For a path that leads to no regular file. */
export function notAFileError(path: string, isDirectory: boolean): SluiceError {
  const what = isDirectory ? 'is a directory' : 'is neither a file nor a pipe';
  return new SluiceError('SLUICE_SOURCE_NOT_A_FILE', `${path} ${what}`, { hint: isDirectory ? 'Name the files in it.' : 'Name a file.' });
}

/** Runs a call of the file system; its error names the path and says what to do. */
function readOnce<Result>(path: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw toSourceError(path, error);
  }
}

interface Refusal {
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

const refusals: Readonly<Record<string, Refusal>> = {
  ENOENT: {
    code: 'SLUICE_SOURCE_MISSING',
    what: 'does not exist',
    hint: 'Check the path; a relative one begins at the working directory.',
  },
  ENOTDIR: { code: 'SLUICE_SOURCE_MISSING', what: 'does not exist', hint: 'A part of the path is a file, not a directory.' },
  ELOOP: { code: 'SLUICE_SOURCE_MISSING', what: 'is a link that leads in a circle', hint: 'Check where the links lead: ls -l.' },
  ENAMETOOLONG: { code: 'SLUICE_SOURCE_MISSING', what: 'does not exist', hint: 'No file has a name that long; check the path.' },
  EACCES: { code: 'SLUICE_SOURCE_DENIED', what: 'may not be read', hint: 'Give this user the right to read it.' },
  EPERM: { code: 'SLUICE_SOURCE_DENIED', what: 'may not be read', hint: 'Give this user the right to read it.' },
};

/** An error of the file system as one of sluice. */
export function toSourceError(path: string, error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const systemCode = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
  const refusal = Object.hasOwn(refusals, systemCode) ? refusals[systemCode] : undefined;
  if (refusal !== undefined) return new SluiceError(refusal.code, `${path} ${refusal.what}`, { cause: error, hint: refusal.hint });
  return new SluiceError('SLUICE_SOURCE_READ', `${path} could not be read (${systemCode})`, {
    cause: error,
    hint: 'Once it can be read again, resume.',
  });
}
