/** The verb search: the rows nearest to a text or a vector, the query embedded as the table's rows were. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions, type NamesOf } from '../option-names.ts';
import type { EmbedSpec } from '../embed/embedder.ts';
import type { Connection, Decision, Metric, SearchHit } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import { embedderNames } from '../load/option-names.ts';
import { findVectorColumn, readRecord, type VectorColumn } from './column.ts';
import { checkQueryVector, openQueryEmbedder, readQueryVector, type Query, type QueryEmbedder } from './query-vector.ts';
import { defaultRecallQueries, measureRecall, type Recall } from './recall.ts';
import { formatCount } from '../count-text.ts';

export type { Query, Recall };

/** Which vectors are searched, and how texts become queries. */
export interface OpenSearchOptions {
  /** Target URL, e.g. `sqlite:library.db`. */
  readonly in: string;
  readonly table: string;
  /** The vector column; needed only where a table has several. */
  readonly column?: string | undefined;
  /** The one the table was loaded for by default. */
  readonly metric?: Metric | undefined;
  /** Must be what the vectors were made with; taken from the ledger by default. */
  readonly embed?: EmbedSpec | undefined;
  /** How long a locked target is waited for; 30,000 ms by default. */
  readonly lockTimeoutMs?: number | undefined;
}

/** One question. */
export interface QueryOptions {
  /** Rows wanted, 1 to 10,000; 10 by default. */
  readonly k?: number | undefined;
  /** An SQL expression over the table's columns; the k nearest of all rows that match are returned. Values stand in it: it is for people, not for untrusted input. */
  readonly where?: string | undefined;
  /** Columns to return; all but vectors by default. */
  readonly columns?: readonly string[] | undefined;
  /** `auto` by default: the index where it is faster and usable, else a scan. */
  readonly way?: 'auto' | 'exact' | 'index' | undefined;
  /** How widely an HNSW index is searched, 1 to 10,000 candidates (PostgreSQL: to 1,000); the index's own figure by default. */
  readonly efSearch?: number | undefined;
}

export interface SearchOptions extends OpenSearchOptions, QueryOptions {
  /** A text, or a vector of the column's dimension. */
  readonly query: Query;
  /** Also measure recall@k of the index, with this many stored vectors (100 for `true`; 1 to 10,000). */
  readonly recall?: boolean | number | undefined;
}

export interface SearchResult {
  /** Nearest first. Scores: cosine similarity, inner product or negative L2 distance, higher is nearer. */
  readonly hits: readonly SearchHit[];
  /** Which way was taken, and why. */
  readonly explain: readonly Decision[];
  readonly recall?: Recall;
  /** Embedding the query and finding the rows; opening and recall not included. */
  readonly tookMs: number;
}

/** A search that stays open: connection, index and embedder are kept between questions. Rows written by others are found at the next one. */
export interface OpenSearch {
  /** @throws SLUICE_USAGE, SLUICE_WHERE_INVALID, SLUICE_COLUMN_UNKNOWN, SLUICE_EMBEDDER_MISMATCH, SLUICE_DIMENSION_MISMATCH, SLUICE_INDEX_UNUSABLE, SLUICE_TARGET_… */
  search(query: Query, options?: QueryOptions): Promise<SearchResult>;
  /** Recall@k of the index over stored vectors; 100 of them and k = 10 by default. */
  measureRecall(options?: { readonly k?: number; readonly queries?: number }): Promise<Recall>;
  close(): Promise<void>;
}

const openNames: NamesOf<OpenSearchOptions> = {
  in: true,
  table: true,
  column: true,
  metric: true,
  embed: embedderNames,
  lockTimeoutMs: true,
};
const queryNames: NamesOf<QueryOptions> = { k: true, where: true, columns: true, way: true, efSearch: true };
const searchNames: NamesOf<SearchOptions> = { ...openNames, ...queryNames, query: true, recall: true };

const defaultK = 10;
const maxK = 10_000;
const maxRecallQueries = 10_000;

/**
 * Finds the rows nearest to a text or vector.
 * @throws SLUICE_TARGET_MISSING, SLUICE_TABLE_UNKNOWN, and as {@link OpenSearch.search}
 */
export async function search(options: SearchOptions): Promise<SearchResult> {
  refuseUnknownOptions('search', options, searchNames);
  const { k: wanted = defaultK, where, columns, way, efSearch, query, recall, ...which } = options;
  const k = checkCount('k', wanted, maxK);
  const queries = recall === true ? defaultRecallQueries : recall === false ? undefined : recall;
  if (queries !== undefined) checkCount('recall', queries, maxRecallQueries);
  const opened = await openSearch(which);
  try {
    const result = await opened.search(query, { k, where, columns, way, efSearch });
    return queries === undefined ? result : { ...result, recall: await opened.measureRecall({ k, queries }) };
  } finally {
    await opened.close();
  }
}

