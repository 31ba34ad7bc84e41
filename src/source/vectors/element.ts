/** Numbers of a binary file as 32-bit floats: of each width and byte order, whole stretches at a time, without an object per number. */

/** How one number stands in a file. */
export interface Element {
  readonly kind: 'float' | 'signed' | 'unsigned';
  /** 1, 2, 4 or 8; a float has 2 or more. */
  readonly byteCount: number;
  readonly isBigEndian: boolean;
}

type Decode = (bytes: Uint8Array<ArrayBuffer>) => Float32Array<ArrayBuffer>;

/** Little-endian numbers of each kind and width; the bytes begin at a multiple of their width. */
const decoders: Readonly<Record<string, Decode>> = {
  float2: (bytes) => widenHalves(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)),
  float4: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  float8: (bytes) => new Float32Array(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)),
  signed1: (bytes) => new Float32Array(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)),
  signed2: (bytes) => new Float32Array(new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)),
  signed4: (bytes) => new Float32Array(new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)),
  signed8: (bytes) => Float32Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8), Number),
  unsigned1: (bytes) => new Float32Array(bytes),
  unsigned2: (bytes) => new Float32Array(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)),
  unsigned4: (bytes) => new Float32Array(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)),
  unsigned8: (bytes) => Float32Array.from(new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8), Number),
};

/** Whether numbers of this kind and width can be read. */
export function isReadable({ kind, byteCount }: Element): boolean {
  return Object.hasOwn(decoders, `${kind}${String(byteCount)}`);
}

/** The numbers of some bytes; of 32-bit floats in this machine's order a view of them. Bytes of the other order are turned round where they stand. */
export function decodeElements(bytes: Uint8Array, { kind, byteCount, isBigEndian }: Element): Float32Array<ArrayBuffer> {
  const decode = decoders[`${kind}${String(byteCount)}`];
  if (decode === undefined) throw new RangeError(`no numbers of ${String(byteCount)} bytes`);
  const aligned = alignBytes(bytes, byteCount);
  if (isBigEndian) swapBytes(aligned, byteCount);
  return decode(aligned);
}

/** The bytes at a place that a typed array can begin at; copied only where they are not. */
export function alignBytes(bytes: Uint8Array, byteCount: number): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = bytes;
  return buffer instanceof ArrayBuffer && byteOffset % byteCount === 0 ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(bytes);
}

function swapBytes(bytes: Uint8Array<ArrayBuffer>, byteCount: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (byteCount === 2) buffer.swap16();
  else if (byteCount === 4) buffer.swap32();
  else if (byteCount === 8) buffer.swap64();
}

/** Every half-precision float there is; made when the first file of them is read. */
let halves: Float32Array | undefined;

/** 16-bit floats as 32-bit ones, which hold each of them exactly. */
export function widenHalves(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const table = (halves ??= Float32Array.from({ length: 65_536 }, (_, half) => readHalf(half)));
  const floats = new Float32Array(bits.length);
  for (let at = 0; at < bits.length; at++) floats[at] = table[bits[at] as number] as number;
  return floats;
}

/** IEEE 754 binary16: 1 bit sign, 5 exponent, 10 fraction. */
function readHalf(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
