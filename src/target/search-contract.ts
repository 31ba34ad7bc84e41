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
  /** How widely an HNSW index is searched; the index's own figure by default. More finds more and takes longer. */
  readonly efSearch?: number | undefined;
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

/** How a vector index is made. What is undefined, a driver chooses; what it can't do, it refuses. */
export interface IndexSettings {
  /** `hnsw` by default. */
  readonly method?: 'hnsw' | 'ivfflat' | undefined;
  /** HNSW: links of a node, 2 to 100. */
  readonly m?: number | undefined;
  /** HNSW: candidates while building, 4 to 1,000. */
  readonly efConstruction?: number | undefined;
  /** HNSW in SQLite: candidates while searching, where the search names none. */
  readonly efSearch?: number | undefined;
  /** IVFFlat: how many lists. */
  readonly lists?: number | undefined;
  /** How the index holds a number: SQLite f32, f16, bf16, i8; PostgreSQL f32 (vector) or f16 (halfvec). */
  readonly storage?: 'f32' | 'f16' | 'bf16' | 'i8' | undefined;
}

/** A vector index as it stands. */
export interface VectorIndexState {
  readonly name: string;
  readonly column: string;
  readonly metric: Metric;
  readonly method: 'hnsw' | 'ivfflat';
  /** fresh: it holds every row · stale: some rows changed or came since, and are scanned · building · unusable: searches pass it over, see `why`. */
  readonly state: 'fresh' | 'stale' | 'building' | 'unusable';
  /** Rows that a search must scan beside it; undefined where that is not known. */
  readonly staleRows: number | undefined;
  /** Rows in the index; undefined where that is not known. */
  readonly rows: number | undefined;
  readonly byteCount: number | undefined;
  /** When it was built, ISO 8601; undefined where nobody keeps that. */
  readonly builtAt: string | undefined;
  /** As built: `m`, `efConstruction`, `storage` … */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly why: string | undefined;
}

/** Which indexes go. All of the column where no name is given. */
export interface DropIndexRequest {
  readonly table: string;
  readonly column: string;
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly lockTimeoutMs?: number | undefined;
}

export interface IndexRequest {
  readonly table: string;
  readonly column: string;
  readonly metric: Metric;
  /** Undefined: as the index that is there was made, else as the driver chooses. */
  readonly settings?: IndexSettings | undefined;
  /** What the index is called; the driver names it by default. */
  readonly name?: string | undefined;
  /** Writers of the table are not kept waiting, where a build would do that; slower. */
  readonly isConcurrent?: boolean | undefined;
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
