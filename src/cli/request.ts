/** What each command was asked to do: the options of a call as the library takes them, checked as a whole. */
import * as z from 'zod';
import type { UnplacedOptions } from '../check/unplaced.ts';
import type { Query, SearchOptions } from '../search/search.ts';
import type { CacheOptions, IndexOptions, LoadOptions, ResumeOptions } from '../load/options.ts';
import type { TargetOptions } from '../target/driver.ts';
import { typeList } from '../rows/column-type.ts';
import { holdShape, provenanceShape, toHoldOptions } from './hold-options.ts';
import { embedShape, findEmbedProblems, toEmbedOptions } from './embed-request.ts';
import { dropAbsent } from './given-options.ts';
import type { Invocation } from './invocation.ts';
import { anyText, checkValues, duration, names, oneOf, read, readAll, required, size, toggle, whole, word } from './option-schema.ts';
import { parseByte, parseIndex, parseMapping, parseRejectLimit, parseTypedColumn } from './values.ts';

export type ProgressWay = 'auto' | 'tty' | 'plain' | 'json' | 'none';

/** What a running load shows, and where its report goes. */
export interface OutputOptions {
  readonly isJson: boolean;
  readonly progress: ProgressWay;
  /** Path of a file for the report. */
  readonly report: string | undefined;
  /** `false`: a page holds no text of rejected rows. */
  readonly hasReportRows?: boolean;
}

interface LoadRequest {
  readonly options: LoadOptions;
  readonly output: OutputOptions;
}

interface UnplacedRequest {
  readonly options: UnplacedOptions;
  readonly output: OutputOptions;
}

interface AgainRequest {
  readonly options: Omit<ResumeOptions, 'from'> & { readonly from?: string };
  readonly output: OutputOptions;
}

export interface LedgerRequest {
  /** As the library takes it; absent members select everything. */
  readonly selection: { readonly in: string; readonly load?: string; readonly table?: string };
  readonly isJson: boolean;
  readonly isSummary: boolean;
}

interface SearchRequest {
  readonly options: SearchOptions;
  readonly isExplained: boolean;
  readonly isJson: boolean;
}

const databaseOf = (flag: string): z.ZodType<string> => required(`is missing: name the database, for example ${flag} sqlite:library.db`);
const tableName = required('is missing: name the table, for example --table docs');
const metricName = oneOf(['cosine', 'ip', 'l2']);
const defaultHits = 10;

const outputShape = { json: toggle, report: word, reportRows: toggle, progress: oneOf(['auto', 'tty', 'plain', 'json', 'none']) };
/** `--cache` with a path, `--no-cache` as false. The cache can't keep anything useful below a mebibyte. */
const cacheShape = { cache: z.union([z.string().min(1, 'is empty'), z.literal(false)]).optional(), cacheMaxBytes: size('1MiB', '1024TiB') };
const runningShape = {
  ...holdShape,
  lanes: whole(1, 64),
  maxRejects: read(parseRejectLimit, 'a number of rows such as 500, or a share such as 1%'),
  maxDeletes: read(parseRejectLimit, 'a number of rows such as 500, or a share such as 25%'),
  lockTimeout: duration,
};
const sourceShape = {
  format: word,
  compression: oneOf(['none', 'gzip', 'zstd', 'brotli']),
  columns: names,
  delimiter: read(parseByte, 'one character of ASCII; "tab" for a tab'),
  quote: read((text) => (text === '' ? '' : parseByte(text)), 'one character of ASCII, or "" for none'),
  null: anyText,
  maxRowBytes: size('1', '256MiB'),
  zip: word,
  vectorField: word,
};
const loadShape = {
  to: databaseOf('--to'),
  table: tableName,
  key: names,
  mode: oneOf(['insert', 'upsert', 'skip', 'replace', 'sync']),
  column: readAll(parseTypedColumn, `name:type; types are ${typeList}`),
  map: readAll(parseMapping, 'target=source'),
  skipColumn: z.array(z.string()).optional(),
  metric: metricName,
  index: read(parseIndex, 'auto, always or none, or hnsw with a metric such as hnsw:cosine'),
  batchBytes: size('1KiB', '1GiB'),
  batchRows: whole(1, 10_000_000),
  rejectsWithoutRows: toggle,
  atomic: toggle,
  unlogged: toggle,
  boot: toggle,
  copy: toggle,
  indexes: oneOf(['auto', 'keep', 'rebuild']),
  fastSession: toggle,
  vectorType: oneOf(['vector', 'halfvec']),
  onNewColumn: oneOf(['ignore', 'add', 'refuse']),
  onTypeChange: oneOf(['reject', 'widen']),
  label: word,
  again: toggle,
  ...provenanceShape,
  ...sourceShape,
  ...embedShape,
  ...cacheShape,
  ...runningShape,
  ...outputShape,
};
const ledgerShape = { in: databaseOf('--in'), json: toggle };
const selectShape = { ...ledgerShape, table: word, summary: toggle };
const againShape = { ...ledgerShape, ...cacheShape, ...runningShape, ...outputShape, from: word };
const searchShape = {
  ...ledgerShape,
  table: tableName,
  k: whole(1, 10_000),
  where: word,
  columns: names,
  column: word,
  metric: metricName,
  exact: toggle,
  efSearch: whole(1, 10_000),
  with: word,
  dimensions: whole(1, 65_536),
  lockTimeout: duration,
  explain: toggle,
  recall: toggle,
};

