/** Turns a query into a vector, the way the rows of the table got theirs. Another embedder or dimension is refused: its scores would mean nothing. */
import { SluiceError } from '../errors.ts';
import type { Embedder, EmbedderIdentity, EmbedSpec } from '../embed/embedder.ts';
import { createEmbedder } from '../embed/registry.ts';
import type { Metric } from '../target/driver.ts';
import type { VectorColumn } from './column.ts';

/** A text, or a vector of the column's dimension. */
export type Query = string | readonly number[] | Float32Array;

/** An embedder for queries, made once and used for all of a search's texts. */
export interface QueryEmbedder {
  embed(text: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * The embedder of a column: the recorded one, or, where vectors came with the rows, the one that the caller names.
 * @throws SLUICE_EMBEDDER_MISMATCH, SLUICE_DIMENSION_MISMATCH, SLUICE_EMBEDDER_UNKNOWN
 */
export async function openQueryEmbedder(vector: VectorColumn, asked: EmbedSpec | undefined): Promise<QueryEmbedder> {
  const recorded = vector.embedder;
  const spec = mergeSpecs(recorded?.spec, asked);
  if (spec === undefined) {
    throw new SluiceError(
      'SLUICE_EMBEDDER_MISMATCH',
      `The vectors of ${vector.table}.${vector.column} came with the rows: it is not known how a text becomes one of them.`,
      {
        hint: 'Give the query as a vector, or name the embedder that made them.',
      },
    );
  }
  const embedder = await createEmbedder(spec);
  try {
    checkIdentity(vector, embedder.identity);
  } catch (error) {
    await embedder.close?.();
    throw error;
  }
  const prefix = spec.queryPrefix ?? '';
  return { embed: (text) => embedText(embedder, prefix + text), close: async () => embedder.close?.() };
}

/** What the caller leaves open of the same embedder is as recorded. */
function mergeSpecs(recorded: EmbedSpec | undefined, asked: EmbedSpec | undefined): EmbedSpec | undefined {
  if (recorded === undefined || asked === undefined || recorded.with !== asked.with) return asked ?? recorded;
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return { ...recorded, ...(Object.fromEntries(given) as Partial<EmbedSpec>) };
}

function checkIdentity({ table, column, dimensions, embedder }: VectorColumn, identity: EmbedderIdentity): void {
  if (embedder !== undefined && !isSameIdentity(embedder.identity, identity)) {
    throw new SluiceError(
      'SLUICE_EMBEDDER_MISMATCH',
      `The vectors of ${table}.${column} were made by ${describeEmbedder(embedder.identity)}, the query would be by ${describeEmbedder(identity)}.`,
      { hint: 'Leave the embedder out to use the one of the table, or load the table again with the new one.' },
    );
  }
  if (identity.dimensions !== dimensions) {
    const made = embedder === undefined ? '' : `, made by ${describeEmbedder(embedder.identity)}`;
    throw new SluiceError(
      'SLUICE_DIMENSION_MISMATCH',
      `The vectors of ${table}.${column} have ${String(dimensions)} dimensions${made}; the query would have ${String(identity.dimensions)}.`,
      {
        hint: 'Leave the embedder out to use the one of the table, or name the dimension that its vectors have.',
      },
    );
  }
}

/** Key by key, so that it does not matter in which order a ledger has them; dimensions are told apart. */
function isSameIdentity(left: EmbedderIdentity, right: EmbedderIdentity): boolean {
  const keys = ['provider', 'model', 'revision', 'isNormalised'] as const;
  return keys.every((key) => left[key] === right[key]);
}

function describeEmbedder({ provider, model, revision, dimensions }: EmbedderIdentity): string {
  return `${provider}/${model} (revision ${revision}, ${String(dimensions)} dimensions)`;
}

async function embedText(embedder: Embedder, text: string): Promise<Float32Array> {
  const { dimensions, model } = embedder.identity;
  const vector = await embedder.embed([text]);
  if (vector.length === dimensions) return vector;
  throw new SluiceError(
    'SLUICE_EMBEDDER_ANSWER',
    `The embedder ${model} answered one text with ${String(vector.length)} numbers instead of ${String(dimensions)}.`,
  );
}

/** A vector given as the query. @throws SLUICE_DIMENSION_MISMATCH */
export function readQueryVector(query: readonly number[] | Float32Array, vector: VectorColumn): Float32Array {
  if (query.length === vector.dimensions) return query instanceof Float32Array ? query : Float32Array.from(query);
  const made = vector.embedder === undefined ? '' : ` Its vectors were made by ${describeEmbedder(vector.embedder.identity)}.`;
  throw new SluiceError(
    'SLUICE_DIMENSION_MISMATCH',
    `The query has ${String(query.length)} dimensions, ${vector.table}.${vector.column} has ${String(vector.dimensions)}.`,
    { hint: `Give ${String(vector.dimensions)} numbers.${made}` },
  );
}

/** Refuses a vector that nothing is near to. @throws SLUICE_USAGE */
export function checkQueryVector(vector: Float32Array, metric: Metric): void {
  if (!vector.every(Number.isFinite))
    throw new SluiceError('SLUICE_USAGE', 'The query vector holds a number that is not finite.', { hint: 'Give finite numbers.' });
  if (metric !== 'cosine' || vector.some((value) => value !== 0)) return;
  throw new SluiceError('SLUICE_USAGE', 'The query has a vector of zeros, which has no direction for cosine to compare.', {
    hint: 'Write a longer text, or choose another metric.',
  });
}
