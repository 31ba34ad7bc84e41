/** The HNSW graph, held by usearch. Keys are row ids; the graph only proposes candidates, their scores always come from the table. */
import { createRequire } from 'node:module';
import type * as Usearch from 'usearch';
import { SluiceError } from '../../errors.ts';
import type { IndexSettings, Metric } from '../driver.ts';
import { dot } from './vector-score.ts';

/** How a graph is built. Stands in the side file; a graph with other settings is built anew. */
export interface HnswSettings {
  /** How the graph holds a number. usearch scales i8 by the length of the vector, which only cosine doesn't mind. */
  readonly scalar: 'f32' | 'f16' | 'bf16' | 'i8';
  readonly connectivity: number;
  readonly expansionAdd: number;
  readonly expansionSearch: number;
}

/** With more dimensions the numbers of a vector of length 1 are too small for 127 steps: at 768 a typical one takes 4.6 of them. */
const maxByteDimensions = 768;

/**
 * The settings of a new graph, chosen on the 117,791 WordNet definitions, hashed to 384 dimensions, 32 candidates scored again. At equal settings
 * (24 / 80) i8 and bf16 had the same recall; 20,000 rows took 2.3 s of processor time in i8 and 3.9 s in bf16, medians of three on a busy machine.
 * Recall@10 of 200 stored vectors and of 200 short texts, i8, by connectivity / expansion when adding, at expansion when searching:
 * 32 / 96 at 384: 0.987, 0.947; at 512: 0.990, 0.959 · 32 / 128 at 256: 0.984, 0.951; at 320: 0.987, 0.958; at 400: 0.989, 0.965.
 * 320 keeps the harder queries, texts, at 0.958 (stored vectors: 0.987) and a search under 3 ms; 360 took 3.3 ms.
 */
export function chooseSettings(metric: Metric, dimensions: number): HnswSettings {
  const scalar = metric === 'cosine' && dimensions <= maxByteDimensions ? 'i8' : 'bf16';
  return { scalar, connectivity: 32, expansionAdd: 128, expansionSearch: 320 };
}

/**
 * Settings as asked for, over those of the index that is there, over our own.
 * @throws SLUICE_INDEX_UNUSABLE for what usearch can't do
 */
export function mergeSettings(
  { metric, dimensions }: { readonly metric: Metric; readonly dimensions: number },
  asked: IndexSettings | undefined,
  present: HnswSettings | undefined,
): HnswSettings {
  const own = present ?? chooseSettings(metric, dimensions);
  const settings: HnswSettings = {
    scalar: asked?.storage ?? own.scalar,
    connectivity: asked?.m ?? own.connectivity,
    expansionAdd: asked?.efConstruction ?? own.expansionAdd,
    expansionSearch: asked?.efSearch ?? own.expansionSearch,
  };
  const problem = findSettingProblem(metric, settings, asked);
  if (problem === undefined) return settings;
  throw new SluiceError('SLUICE_INDEX_UNUSABLE', `The index can't be made as asked: ${problem}.`, {
    hint: 'Leave the setting out for the default.',
  });
}

function findSettingProblem(metric: Metric, settings: HnswSettings, asked: IndexSettings | undefined): string | undefined {
  if (asked?.method === 'ivfflat' || asked?.lists !== undefined) return 'an SQLite file has HNSW alone, no IVFFlat and no lists';
  return settings.scalar === 'i8' && metric !== 'cosine'
    ? `i8 keeps the direction of a vector, not its length, which ${metric} needs`
    : undefined;
}

/** Below this many floats (rows × dimensions) a scan is about as fast as the graph: 10,000 × 384 take 15 ms. */
export const minIndexedFloats = 4_000_000;

/** Whether an index is worth building for so many vectors. */
export function isIndexWorthwhile(rows: number, dimensions: number): boolean {
  return rows * dimensions >= minIndexedFloats;
}

/** usearch marks free slots with the highest key, which is row −1. */
export const unusableRowid = -1n;

export type HnswGraph = Usearch.Index;

/** An empty graph. @throws SLUICE_PACKAGE_MISSING where usearch has no build for the machine */
export function createGraph(dimensions: number, metric: Metric, settings: HnswSettings): HnswGraph {
  const usearch = loadUsearch();
  return new usearch.Index({
    dimensions,
    // Vectors are of length 1 for cosine, where the inner product is the cosine at two thirds of the cost.
    metric: (metric === 'l2' ? 'l2sq' : 'ip') as Usearch.MetricKind,
    quantization: settings.scalar as Usearch.ScalarKind,
    connectivity: settings.connectivity,
    expansion_add: settings.expansionAdd,
    expansion_search: settings.expansionSearch,
    multi: false,
  });
}

function loadUsearch(): typeof Usearch {
  try {
    return createRequire(import.meta.url)('usearch') as typeof Usearch;
  } catch (error) {
    throw new SluiceError(
      'SLUICE_PACKAGE_MISSING',
      'The vector index needs the package usearch, which could not be loaded on this machine.',
      {
        cause: error,
        hint: 'Install it with npm install usearch. Exact search works without it.',
      },
    );
  }
}

/**
 * Writes a vector into `into` as the graph takes it: of length 1 for cosine. Returns false for one that can't be searched for:
 * without a direction, or with a part that is not a finite number.
 */
export function prepareVector(metric: Metric, vector: Float32Array, into: Float32Array): boolean {
  const squared = dot(vector, vector);
  if (!Number.isFinite(squared)) return false;
  if (metric !== 'cosine') {
    into.set(vector);
    return true;
  }
  if (squared === 0) return false;
  const scale = 1 / Math.sqrt(squared);
  for (let i = 0; i < vector.length; i++) into[i] = vector[i]! * scale;
  return true;
}

/** What is asked of a graph. */
export interface Proposal {
  readonly metric: Metric;
  readonly query: Float32Array;
  readonly count: number;
}

/** Row ids of the candidates nearest to a vector, nearest first; at most `count`. */
export function proposeRows(graph: HnswGraph, { metric, query, count }: Proposal): readonly bigint[] {
  const vector = new Float32Array(query.length);
  if (!prepareVector(metric, query, vector)) return [];
  // One thread: a single query can't be split, and a second thread would only be started and stopped.
  const { keys } = graph.search(vector, count, 1);
  return Array.from(keys, toRowid);
}

/** Keys are unsigned, row ids signed. */
export function toKey(rowid: bigint): bigint {
  return BigInt.asUintN(64, rowid);
}

/** … and back. */
export function toRowid(key: bigint): bigint {
  return BigInt.asIntN(64, key);
}
