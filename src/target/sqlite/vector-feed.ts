/** Feeds rows to the graph in chunks that take usearch about the same time each, whatever the dimension and the machine: a signal is heeded between two. */
import { availableParallelism } from 'node:os';
import type { Metric } from '../driver.ts';
import { prepareVector, toKey, unusableRowid, type HnswGraph } from './vector-hnsw.ts';
import type { RowValues } from './vector-link.ts';
import { readVector } from './vector-table.ts';

/** A call of usearch can't be stopped. Twice this on a busy machine is still within the second that a signal may take. */
const callMs = 400;

/** Room for the largest chunk: 16 MiB, 10,922 × 384. usearch gives each thread an equal part, so each call ends with threads that wait for the last. */
const maxChunkFloats = 4_194_304;
const firstChunkRows = 1_024;
const minChunkRows = 16;

/** The first rows go in one after another, because threads that start on an empty graph don't see each other's rows. It takes some milliseconds. */
const seedRows = 256;

/** What a read handed over. */
export interface FedRows {
  readonly count: number;
  /** The last row id of them. */
  readonly last: bigint | undefined;
  /** The row that usearch can't hold was among them. */
  readonly hasUnusable: boolean;
}

export const noRows: FedRows = { count: 0, last: undefined, hasUnusable: false };

/** Rows are taken while the database is read, and added to the graph after the read has ended. */
export interface GraphFeed {
  /** How many rows the next chunk may have. */
  maxRows(): number;
  /** Takes at most {@link GraphFeed.maxRows} rows of (row id, vector); what was taken before and not flushed is forgotten, so a read may be repeated. */
  take(rows: Iterable<RowValues>): FedRows;
  /** Adds what was taken. */
  flush(): void;
}

/** A feed of a graph; `threads` are all cores by default. */
export function createFeed(options: {
  readonly graph: HnswGraph;
  readonly metric: Metric;
  readonly dimensions: number;
  readonly threads: number | undefined;
}): GraphFeed {
  const { graph, metric, dimensions, threads = availableParallelism() } = options;
  const roomRows = Math.max(minChunkRows, Math.floor(maxChunkFloats / dimensions));
  const keys = new BigUint64Array(roomRows);
  const vectors = new Float32Array(roomRows * dimensions);
  let chunkRows = Math.min(firstChunkRows, roomRows);
  let filled = 0;
  const add = (start: number, end: number, threadCount: number): void => {
    if (end > start) graph.add(keys.subarray(start, end), vectors.subarray(start * dimensions, end * dimensions), threadCount);
  };
  return {
    maxRows: () => chunkRows,
    take(rows) {
      filled = 0;
      let count = 0;
      let last: bigint | undefined;
      let hasUnusable = false;
      for (const [rowid, bytes] of rows) {
        count++;
        last = rowid as bigint;
        if (last === unusableRowid) hasUnusable = true;
        else if (prepareVector(metric, readVector(bytes as Uint8Array), vectors.subarray(filled * dimensions, (filled + 1) * dimensions)))
          keys[filled++] = toKey(last);
      }
      return { count, last, hasUnusable };
    },
    flush() {
      if (filled === 0) return;
      const seeds = Math.min(filled, Math.max(0, seedRows - graph.size()));
      add(0, seeds, 1);
      const startedAt = performance.now();
      add(seeds, filled, threads);
      const spentMs = performance.now() - startedAt;
      // Grows at most twofold, because the graph gets slower as it grows.
      const fitting = Math.floor((chunkRows * callMs) / Math.max(1, spentMs));
      if (filled === chunkRows) chunkRows = Math.max(minChunkRows, Math.min(fitting, chunkRows * 2, roomRows));
      filled = 0;
    },
  };
}
