/** What a stream is, told from its first bytes where the caller does not say: they are looked at and handed on. */
import { SluiceError } from '../../errors.ts';
import { decompress, findCompressionByBytes, readCompression } from '../files/compression.ts';
import { chooseFormat, nameFormat, streamError } from '../formats.ts';
import { PulledIterator } from './iteration.ts';
import { findKind, listFormats, sniffedBytes } from '../files/kind.ts';
import type { SourceDecision, SourceOptions } from '../source.ts';
import { emptyError } from '../text/text-start.ts';
import type { TextFormat } from '../text/text-format.ts';

/** Bytes that tell a compression. */
const magicBytes = 4;

/** A stream whose format is to be told from its content has to begin within this time. */
const firstWaitMs = 60_000;

/** A stream that is known for what it is. */
export interface KnownStream {
  readonly format: TextFormat;
  readonly chunks: PulledIterator;
  readonly decisions: readonly SourceDecision[];
}

/**
 * Makes a stream of bytes one of text. With its format named nothing is read before the first pull, else as much as tells it.
 * @throws SLUICE_FORMAT_UNKNOWN, SLUICE_USAGE
 */
export async function recogniseStream(
  name: string,
  source: Iterable<unknown> | AsyncIterable<unknown>,
  options: SourceOptions,
): Promise<KnownStream> {
  const asked = readCompression(options.compression);
  const kept = new KeptChunks(source);
  if (options.format !== undefined || asked === 'none' || chooseByName(name, options) !== undefined) {
    const format = chooseFormat(name, options);
    return { format, chunks: new PulledIterator(name, asked === 'none' ? source : kept.decompressed(name, asked)), decisions: [] };
  }
  try {
    return await recogniseFirst(name, kept, options);
  } catch (error) {
    // A stream that nobody will read must not keep its process alive.
    kept.close();
    throw error;
  }
}

async function recogniseFirst(name: string, kept: KeptChunks, options: SourceOptions): Promise<KnownStream> {
  const first = await withinWait(name, kept.peek(sniffedBytes, looksWhole));
  const compression = readCompression(options.compression) ?? findCompressionByBytes(first);
  if (first.length === 0) throw emptyError(name);
  const kind = await findKind(name, { ...options, compression: compression ?? 'none' }, () => first);
  if (!kind.isText) throw streamError(name, kind.format);
  const format = chooseFormat(name, { ...options, format: kind.format });
  const decisions = [{ what: 'format', choice: compression === undefined ? kind.format : `${kind.format}, ${compression}`, why: kind.why }];
  return { format, chunks: new PulledIterator(name, kept.decompressed(name, compression ?? 'none')), decisions };
}

async function withinWait<Result>(name: string, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unknownError(name, 'nothing came of it within a minute')), firstWaitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function chooseByName(name: string, options: SourceOptions): string | undefined {
  const format = options.format ?? name.slice(name.lastIndexOf('.') + 1);
  return nameFormat(format);
}

/** Two lines, or enough to unpack some: more is not waited for. */
function looksWhole(bytes: Buffer): boolean {
  // A block of zstd is 128 KiB of text, and there is nothing to see before its end.
  if (findCompressionByBytes(bytes) !== undefined) return false;
  const line = bytes.indexOf(10);
  return line >= 0 && bytes.indexOf(10, line + 1) >= 0;
}

function unknownError(name: string, why: string): SluiceError {
  return new SluiceError('SLUICE_FORMAT_UNKNOWN', `the format of ${name} can't be told: ${why}`, {
    hint: `Name it with --format: ${listFormats()}.`,
  });
}

/** Chunks of a stream of which the first were looked at. */
class KeptChunks {
  private readonly source: Iterable<unknown> | AsyncIterable<unknown>;
  private readonly iterator: AsyncIterator<unknown> | Iterator<unknown>;
  private readonly held: unknown[] = [];

  constructor(source: Iterable<unknown> | AsyncIterable<unknown>) {
    this.source = source;
    this.iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** The first bytes: as many as asked for, or until `isEnough`, or all. Text that comes as strings counts as its UTF-8. */
  async peek(byteCount: number, isEnough: (bytes: Buffer) => boolean): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(byteCount);
    let length = 0;
    while (length < byteCount && !isEnough(bytes.subarray(0, length))) {
      const result = await this.iterator.next();
      if (result.done === true) break;
      this.held.push(result.value);
      const chunk = toBytes(result.value);
      bytes.set(chunk.subarray(0, byteCount - length), length);
      length = Math.min(byteCount, length + chunk.length);
    }
    return bytes.subarray(0, length);
  }

  /** All chunks, decompressed by what was asked for or what the first bytes tell. It ends the stream when it is destroyed. */
  decompressed(name: string, asked: SourceOptions['compression']): AsyncIterable<unknown> & { destroy(): void } {
    return {
      [Symbol.asyncIterator]: () => this.open(name, asked),
      destroy: () => this.close(),
    };
  }

  /** Tells the producer that no more is wanted; one that waits for something of its own is not waited for. */
  close(): void {
    const { iterator, source } = this;
    if ('destroy' in source && typeof source.destroy === 'function') source.destroy();
    else Promise.resolve(iterator.return?.()).catch(() => undefined);
  }

  private async *open(name: string, asked: SourceOptions['compression']): AsyncGenerator<unknown, void, undefined> {
    if (asked === undefined && this.held.length === 0) await this.peek(magicBytes, () => false);
    const isBytes = this.held.every((chunk) => ArrayBuffer.isView(chunk));
    const told = asked ?? (isBytes ? findCompressionByBytes(Buffer.concat(this.held.map(toBytes))) : undefined);
    if (told === undefined || told === 'none') yield* this.rest();
    else yield* decompress(this.rest(), { name, compression: told, progress: { taken: 0, ratio: 1 } });
  }

  private async *rest(): AsyncGenerator<unknown, void, undefined> {
    yield* this.held.splice(0);
    for (;;) {
      const result = await this.iterator.next();
      if (result.done === true) return;
      yield result.value;
    }
  }
}

function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  return ArrayBuffer.isView(chunk) ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : new Uint8Array(0);
}
