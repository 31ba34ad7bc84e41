/** Values as one line of JSON, exact: 64-bit integers keep their digits, bytes become base64, vectors become arrays. */

interface RawJson {
  readonly rawJSON: (text: string) => unknown;
}

// In every Node that sluice runs on; missing in the library types of TypeScript.
const json = JSON as typeof JSON & RawJson;

/** Serialises to one line, with its line feed. */
export function toJsonLine(value: unknown): string {
  return `${JSON.stringify(value, replaceValue)}\n`;
}

/** Serialises for a file that a person may open. */
export function toJsonText(value: unknown): string {
  return `${JSON.stringify(value, replaceValue, 2)}\n`;
}

/** A Buffer has become `{type, data}` by the time a replacer sees it, so the holder is asked for the value itself. */
function replaceValue(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return json.rawJSON(value.toString());
  const original = (this as Readonly<Record<string, unknown>>)[key];
  if (original instanceof Uint8Array) return Buffer.from(original.buffer, original.byteOffset, original.byteLength).toString('base64');
  if (original instanceof Float32Array || original instanceof Float64Array) return Array.from(original);
  return value;
}
