/** `/db/backup`: a consistent copy while writes go on, as a database file or as SQL text. */
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import type { Engine, Reply } from '../engine/contract.ts';
import { refuse } from '../http/reply.ts';
import type { BackupOptions } from './contract.ts';
import { streamDump } from './dump.ts';
import { pace } from './paced.ts';
import { makeTemporary, type TemporaryFile } from './temporary.ts';

/** 256 KiB a read: larger ones gain nothing over a socket. */
const readBytes = 262_144;
const defaultStallMs = 60_000;

/** Never rejects: what fails before the first byte is a 500 as rqlite gives it; later the body breaks off. */
export async function backup(engine: Engine, options: BackupOptions): Promise<Reply> {
  const isSql = options.format === 'sql';
  if (isSql && options.vacuum) return refuse(500, 'invalid backup format');
  try {
    const { path } = await engine.readFacts();
    const source = isSql ? streamDump({ file: path, tables: options.tables }) : await copyDatabase(engine, path, options);
    const body = await pace(options.compress ? compress(source) : source, options.stallTimeoutMs ?? defaultStallMs);
    return { status: 200, contentType: isSql ? 'application/sql' : 'application/octet-stream', body };
  } catch (error) {
    return refuse(500, error instanceof Error ? error.message : String(error));
  }
}

async function copyDatabase(engine: Engine, database: string, { format, vacuum }: BackupOptions): Promise<AsyncGenerator<Uint8Array>> {
  const copy = await makeTemporary(database, '.backup');
  try {
    await engine.copyTo(copy.path, { vacuum, usesDeleteMode: format === 'delete' });
  } catch (error) {
    await copy.remove();
    throw error;
  }
  return streamFile(copy);
}

async function* streamFile(copy: TemporaryFile): AsyncGenerator<Uint8Array> {
  try {
    yield* readPieces(await open(copy.path, 'r'), copy);
  } finally {
    await copy.remove();
  }
}

async function* readPieces(handle: FileHandle, copy: TemporaryFile): AsyncGenerator<Uint8Array> {
  try {
    // The name goes first, where the system allows it: then not even a kill leaves the file behind.
    if (process.platform !== 'win32') await copy.remove();
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(readBytes), 0, readBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** rqlite compresses as fast as gzip can: the backup should not take longer than the disk. */
async function* compress(source: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 1 });
  const abort = new AbortController();
  const done = pipeline(Readable.from(source, { objectMode: false }), gzip, { signal: abort.signal });
  // A fault of the source destroys `gzip` with the same error, which the loop below throws.
  done.catch(() => undefined);
  try {
    for await (const piece of gzip) yield piece as Uint8Array;
  } finally {
    abort.abort();
    await source.return(undefined);
  }
}
