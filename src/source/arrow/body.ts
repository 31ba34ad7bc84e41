/** The buffers of one message: each is read as its rows are asked for, compressed or not. What a batch holds at once is a stretch of every column, never a whole buffer. */
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import type { ByteFile } from '../files/byte-file.ts';
import { ForwardBytes, type PieceDecoder } from './forward-bytes.ts';
import { decompressLz4 } from './lz4-frame.ts';
import { openLz4 } from './lz4-pieces.ts';
import type { BufferRange, RecordBatch } from './message.ts';
import { countPieceBytes, type PackedRange } from './packed-input.ts';
import { holdBytes, openPlain, type BufferBytes } from './plain-bytes.ts';
import { decompressZstd, openZstd } from './zstd-frame.ts';

/** What must be decompressed into one memory: buffers that views point into, and dictionaries. */
const maxDecompressedBytes = 1024 * 1024 * 1024;
/** Smaller buffers are decompressed at once, which costs less than a stream and the memory that one has. */
const maxSmallBytes = 1024 * 1024;
/** Streams of one batch that get large buffers, of 3 MiB: the others have small ones. */
const maxWideStreams = 8;
/** LZ4 can't make more of a byte than this. */
const maxLz4Ratio = 255;
/** In front of each compressed buffer stands its length. */
const lengthBytes = 8;

export interface BodyOptions {
  readonly file: ByteFile;
  /** The body's first byte in the file. */
  readonly start: number;
  readonly batch: RecordBatch;
  /** Throws where nobody waits for the bytes any more. */
  readonly checkCancelled?: (() => void) | undefined;
}

interface OpenBuffer {
  readonly bytes: BufferBytes;
  /** The most that was asked for at once. */
  largest: number;
}

/** What the beginning of a compressed buffer says. */
interface Packed {
  readonly range: PackedRange;
  readonly packedBytes: number;
  /** Undefined where it stands as it is, because it would only have grown. */
  readonly byteCount: number | undefined;
}

export class BatchBody {
  private readonly file: ByteFile;
  private readonly start: number;
  private readonly batch: RecordBatch;
  private readonly checkCancelled: (() => void) | undefined;
  private readonly opened = new Map<number, OpenBuffer>();
  private readonly wholes = new Map<number, Uint8Array>();
  private decompressedBytes = 0;
  private streams = 0;

  constructor({ batch, checkCancelled, file, start }: BodyOptions) {
    this.file = file;
    this.start = start;
    this.batch = batch;
    this.checkCancelled = checkCancelled;
  }

  /** Whether a buffer that may be left out is there. */
  has(buffer: number): boolean {
    return (this.batch.buffers[buffer]?.length ?? 0) > 0;
  }

  /** Bytes of a buffer from one place to another; what lies before the last ones may have to be read again. @throws RangeError where it is shorter */
  async slice(buffer: number, start: number, end: number): Promise<Uint8Array> {
    if (end === start) return new Uint8Array(0);
    let open = this.opened.get(buffer);
    if (open === undefined) {
      open = { bytes: await this.open(buffer), largest: 0 };
      this.opened.set(buffer, open);
    }
    if (this.batch.codec !== undefined && end - start > open.largest) {
      this.claim(end - start - open.largest);
      open.largest = end - start;
    }
    return open.bytes.slice(start, end);
  }

  /** The whole of a buffer. */
  async all(buffer: number): Promise<Uint8Array> {
    if (this.batch.codec === undefined) return this.slice(buffer, 0, this.batch.buffers[buffer]?.length ?? 0);
    const known = this.wholes.get(buffer);
    if (known !== undefined) return known;
    const bytes = this.has(buffer) ? await this.decompressAll(await this.readHead(buffer, this.range(buffer).length)) : new Uint8Array(0);
    this.wholes.set(buffer, bytes);
    return bytes;
  }

  /** Ends what is being decompressed. */
  async close(): Promise<void> {
    for (const { bytes } of this.opened.values()) await bytes.close();
    this.opened.clear();
    this.wholes.clear();
  }

