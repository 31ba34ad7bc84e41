/** The contract of an embedder: texts in, one vector each out, in order. */

/** Everything that decides which vector a text gets. Two embedders with equal identities give equal vectors; it is part of the cache key and of the ledger. */
export interface EmbedderIdentity {
  readonly provider: string;
  readonly model: string;
  readonly revision: string;
  readonly dimensions: number;
  readonly isNormalised: boolean;
}

/** Limits of one request; Infinity where there is none. */
export interface EmbedderLimits {
  readonly maxInputs: number;
  readonly maxTokens: number;
  readonly maxBytes: number;
  /** Bytes of one text. */
  readonly maxInputBytes: number;
  /** Texts times the tokens of the longest, for models that pad; no limit by default. */
  readonly maxPaddedTokens?: number;
  /** Requests that may run at once; 1 by default. */
  readonly maxInFlight?: number;
}

export interface Embedder {
  readonly identity: EmbedderIdentity;
  readonly limits: EmbedderLimits;
  /** `lane`: only computes, one in each lane. `process`: holds a model or talks to an endpoint, one per process. */
  readonly placement: 'lane' | 'process';
  /** Vectors `[texts.length, dimensions]` in one array, in the order of the texts. */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array>;
  close?(): Promise<void>;
}

/** What a text is embedded for: a stored document, or a query against them. Decides the prefix. */
export type EmbedTask = 'document' | 'query';

/** How a load embeds; plain data, kept in the ledger so that a search embeds its query the same way. */
export interface EmbedSpec {
  /** Name of the embedder: `hash`, `mock`. */
  readonly with: string;
  readonly dimensions?: number | undefined;
  /** mock: the seed. */
  readonly seed?: number | undefined;
  readonly documentPrefix?: string | undefined;
  readonly queryPrefix?: string | undefined;
}

/** What becomes of a row whose text is null, empty or only white space. */
export type EmptyTextPolicy = 'reject' | 'null';

/** One text that could not be embedded. */
export interface EmbedRefusal {
  readonly index: number;
  readonly code: 'TEXT_EMPTY' | 'TEXT_NULL' | 'TEXT_TOO_LONG';
  readonly message: string;
}

export interface EmbedCounts {
  /** Texts handed in, refused ones not counted. */
  readonly texts: number;
  /** Different ones among them, per call. */
  readonly distinct: number;
  /** Of the distinct: found in the cache. */
  readonly cached: number;
  /** Of the distinct: computed or asked for. `distinct = cached + embedded`. */
  readonly embedded: number;
  readonly requests: number;
}

export interface Embedded {
  /** `[texts.length, dimensions]`; rows of refused or null texts are zero. */
  readonly vectors: Float32Array;
  /** 1 where the text has no vector by policy `null`; undefined when none. */
  readonly nulls: Uint8Array | undefined;
  readonly refusals: readonly EmbedRefusal[];
  readonly counts: EmbedCounts;
}

/** The stage between check and commit: identical texts once, cache, requests within the limits, answers checked, cache written before it returns. */
export interface EmbedStage {
  readonly identity: EmbedderIdentity;
  embed(texts: readonly (string | null)[], signal?: AbortSignal): Promise<Embedded>;
  close(): Promise<void>;
}
