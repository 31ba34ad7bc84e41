/** Reads one file of the queue: every whole record in order, and what lies between them that is none. Memory is bounded by one record. */
import { open, type FileHandle } from 'node:fs/promises';

import { SluiceError } from '../../errors.ts';
import { isBodyWhole, readRecordHead, readSegmentHead, recordHeadBytes, recordMagic, segmentHeadBytes, type LogRecord } from './record.ts';

/** record: whole · damaged: bytes that were a record once (`sequence` where its head can be read) · torn: nothing whole follows, as a crash leaves the end. */
export type SegmentPart =
  | { readonly kind: 'record'; readonly record: LogRecord }
  | { readonly kind: 'damaged'; readonly sequence: bigint | undefined; readonly at: number; readonly bytes: number }
  | { readonly kind: 'torn'; readonly at: number; readonly bytes: number };

/** 1 MiB: one system call reads hundreds of small requests; larger windows were not faster. */
const windowBytes = 1_048_576;

/**
 * Yields the parts of the file at `path`, behind its head.
 * @throws SLUICE_LEDGER_VERSION a newer sluice has written it
 */
export async function* readSegment(path: string): AsyncGenerator<SegmentPart> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const reading: Reading = { handle, size, start: 0, window: Buffer.alloc(0), salt: undefined };
    const head = readSegmentHead(await readBytes(reading, 0, segmentHeadBytes));
    if (head.state === 'newer') {
      throw new SluiceError('SLUICE_LEDGER_VERSION', "the queue's files were written by a newer version", {
        hint: 'Start the version of sluice that wrote them, or let it apply them first.',
      });
    }
    if (head.state === 'damaged' && size >= segmentHeadBytes)
      yield { kind: 'damaged', sequence: undefined, at: 0, bytes: segmentHeadBytes };
    reading.salt = head.salt;
    yield* readParts(reading);
  } finally {
    await handle.close();
  }
}

interface Reading {
  readonly handle: FileHandle;
  readonly size: number;
  salt: number | undefined;
  start: number;
  window: Buffer;
}

async function* readParts(reading: Reading): AsyncGenerator<SegmentPart> {
  let at = segmentHeadBytes;
  while (at < reading.size) {
    const head = readRecordHead(await readBytes(reading, at, recordHeadBytes), reading.salt);
    const next = head === undefined ? undefined : at + recordHeadBytes + head.bodyBytes;
    if (head === undefined || next === undefined || next > reading.size) {
      const found = await findRecord(reading, at + 1);
      const bytes = (found ?? reading.size) - at;
      yield found === undefined ? { kind: 'torn', at, bytes } : { kind: 'damaged', sequence: head?.sequence, at, bytes };
      at += bytes;
      continue;
    }
    // Copied, because the window moves on while the request waits to be applied.
    const body = Uint8Array.from(await readBytes(reading, at + recordHeadBytes, head.bodyBytes));
    if (isBodyWhole(head, body)) yield { kind: 'record', record: { sequence: head.sequence, isStrict: head.isStrict, body } };
    else yield { kind: 'damaged', sequence: head.sequence, at, bytes: next - at };
    at = next;
  }
}

/** Where the next whole record begins, at or behind `from`: its magic may also stand in a body, so its checksums decide. */
async function findRecord(reading: Reading, from: number): Promise<number | undefined> {
  let at = from;
  while (at + recordHeadBytes <= reading.size) {
    const bytes = await readBytes(reading, at, Math.min(windowBytes, reading.size - at));
    const found = bytes.indexOf(recordMagic);
    if (found < 0) {
      at += Math.max(1, bytes.length - recordMagic.length + 1);
      continue;
    }
    at += found;
    const head = readRecordHead(await readBytes(reading, at, recordHeadBytes), reading.salt);
    if (head !== undefined && at + recordHeadBytes + head.bodyBytes <= reading.size) {
      const body = await readBytes(reading, at + recordHeadBytes, head.bodyBytes);
      if (isBodyWhole(head, body)) return at;
    }
    at += 1;
  }
  return undefined;
}

/** The bytes at `at`, fewer at the end of the file; valid until the next call. */
async function readBytes(reading: Reading, at: number, length: number): Promise<Buffer> {
  const wanted = Math.min(length, reading.size - at);
  if (at < reading.start || at + wanted > reading.start + reading.window.length) await moveWindow(reading, at, wanted);
  return reading.window.subarray(at - reading.start, at - reading.start + wanted);
}

async function moveWindow(reading: Reading, at: number, wanted: number): Promise<void> {
  const window = Buffer.allocUnsafe(Math.min(Math.max(wanted, windowBytes), reading.size - at));
  let filled = 0;
  while (filled < window.length) {
    const { bytesRead } = await reading.handle.read(window, filled, window.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  reading.start = at;
  reading.window = window.subarray(0, filled);
}
