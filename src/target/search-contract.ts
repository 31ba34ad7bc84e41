/** The part of the driver contract that is about vectors: how near they are, what is asked, what is answered, the index over them. */

/** A decision and its reason, both printable. */
export interface Decision {
  readonly what: string;
  readonly choice: string;
  readonly why: string;
}

export interface SearchRequest {
  readonly table: string;
  readonly column: string;
  readonly vector: Float32Array;
  readonly k: number;
  readonly metric: Metric;
  readonly where: string | undefined;
  /** Columns of the table to return; all but vectors when undefined. */
  readonly columns: readonly string[] | undefined;
  /** `exact` and `index` force a way; `auto` lets the driver choose. */
  readonly way: 'auto' | 'exact' | 'index';
}

/** How near two vectors are. Scores are so that higher is nearer: cosine similarity, inner product, negative L2 distance. */
export type Metric = 'cosine' | 'ip' | 'l2';

/** Which stored vectors are asked for: at most `count`, the same for the same seed and table. */
export interface SampleRequest {
  readonly table: string;
  readonly column: string;
  readonly count: number;
  readonly seed: number;
}

export interface SearchHit {
  readonly key: Readonly<Record<string, unknown>>;
  readonly score: number;
  readonly columns: Readonly<Record<string, unknown>>;
}

export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  readonly explain: readonly Decision[];
}

export interface IndexRequest {
  readonly table: string;
  readonly column: string;
  readonly metric: Metric;
  /** `rebuild` always, `update` as little as needed. */
  readonly how: 'rebuild' | 'update';
  readonly threads?: number | undefined;
  /** Rows of the table, where the caller has counted them: progress is told in rows, though the server may count blocks. */
  readonly rows?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long a lock may be waited for; 30,000 by default. */
  readonly lockTimeoutMs?: number | undefined;
}

export interface IndexResult {
  readonly rows: number;
  readonly buildMs: number;
  /** built anew · extended by changed rows · current already. */
  readonly did: 'built' | 'extended' | 'nothing';
}
