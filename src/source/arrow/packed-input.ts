/** Compressed bytes of one buffer, read out of the file in pieces: never the whole buffer at once, and no request that is tiny. */
import type { ByteFile } from '../files/byte-file.ts';

/** Where a buffer's compressed bytes stand in the file. */
export interface PackedRange {
  readonly file: ByteFile;
  readonly start: number;
  readonly end: number;
  /** The first of them, which were read already; none need be. */
  readonly head: Uint8Array;
}

/** As large as what is read ahead of plain buffers. */
const localBytes = 256 * 1024;
/** Each piece is a request, and nothing else happens meanwhile: at 50 ms a request of 256 KiB would be 5 MB/s. */
const remoteBytes = 2 * 1024 * 1024;

export function countPieceBytes(file: ByteFile): number {
  return file.isRemote === true ? remoteBytes : localBytes;
}

/** The pieces one after another; each is valid until the one behind the next is read, in memory that is used again. */
export async function* readPieces(
  { end, file, head, start }: PackedRange,
  pieceBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (head.length > 0) yield head;
  const memories = file.readInto === undefined ? [] : [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - start)));
  for (let at = start + head.length, ordinal = 0; at < end; ordinal++) {
    const upTo = Math.min(end, at + pieceBytes);
    const memory = memories[ordinal % 2];
    const piece = memory === undefined ? await file.read(at, upTo) : readTo(file, memory.subarray(0, upTo - at), at);
    if (piece.length === 0) return;
    yield piece;
    at += piece.length;
  }
}

function readTo(file: ByteFile, target: Uint8Array, at: number): Uint8Array {
  return target.subarray(0, file.readInto?.(target, at) ?? 0);
}

/** Bytes that can be looked at before they are taken. What was handed out is valid up to the next call. */
export class PackedInput {
  private readonly range: Omit<PackedRange, 'head'>;
  private readonly pieceBytes: number;
  private at: number;
  private memory: Uint8Array = new Uint8Array(0);
  private held: Uint8Array;

  constructor(range: PackedRange) {
    this.range = { file: range.file, start: range.start, end: range.end };
    this.pieceBytes = countPieceBytes(range.file);
    this.at = range.start + range.head.length;
    this.held = range.head;
  }

  /** The bytes that are here. */
  get bytes(): Uint8Array {
    return this.held;
  }

  take(count: number): void {
    this.held = this.held.subarray(count);
  }

  /** Reads on until so many are here; false where there are fewer. */
  async ensure(count: number): Promise<boolean> {
    while (this.held.length < count && this.at < this.range.end) {
      const read = await this.readOn(Math.min(this.range.end - this.at, Math.max(this.pieceBytes, count - this.held.length)));
      if (read === 0) break;
      this.at += read;
    }
    return this.held.length >= count;
  }

  /** The piece goes behind what is held, in memory that is used again for each. */
  private async readOn(count: number): Promise<number> {
    const { held } = this;
    const { file } = this.range;
    if (this.memory.length < held.length + count) this.memory = Buffer.allocUnsafeSlow(held.length + count);
    this.memory.set(held);
    const piece = this.memory.subarray(held.length, held.length + count);
    let read = file.readInto?.(piece, this.at);
    if (read === undefined) {
      const bytes = await file.read(this.at, this.at + count);
      piece.set(bytes);
      read = bytes.length;
    }
    this.held = this.memory.subarray(0, held.length + read);
    return read;
  }
}
