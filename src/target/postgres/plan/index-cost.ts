/** What an index costs a load, in seconds and bytes: arithmetic over measured rates. Forecasts, good to a factor of two; every one is printed as such. */

/** Kinds whose costs are known; `other` (gist, brin, spgist, hash …) is never dropped, for nothing was measured. */
export type IndexKind = 'btree' | 'gin' | 'hnsw' | 'ivfflat' | 'other';

export function readIndexKind(method: string): IndexKind {
  return method === 'btree' || method === 'gin' || method === 'hnsw' || method === 'ivfflat' ? method : 'other';
}

interface IndexLoad {
  readonly kind: IndexKind;
  /** Of a vector index. */
  readonly dimensions: number;
  readonly existingRows: number;
  readonly addedRows: number;
  /** Processes of a build, the leader included. */
  readonly processes: number;
}

export interface IndexCost {
  /** Seconds that the load takes longer through the index. */
  readonly keepSeconds: number;
  /** Seconds that building it over all rows takes afterwards. */
  readonly rebuildSeconds: number;
}

/**
 * Microseconds a row, measured on PostgreSQL 18.4 with 10⁶ rows. B-tree: through the index 0.55 for ascending keys (1.1M against 2.75M rows/s), 3.1 for random
 * integers, 4.8 for random texts; built 0.3 and 1.1 by two processes, about 0.75 by one. The order of the keys is not known, so the middle counts, and
 * dropping pays once as many rows come as are there: pg_bulkload's own table has COPY of 1 GB onto 4 GB at 140 s with its indexes, 187 s with them made again.
 */
const btree = { live: 1.5, build: 0.75 };

/** GIN over tsvectors of seven words, 200,000 rows: 5.6 through it (with its pending list), 4.5 built. */
const gin = { live: 5.6, build: 4.5 };

/** Vectors of 384 numbers. IVFFlat of 100 lists, 20,000 rows: about 20 through it, 17 to 27 built. */
const ivfflat = { live: 20, build: 20 };

/** HNSW (m 16, ef_construction 64), 20,000 rows of 384: 441 rows/s through it; 1,900 built by one process, 3,100 by two. */
const hnsw = { live: 2270, build: 590 };

/** The measured vectors' length, and how costs grow with it: 25,000 × 1,536 built at 530 rows/s against 2,630 for 384 is a power of 1.15. */
const measuredDimensions = 384;
const dimensionPower = 1.15;

/** Short vectors save little of a graph's walk: 60,000 × 32 took 90 µs a row with two processes, 240,000 × 8 took 125, and 40,000 × 8 through the index 1,000. */
const minHnswScale = 0.25;

/** A second process makes a build 1.6 to 1.8 times as fast, and further ones about as much each. */
const processPower = 0.75;

/** What keeping the index up costs against building it again. */
export function estimateIndexCost(load: IndexLoad): IndexCost | undefined {
  const { kind, dimensions, existingRows, addedRows, processes } = load;
  if (kind === 'other') return undefined;
  const isVector = kind === 'hnsw' || kind === 'ivfflat';
  const perRow = { btree, gin, hnsw, ivfflat }[kind];
  const scale = isVector ? scaleByLength(kind, dimensions) : 1;
  // B-tree and GIN figures hold the parallel build that the server takes by itself.
  const speedup = isVector ? Math.max(1, processes) ** processPower : 1;
  return {
    keepSeconds: (addedRows * perRow.live * scale) / 1e6,
    rebuildSeconds: ((existingRows + addedRows) * perRow.build * scale) / (1e6 * speedup),
  };
}

function scaleByLength(kind: IndexKind, dimensions: number): number {
  const scale = (Math.max(1, dimensions) / measuredDimensions) ** dimensionPower;
  return kind === 'hnsw' ? Math.max(minHnswScale, scale) : scale;
}

/** Seconds to build an HNSW index over so many rows. */
export function estimateHnswSeconds(rows: number, dimensions: number, processes: number): number {
  return estimateIndexCost({ kind: 'hnsw', dimensions, existingRows: 0, addedRows: rows, processes })?.rebuildSeconds ?? 0;
}

/** Beside the vector, an element of the graph takes about this much at m = 16 (a user's 22.9M rows of 768 fit in 80 GB: supabase #35040). */
const graphBytes = 700;

/** Memory that the graph of an HNSW build takes; above maintenance_work_mem it spills, and the build is 4.8 times as slow (19 against 92 s). */
export function forecastHnswMemory(rows: number, dimensions: number, isHalf: boolean): number {
  return rows * ((isHalf ? 2 : 4) * dimensions + graphBytes);
}

/** How much slower a build is once its graph no longer fits. */
export const spillFactor = 4.8;

/** Bytes of the finished index: dbpedia's 10⁶ × 1,536 took 7.55 GiB, one vector a page; smaller ones share pages of 8 kB. */
export function forecastHnswDisk(rows: number, dimensions: number, isHalf: boolean): number {
  const element = (isHalf ? 2 : 4) * dimensions + 300;
  const perPage = Math.max(1, Math.floor(8150 / element));
  return (rows / perPage) * 8192;
}

/** pgvector's limits of an HNSW or IVFFlat index. @see https://github.com/pgvector/pgvector#hnsw */
export const maxIndexDimensions = { vector: 2000, halfvec: 4000 } as const;

/** Of a stored vector. */
export const maxStoredDimensions = 16_000;
