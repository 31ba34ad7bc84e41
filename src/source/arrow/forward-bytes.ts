/** A compressed buffer read forward: as much of it is in memory as a stretch of rows needs, and what was handed on is never written again. */
import { setImmediate } from 'node:timers/promises';

/** Makes the bytes of one buffer, piece by piece. */
export interface PieceDecoder {
  /** What the next piece may take. */
  readonly room: number;
  /**
   * Writes the next piece at a place, before which stand the last 64 KiB (or all that there were), and answers its length: 0 is not the end, undefined is.
   * @throws RangeError where the compressed bytes are damaged, or give more than there is memory for
   */
  fill(memory: Buffer, at: number): Promise<number | undefined> | number | undefined;
  close(): Promise<void> | void;
}

export interface ForwardOptions {
  /** Begins the buffer from its first byte: once, and again where rows are asked for that have been passed. */
  readonly open: () => PieceDecoder;
  /** As the buffer says; believed only as far as bytes come. */
  readonly byteCount: number;
  /** Its size in the file. */
  readonly packedBytes: number;
  /** Throws where nobody waits for the bytes any more. */
  readonly checkCancelled: (() => void) | undefined;
}

/** A match of LZ4 reaches this far back. */
const historyBytes = 64 * 1024;
/** Small columns are decompressed ahead, as they are read ahead where they are plain. */
const aheadBytes = 256 * 1024;
/** Bytes are passed over in steps of this size. */
const skipBytes = 1024 * 1024;
/** Memory that is taken before its bytes are there: so much, or this many times the compressed bytes. More than that grows as they come. */
const minTrustedBytes = 1024 * 1024;
const maxTrustedRatio = 16;
/** Windows begin at multiples of this, so that numbers of any width stand where a typed array may begin. */
const alignment = 64;

export class ForwardBytes {
  private readonly options: ForwardOptions;
  private decoder: PieceDecoder;
  private memory: Buffer = Buffer.alloc(0);
  /** The bytes `start … limit` of the buffer are in memory. */
  private start = 0;
  private limit = 0;
  /** Views of the memory are out: it is not written again. */
  private isLent = false;

  constructor(options: ForwardOptions) {
    this.options = options;
    this.decoder = options.open();
  }

  /** @throws RangeError where the buffer has no such bytes */
  async slice(start: number, end: number): Promise<Uint8Array> {
    const { byteCount } = this.options;
    if (start < 0 || end > byteCount) throw new RangeError('a buffer is shorter than its column');
    if (start < this.start) await this.restart();
    while (this.limit < start) await this.pass(Math.min(start, this.limit + skipBytes));
    if (this.limit < end) {
      const ahead = Math.min(byteCount, Math.max(end, start + aheadBytes));
      // Writers pad buffers: the last rows take the rest with them, so that the end is seen.
      await this.advance(start, byteCount - ahead < historyBytes ? byteCount : ahead);
    }
    this.isLent = true;
    return this.memory.subarray(start - this.start, end - this.start);
  }

  async close(): Promise<void> {
    await this.decoder.close();
    this.memory = Buffer.alloc(0);
  }

  private async pass(place: number): Promise<void> {
    await this.advance(this.limit, place);
    // A batch may have gigabytes of them: other events get their turn, that of being cancelled too.
    await setImmediate();
    this.options.checkCancelled?.();
  }

  private async restart(): Promise<void> {
    await this.decoder.close();
    this.decoder = this.options.open();
    Object.assign(this, { start: 0, limit: 0, isLent: false, memory: Buffer.alloc(0) });
  }

  /** Decompresses up to `end`; what stood in memory from `from` on stays there. */
  private async advance(from: number, end: number): Promise<void> {
    this.moveTo(Math.max(this.start, Math.min(from, this.limit - historyBytes)), end);
    const { byteCount } = this.options;
    while (this.limit < end) {
      if (this.memory.length - (this.limit - this.start) < Math.min(this.decoder.room, byteCount - this.limit)) this.grow(end);
      if ((await this.fill()) === undefined) throw new RangeError('a compressed buffer ends before the length that it says');
    }
    // The end of the frame belongs to its last bytes.
    if (this.limit === byteCount) while ((await this.fill()) !== undefined);
  }

  /** No decoder gets memory beyond the length that was said: one that has more fails. */
  private async fill(): Promise<number | undefined> {
    const upTo = Math.min(this.memory.length, this.options.byteCount - this.start);
    const written = await this.decoder.fill(this.memory.subarray(0, upTo), this.limit - this.start);
    this.limit += written ?? 0;
    return written;
  }

  /** Lets go of what stands before a place, and takes memory up to another. */
  private moveTo(place: number, end: number): void {
    const start = place - (place % alignment);
    const kept = this.memory.subarray(start - this.start, this.limit - this.start);
    const wanted = this.countWanted(start, end);
    if (this.isLent || this.memory.length < wanted) {
      const trusted = kept.length + Math.max(minTrustedBytes, maxTrustedRatio * this.options.packedBytes);
      this.memory = Buffer.allocUnsafeSlow(Math.min(wanted, trusted));
    }
    // Within one memory this moves them to its beginning.
    this.memory.set(kept);
    this.start = start;
    this.isLent = false;
  }

  private grow(end: number): void {
    const memory = Buffer.allocUnsafeSlow(Math.min(this.countWanted(this.start, end), 2 * this.memory.length + this.decoder.room));
    memory.set(this.memory.subarray(0, this.limit - this.start));
    this.memory = memory;
  }

  /** Up to `end`, and the piece that goes beyond it. */
  private countWanted(start: number, end: number): number {
    return Math.min(this.options.byteCount, Math.max(end, this.limit) + this.decoder.room) - start;
  }
}
