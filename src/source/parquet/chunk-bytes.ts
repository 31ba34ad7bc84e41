/** The bytes of one column chunk, read forward in windows that never reach beyond the chunk; a byte is read once as long as reading goes forward. */
import type { ByteFile } from '../files/byte-file.ts';
import { PageFault } from './fault.ts';
import type { Room } from './room.ts';

export interface ChunkRange {
  /** First byte of the first page, and the byte after the last. */
  readonly start: number;
  readonly end: number;
}

/** Read beyond a page, so that the header of the next one is there; so little is rather read again than copied together with what follows. */
const slackBytes = 64 * 1024;

/** A window over a range of a file. */
export class ChunkBytes {
  readonly range: ChunkRange;
  private readonly file: ByteFile;
  /** Read at once at least, where the chunk has as much. */
  private readonly leastBytes: number;
  private readonly room: Room;
  private window: Uint8Array = new Uint8Array(0);
  private windowStart = 0;
  /** The longest stretch that was asked for: the next one is probably as long. */
  private longest = 0;

  constructor(file: ByteFile, range: ChunkRange, { leastBytes, room }: { readonly leastBytes: number; readonly room: Room }) {
    this.file = file;
    this.range = range;
    this.leastBytes = leastBytes;
    this.room = room;
    this.windowStart = range.start;
  }

  /** Bytes left from an offset on. */
  countAfter(offset: number): number {
    return this.range.end - offset;
  }

  /** The bytes from an offset on, until more are asked for; `isPassing`: what follows is probably not wanted. @throws PageFault when the chunk has fewer */
  async at(offset: number, length: number, isPassing = false): Promise<Uint8Array> {
    if (length > this.range.end - offset) throw new PageFault('a page is longer than its column chunk');
    const from = offset - this.windowStart;
    const isInside = from >= 0 && from <= this.window.length;
    if (!isInside || from + length > this.window.length) {
      if (!isPassing) this.longest = Math.max(this.longest, length);
      const wanted = isPassing ? length : Math.max(this.leastBytes, this.longest + slackBytes);
      await this.move(offset, wanted, isInside && this.window.length - from > slackBytes ? this.window.subarray(from) : undefined);
    }
    const start = offset - this.windowStart;
    return this.window.subarray(start, start + length);
  }

  /** What is in the window already is kept and only the rest is read. */
  private async move(offset: number, wanted: number, kept: Uint8Array | undefined): Promise<void> {
    const end = Math.min(this.range.end, offset + wanted);
    const keptBytes = kept?.length ?? 0;
    if (this.file.readInto === undefined) {
      const read = await this.file.read(offset + keptBytes, end);
      this.window = kept === undefined || keptBytes === 0 ? read : Buffer.concat([kept, read]);
    } else {
      this.window = this.makeRoom(end - offset, kept);
      const count = this.file.readInto(this.window.subarray(keptBytes), offset + keptBytes);
      this.window = this.window.subarray(0, keptBytes + count);
    }
    if (this.window.length !== end - offset) throw new PageFault('the file became shorter while it was read');
    this.windowStart = offset;
  }

  /** Room for a window that begins with what is kept. */
  private makeRoom(length: number, kept: Uint8Array | undefined): Uint8Array {
    const { room } = this;
    if (room.bytes.length < length) {
      const bytes = Buffer.allocUnsafeSlow(length);
      if (kept !== undefined) bytes.set(kept);
      room.bytes = bytes;
    } else if (kept !== undefined) {
      // The window stands in this very room: bytes are moved to its start, also over themselves.
      room.bytes.set(kept);
    }
    return room.bytes.subarray(0, length);
  }
}
