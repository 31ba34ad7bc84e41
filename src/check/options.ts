/** What a check may be asked, and what it answers. Plain data but for the source, the signal and the callback. */
import type { RejectClass } from '../rows/batch.ts';
import type { ColumnType } from '../rows/schema.ts';
import type { LoadPlan } from '../load/options.ts';
import { loadNames } from '../load/option-names.ts';
import type { UnplacedOptions } from './unplaced.ts';
import type { NamesOf } from '../option-names.ts';

/** Everything that `load` takes, and what is to be found out. */
export interface CheckOptions extends UnplacedOptions {
  /** Places that are told of each cause; 1 to 1,000; 5 by default. */
  readonly positions?: number | undefined;
  /** `false`: no statistics of the columns. */
  readonly statistics?: boolean | undefined;
  /** `false`: keys are not compared with each other. */
  readonly duplicates?: boolean | undefined;
  /** Memory for the digests of keys that do not come in order; what is more goes to a temporary file. 64 MiB by default. */
  readonly maxKeyBytes?: number | undefined;
  /** Folder of the temporary file; the system's by default. */
  readonly temporaryFolder?: string | undefined;
  /** What the embedder's provider asks for a million tokens, in any currency; without it no cost is told. */
  readonly pricePerMillionTokens?: number | undefined;
}

export const checkNames: NamesOf<CheckOptions> = {
  ...loadNames,
  positions: true,
  statistics: true,
  duplicates: true,
  maxKeyBytes: true,
  temporaryFolder: true,
  pricePerMillionTokens: true,
};

/** Where a row stands. Numbers begin with 1, but for the byte. */
export interface RowPlace {
  /** Name of the file, or of the source. */
  readonly file: string;
  readonly row: number;
  /** Undefined where the source has no lines. */
  readonly line: number | undefined;
  /** Undefined for rows with a key that comes twice, of which only the row number is kept. */
  readonly byte: number | undefined;
}

export interface CauseFound {
  readonly class: RejectClass;
  readonly code: string;
  readonly column: string | undefined;
  readonly message: string;
  readonly count: number;
  /** The first ones, in the order of the input. */
  readonly places: readonly RowPlace[];
}

export interface DuplicatesFound {
  readonly key: readonly string[];
  /** Rows whose key an earlier row has. */
  readonly count: number;
  /** The first of them, each with the first row of its key. */
  readonly places: readonly { readonly first: RowPlace; readonly again: RowPlace }[];
}

export interface ColumnFound {
  readonly name: string;
  readonly type: ColumnType;
  readonly rows: number;
  readonly nulls: number;
  /** Least and greatest value: numbers by size, text and everything else by code unit, cut at 64 characters; not of booleans, bytes, JSON and vectors. */
  readonly min: string | undefined;
  readonly max: string | undefined;
  /** Characters of text, bytes of bytes. */
  readonly length: { readonly min: number; readonly max: number; readonly mean: number } | undefined;
  /** Different values: exact up to 1,024, above that estimated within about 2 %; undefined for vectors. */
  readonly distinct: number | undefined;
  readonly booleans: { readonly trues: number; readonly falses: number } | undefined;
  readonly vectors: { readonly dimensions: number; readonly minNorm: number; readonly maxNorm: number; readonly zeros: number } | undefined;
}

export interface EmbeddingForecast {
  readonly column: string;
  readonly embedder: string;
  readonly texts: number;
  /** Different texts, estimated. */
  readonly distinct: number;
  /** Share of a sample of them whose vectors the cache holds; undefined without a cache. */
  readonly cachedShare: number | undefined;
  /** Of the distinct texts: estimated, four characters a token. */
  readonly tokens: number;
  /** In the currency of the price that was given. */
  readonly cost: number | undefined;
  /** By the speed of the embedder on a sample, over the lanes of the load; undefined where it could not be tried. */
  readonly ms: number | undefined;
}

export interface CheckReport {
  readonly schema: 1;
  /** The check was cancelled: all of it holds for the rows that were read so far. */
  readonly isPartial: boolean;
  readonly source: string;
  /** Rows read; those that fit; those that a load would reject as it reads them; those whose key an earlier row has. `read = fit + rejected`. */
  readonly counts: { readonly read: number; readonly fit: number; readonly rejected: number; readonly duplicates: number };
  readonly causes: readonly CauseFound[];
  /** Undefined where no key is known, or it was not asked for. */
  readonly duplicates: DuplicatesFound | undefined;
  readonly columns: readonly ColumnFound[];
  readonly embedding: EmbeddingForecast | undefined;
  /** Of further columns of texts. */
  readonly moreEmbeddings?: readonly EmbeddingForecast[] | undefined;
  readonly bytes: number;
  readonly lanes: number;
  readonly elapsedMs: number;
  readonly plan: LoadPlan;
  /** What a check can't find. */
  readonly notes: readonly string[];
}
