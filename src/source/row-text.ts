/** A row in memory as JSON text, for the ledger's copy of a refused row: every digit of a bigint and every element of a vector is kept. */

declare global {
  interface JSON {
    /** JSON text that JSON.stringify writes as it stands; in V8 since Node 21, not yet in the compiler's library. */
    rawJSON(text: string): object;
  }
}

/**
 * Writes a value as JSON: bigints as numbers with all their digits, bytes as base64, other typed arrays as arrays of numbers. A value that JSON can't
 * hold, such as one that contains itself, is written as a string that says so.
 */
export function writeRowText(row: unknown): string {
  try {
    return JSON.stringify(row, replaceValue) ?? JSON.stringify(String(row));
  } catch (error) {
    const reason = error instanceof Error ? error.name : typeof error;
    return JSON.stringify(`(a row that can't be written as JSON: ${reason})`);
  }
}

function replaceValue(this: unknown, key: string, value: unknown): unknown {
  // A Buffer has been turned into an object by its toJSON by now; the holder still has it.
  const original: unknown = typeof this === 'object' && this !== null ? Reflect.get(this, key) : value;
  if (typeof value === 'bigint') return JSON.rawJSON(value.toString());
  if (original instanceof Uint8Array) return Buffer.from(original.buffer, original.byteOffset, original.byteLength).toString('base64');
  if (ArrayBuffer.isView(original) && !(original instanceof DataView)) return Array.from(original as Float32Array);
  return value;
}
