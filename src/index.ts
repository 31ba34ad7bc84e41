/** The public surface of sluice. */
export { load } from './load/load.ts';
export { plan } from './load/plan.ts';
export { resume, retry, type RetryOptions } from './load/resume.ts';
export { rejects, rejectSummary, status, type LedgerOptions } from './load/status.ts';
export { batch } from './batch/batch.ts';
export { batchFile } from './batch/batch-file.ts';
export type {
  BatchAnswer,
  BatchCounts,
  BatchFailure,
  BatchFileOptions,
  BatchOptions,
  BatchProgress,
  BatchReport,
  BatchStatement,
  FileAnswer,
  StatementFormat,
} from './batch/options.ts';
export type { StatementAnswer, StatementError, StatementErrorCode, StatementValue } from './target/batch-contract.ts';
export { bench } from './bench/bench.ts';
export type { BenchOptions, BenchProgress, BenchReport, BenchResult } from './bench/options.ts';
export { verify, type VerifyOptions } from './verify/verify.ts';
export { openSearch, search, type SearchOptions, type SearchResult } from './search/search.ts';
export { errorExitCodes, isSluiceError, SluiceError, type ErrorCode, type ErrorDetail } from './errors.ts';
export { rejectCodes, type RejectClass, type RejectCode } from './rows/batch.ts';
export type { ColumnType } from './rows/schema.ts';
export type { SourceInput, SourceOptions } from './source/source.ts';
export type { EmbedSpec, EmptyTextPolicy } from './embed/embedder.ts';
export type { Decision, LoadMode, Metric, SearchHit } from './target/driver.ts';
export type {
  CacheOptions,
  Counts,
  EmbeddingCounts,
  EmbedOptions,
  IndexOptions,
  LoadOptions,
  LoadPlan,
  LoadReport,
  LoadStatus,
  PlannedColumn,
  Progress,
  RejectCause,
  RejectRecord,
  ResumeOptions,
  StageName,
  VerifyCheck,
  VerifyReport,
} from './load/options.ts';
