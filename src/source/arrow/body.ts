/** The buffers of one message: pieces of them are read as they are asked for; a compressed one is decompressed as a whole and kept while its batch is read. */
import { zstdDecompressSync } from 'node:zlib';
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import type { ByteFile } from '../files/byte-file.ts';
import { decompressLz4 } from './lz4-frame.ts';
import type { RecordBatch } from './message.ts';

/** Read ahead in each buffer, so that small columns don't cost a read, or a request, a stretch. */
const readAheadBytes = 256 * 1024;
/** What the decompressed buffers of one batch may take together. A writer's batch is 10,000 to 130,000 rows: 200 MB of 384 floats. */
const maxDecompressedBytes = 1024 * 1024 * 1024;
/** LZ4 can't make more of a byte than this. */
const maxLz4Ratio = 255;

interface Kept {
  readonly start: number;
  readonly bytes: Uint8Array;
}

export class BatchBody {
  private readonly file: ByteFile;
  private readonly start: number;
  private readonly batch: RecordBatch;
  private readonly kept = new Map<number, Kept>();
  private decompressedBytes = 0;

  /** `start`: the body's first byte in the file. */
  constructor(file: ByteFile, start: number, batch: RecordBatch) {
    this.file = file;
    this.start = start;
    this.batch = batch;
  }

  /** Whether a buffer that may be left out is there. */
  has(buffer: number): boolean {
    return (this.batch.buffers[buffer]?.length ?? 0) > 0;
  }

  /** Bytes of a buffer from one place to another. @throws RangeError where it is shorter */
  async slice(buffer: number, start: number, end: number): Promise<Uint8Array> {
    if (end === start) return new Uint8Array(0);
    const known = this.kept.get(buffer);
    if (known !== undefined && start >= known.start && end <= known.start + known.bytes.length) {
      return known.bytes.subarray(start - known.start, end - known.start);
    }
    const bytes = this.batch.codec === undefined ? await this.readAhead(buffer, start, end) : await this.decompress(buffer);
    const from = this.batch.codec === undefined ? start : 0;
    this.kept.set(buffer, { start: from, bytes });
    if (end - from > bytes.length) throw new RangeError('a buffer is shorter than its column');
    return bytes.subarray(start - from, end - from);
  }

  /** The whole of a buffer. */
  async all(buffer: number): Promise<Uint8Array> {
    if (this.batch.codec !== undefined) return this.has(buffer) ? this.decompress(buffer) : new Uint8Array(0);
    return this.slice(buffer, 0, this.batch.buffers[buffer]?.length ?? 0);
  }

  private async readAhead(buffer: number, start: number, end: number): Promise<Uint8Array> {
    const { length, offset } = this.range(buffer);
    if (end > length) throw new RangeError('a buffer is shorter than its column');
    const upTo = Math.min(length, Math.max(end, start + readAheadBytes));
    return this.file.read(this.start + offset + start, this.start + offset + upTo);
  }

  private async decompress(buffer: number): Promise<Uint8Array> {
    const known = this.kept.get(buffer);
    if (known !== undefined) return known.bytes;
    const { length, offset } = this.range(buffer);
    const packed = await this.file.read(this.start + offset, this.start + offset + length);
    if (packed.length < 8) throw new RangeError('a compressed buffer has no length');
    const said = new DataView(packed.buffer, packed.byteOffset, packed.byteLength).getBigInt64(0, true);
    const input = packed.subarray(8);
    // A buffer that would only grow is stored as it is.
    const bytes = said === -1n ? input : this.unpack(input, Number(said));
    this.kept.set(buffer, { start: 0, bytes });
    if (said !== -1n) giveBack(packed);
    return bytes;
  }

  private unpack(input: Uint8Array, length: number): Uint8Array {
    if (length < 0) throw new RangeError('a compressed buffer has no length');
    this.decompressedBytes += length;
    if (this.decompressedBytes > maxDecompressedBytes) throw tooLarge(this.file.name, this.batch.rowCount, this.decompressedBytes);
    if (this.batch.codec === 'zstd') return unpackZstd(input, length);
    if (length > input.length * maxLz4Ratio) throw new RangeError('an LZ4 frame can not give what it was said to give');
    return decompressLz4(input, length);
  }

  private range(buffer: number): RecordBatch['buffers'][number] {
    const range = this.batch.buffers[buffer];
    if (range === undefined) throw new RangeError('a batch has fewer buffers than its schema needs');
    return range;
  }
}

/** Larger memory is given back at once: its collector would wait until hundreds of megabytes are idle. */
const minGivenBackBytes = 1024 * 1024;

function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength >= minGivenBackBytes && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** A frame that says it holds up to this many times its own size gets its memory in one piece; more memory than that grows with what comes out. */
const maxTrustedRatio = 16;
const chunkBytes = 1024 * 1024;

function unpackZstd(input: Uint8Array, length: number): Uint8Array {
  if (length === 0) return new Uint8Array(0);
  // A little more than the output, so that its end is seen without a second piece.
  const chunkSize = length <= maxTrustedRatio * input.length ? length + 64 : chunkBytes;
  try {
    const bytes = zstdDecompressSync(input, { maxOutputLength: length, chunkSize });
    if (bytes.length === length) return bytes;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new RangeError('a zstd frame is damaged, or longer than it was said to be', { cause: error });
  }
  throw new RangeError('a zstd frame has another length than it was said to have');
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
