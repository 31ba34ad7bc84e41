/** What may be asked of a table as a collection of vectors, and what is answered: indexes, statistics, deletions. Plain data but for callbacks and signals. */
import type { NamesOf } from '../option-names.ts';
import type { SearchNote } from '../search/search-notes.ts';
import type { IndexSettings, Metric, VectorIndexState } from '../target/driver.ts';

/** How a vector column is searched: by a graph, by lists, or by a scan of all rows. */
export type IndexBackend = 'hnsw' | 'ivfflat' | 'exact';

interface ColumnOptions {
  /** Target URL, e.g. `sqlite:library.db`. */
  readonly in: string;
  readonly table: string;
  /** The vector column; needed only where a table has several. */
  readonly column?: string | undefined;
  /** How long a locked target is waited for; 30,000 ms by default. */
  readonly lockTimeoutMs?: number | undefined;
  /** What was there before stays when a build is stopped. */
  readonly signal?: AbortSignal | undefined;
}

export interface BuildIndexOptions extends ColumnOptions, Omit<IndexSettings, 'method'> {
  /** By the table, the column and the kind by default. */
  readonly name?: string | undefined;
  /** As the column was loaded for by default. */
  readonly metric?: Metric | undefined;
  /** `hnsw` by default. `exact` drops what index there is: every search scans. */
  readonly backend?: IndexBackend | undefined;
  /** Length of the vectors, where neither the column's type nor a load says it; found by looking at some rows by default. */
  readonly dimensions?: number | undefined;
  /** All cores by default. */
  readonly threads?: number | undefined;
  /** PostgreSQL: faster, but nobody can write into the table meanwhile; `false` by default. */
  readonly blocksWriters?: boolean | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number; readonly elapsedMs: number }) => void) | undefined;
}

const columnNames: NamesOf<ColumnOptions> = { in: true, table: true, column: true, lockTimeoutMs: true, signal: true };

export const buildIndexNames: NamesOf<BuildIndexOptions> = {
  ...columnNames,
  name: true,
  metric: true,
  backend: true,
  dimensions: true,
  threads: true,
  blocksWriters: true,
  onProgress: true,
  m: true,
  efConstruction: true,
  efSearch: true,
  lists: true,
  storage: true,
};

export interface DropIndexOptions extends ColumnOptions {
  /** Needed where a column has several. */
  readonly name?: string | undefined;
}

export const dropIndexNames: NamesOf<DropIndexOptions> = { ...columnNames, name: true };

export interface ListIndexesOptions {
  readonly in: string;
  /** All tables with vectors by default. */
  readonly table?: string | undefined;
  readonly lockTimeoutMs?: number | undefined;
}

/** Of a table, or of all. */
export const tableNames: NamesOf<ListIndexesOptions> = { in: true, table: true, lockTimeoutMs: true };

/** A vector column and how it is searched. */
export interface IndexEntry {
  readonly table: string;
  readonly column: string;
  readonly dimensions: number;
  readonly backend: IndexBackend;
  /** undefined for `exact`. */
  readonly index: VectorIndexState | undefined;
  /** Of the index, or the one that a scan compares by. */
  readonly metric: Metric;
}

export interface IndexReport {
  readonly schema: 1;
  readonly table: string;
  readonly column: string;
  readonly dimensions: number;
  readonly metric: Metric;
  readonly backend: IndexBackend;
  /** built anew · extended by changed rows · nothing: it was current · dropped. */
  readonly did: 'built' | 'extended' | 'nothing' | 'dropped';
  /** Names of indexes that were dropped. */
  readonly dropped: readonly string[];
  readonly index: VectorIndexState | undefined;
  readonly elapsedMs: number;
}

export interface StatsOptions {
  readonly in: string;
  readonly table: string;
  readonly lockTimeoutMs?: number | undefined;
}

/** A vector column in numbers. */
export interface VectorStats {
  readonly column: string;
  readonly dimensions: number;
  readonly metric: Metric;
  /** `provider/model`; undefined where vectors came with the rows. */
  readonly embedder: string | undefined;
  /** The column of texts that were embedded. */
  readonly textColumn: string | undefined;
  /** Rows that have a vector. */
  readonly present: number;
  /** Of all rows, 0 to 1; 1 for an empty table. */
  readonly coverage: number;
  /** Empty: searches scan. */
  readonly indexes: readonly VectorIndexState[];
}

export interface TableStats {
  readonly schema: 1;
  readonly database: string;
  readonly table: string;
  readonly rows: number;
  readonly columns: number;
  readonly key: readonly string[];
  /** On disk, indexes included; side indexes are counted with `indexBytes`. undefined where the target does not tell. */
  readonly bytes: number | undefined;
  /** Of indexes that lie outside of the database. */
  readonly indexBytes: number;
  readonly vectors: readonly VectorStats[];
  /** Loads into it that the ledger has, and the newest ten of them, newest first. */
  readonly loadCount: number;
  readonly loads: readonly {
    readonly load: string;
    readonly label: string | undefined;
    readonly mode: string;
    readonly state: string;
    readonly written: number;
    readonly startedAt: string;
  }[];
  /** The last searches by `sluice search` of this user on this machine, newest first, at most 20. */
  readonly lastSearches: readonly SearchNote[];
}

export interface DeleteOptions {
  readonly in: string;
  readonly table: string;
  /** Values of the table's key, one row each; a list of values each where the key has several columns. */
  readonly keys?: readonly (KeyValue | readonly KeyValue[])[] | undefined;
  /** A file (or `-`) whose rows have the key's columns: any format that can be loaded. */
  readonly keysFrom?: string | undefined;
  /** An SQL expression over the table's columns. Values stand in it: it is for people, not for untrusted input. */
  readonly where?: string | undefined;
  /** Counts, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  /** Every row may go; otherwise a deletion of all rows is refused. */
  readonly allowsAll?: boolean | undefined;
  /** More rows than this, or than this share of the table's: none is deleted. No limit by default. */
  readonly maxDeletes?: number | `${number}%` | undefined;
  readonly lockTimeoutMs?: number | undefined;
  /** Nothing is deleted when it is aborted before the end. */
  readonly signal?: AbortSignal | undefined;
}

export const deleteNames: NamesOf<DeleteOptions> = {
  in: true,
  table: true,
  keys: true,
  keysFrom: true,
  where: true,
  dryRun: true,
  allowsAll: true,
  maxDeletes: true,
  lockTimeoutMs: true,
  signal: true,
};

export type KeyValue = string | number | bigint | boolean;

export interface DeleteReport {
  readonly schema: 1;
  readonly database: string;
  readonly table: string;
  readonly isDryRun: boolean;
  /** Rows that are gone; of a dry run, that would be. */
  readonly deleted: number;
  /** Keys that were not in the table. */
  readonly notFound: number;
  /** The first of them, at most ten, as JSON. */
  readonly notFoundKeys: readonly string[];
  readonly remaining: number;
  /** Name of the deletion in the ledger; undefined where there is none, or nothing was deleted. */
  readonly recordedAs: string | undefined;
  readonly elapsedMs: number;
}
