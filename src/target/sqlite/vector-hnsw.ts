/** The HNSW graph, held by usearch. Keys are row ids; the graph only proposes candidates, their scores always come from the table. */
import { createRequire } from 'node:module';
import type * as Usearch from 'usearch';
import { SluiceError } from '../../errors.ts';
import type { Metric } from '../driver.ts';
import { dot } from './vector-score.ts';

/** How a graph is built. Stands in the side file; a graph with other settings is built anew. */
export interface HnswSettings {
  readonly scalar: 'bf16';
  readonly connectivity: number;
  readonly expansionAdd: number;
  readonly expansionSearch: number;
}

/**
 * Measured on the 117,791 WordNet definitions, hashed to 384 dimensions, 2 threads, 32 candidates scored again in double precision:
 * bf16 builds twice as fast as f16 (27 s to 54 s at M 16 / 128), takes the same bytes, has the range of float32, and with the second scoring the same recall.
 * M 24 / 64: 12 s, recall@10 0.948 at 200, 0.956 at 256, 0.969 at 400 (0.8, 1.1, 1.5 ms) · M 16 / 64: 12 s, 0.929, 0.938, 0.959 ·
 * M 32 / 64: 0.953, 0.962, 0.972 · M 24 / 96: 0.964, 0.971, 0.980 · M 32 / 96: 0.973, 0.978, 0.986 (1.2, 1.5, 2.2 ms).
 */
export const hnswSettings: HnswSettings = { scalar: 'bf16', connectivity: 24, expansionAdd: 80, expansionSearch: 320 };

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

function toRowid(key: bigint): bigint {
  return BigInt.asIntN(64, key);
}
