/** Snappy's raw format, unpacked whole or only as far as wanted: the levels stand first in a page, and passing over it needs no more. */
import { PageFault } from './fault.ts';
import { takeRoom, type Unpacking } from './room.ts';

/** No element makes more than 64 bytes out of three. */
const maxRatio = 22;

/** Shorter literals are copied in a loop: `set` with its view costs about as much as 32 bytes. */
const shortLiteral = 32;

/**
 * The first `wanted` bytes (all by default) of the `size` that the input holds.
 * @throws PageFault
 */
export function unpackSnappy(
  input: Uint8Array,
  size: number,
  { room: target = { bytes: new Uint8Array(0) }, wanted = size }: Unpacking = {},
): Uint8Array {
  let position = skipPreamble(input, size);
  const output = takeRoom(target, Math.min(size, wanted));
  const { length: room } = output;
  let filled = 0;
  while (filled < room && position < input.length) {
    const tag = input[position++] as number;
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >> 2) + 1;
      if (length > 60) {
        const lengthBytes = length - 60;
        length = readLittle(input, position, lengthBytes) + 1;
        position += lengthBytes;
      }
      const taken = Math.min(length, input.length - position, room - filled);
      if (taken < length && room === size) throw broken();
      if (taken > shortLiteral) output.set(input.subarray(position, position + taken), filled);
      else copyShort(input, position, { output, filled, taken });
      position += length;
      filled += taken;
      continue;
    }
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const offsetBytes = kind === 3 ? 4 : kind;
    const distance = readLittle(input, position, offsetBytes) + (kind === 1 ? (tag >> 5) << 8 : 0);
    position += offsetBytes;
    const taken = Math.min(length, room - filled);
    if (distance === 0 || distance > filled || (taken < length && room === size)) throw broken();
    copyBack(output, filled, { distance, taken });
    filled += taken;
  }
  if (filled !== room || (room === size && position !== input.length)) throw broken();
  return output;
}

interface Copied {
  readonly output: Uint8Array;
  readonly filled: number;
  readonly taken: number;
}

function copyShort(input: Uint8Array, from: number, { filled, output, taken }: Copied): void {
  for (let index = 0; index < taken; index++) output[filled + index] = input[from + index] as number;
}

/** At most 64 bytes; they overlap where the distance is shorter than they are. */
function copyBack(output: Uint8Array, to: number, { distance, taken }: { readonly distance: number; readonly taken: number }): void {
  for (let index = to; index < to + taken; index++) output[index] = output[index - distance] as number;
}

function readLittle(input: Uint8Array, at: number, count: number): number {
  if (at + count > input.length) throw broken();
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + (input[at + index] as number);
  return value;
}

/** The length that the input gives itself must be the page's. */
function skipPreamble(input: Uint8Array, size: number): number {
  let length = 0;
  let position = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = input[position++];
    if (byte === undefined || position > 5) throw broken();
    length += (byte & 127) * scale;
    if (byte < 128) break;
  }
  if (length !== size || size > input.length * maxRatio) throw broken();
  return position;
}

function broken(): PageFault {
  return new PageFault('a page is no snappy data of the length that its header says');
}
