/** One vector column as a NumPy array of shape [rows, dimensions], float32: rows without a vector are left out and counted. The header is written again at the end, when the rows are known. */
import { SluiceError } from '../errors.ts';
import type { ExportColumn, RowBlock, RowWriter } from './options.ts';
import { readValue } from './value-text.ts';

/** Room for a header with any number of rows; a multiple of 64, as the format wants it. @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
const headerBytes = 128;
const magic = '\x93NUMPY\x01\x00';

/** Version 1.0: magic, length of the rest, a Python dictionary, blanks, a line feed. */
function writeHeader(rows: number, dimensions: number): Uint8Array {
  const header = Buffer.alloc(headerBytes, 0x20);
  header.write(magic, 'latin1');
  header.writeUInt16LE(headerBytes - 10, 8);
  header.write(`{'descr': '<f4', 'fortran_order': False, 'shape': (${String(rows)}, ${String(dimensions)}), }`, 10, 'latin1');
  header[headerBytes - 1] = 0x0a;
  return header;
}

/** Which rows of a block have a vector, for whoever writes their keys. */
export function findVectors(block: RowBlock, index: number, column: ExportColumn): readonly number[] {
  const values = block.values[index]!;
  return Array.from({ length: block.rowCount }, (_, row) => row).filter((row) => readValue(values, row, column) !== null);
}

/** `index`: of the vector column in the blocks, which may have others beside it. */
export function createNpyWriter(column: ExportColumn, index: number): RowWriter {
  let dimensions = column.dimensions;
  let rows = 0;
  let skipped = 0;
  let isBegun = false;
  const begin = (): Uint8Array[] => {
    if (isBegun) return [];
    isBegun = true;
    return [writeHeader(0, dimensions ?? 0)];
  };
  return {
    forms: ['float32'],
    write: (block) => {
      const vectors = readVectors(block, column, index);
      skipped += block.rowCount - vectors.length;
      dimensions ??= vectors[0]?.length;
      const width = dimensions ?? 0;
      const floats = new Float32Array(vectors.length * width);
      vectors.forEach((vector, at) => {
        if (vector.length !== width) throw otherLength(column, { row: rows + skipped + at, expected: width, found: vector.length });
        floats.set(vector, at * width);
      });
      rows += vectors.length;
      return [...begin(), toLittleEndian(floats)];
    },
    end: begin,
    start: () => writeHeader(rows, dimensions ?? 0),
    skippedCount: () => skipped,
  };
}

function readVectors(block: RowBlock, column: ExportColumn, index: number): readonly Float32Array[] {
  const vectors: Float32Array[] = [];
  for (let row = 0; row < block.rowCount; row++) {
    const value = readValue(block.values[index]!, row, column);
    if (value instanceof Float32Array) vectors.push(value);
    else if (value !== null) throw otherLength(column, { row, expected: column.dimensions ?? 0, found: undefined });
  }
  return vectors;
}

function otherLength(
  { name }: ExportColumn,
  { row, expected, found }: { readonly row: number; readonly expected: number; readonly found: number | undefined },
): SluiceError {
  const what = found === undefined ? 'a value that is no vector' : `a vector of ${String(found)} numbers`;
  return new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `The column ${name} holds ${what} about row ${String(row + 1)}; an array has one shape for all (${String(expected)} numbers).`,
    { hint: 'Export to .jsonl, or leave such rows out with --where.' },
  );
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function toLittleEndian(floats: Float32Array): Uint8Array {
  const bytes = Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
  return isLittleEndian ? bytes : bytes.swap32();
}
