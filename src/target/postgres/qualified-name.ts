/** Names of tables as a user writes them: `items`, `sales.items`, or with quotes where a name holds a dot. */
import { quoteIdentifier } from '../sql-text.ts';

export interface QualifiedName {
  /** undefined: wherever the search path finds it, or makes it. */
  readonly schema: string | undefined;
  readonly name: string;
}

/** Reads `name`, `schema.name`, `"odd.name"`, `"odd.schema"."odd.name"`. */
export function parseQualifiedName(text: string): QualifiedName {
  const match = /^(?:("(?:[^"]|"")+"|[^".]+)\.)?("(?:[^"]|"")+"|[^".]+)$/u.exec(text);
  if (match === null) return { schema: undefined, name: text };
  const [, schema, name = text] = match;
  return { schema: schema === undefined ? undefined : unquote(schema), name: unquote(name) };
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}

/** The name for an SQL text, quoted. */
export function quoteName({ schema, name }: QualifiedName): string {
  return schema === undefined ? quoteIdentifier(name) : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** The same as text that {@link parseQualifiedName} reads. */
export function formatName({ schema, name }: QualifiedName): string {
  const part = (text: string): string => (/[".]/u.test(text) ? quoteIdentifier(text) : text);
  return schema === undefined ? part(name) : `${part(schema)}.${part(name)}`;
}

/** A table of a plan, for an SQL text. */
export function quoteTable(table: string): string {
  return quoteName(parseQualifiedName(table));
}
