/** Writes compressed Arrow files for tests: with each codec, and with encoders that do wrong. */
import zlib from 'node:zlib';
import { CompressionType, compressionRegistry, type Table, tableToIPC } from 'apache-arrow';
import { compressLz4, type Lz4Shape } from './lz4-writer.ts';

export type Encode = (bytes: Uint8Array) => Uint8Array;

export interface ArrowCodec {
  readonly name: string;
  readonly kind: 'lz4' | 'zstd';
  readonly encode: Encode;
}

const linked: Lz4Shape = { sizeCode: 4, hasExtras: false };
export const codecs: readonly ArrowCodec[] = [
  { name: 'LZ4 in blocks that are linked', kind: 'lz4', encode: (bytes) => compressLz4(bytes, linked) },
  { name: 'LZ4 in blocks of 4 MiB with checksums', kind: 'lz4', encode: (bytes) => compressLz4(bytes, { sizeCode: 7, hasExtras: true }) },
  { name: 'zstd', kind: 'zstd', encode: (bytes) => zlib.zstdCompressSync(bytes) },
];
/** What would only grow is stored without being compressed. */
export const stored: ArrowCodec = {
  name: 'buffers that stand as they are in a compressed batch',
  kind: 'lz4',
  encode: (bytes) => Buffer.concat([compressLz4(bytes, linked), bytes]),
};

/** As the library of the reference writes it, with this encoder. */
export function writeCompressed(table: Table, { encode, kind }: Pick<ArrowCodec, 'encode' | 'kind'>): Buffer {
  const type = kind === 'lz4' ? CompressionType.LZ4_FRAME : CompressionType.ZSTD;
  const buffers: { readonly packed: Uint8Array; readonly byteCount: number }[] = [];
  compressionRegistry.set(type, {
    encode(bytes) {
      const packed = encode(bytes);
      if (packed.length < bytes.length) buffers.push({ packed, byteCount: bytes.length });
      return packed;
    },
    // Its decoder is what the library checks an encoder with.
    decode: (bytes) => bytes,
  });
  const file = Buffer.from(tableToIPC(table, 'file', type));
  // Version 21 of the library writes the compressed length in front of a buffer, where the format wants the other.
  let at = 0;
  for (const { byteCount, packed } of buffers) {
    at = file.indexOf(packed, at);
    file.writeBigInt64LE(BigInt(byteCount), at - 8);
    at += packed.length;
  }
  return file;
}
