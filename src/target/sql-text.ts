/** Quoting for SQL text. Identifiers are always quoted, values never stand in the text. */

/** An identifier in double quotes, for any SQL target. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Identifiers in double quotes, with commas. */
export function quoteList(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(', ');
}
