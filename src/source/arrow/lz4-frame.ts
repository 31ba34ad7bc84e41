/** Decompresses LZ4 frames, as Arrow's buffers are: every length is checked, and no more is written than there is room for. @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md */

const magic = 0x18_4d_22_04;
/** A block that stands as it is has this bit set in its length. */
const plainBit = 0x80_00_00_00;
const minMatch = 4;
/** Magic, flags, block size, checksum: what a header has at least. */
const minHeaderBytes = 7;

/** How far some frames have been decompressed, and what comes next. */
export interface Lz4Frames {
  /** Input that the next step needs, at least; it asks for more when it has seen it. */
  needed: number;
  /** Input that the last step used; none where it asked for more. */
  used: number;
  /** What a block of this frame may hold. */
  maxBlockBytes: number;
  /** Whether frames may end here. */
  isBetween: boolean;
  blockTail: number;
  frameTail: number;
}

export function startLz4(): Lz4Frames {
  return { needed: minHeaderBytes, used: 0, maxBlockBytes: 64 * 1024, isBetween: true, blockTail: 0, frameTail: 0 };
}

/**
 * One header, block or end out of `input`; answers how many bytes were written at `to`. Before that place stand the last 64 KiB, which matches point into.
 * @throws RangeError for a frame that is damaged, or gives more than `output` has room for
 */
export function stepLz4(
  frames: Lz4Frames,
  input: Uint8Array,
  { output, to }: { readonly output: Uint8Array; readonly to: number },
): number {
  frames.used = 0;
  if (input.length < frames.needed) return 0;
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (frames.isBetween) readHeader(frames, view);
  else return readBlock(frames, view, { output, to });
  return 0;
}

function readHeader(frames: Lz4Frames, view: DataView): void {
  if (view.getUint32(0, true) !== magic) throw new RangeError('an LZ4 frame has no beginning');
  const flags = view.getUint8(4);
  const sizeCode = (view.getUint8(5) >> 4) & 7;
  if (sizeCode < 4) throw new RangeError('an LZ4 frame does not say how large its blocks are');
  // Content size and dictionary id, where the flags say so, and a checksum of the header.
  const headerBytes = minHeaderBytes + ((flags & 8) === 0 ? 0 : 8) + ((flags & 1) === 0 ? 0 : 4);
  if (ask(frames, view, headerBytes)) return;
  // 64 KiB, 256 KiB, 1 MiB or 4 MiB.
  frames.maxBlockBytes = 2 ** (8 + 2 * sizeCode);
  frames.blockTail = (flags & 16) === 0 ? 0 : 4;
  frames.frameTail = (flags & 4) === 0 ? 0 : 4;
  finishStep(frames, headerBytes, false);
}

function readBlock(frames: Lz4Frames, view: DataView, { output, to }: { readonly output: Uint8Array; readonly to: number }): number {
  const size = view.getUint32(0, true);
  if (size === 0) {
    if (!ask(frames, view, 4 + frames.frameTail)) finishStep(frames, 4 + frames.frameTail, true);
    return 0;
  }
  const isPlain = size >= plainBit;
  const length = isPlain ? size - plainBit : size;
  if (length > frames.maxBlockBytes) throw new RangeError('an LZ4 block is larger than its frame allows');
  if (ask(frames, view, 4 + length + frames.blockTail)) return 0;
  const block = new Uint8Array(view.buffer, view.byteOffset + 4, length);
  const room = output.subarray(0, Math.min(output.length, to + frames.maxBlockBytes));
  const written = (isPlain ? copyPlain(block, room, to) : unpackBlock(block, room, to)) - to;
  finishStep(frames, 4 + length + frames.blockTail, false);
  return written;
}

/** Whether a step has to wait for more input. */
function ask(frames: Lz4Frames, view: DataView, needed: number): boolean {
  frames.needed = needed;
  return view.byteLength < needed;
}

function finishStep(frames: Lz4Frames, used: number, isBetween: boolean): void {
  frames.used = used;
  frames.isBetween = isBetween;
  frames.needed = isBetween ? minHeaderBytes : 4;
}

/** The whole of what was compressed. @throws RangeError for a frame that is damaged, or does not give exactly `length` bytes */
export function decompressLz4(input: Uint8Array, length: number): Uint8Array {
  const output = Buffer.allocUnsafeSlow(length);
  const frames = startLz4();
  let at = 0;
  let written = 0;
  while (at < input.length || !frames.isBetween) {
    written += stepLz4(frames, input.subarray(at), { output, to: written });
    if (frames.used === 0 && at + frames.needed > input.length) throw cutShort();
    at += frames.used;
  }
  if (written !== length) throw new RangeError('an LZ4 frame has another length than it was said to have');
  return output;
}

export function cutShort(): RangeError {
  return new RangeError('an LZ4 frame is cut short');
}

function copyPlain(block: Uint8Array, output: Uint8Array, written: number): number {
  output.set(block, written);
  return written + block.length;
}

/** Literals, then a match, and so on; the last literals have no match. Returns the place behind what was written. */
function unpackBlock(block: Uint8Array, output: Uint8Array, from: number): number {
  let at = 0;
  let to = from;
  while (at < block.length) {
    const token = block[at++] as number;
    let count = token >> 4;
    if (count === 15) [count, at] = readLength(block, at, count);
    if (at + count > block.length || to + count > output.length) throw new RangeError('an LZ4 block is damaged');
    output.set(block.subarray(at, at + count), to);
    at += count;
    to += count;
    if (at >= block.length) return to;
    const distance = (block[at] as number) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    let match = (token & 15) + minMatch;
    if (match === 15 + minMatch) [match, at] = readLength(block, at, match);
    to = copyMatch(output, { to, distance, count: match });
  }
  return to;
}

function readLength(block: Uint8Array, from: number, least: number): [number, number] {
  let at = from;
  let count = least;
  for (;;) {
    const byte = block[at++];
    if (byte === undefined) throw new RangeError('an LZ4 block is cut short');
    count += byte;
    if (byte !== 255) return [count, at];
  }
}

function copyMatch(
  output: Uint8Array,
  { to, distance, count }: { readonly to: number; readonly distance: number; readonly count: number },
): number {
  const from = to - distance;
  if (distance === 0 || from < 0 || to + count > output.length) throw new RangeError('an LZ4 block is damaged');
  // A match may overlap what it writes: then it repeats itself, byte by byte.
  if (distance >= count) output.copyWithin(to, from, from + count);
  else for (let index = 0; index < count; index++) output[to + index] = output[from + index] as number;
  return to + count;
}
