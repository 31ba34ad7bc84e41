/** JSON with all digits of 64-bit integers: sequence numbers are nanoseconds since 1970, far above 2⁵³. */

// In every Node that sluice runs on; missing in the library types of TypeScript.
const json = JSON as typeof JSON & { readonly rawJSON: (text: string) => unknown };

/** Compact, or with four blanks of indent as rqlite's `pretty`. */
export function writeExactJson(value: unknown, isPretty = false): string {
  return JSON.stringify(value, replaceBigint, isPretty ? 4 : undefined);
}

function replaceBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? json.rawJSON(value.toString()) : value;
}
