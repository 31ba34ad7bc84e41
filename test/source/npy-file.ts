/** Files of vectors for the tests, written by hand as NumPy writes them. */

export interface NpyShape {
  readonly shape: string;
  readonly descr?: string;
  readonly fortran?: boolean;
  readonly version?: 1 | 2 | 3;
}

/** An `.npy` file around the bytes of its numbers. */
export function writeNpy(data: NodeJS.TypedArray | Buffer, { descr = '<f4', fortran = false, shape, version = 1 }: NpyShape): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }`;
  const prefix = version === 1 ? 10 : 12;
  const padded = text.padEnd(Math.ceil((text.length + prefix + 1) / 64) * 64 - prefix - 1) + '\n';
  const head = Buffer.alloc(prefix);
  head.write('\x93NUMPY', 'latin1');
  head[6] = version;
  if (version === 1) head.writeUInt16LE(padded.length, 8);
  else head.writeUInt32LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, 'latin1'), Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

/** Vectors whose numbers say where they stand: row r, place k is r + k / 8. */
export function countingVectors(rows: number, dimensions: number): Float32Array {
  return Float32Array.from({ length: rows * dimensions }, (_, at) => Math.floor(at / dimensions) + (at % dimensions) / 8);
}

export function writeFvecs(vectors: Float32Array, dimensions: number): Buffer {
  const rows: Buffer[] = [];
  for (let at = 0; at < vectors.length; at += dimensions) {
    const length = Buffer.alloc(4);
    length.writeInt32LE(dimensions);
    rows.push(length, Buffer.from(vectors.buffer, vectors.byteOffset + at * 4, dimensions * 4));
  }
  return Buffer.concat(rows);
}
