/** Values as text that sluice reads back exactly: the forms that JSON lines and CSV share. */
import type { ColumnValues } from '../rows/batch.ts';
import type { Scalar } from '../rows/schema.ts';
import type { ExportColumn } from './options.ts';

/** The vector of one row, or its scalar. Bytes in a vector column are the vector itself; numbers in a boolean column are true and false, as SQLite keeps them. */
export function readValue(values: ColumnValues, row: number, column: ExportColumn): Scalar | Float32Array {
  if (values.kind === 'vector') {
    const { dimensions, nulls } = values;
    return nulls?.[row] === 1 ? null : values.values.subarray(row * dimensions, (row + 1) * dimensions);
  }
  const value = values.values[row] ?? null;
  if (value === null || typeof value === 'string') return value;
  if (column.type === 'vector' && value instanceof Uint8Array) return toVector(value, column.dimensions) ?? value;
  if (column.type === 'boolean' && (value === 0 || value === 1)) return value === 1;
  return value;
}

/** undefined for bytes that are no vector of that length. */
function toVector(bytes: Uint8Array, dimensions: number | undefined): Float32Array | undefined {
  if (bytes.length === 0 || bytes.length % 4 !== 0 || (dimensions !== undefined && bytes.length !== dimensions * 4)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true));
}

/** A number with every digit it has; a zero keeps its sign. */
export function writeNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** A JSON array. Each float32 is written as the double that equals it, so that any reader gets the same bits; what is not finite becomes text, for JSON has no word for it. */
export function writeVector(vector: Float32Array): string {
  let isPlain = true;
  for (let i = 0; i < vector.length && isPlain; i++) {
    const value = vector[i] as number;
    isPlain = Number.isFinite(value) && (value !== 0 || 1 / value > 0);
  }
  if (isPlain) return `[${vector.join(',')}]`;
  return `[${Array.from(vector, (value) => (Number.isFinite(value) ? writeNumber(value) : JSON.stringify(String(value)))).join(',')}]`;
}

/** Base64, as sluice reads it. */
export function writeBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** The value as plain text, without quotes; null is the caller's. */
export function writePlain(value: Exclude<Scalar, null> | Float32Array): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return writeNumber(value);
  if (value instanceof Float32Array) return writeVector(value);
  return value instanceof Uint8Array ? writeBytes(value) : String(value);
}

/** Whether text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // A SyntaxError is the only way that JSON.parse of a string can fail.
    return false;
  }
}
