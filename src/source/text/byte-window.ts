/** A window that moves over the bytes of an input: it holds the rows in hand and never more than one row of the longest length allowed and one chunk. */
import { SluiceError } from '../../errors.ts';

const LF = 10;

/** Bytes that a window reads at once. 277 MB of small CSV rows take 0.75 s of CPU with 512 KiB or 1 MiB, 0.95 s with 128 KiB. */
export const chunkBytes: number = 512 * 1024;

/** Capacity for an input of so many bytes: room for all of them, and as much again, in which their end is looked for. */
export function fitCapacity(byteCount: number): number {
  return Math.max(1024, Math.min(chunkBytes, 2 * byteCount));
}

/** Where a window gets its bytes. */
export interface ByteInput {
  /** The window is filled again below this many bytes: large for files, 1 where the next bytes may be long in coming. */
  readonly lowBytes: number;
  /** Puts at most `length` bytes into `target` at `at`; returns how many, 0 only at the end. */
  read(target: Buffer, at: number, length: number): number | Promise<number>;
}

export interface WindowOptions {
  /** Place of the input's first byte in the source. */
  readonly offset: number;
  readonly maxRowBytes: number;
  /** {@link chunkBytes} by default. */
  readonly capacityBytes?: number;
}

export class ByteWindow {
  /** Whether the window reaches to the end of the input. */
  isFinal = false;
  private readonly input: ByteInput;
  private readonly capacity: number;
  private readonly maxCapacity: number;
  private bytes: Buffer;
  private start = 0;
  private end = 0;
  private startOffset: number;

  constructor(input: ByteInput, options: WindowOptions) {
    this.input = input;
    this.capacity = options.capacityBytes ?? chunkBytes;
    this.maxCapacity = options.maxRowBytes + this.capacity + 1;
    this.bytes = Buffer.allocUnsafe(this.capacity);
    this.startOffset = options.offset;
  }

  /** Place in the source of the window's first byte. */
  get offset(): number {
    return this.startOffset;
  }

  get byteCount(): number {
    return this.end - this.start;
  }

  /** The bytes in the window, uncopied: valid until the next call of `fill`. */
  view(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }

  /** Drops bytes at the front. */
  advance(count: number): void {
    this.start += count;
    this.startOffset += count;
  }

  /** Fills the window again when it has run low. */
  async refill(): Promise<void> {
    while (!this.isFinal && this.byteCount < this.input.lowBytes) await this.fill();
  }

  /** Reads more behind what is there: at least one byte, unless the input has ended. */
  async fill(): Promise<void> {
    if (this.isFinal) return;
    this.makeRoom();
    const count = await this.input.read(this.bytes, this.end, this.bytes.length - this.end);
    this.end += count;
    this.isFinal = count === 0;
  }

  /** Drops the rest of a line with its newline, whatever its length, and returns how many bytes it had. */
  async skipLine(): Promise<number> {
    let skipped = 0;
    for (;;) {
      const newline = this.view().indexOf(LF);
      const count = newline < 0 ? this.byteCount : newline + 1;
      skipped += count;
      this.advance(count);
      if (newline >= 0 || this.isFinal) return skipped;
      await this.fill();
    }
  }

  /** Moves what is there to the front, into a larger buffer if it fills more than half of this one, into a small one again once a long row has gone. */
  private makeRoom(): void {
    const held = this.byteCount;
    const wanted = held > this.bytes.length / 2 ? this.bytes.length * 2 : held > this.capacity / 2 ? this.bytes.length : this.capacity;
    const size = Math.min(wanted, this.maxCapacity);
    if (held >= size) throw new SluiceError('SLUICE_INTERNAL', 'a row was not refused though it is longer than allowed');
    if (size === this.bytes.length) {
      if (this.start > 0) this.bytes.copyWithin(0, this.start, this.end);
    } else {
      const larger = Buffer.allocUnsafe(size);
      this.bytes.copy(larger, 0, this.start, this.end);
      this.bytes = larger;
    }
    this.start = 0;
    this.end = held;
  }
}