/** Of commands that look at the input alone where no table is named. */
const unplacedShape = { ...loadShape, to: word, table: word };

type LoadValues = z.output<z.ZodObject<typeof unplacedShape>>;

/** Named where nothing is ever deleted, the limit would be taken for one that holds. */
function findDeleteProblems({ values, flagged }: Invocation): readonly string[] {
  const isIdle = flagged.has('maxDeletes') && values['mode'] !== 'sync';
  return isIdle ? ['--max-deletes means nothing without --mode sync: no other mode deletes rows'] : [];
}

function findLoadProblems(invocation: Invocation): string[] {
  const problems = invocation.arguments.length > 0 ? [] : ['nothing to load: name a file, or - for stdin'];
  return [...problems, ...findEmbedProblems(invocation), ...findDeleteProblems(invocation)];
}

/** What `load` and `plan` were asked for. @throws SLUICE_USAGE with every problem. */
export function readLoadRequest(invocation: Invocation): LoadRequest {
  const values = checkValues(invocation, loadShape, findLoadProblems(invocation));
  const { to, table } = values;
  return { options: { ...toLoadOptions(invocation, values), to, table }, output: toOutputOptions(values) };
}

/** What `plan --check` and `preview` were asked for: a file to write the load into needs its table, as one of --to and --table needs the other. @throws SLUICE_USAGE */
export function readUnplacedRequest(invocation: Invocation): UnplacedRequest {
  if (['to', 'table', 'write'].some((name) => invocation.values[name] !== undefined)) return readLoadRequest(invocation);
  const values = checkValues(invocation, unplacedShape, findLoadProblems(invocation));
  return { options: toLoadOptions(invocation, values), output: toOutputOptions(values) };
}

function toLoadOptions({ arguments: from }: Invocation, values: LoadValues): Omit<LoadOptions, 'to' | 'table'> {
  const options: Omit<LoadOptions, 'to' | 'table'> = {
    from: from.length === 1 ? from[0]! : from,
    key: values.key,
    mode: values.mode,
    format: values.format,
    compression: values.compression,
    columns: values.columns,
    delimiter: values.delimiter,
    quote: values.quote,
    nullText: values.null,
    maxRowBytes: values.maxRowBytes,
    zip: values.zip,
    vectorField: values.vectorField,
    types: values.column,
    map: values.map,
    skipColumns: values.skipColumn,
    embed: toEmbedOptions(values),
    cache: toCacheOptions(values),
    index: toIndexOptions(values),
    target: toTargetOptions(values),
    maxBatchBytes: values.batchBytes,
    maxBatchRows: values.batchRows,
    rejectsWithoutRows: values.rejectsWithoutRows,
    label: values.label,
    again: values.again,
    provenance: values.provenance,
    onNewColumn: values.onNewColumn,
    onTypeChange: values.onTypeChange,
    ...toHoldOptions(values),
    lanes: values.lanes,
    maxRejects: values.maxRejects,
    // In the environment it waits for loads that delete.
    maxDeletes: values.mode === 'sync' ? values.maxDeletes : undefined,
    lockTimeoutMs: values.lockTimeout,
  };
  return dropAbsent(options);
}