/**
 * Opens a table for many searches; the caller closes it.
 * @throws SLUICE_TARGET_MISSING, SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_USAGE for a table with several vector columns
 */
export async function openSearch(options: OpenSearchOptions): Promise<OpenSearch> {
  refuseUnknownOptions('openSearch', options, openNames);
  const lockTimeout = options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs };
  const connection = await connect(options.in, { isReadOnly: true, ...lockTimeout });
  try {
    if (!connection.capabilities.supportsSearch) {
      throw new SluiceError('SLUICE_USAGE', `The target ${connection.capabilities.name} can't search vectors.`, {
        hint: 'Search in a target that can, such as sqlite:.',
      });
    }
    return new TableSearch(connection, options, await findVectorColumn(connection, options));
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class TableSearch implements OpenSearch {
  readonly #connection: Connection;
  readonly #options: OpenSearchOptions;
  #vector: VectorColumn;
  #embedder: Promise<QueryEmbedder> | undefined;
  #isClosed = false;

  constructor(connection: Connection, options: OpenSearchOptions, vector: VectorColumn) {
    this.#connection = connection;
    this.#options = options;
    this.#vector = vector;
  }

  async search(query: Query, options: QueryOptions = {}): Promise<SearchResult> {
    this.#checkOpen();
    refuseUnknownOptions('search', options, queryNames);
    const startedAt = performance.now();
    const k = checkCount('k', options.k ?? defaultK, maxK);
    await this.#refresh();
    const { table, column, metric: loadedFor } = this.#vector;
    const metric = this.#options.metric ?? loadedFor;
    // The embedder is named wrongly or rightly whatever the query is: a vector does not hide a mismatch.
    const embedder = typeof query === 'string' || this.#options.embed !== undefined ? await this.#openEmbedder() : undefined;
    const vector = typeof query === 'string' ? await embedQuery(embedder, query) : readQueryVector(query, this.#vector);
    checkQueryVector(vector, metric);
    const { where, columns, efSearch, way = 'auto' } = options;
    if (efSearch !== undefined) checkCount('efSearch', efSearch, maxK);
    const { hits, explain } = await this.#connection.search({ table, column, vector, k, metric, where, columns, way, efSearch });
    return { hits, explain, tookMs: performance.now() - startedAt };
  }

  async measureRecall(options: { readonly k?: number; readonly queries?: number } = {}): Promise<Recall> {
    this.#checkOpen();
    refuseUnknownOptions('measureRecall', options, { k: true, queries: true });
    const k = checkCount('k', options.k ?? defaultK, maxK);
    const queries = checkCount('recall', options.queries ?? defaultRecallQueries, maxRecallQueries);
    await this.#refresh();
    const { table, column, metric } = this.#vector;
    return measureRecall(this.#connection, { table, column, k, metric: this.#options.metric ?? metric, columns: [] }, queries);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#closeEmbedder();
    await this.#connection.close();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new SluiceError('SLUICE_CLOSED', 'The search is closed.', { hint: 'Open it again.' });
  }

  /** A table that was loaded anew may have vectors of another embedder. */
  async #refresh(): Promise<void> {
    const { table, column, record } = this.#vector;
    if (record === undefined || record === (await readRecord(this.#connection, table, column))) return;
    this.#vector = await findVectorColumn(this.#connection, { table, column });
    await this.#closeEmbedder();
  }

  async #openEmbedder(): Promise<QueryEmbedder> {
    this.#embedder ??= openQueryEmbedder(this.#vector, this.#options.embed);
    return this.#embedder;
  }

  async #closeEmbedder(): Promise<void> {
    const opening = this.#embedder;
    this.#embedder = undefined;
    // One that could not be opened has told whoever asked for it.
    const embedder = await opening?.catch(() => undefined);
    await embedder?.close();
  }
}

async function embedQuery(embedder: QueryEmbedder | undefined, text: string): Promise<Float32Array> {
  if (embedder === undefined || text.trim() === '')
    throw new SluiceError('SLUICE_USAGE', 'The query is an empty text.', { hint: 'Write what to search for.' });
  return embedder.embed(text);
}

function checkCount(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new SluiceError('SLUICE_USAGE', `${name} is not a whole number from 1 to ${formatCount(max)}.`, {
    hint: `Leave it out for the default, or give a number in that range.`,
  });
}
