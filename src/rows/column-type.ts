/** Column types as people write and read them: `integer`, `vector(384)`. */
import type { Column, ColumnType } from './schema.ts';
import { scalarTypes } from './schema.ts';

/** A column type with the dimension of a vector. */
export type TypeSpec = Pick<Column, 'type' | 'dimensions'>;

/** Longest vector that a column may have. */
export const maxDimensions = 65_536;

/** Names that databases use for sluice's types. */
const aliases: ReadonlyMap<string, ColumnType> = new Map([
  ['int', 'integer'],
  ['bigint', 'integer'],
  ['float', 'real'],
  ['double', 'real'],
  ['string', 'text'],
  ['bool', 'boolean'],
  ['blob', 'bytes'],
  ['bytea', 'bytes'],
  ['jsonb', 'json'],
  ['datetime', 'timestamp'],
  ['timestamptz', 'timestamp'],
  ['numeric', 'decimal'],
]);

/** The types that {@link parseColumnType} reads, for messages. */
export const typeList: string = [...scalarTypes, 'vector(n)'].join(', ');

/** Reads a column type, in any case; undefined for text that is none, such as a vector without or with an impossible dimension. */
export function parseColumnType(text: string): TypeSpec | undefined {
  const name = text.trim().toLowerCase();
  const type = scalarTypes.find((scalar) => scalar === name) ?? aliases.get(name);
  if (type !== undefined) return { type };
  const match = /^vector\s*\(\s*(\d{1,5})\s*\)$/.exec(name);
  const dimensions = Number(match?.[1] ?? 0);
  return dimensions >= 1 && dimensions <= maxDimensions ? { type: 'vector', dimensions } : undefined;
}

/** Prints a column type so that {@link parseColumnType} reads it. */
export function formatColumnType({ type, dimensions }: TypeSpec): string {
  return type === 'vector' ? `vector(${dimensions ?? '?'})` : type;
}