function toCacheOptions(values: Pick<LoadValues, 'cache' | 'cacheMaxBytes'>): CacheOptions | false | undefined {
  if (values.cache === false) return false;
  const cache = dropAbsent({ path: values.cache, maxBytes: values.cacheMaxBytes });
  return Object.keys(cache).length > 0 ? cache : undefined;
}

function toIndexOptions(values: LoadValues): IndexOptions | undefined {
  const index = dropAbsent({ metric: values.index?.metric ?? values.metric, build: values.index?.build });
  return Object.keys(index).length > 0 ? index : undefined;
}

function toTargetOptions(values: LoadValues): TargetOptions | undefined {
  const { atomic: isAtomic, unlogged: isUnlogged, indexes, fastSession: isFastSession, vectorType, boot: isBoot } = values;
  // `--no-copy` alone means something; commander sets the other value by itself.
  const usesCopy = values.copy === false ? false : undefined;
  const target = dropAbsent({ isAtomic, isUnlogged, usesCopy, indexes, isFastSession, vectorType, isBoot });
  return Object.keys(target).length > 0 ? target : undefined;
}

function toOutputOptions(values: Pick<LoadValues, 'json' | 'progress' | 'report' | 'reportRows'>): OutputOptions {
  const output = { isJson: values.json ?? false, progress: values.progress ?? 'auto', report: values.report };
  return values.reportRows === false ? { ...output, hasReportRows: false } : output;
}

/** What `resume` and `retry` were asked for. @throws SLUICE_USAGE with every problem. */
export function readAgainRequest(invocation: Invocation): AgainRequest {
  const values = checkValues(invocation, againShape, []);
  const { lanes, maxRejects, maxDeletes, lockTimeout: lockTimeoutMs } = values;
  const options = dropAbsent({
    in: values.in,
    ...pickLoad(invocation),
    lanes,
    maxRejects,
    maxDeletes,
    lockTimeoutMs,
    cache: toCacheOptions(values),
    ...toHoldOptions(values),
  });
  return { options: values.from === undefined ? options : { ...options, from: values.from }, output: toOutputOptions(values) };
}

/** Left out rather than undefined: the library then chooses the load that fits. */
function pickLoad({ arguments: [load] }: Invocation): { readonly load?: string } {
  return load === undefined ? {} : { load };
}

/** What `status`, `verify` and `rejects` were asked for. @throws SLUICE_USAGE with every problem. */
export function readLedgerRequest(invocation: Invocation): LedgerRequest {
  const { in: database, table, json, summary } = checkValues(invocation, selectShape, []);
  const selection = { in: database, ...pickLoad(invocation), ...(table === undefined ? {} : { table }) };
  return { selection, isJson: json ?? false, isSummary: summary ?? false };
}

/** A JSON array of numbers is a vector; anything else is a text, whatever it looks like. */
function readQuery(text: string): Query {
  if (!/^\s*\[[\d\s,.+eE-]*\]\s*$/.test(text)) return text;
  try {
    return JSON.parse(text) as number[];
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** What `search` was asked for. @throws SLUICE_USAGE with every problem. */
export function readSearchRequest(invocation: Invocation): SearchRequest {
  const query = invocation.arguments[0] ?? '';
  const problems = query.trim() ? [] : ['nothing to search for: write the text, for example sluice search "heart attack"'];
  if (invocation.flagged.has('dimensions') && invocation.values['with'] === undefined)
    problems.push('--dimensions needs --with <embedder>');
  const values = checkValues(invocation, searchShape, problems);
  const { in: database, table, where, columns, column, metric } = values;
  const options: SearchOptions = {
    in: database,
    table,
    query: readQuery(query),
    k: values.k ?? defaultHits,
    where,
    columns,
    column,
    metric,
    embed: values.with === undefined ? undefined : dropAbsent({ with: values.with, dimensions: values.dimensions }),
    way: values.exact ? 'exact' : undefined,
    efSearch: values.efSearch,
    recall: values.recall,
    lockTimeoutMs: values.lockTimeout,
  };
  return { options: dropAbsent(options), isExplained: values.explain ?? false, isJson: values.json ?? false };
}
