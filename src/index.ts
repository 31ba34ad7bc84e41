/** The public surface of sluice. */
export { load } from './load/load.ts';
export { plan } from './load/plan/plan.ts';
export { resume, retry, type RetryOptions } from './load/resume.ts';
export { report, toStoredReport, type ReportOptions } from './load/report/stored-report.ts';
export { findFailureReport } from './load/report/session-report.ts';
export { renderBench } from './report/bench-page.ts';
export { renderReport } from './report/load-page.ts';
export { cancel, pause, unpause, type ControlOptions, type ControlReport } from './load/control/control.ts';
export { undo, type UndoOptions, type UndoReport } from './load/control/undo.ts';
export { watchStatus, type WatchedLoad, type WatchOptions } from './load/control/watch-status.ts';
export { listNames, type NameList } from './load/control/name-list.ts';
export { rejects, rejectSummary, status, type LedgerOptions } from './load/control/status.ts';
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
export { check } from './check/check.ts';
export { preview, type Preview, type PreviewCell, type PreviewOptions, type PreviewRow } from './check/preview.ts';
export type { CauseFound, CheckOptions, CheckReport, ColumnFound, DuplicatesFound, EmbeddingForecast, RowPlace } from './check/options.ts';
export { bench } from './bench/bench.ts';
export type { BenchOptions, BenchProgress, BenchReport, BenchResult } from './bench/options.ts';
export { verify, type TableVerification, type VerifyOptions } from './verify/verify.ts';
export type { DeepCounts, DeepDifference, DeepLoad, DeepProgress, DeepReport } from './verify/deep-contract.ts';
export { noteSearch, type SearchNote } from './search/search-notes.ts';
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
  Environment,
  IndexOptions,
  LatencyStep,
  LoadOptions,
  LoadPlan,
  LoadReport,
  LoadStatus,
  PlannedColumn,
  Progress,
  RejectCause,
  RejectRecord,
  RejectSample,
  ReportedPlan,
  ResumeOptions,
  SessionReport,
  StageName,
  StoredReport,
  SyncCounts,
  Timeline,
  VerifyCheck,
  VerifyReport,
} from './load/options.ts';
export { exportTable } from './export/export.ts';
export type { ExportFormat, ExportOptions, ExportProgress, ExportReport } from './export/options.ts';
export { createIndex, dropIndex, listIndexes, rebuildIndex } from './collection/indexes.ts';
export { stats } from './collection/stats.ts';
export { deleteRows } from './collection/delete.ts';
export type {
  BuildIndexOptions,
  DeleteOptions,
  DeleteReport,
  DropIndexOptions,
  IndexBackend,
  IndexEntry,
  IndexReport,
  KeyValue,
  ListIndexesOptions,
  StatsOptions,
  TableStats,
  VectorStats,
} from './collection/options.ts';
export type { VectorIndexState } from './target/driver.ts';
