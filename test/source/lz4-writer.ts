/** Writes LZ4 frames for tests, as its format has them: blocks that point back into those before them, or large ones with checksums. */

export interface Lz4Shape {
  /** 4, 5, 6 or 7: blocks of 64 KiB, 256 KiB, 1 MiB or 4 MiB. */
  readonly sizeCode: number;
  /** With a checksum behind each block and each frame, and the content's size in front; nobody reads them. */
  readonly hasExtras: boolean;
}

const farthest = 65_535;
/** The format wants the last bytes of a block as literals. */
const lastLiterals = 12;

export function compressLz4(data: Uint8Array, { hasExtras, sizeCode }: Lz4Shape): Buffer {
  const blockBytes = 2 ** (8 + 2 * sizeCode);
  const header = Buffer.of(0x04, 0x22, 0x4d, 0x18, hasExtras ? 0x5c : 0x40, sizeCode << 4);
  const parts: Uint8Array[] = [header, Buffer.alloc(hasExtras ? 9 : 1)];
  const seen = new Int32Array(2 ** 16).fill(-1);
  for (let start = 0; start < data.length; start += blockBytes) {
    const end = Math.min(data.length, start + blockBytes);
    const packed = compressBlock(data, { start, end, seen });
    const isPlain = packed.length >= end - start;
    const size = Buffer.alloc(4);
    size.writeUInt32LE(isPlain ? 0x80_00_00_00 + end - start : packed.length);
    parts.push(size, isPlain ? data.subarray(start, end) : packed, Buffer.alloc(hasExtras ? 4 : 0));
  }
  return Buffer.concat([...parts, Buffer.alloc(hasExtras ? 8 : 4)]);
}

interface Block {
  readonly start: number;
  readonly end: number;
  /** Where four bytes of a hash were seen last, also before the block. */
  readonly seen: Int32Array;
}

function compressBlock(data: Uint8Array, { end, seen, start }: Block): Buffer {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const out: Output = { bytes: Buffer.allocUnsafe(2 * (end - start) + 16), length: 0 };
  let literals = start;
  let at = start;
  while (at + lastLiterals < end) {
    const word = view.getUint32(at, true);
    const slot = Math.imul(word, 2_654_435_761) >>> 16;
    const before = seen[slot] ?? -1;
    seen[slot] = at;
    if (before < 0 || at - before > farthest || view.getUint32(before, true) !== word) {
      at++;
      continue;
    }
    let length = 4;
    while (at + length < end - lastLiterals && data[before + length] === data[at + length]) length++;
    writeSequence(out, data.subarray(literals, at), { distance: at - before, length });
    at += length;
    literals = at;
  }
  writeSequence(out, data.subarray(literals, end), undefined);
  return out.bytes.subarray(0, out.length);
}

interface Output {
  readonly bytes: Buffer;
  length: number;
}

function writeSequence(out: Output, literals: Uint8Array, match: { readonly distance: number; readonly length: number } | undefined): void {
  const more = match === undefined ? 0 : match.length - 4;
  put(out, (Math.min(15, literals.length) << 4) | Math.min(15, more));
  putLength(out, literals.length);
  out.bytes.set(literals, out.length);
  out.length += literals.length;
  if (match === undefined) return;
  put(out, match.distance & 255);
  put(out, match.distance >> 8);
  putLength(out, more);
}

function put(out: Output, byte: number): void {
  out.bytes[out.length++] = byte;
}

function putLength(out: Output, length: number): void {
  if (length < 15) return;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) put(out, 255);
  put(out, rest);
}
