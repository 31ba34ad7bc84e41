/** The names of the options of a load and of what is done with its ledger, for callers that no compiler checks. */
import type { NamesOf } from '../option-names.ts';
import type { EmbedSpec } from '../embed/embedder.ts';
import type { TargetOptions } from '../target/driver.ts';
import type { CacheOptions, EmbedOptions, IndexOptions, LoadOptions, RateLimit, ResumeOptions } from './options.ts';

/** How texts become vectors; also of a search. */
export const embedderNames: NamesOf<EmbedSpec> = { with: true, dimensions: true, seed: true, documentPrefix: true, queryPrefix: true };
const embedNames: NamesOf<EmbedOptions> = { ...embedderNames, column: true, into: true, emptyText: true };
const cacheNames: NamesOf<CacheOptions> = { path: true, maxBytes: true };
const indexNames: NamesOf<IndexOptions> = { metric: true, build: true };
const rateNames: NamesOf<RateLimit> = { rowsPerSecond: true, bytesPerSecond: true };
const targetNames: NamesOf<TargetOptions> = {
  isAtomic: true,
  isUnlogged: true,
  usesCopy: true,
  indexes: true,
  isFastSession: true,
  vectorType: true,
  isBoot: true,
};

export const loadNames: NamesOf<LoadOptions> = {
  from: true,
  to: true,
  table: true,
  key: true,
  mode: true,
  types: true,
  map: true,
  skipColumns: true,
  embed: embedNames,
  cache: cacheNames,
  index: indexNames,
  target: targetNames,
  lanes: true,
  maxBatchBytes: true,
  maxBatchRows: true,
  shardBytes: true,
  maxRejects: true,
  rejectsWithoutRows: true,
  label: true,
  again: true,
  maxDeletes: true,
  onNewColumn: true,
  onTypeChange: true,
  provenance: true,
  limit: true,
  maxDurationMs: true,
  rate: rateNames,
  lockTimeoutMs: true,
  onProgress: true,
  signal: true,
  format: true,
  columns: true,
  delimiter: true,
  quote: true,
  nullText: true,
  maxRowBytes: true,
  compression: true,
  zip: true,
  vectorField: true,
};

/** Of resume, and of retry. */
export const resumeNames: NamesOf<ResumeOptions> = {
  in: true,
  load: true,
  from: true,
  limit: true,
  maxDurationMs: true,
  rate: rateNames,
  maxDeletes: true,
  lanes: true,
  maxRejects: true,
  cache: cacheNames,
  lockTimeoutMs: true,
  onProgress: true,
  signal: true,
};
