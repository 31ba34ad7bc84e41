/** Opens what statements are read from: a file, stdin or a stream. Bytes come in order from a place that an earlier session left, and are checked up to it. */
import { createReadStream, statSync, type Stats } from 'node:fs';
import { extname, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { SluiceError } from '../errors.ts';
import { notAFileError, toSourceError } from '../source/files/file-handles.ts';
import { PulledIterator } from '../source/memory/iteration.ts';
import type { BatchFileOptions, StatementFormat } from './options.ts';

/** Statements of a file or stream, not yet read. */
export interface StatementInput {
  /** As the caller named it. */
  readonly name: string;
  /** Absolute; undefined for a stream. */
  readonly path: string | undefined;
  readonly format: StatementFormat;
  /** Undefined for a stream. */
  readonly byteCount: number | undefined;
  /** The bytes from `offset` on; those before it must have this checksum. @throws SLUICE_SOURCE_CHANGED when they have not */
  read(from: { readonly offset: number; readonly crc: number }): AsyncGenerator<Buffer, void, undefined>;
  close(): Promise<void>;
}

/** Larger pieces are no faster and are held until their statements have been run. */
const pieceBytes = 256 * 1024;

const endings: Readonly<Record<string, StatementFormat>> = { '.sql': 'sql', '.json': 'json', '.jsonl': 'jsonl', '.ndjson': 'jsonl' };

/** @throws SLUICE_FORMAT_UNKNOWN where neither the options nor the ending tell */
function chooseFormat(name: string, format: StatementFormat | undefined): StatementFormat {
  const chosen = format ?? endings[extname(name).toLowerCase()];
  if (chosen === 'sql' || chosen === 'json' || chosen === 'jsonl') return chosen;
  throw new SluiceError('SLUICE_FORMAT_UNKNOWN', `How the statements in ${name} are written can't be told from its name.`, {
    hint: 'Say --format sql, json (an array of statements) or jsonl (a statement a line).',
  });
}

/** @throws SLUICE_SOURCE_MISSING, SLUICE_SOURCE_NOT_A_FILE, SLUICE_SOURCE_DENIED, SLUICE_FORMAT_UNKNOWN */
export function openStatements({ from, format }: Pick<BatchFileOptions, 'from' | 'format'>): StatementInput {
  if (typeof from !== 'string') return openStream('stream', from, chooseFormat('the stream', format));
  if (from === '-') return openStream('stdin', process.stdin, chooseFormat('stdin', format));
  const stat = statFile(from);
  if (!stat.isFile()) return openStream(from, createReadStream(from), chooseFormat(from, format));
  const path = resolve(from);
  return {
    name: from,
    path,
    format: chooseFormat(from, format),
    byteCount: stat.size,
    read: (place) => readFile({ name: from, path, byteCount: stat.size }, place),
    close: async () => undefined,
  };
}

function statFile(path: string): Stats {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw notAFileError(path, true);
    return stat;
  } catch (error) {
    throw toSourceError(path, error);
  }
}

interface OpenFile {
  readonly name: string;
  readonly path: string;
  readonly byteCount: number;
}

/** What is added to the file after it was opened is not read. */
async function* readFile(file: OpenFile, from: { readonly offset: number; readonly crc: number }): AsyncGenerator<Buffer, void, undefined> {
  const { name, path, byteCount } = file;
  if (from.offset > byteCount) throw changed(name, `it has ${String(byteCount)} bytes, and ${String(from.offset)} were run`);
  if (byteCount === 0) return;
  let crc = 0;
  let offset = 0;
  try {
    for await (const piece of createReadStream(path, { end: byteCount - 1, highWaterMark: pieceBytes }) as AsyncIterable<Buffer>) {
      const before = piece.subarray(0, Math.max(0, from.offset - offset));
      crc = crc32(before, crc);
      offset += piece.length;
      if (offset < from.offset) continue;
      if (before.length > 0 && crc !== from.crc) throw changed(name, 'what was run of it is no longer there as it was');
      if (before.length < piece.length) yield piece.subarray(before.length);
    }
  } catch (error) {
    throw toSourceError(path, error);
  }
  if (offset < byteCount)
    throw new SluiceError('SLUICE_SOURCE_READ', `${name} was cut short while it was read.`, {
      hint: 'Put it back as it was and run the same command again.',
    });
}

function changed(name: string, what: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_CHANGED', `${name} has changed where its statements were run already: ${what}.`, {
    hint: 'Put back what stood before the place that was reached; behind it the file may be changed. --again runs the whole file anew.',
  });
}

function openStream(name: string, source: AsyncIterable<unknown>, format: StatementFormat): StatementInput {
  const items = new PulledIterator(name, source);
  return { name, path: undefined, format, byteCount: undefined, read: (from) => readStream(name, items, from), close: () => items.close() };
}

/** A stream is read from its start, and passed over up to the place. */
async function* readStream(
  name: string,
  items: PulledIterator,
  from: { readonly offset: number; readonly crc: number },
): AsyncGenerator<Buffer, void, undefined> {
  let crc = 0;
  let offset = 0;
  for (;;) {
    const { done, value } = await items.next();
    if (done === true) break;
    const piece = toBytes(name, value);
    const before = piece.subarray(0, Math.max(0, from.offset - offset));
    crc = crc32(before, crc);
    offset += piece.length;
    if (offset < from.offset) continue;
    if (before.length > 0 && crc !== from.crc) throw changed(name, 'other statements stand in it now');
    // A large chunk is handed on in pieces: what is held is bounded by them.
    for (let at = before.length; at < piece.length; at += pieceBytes) yield piece.subarray(at, at + pieceBytes);
  }
  if (offset < from.offset) throw changed(name, `it has ${String(offset)} bytes, and ${String(from.offset)} were run`);
}

function toBytes(name: string, chunk: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new SluiceError('SLUICE_SOURCE_READ', `${name} gave a ${typeof chunk} where bytes or text were expected.`);
}
