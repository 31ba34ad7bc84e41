/** Where the bytes of an export go: a file under a temporary name, renamed when it is whole and on the disk, or a stream. What fails leaves nothing behind. */
import { createReadStream, createWriteStream, existsSync, type WriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { SluiceError } from '../errors.ts';
import { syncFolder } from '../synced-folder.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** Takes bytes in order, no faster than they can be written. */
export interface Output {
  /** Absolute path, or `stream`. */
  readonly name: string;
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the file; `start` takes the place of its first bytes. Not yet under its name: {@link Output.publish} does that. */
  end(start: Uint8Array | undefined): Promise<void>;
  /** Gives a file its name; its size, where it has one. */
  publish(): Promise<number | undefined>;
  /** Takes back what was written of a file. Repeatable. */
  discard(): Promise<void>;
}

export interface FileRequest {
  readonly file: string;
  readonly compression: Compression;
  readonly overwrites: boolean;
  /** The first bytes are known only at the end: the file is compressed after it is whole. */
  readonly needsStart: boolean;
}

/** Refuses a path that can't be written before anything is read. @throws SLUICE_USAGE, SLUICE_TARGET_MISSING, SLUICE_TARGET_DENIED */
export async function openFileOutput({ file, compression, overwrites, needsStart }: FileRequest): Promise<Output> {
  const name = path.resolve(file);
  checkFree(name, overwrites);
  const temporary = `${name}.${String(process.pid)}-${randomBytes(4).toString('hex')}.tmp`;
  const compressesLater = needsStart && compression !== 'none';
  const sink = await guard(name, () => openSink(temporary, needsStart ? 'none' : compression));
  const remove = async (): Promise<void> => {
    await sink.destroy();
    await Promise.all([temporary, `${temporary}.packed`].map((each) => rm(each, { force: true })));
  };
  return {
    name,
    write: (bytes) => guard(name, () => sink.write(bytes)),
    end: (start) =>
      guard(name, async () => {
        await sink.end();
        if (start !== undefined) await overwriteStart(temporary, start);
        if (compressesLater) await packFile(temporary, compression);
        await syncFile(temporary);
      }),
    publish: () =>
      guard(name, async () => {
        checkFree(name, overwrites);
        const { size } = await stat(temporary);
        await rename(temporary, name);
        await syncFolder(path.dirname(name));
        return size;
      }),
    discard: remove,
  };
}

function checkFree(name: string, overwrites: boolean): void {
  if (overwrites || !existsSync(name)) return;
  throw new SluiceError('SLUICE_USAGE', `${name} is there already.`, { hint: 'Choose another name, or write over it with --force.' });
}

/** A stream of the caller's; it is left open. */
export function openStreamOutput(stream: NodeJS.WritableStream): Output {
  const sink = followWrites(stream);
  return {
    name: 'stream',
    write: (bytes) => guard('the stream', () => sink(bytes)),
    end: async () => undefined,
    publish: async () => undefined,
    discard: async () => undefined,
  };
}

/** Writes into a stream, waiting while it is full; a failure of the stream is thrown by the next write. */
function followWrites(stream: NodeJS.WritableStream): (bytes: Uint8Array) => Promise<void> {
  let failure: Error | undefined;
  stream.on('error', (error: Error) => (failure ??= error));
  return async (bytes) => {
    if (failure !== undefined) throw failure;
    if (stream.write(bytes)) return;
    // `once` rejects when the stream fails instead of draining.
    await once(stream, 'drain');
  };
}

interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  destroy(): Promise<void>;
}

async function openSink(temporary: string, compression: Compression): Promise<Sink> {
  const file = createWriteStream(temporary, { flags: 'wx' });
  await once(file, 'open');
  const packer = createPacker(compression);
  const head: Writable = packer ?? file;
  const piping = packer === undefined ? undefined : pipeline(packer, file);
  // Whoever writes next is told; nobody may be waiting yet.
  piping?.catch(() => undefined);
  const write = followWrites(head);
  return {
    write,
    end: async () => {
      head.end();
      await (piping ?? awaitFinish(file));
    },
    destroy: async () => {
      head.destroy();
      file.destroy();
      if (!file.closed) await once(file, 'close');
    },
  };
}

async function awaitFinish(file: WriteStream): Promise<void> {
  if (!file.closed) await once(file, 'close');
}

function createPacker(compression: Compression): ReturnType<typeof createGzip> | ReturnType<typeof createZstdCompress> | undefined {
  if (compression === 'none') return undefined;
  return compression === 'gzip' ? createGzip() : createZstdCompress();
}

async function overwriteStart(file: string, start: Uint8Array): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(start, 0, start.length, 0);
  } finally {
    await handle.close();
  }
}

async function packFile(file: string, compression: Compression): Promise<void> {
  const packer = createPacker(compression);
  if (packer === undefined) return;
  await pipeline(createReadStream(file), packer, createWriteStream(`${file}.packed`, { flags: 'wx' }));
  await rename(`${file}.packed`, file);
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const failures: Readonly<
  Record<string, readonly [code: 'SLUICE_TARGET_FULL' | 'SLUICE_TARGET_DENIED' | 'SLUICE_TARGET_MISSING', hint: string]>
> = {
  ENOSPC: ['SLUICE_TARGET_FULL', 'Free some room, or write to another disk.'],
  EDQUOT: ['SLUICE_TARGET_FULL', 'Free some of your quota, or write to another disk.'],
  EFBIG: ['SLUICE_TARGET_FULL', 'The file system takes no larger file: export in parts with --where.'],
  EACCES: ['SLUICE_TARGET_DENIED', 'Check the rights of the folder, or write elsewhere.'],
  EPERM: ['SLUICE_TARGET_DENIED', 'Check the rights of the folder, or write elsewhere.'],
  EROFS: ['SLUICE_TARGET_DENIED', 'The disk is read-only: write elsewhere.'],
  ENOENT: ['SLUICE_TARGET_MISSING', 'Make the folder first.'],
  ENOTDIR: ['SLUICE_TARGET_MISSING', 'A part of the path is a file: choose another one.'],
  EISDIR: ['SLUICE_TARGET_DENIED', 'It is a folder: name a file in it.'],
};

/** Errors of the file system leave as errors of sluice. A reader of a stream that went away is the stream's own affair. */
async function guard<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const known = Object.hasOwn(failures, code) ? failures[code] : undefined;
    if (error instanceof SluiceError || code === 'EPIPE') throw error;
    if (known === undefined)
      throw new SluiceError('SLUICE_TARGET_FAILED', `${name} can't be written (${code === '' ? String(error) : code}).`, { cause: error });
    throw new SluiceError(known[0], `${name} can't be written (${code}).`, { cause: error, hint: known[1] });
  }
}
