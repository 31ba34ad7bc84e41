/** Decompresses LZ4 frames, as Arrow's buffers are: every length is checked, and no more is written than was said. @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md */

const magic = 0x18_4d_22_04;
/** A block that stands as it is has this bit set in its length. */
const plainBit = 0x80_00_00_00;
const minMatch = 4;

/** @throws RangeError for a frame that is damaged, or does not give exactly `length` bytes */
export function decompressLz4(input: Uint8Array, length: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const output = Buffer.allocUnsafeSlow(length);
  let at = 0;
  let written = 0;
  while (at < input.length) {
    if (view.getUint32(at, true) !== magic) throw new RangeError('an LZ4 frame has no beginning');
    const flags = view.getUint8(at + 4);
    // Content size and dictionary id, where the flags say so, and a checksum of the header.
    at += 7 + ((flags & 8) === 0 ? 0 : 8) + ((flags & 1) === 0 ? 0 : 4);
    const blockTail = (flags & 16) === 0 ? 0 : 4;
    for (let size = view.getUint32(at, true); size !== 0; size = view.getUint32(at, true)) {
      const isPlain = size >= plainBit;
      const start = at + 4;
      const end = start + (isPlain ? size - plainBit : size);
      if (end + blockTail > input.length) throw new RangeError('an LZ4 block is cut short');
      written = isPlain ? copyPlain(input.subarray(start, end), output, written) : unpackBlock(input.subarray(start, end), output, written);
      at = end + blockTail;
    }
    at += 4 + ((flags & 4) === 0 ? 0 : 4);
  }
  if (written !== length) throw new RangeError('an LZ4 frame has another length than it was said to have');
  return output;
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
