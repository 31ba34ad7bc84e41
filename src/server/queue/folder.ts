/** The queue's folder beside the database: its files by their first sequence number, made and removed so that a power cut leaves either all or nothing of them. */
import { randomInt } from 'node:crypto';
import { mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { syncFolder } from '../../synced-folder.ts';
import { writeSegmentHead } from './record.ts';

/** One file of the queue. It holds sequence numbers from `base` up to the next file's base. */
export interface Segment {
  readonly path: string;
  readonly base: bigint;
}

/** A file that is being written. */
export interface OpenSegment extends Segment {
  readonly handle: FileHandle;
  readonly salt: number;
  size: number;
}

/** Twenty digits hold every int64, so that names sort as numbers do. */
const namePattern = /^(\d{20})\.log$/;

export function nameFolder(file: string): string {
  return `${file}-sluice-queue`;
}

export async function makeFolder(file: string): Promise<string> {
  const folder = nameFolder(file);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** The queue's files in their order. */
export async function listSegments(folder: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of await readdir(folder)) {
    const digits = namePattern.exec(name)?.[1];
    if (digits !== undefined) segments.push({ path: join(folder, name), base: BigInt(digits) });
  }
  return segments.sort((left, right) => (left.base < right.base ? -1 : 1));
}

/** Makes a file that is durable, name and head, before a request is written into it. */
export async function createSegment(folder: string, base: bigint): Promise<OpenSegment> {
  const path = join(folder, `${String(base).padStart(20, '0')}.log`);
  const salt = randomInt(1, 2 ** 32);
  const head = writeSegmentHead(base, salt);
  const handle = await open(path, 'wx');
  try {
    await writeAll(handle, head, 0);
    await handle.datasync();
    await syncFolder(folder);
  } catch (error) {
    await handle.close();
    await unlink(path);
    throw error;
  }
  return { path, base, handle, salt, size: head.length };
}

export async function removeSegments(folder: string, segments: readonly Segment[]): Promise<void> {
  for (const segment of segments) await unlink(segment.path);
  if (segments.length > 0) await syncFolder(folder);
}

/** Keeps a file with damaged records out of the queue's way, for whoever wants to look into it. */
export async function setAside(folder: string, segment: Segment): Promise<void> {
  await rename(segment.path, `${segment.path}.damaged`);
  await syncFolder(folder);
}

export async function cutSegment(segment: Segment, size: number): Promise<void> {
  const handle = await open(segment.path, 'r+');
  try {
    await handle.truncate(size);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.byteLength - written, position + written);
    written += bytesWritten;
  }
}
