/** What a file is: its format and its compression, by what the caller says, else by its name, else by its first bytes. */
import { brotliDecompressSync, constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { SluiceError } from '../../errors.ts';
import { findCompressionByBytes, findCompressionByName, readCompression, withoutCompression, type Compression } from './compression.ts';
import { binaryFormats } from '../binary-formats.ts';
import { findForeignStart } from '../text/foreign-start.ts';
import { findByExtension, formatNames, isTextFormat, nameFormat } from '../formats.ts';
import { sniffText } from '../text/text-sniff.ts';
import type { SourceOptions } from '../source.ts';

export interface FileKind {
  readonly format: string;
  readonly isText: boolean;
  readonly compression: Compression | undefined;
  /** How the format was told: `as asked for`, `by its name`, `by its first bytes`. */
  readonly why: string;
}

/** First bytes that are looked at: two lines of most tables, and one block of zstd (128 KiB of text) however badly it is compressed. */
export const sniffedBytes: number = 256 * 1024;

/** The first bytes of a file, asked for only where its name does not tell enough. */
export type ReadFirst = (byteCount: number) => Uint8Array | Promise<Uint8Array>;

/** Bytes that tell a compression. */
const magicBytes = 4;

/**
 * Tells what a file is.
 * @throws SLUICE_FORMAT_UNKNOWN; SLUICE_USAGE for a compression that there is not, or of a format that is compressed in itself
 */
export async function findKind(name: string, options: SourceOptions, readFirst: ReadFirst): Promise<FileKind> {
  const asked = readCompression(options.compression);
  const named = asked === undefined ? findCompressionByName(name) : undefined;
  const plainName = asked === 'none' ? name : withoutCompression(name);
  const format = options.format === undefined ? findByExtension(plainName) : nameFormat(options.format);
  if (options.format !== undefined && format === undefined) throw unknownName(options.format);
  // A name that says both is believed; the bytes have to bear it out when they are read.
  if (format !== undefined && !isTextFormat(format)) return checkBinary(name, { asked, format, named, why: whyNamed(options) });
  let compression = asked === 'none' ? undefined : (asked ?? named);
  if (format !== undefined) {
    if (compression === undefined && asked === undefined) compression = findCompressionByBytes(await readFirst(magicBytes));
    return { format, isText: true, compression, why: whyNamed(options) };
  }
  const first = await readFirst(sniffedBytes);
  if (asked === undefined) compression ??= findCompressionByBytes(first);
  return sniff(name, compression, first);
}

function whyNamed(options: SourceOptions): string {
  return options.format === undefined ? 'by its name' : 'as asked for';
}

function checkBinary(
  name: string,
  { asked, format, named, why }: { asked: SourceOptions['compression']; format: string; named: Compression | undefined; why: string },
): FileKind {
  const compression = asked === 'none' ? undefined : (asked ?? named);
  if (compression === undefined) return { format, isText: false, compression: undefined, why };
  throw new SluiceError('SLUICE_USAGE', `${name} is ${format} compressed by ${compression}: it can't be read from the middle`, {
    hint: `Decompress it first. ${format} files are compressed inside, where they can be read in parts.`,
  });
}

function sniff(name: string, compression: Compression | undefined, first: Uint8Array): FileKind {
  const head = compression === undefined ? first : decompressHead(first, compression);
  const why = 'by its first bytes';
  const binary = Object.keys(binaryFormats).find((format) => binaryFormats[format]?.matches?.(head) === true);
  if (binary !== undefined) return checkBinary(name, { asked: compression, format: binary, named: undefined, why });
  const format = sniffText(head);
  if (format !== undefined) return { format, isText: true, compression, why };
  const foreign = findForeignStart(head);
  if (foreign !== undefined) throw new SluiceError('SLUICE_FORMAT_UNKNOWN', `${name} is ${foreign.what}`, { hint: foreign.hint });
  throw new SluiceError('SLUICE_FORMAT_UNKNOWN', `the format of ${name} can't be told from its name, nor from its first bytes`, {
    hint: `Name it with --format: ${listFormats()}.`,
  });
}

/** As much text as the first bytes of a compressed file give; none where they can't be read, which its reader will tell better. */
function decompressHead(first: Uint8Array, compression: Compression): Uint8Array {
  const limits = { maxOutputLength: 16 * 1024 * 1024 };
  try {
    if (compression === 'gzip') return gunzipSync(first, { ...limits, finishFlush: constants.Z_SYNC_FLUSH });
    if (compression === 'zstd') return zstdDecompressSync(first, { ...limits, finishFlush: constants.ZSTD_e_flush });
    return brotliDecompressSync(first, { ...limits, finishFlush: constants.BROTLI_OPERATION_FLUSH });
  } catch (error) {
    if (error instanceof Error) return new Uint8Array(0);
    throw error;
  }
}

/** All formats, for messages. */
export function listFormats(): string {
  return [...formatNames, ...Object.keys(binaryFormats)].join(', ');
}

function unknownName(format: string): SluiceError {
  return new SluiceError('SLUICE_FORMAT_UNKNOWN', `there is no format ${JSON.stringify(format)}`, {
    hint: `Name it with --format: ${listFormats()}.`,
  });
}