  private async open(buffer: number): Promise<BufferBytes> {
    const { file } = this;
    const { length, offset } = this.range(buffer);
    if (this.batch.codec === undefined) return openPlain({ file, start: this.start + offset, byteCount: length });
    const packed = await this.readHead(buffer, countPieceBytes(file));
    const { byteCount, packedBytes, range } = packed;
    if (byteCount === undefined) return openPlain({ ...range, byteCount: packedBytes });
    const isSmall = range.head.length === packedBytes && byteCount <= maxSmallBytes;
    return isSmall ? holdBytes(this.unpack(range.head, byteCount)) : this.openStream(packed, byteCount);
  }

  private openStream({ packedBytes, range }: Packed, byteCount: number): BufferBytes {
    this.checkRatio(packedBytes, byteCount);
    const isBrief = ++this.streams > maxWideStreams;
    const { end, file, start } = range;
    let { head } = range;
    const open = (): PieceDecoder => {
      const from = { file, start, end, head };
      // The second time they are read again, so that they need not be kept.
      head = new Uint8Array(0);
      return this.batch.codec === 'zstd' ? openZstd(from, isBrief) : openLz4(from);
    };
    return new ForwardBytes({ open, byteCount, packedBytes, checkCancelled: this.checkCancelled });
  }

  /** The first bytes of a compressed buffer, its length among them. */
  private async readHead(buffer: number, byteCount: number): Promise<Packed> {
    const { file } = this;
    const { length, offset } = this.range(buffer);
    const start = this.start + offset;
    const bytes = await file.read(start, start + Math.min(length, Math.max(lengthBytes, byteCount)));
    if (bytes.length < lengthBytes) throw new RangeError('a compressed buffer has no length');
    const said = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0, true);
    if (said < -1n) throw new RangeError('a compressed buffer has no length');
    const range = { file, start: start + lengthBytes, end: start + length, head: bytes.subarray(lengthBytes) };
    return { range, packedBytes: length - lengthBytes, byteCount: said === -1n ? undefined : Number(said) };
  }

  private async decompressAll({ byteCount, range }: Packed): Promise<Uint8Array> {
    if (byteCount === undefined) return range.head;
    this.claim(byteCount);
    const bytes = this.unpack(range.head, byteCount);
    giveBack(range.head);
    return bytes;
  }

  private unpack(input: Uint8Array, byteCount: number): Uint8Array {
    this.checkRatio(input.length, byteCount);
    return this.batch.codec === 'zstd' ? decompressZstd(input, byteCount) : decompressLz4(input, byteCount);
  }

  private checkRatio(packedBytes: number, byteCount: number): void {
    if (this.batch.codec === 'lz4' && byteCount > packedBytes * maxLz4Ratio)
      throw new RangeError('an LZ4 frame can not give what it was said to give');
  }

  /** Counts what has to be in memory at once. */
  private claim(byteCount: number): void {
    this.decompressedBytes += byteCount;
    if (this.decompressedBytes > maxDecompressedBytes) throw tooLarge(this.file.name, this.batch.rowCount, this.decompressedBytes);
  }

  private range(buffer: number): BufferRange {
    const range = this.batch.buffers[buffer];
    if (range === undefined) throw new RangeError('a batch has fewer buffers than its schema needs');
    return range;
  }
}

/** Larger memory is given back at once: its collector would wait until hundreds of megabytes are idle. */
const minGivenBackBytes = 1024 * 1024;

function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength >= minGivenBackBytes && buffer.byteLength === byteLength + lengthBytes)
    buffer.transfer(0);
}

function tooLarge(name: string, rows: number, bytes: number): SluiceError {
  const size = `${formatCount(bytes / 1024 / 1024)} MiB`;
  return new SluiceError(
    'SLUICE_SOURCE_TOO_LARGE',
    `a record batch of ${name} has ${formatCount(rows)} rows and takes more than ${size} decompressed`,
    {
      hint: 'Write it with smaller batches, 65,536 rows for instance, or without compression; or load fewer of its columns.',
    },
  );
}
