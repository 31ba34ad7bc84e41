/** Options that were not given are left out, so that the library's defaults stand in one place. */

export function dropAbsent<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
