/** What a vector index is over and how it is made: operator class, storage, parameters. What pgvector can't do is refused before anything is locked. */
import { formatCount } from '../../../count-text.ts';
import { SluiceError } from '../../../errors.ts';
import type { IndexRequest } from '../../driver.ts';
import { parseQualifiedName } from '../qualified-name.ts';
import { writeIndexed, type SearchColumn, type VectorIndex, type VectorType } from './search-column.ts';

/** How many dimensions pgvector can index, by type: a row of the index must fit a page. @see https://github.com/pgvector/pgvector#hnsw */
const maxDimensions = { vector: 2_000, halfvec: 4_000 } as const;

/** PostgreSQL cuts names at 63 bytes, and would cut two into one. */
const maxNameBytes = 63;

export interface IndexShape {
  readonly method: VectorIndex['method'];
  /** Behind USING method. */
  readonly on: string;
  readonly opclass: string;
  /** Storage parameters; empty for pgvector's own. */
  readonly options: Readonly<Record<string, number>>;
}

/** Wider columns are indexed by their halves, which a search then uses. `present`: the index that is built again. @throws SLUICE_INDEX_UNUSABLE */
export function chooseShape(column: SearchColumn, request: IndexRequest, present: VectorIndex | undefined): IndexShape {
  const { dimensions, type, name } = column;
  const { metric, table, settings } = request;
  if (dimensions === undefined) {
    throw unusable(`The column ${name} of ${table} has no fixed number of dimensions, so pgvector can't index it.`, {
      hint: `Give it one: ALTER TABLE … ALTER COLUMN … TYPE ${type}(n).`,
    });
  }
  if (dimensions > maxDimensions.halfvec) {
    const count = formatCount(dimensions);
    throw unusable(`The column ${name} of ${table} has ${count} dimensions; pgvector indexes at most 2,000, or 4,000 in half precision.`, {
      hint: 'Search exactly, or store shorter vectors (many models can cut theirs).',
    });
  }
  const isExpression = chooseType(column, request, present) !== type;
  const opclass = `${column.extensionSchema}.${isExpression ? 'halfvec' : type}_${metric}_ops`;
  const method = settings?.method ?? present?.method ?? 'hnsw';
  const on = isExpression ? `(${writeIndexed(column, { isExpression })})` : writeIndexed(column, { isExpression });
  return { method, on, opclass, options: chooseOptions(method, request, present) };
}

function chooseType(
  { dimensions = 0, name, type }: SearchColumn,
  { settings }: IndexRequest,
  present: VectorIndex | undefined,
): VectorType {
  const asked = settings?.storage;
  if (asked === 'bf16' || asked === 'i8')
    throw unusable(`pgvector can't hold ${name} as ${asked}.`, { hint: 'Choose f32 (vector) or f16 (halfvec).' });
  if (asked === 'f32' && (type === 'halfvec' || dimensions > maxDimensions.vector)) {
    const why =
      type === 'halfvec' ? 'the column is halfvec' : `pgvector indexes at most ${formatCount(maxDimensions.vector)} dimensions in it`;
    throw unusable(`${name} can't be indexed as f32: ${why}.`, { hint: 'Choose f16.' });
  }
  if (asked === 'f16' || type === 'halfvec' || dimensions > maxDimensions.vector) return 'halfvec';
  return asked === 'f32' ? 'vector' : (present?.type ?? 'vector');
}

function chooseOptions(
  method: IndexShape['method'],
  { settings = {} }: IndexRequest,
  present: VectorIndex | undefined,
): Readonly<Record<string, number>> {
  const { efConstruction, efSearch, lists, m } = settings;
  if (efSearch !== undefined)
    throw unusable('pgvector keeps no width of search with an index.', { hint: 'Give it to the search: sluice search … --ef-search 200.' });
  if (method === 'ivfflat' ? m !== undefined || efConstruction !== undefined : lists !== undefined)
    throw unusable(`The settings don't go with ${method}.`, { hint: 'hnsw takes --m and --ef-construction, ivfflat takes --lists.' });
  const kept = present?.method === method ? present.options : {};
  const asked = method === 'hnsw' ? { m, ef_construction: efConstruction } : { lists };
  return { ...kept, ...Object.fromEntries(Object.entries(asked).filter((entry): entry is [string, number] => entry[1] !== undefined)) };
}

function unusable(message: string, detail: { readonly hint: string }): SluiceError {
  return new SluiceError('SLUICE_INDEX_UNUSABLE', message, detail);
}

/** `items_embedding_hnsw_cosine`, cut in front of its end where it is too long. */
export function nameIndex({
  table,
  column,
  metric,
  name,
  settings,
}: Pick<IndexRequest, 'table' | 'column' | 'metric' | 'name' | 'settings'>): string {
  if (name !== undefined) return name;
  const end = `_${settings?.method ?? 'hnsw'}_${metric}`;
  let start = `${parseQualifiedName(table).name}_${column}`;
  while (Buffer.byteLength(start + end) > maxNameBytes) start = start.slice(0, -1);
  return start + end;
}

/** `WITH (m = 16)`; empty without parameters. */
export function writeOptions(options: IndexShape['options']): string {
  const list = Object.entries(options).map(([name, value]) => `${name} = ${String(Math.trunc(value))}`);
  return list.length === 0 ? '' : ` WITH (${list.join(', ')})`;
}
