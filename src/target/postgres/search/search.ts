/** Search by pgvector: by an index where there is one for the metric, else by a scan; k rows whenever k rows match, and the way taken is said. Only reads. */
import { SluiceError } from '../../../errors.ts';
import type { Decision, Metric, SearchAnswer, SearchHit, SearchRequest } from '../../driver.ts';
import type { ResultRow } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { quoteServer } from '../errors.ts';
import { PgError, type PgLink } from '../link.ts';
import { metricOperators, readSearchColumn, writeIndexed, type SearchColumn, type VectorIndex } from './search-column.ts';
import { runInTransaction } from '../transaction.ts';
import { formatCount } from '../../../count-text.ts';

/** pgvector's own upper bound of hnsw.ef_search. */
const maxEfSearch = 1_000;

/** The graph proposes at least this many: pgvector's default of 40 finds too few of the true neighbours at k = 10 in many dimensions. */
const minEfSearch = 100;

/** With a filter the graph is walked on until k rows match, at most this far (pgvector's own default); what is missing then is found by a scan. */
const maxScanTuples = 20_000;

/** Of the lists of an IVFFlat index: pgvector's advice is the square root. */
const minProbes = 10;

/** A user's filter may be anything; a question that takes longer is not waited for. */
const searchTimeoutMs = 300_000;

/** iterative scans: pgvector 0.8. */
function supportsIterativeScan(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? '0').split('.').map(Number);
  return major > 0 || minor >= 8;
}

/**
 * The k rows nearest to a vector, from one state of the table.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_DIMENSION_MISMATCH, SLUICE_WHERE_INVALID; SLUICE_INDEX_UNUSABLE only for `way: 'index'`
 */
export async function searchVectors(link: PgLink, request: SearchRequest): Promise<SearchAnswer> {
  return runInTransaction(link, async () => {
    const column = await readSearchColumn(link, request);
    checkRequest(column, request);
    const { index, why } = chooseIndex(link, column, request);
    if (index === undefined) return answerExact(link, { column, request, why });
    const answer = await answerByIndex(link, { column, request, index });
    if (answer.hits.length >= request.k || request.way === 'index') return answer;
    // Fewer than k: the graph ended early, or there are no more. Only a scan can tell.
    return answerExact(link, { column, request, why: 'the index yields fewer than k rows' });
  }, ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY', `SET LOCAL statement_timeout = ${String(searchTimeoutMs)}`]);
}

function checkRequest({ columns, dimensions, name, table }: SearchColumn, request: SearchRequest): void {
  if (dimensions !== undefined && request.vector.length !== dimensions) {
    throw new SluiceError(
      'SLUICE_DIMENSION_MISMATCH',
      `The query has ${String(request.vector.length)} dimensions, the column ${name} of ${request.table} has ${String(dimensions)}.`,
      { hint: 'Embed the query with what the table was loaded with.' },
    );
  }
  const unknown = request.columns?.find((wanted) => !columns.some((column) => column.name === wanted));
  if (unknown === undefined) return;
  throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${table} has no column ${unknown}.`, {
    hint: `Its columns: ${columns.map((column) => column.name).join(', ')}.`,
  });
}

interface Choice {
  readonly index: VectorIndex | undefined;
  readonly why: string;
}

function chooseIndex(link: PgLink, column: SearchColumn, request: SearchRequest): Choice {
  if (request.way === 'exact') return { index: undefined, why: 'asked for' };
  const found = findIndex(column, request);
  if (typeof found !== 'string') {
    const isFiltered = request.where !== undefined && !supportsIterativeScan(link.server.vectorVersion);
    if (!isFiltered || request.way === 'index') return { index: found, why: '' };
    return { index: undefined, why: `pgvector ${link.server.vectorVersion ?? ''} filters after the index has chosen, and would miss rows` };
  }
  if (request.way === 'auto') return { index: undefined, why: found };
  throw new SluiceError('SLUICE_INDEX_UNUSABLE', `No index of ${request.table}.${column.name} can answer by ${request.metric}: ${found}.`, {
    hint: 'Build one (--index hnsw), or search without asking for the index.',
  });
}

/** The index, or why there is none. HNSW before IVFFlat, the column itself before its half. */
function findIndex({ indexes }: SearchColumn, { metric, k }: SearchRequest): VectorIndex | string {
  const ofMetric = indexes.filter((index) => index.metric === metric && !index.isPartial);
  const usable = ofMetric.filter(({ isValid }) => isValid);
  const best = usable.toSorted((a, b) => rank(a) - rank(b))[0];
  if (best === undefined) {
    if (ofMetric.length > 0) return 'its build did not end, so it is not valid';
    return indexes.length === 0
      ? 'there is none'
      : `there is only one for ${[...new Set(indexes.map((index) => index.metric))].join(', ')}`;
  }
  if (best.method === 'hnsw' && k > maxEfSearch) return `k is more than ${formatCount(maxEfSearch)}, the most that an HNSW index proposes`;
  return best;
}

function rank({ method, isExpression }: VectorIndex): number {
  return (method === 'hnsw' ? 0 : 2) + (isExpression ? 1 : 0);
}

interface Asked {
  readonly column: SearchColumn;
  readonly request: SearchRequest;
}

async function answerExact(link: PgLink, { column, request, why }: Asked & { readonly why: string }): Promise<SearchAnswer> {
  // The index may have been tried before in this transaction: with both ways off the server takes the cheaper, which is the index again.
  await link.script('SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off');
  const hits = await readHits(link, { column, request, index: undefined });
  return { hits, explain: [{ what: 'way', choice: 'exact', why }] };
}

async function answerByIndex(link: PgLink, { column, request, index }: Asked & { readonly index: VectorIndex }): Promise<SearchAnswer> {
  const settings = writeIndexSettings(link, request, index);
  await link.script(settings.join('; '));
  const asked = { column, request, index };
  const plan = await explainPlan(link, asked);
  const hits = await readHits(link, asked);
  const isUsed = plan.includes(index.name);
  const explain: Decision[] = [
    isUsed
      ? { what: 'way', choice: 'index', why: `${index.name} (${index.method}, ${index.type}); scores from the table's own vectors` }
      : { what: 'way', choice: 'exact', why: `the server did not take ${index.name} for this question` },
    { what: 'settings', choice: settings.map((setting) => setting.replace('SET LOCAL ', '')).join(', '), why: 'for this question alone' },
  ];
  return { hits, explain };
}

function writeIndexSettings(link: PgLink, { efSearch, k, where }: SearchRequest, index: VectorIndex): readonly string[] {
  // A plan by cost would take the scan of a small table, where the caller asked for the index or the flow measures it.
  const common = ['SET LOCAL enable_seqscan = off'];
  const isIterative = supportsIterativeScan(link.server.vectorVersion);
  if (index.method === 'ivfflat') {
    const probes = Math.min(index.lists, Math.max(minProbes, Math.ceil(Math.sqrt(index.lists))));
    return [
      ...common,
      `SET LOCAL ivfflat.probes = ${String(probes)}`,
      ...(isIterative && where !== undefined ? ['SET LOCAL ivfflat.iterative_scan = relaxed_order'] : []),
    ];
  }
  const ef = Math.min(maxEfSearch, Math.max(k, efSearch ?? minEfSearch));
  const iterative = ['SET LOCAL hnsw.iterative_scan = strict_order', `SET LOCAL hnsw.max_scan_tuples = ${String(maxScanTuples)}`];
  // Dead rows are found only after the graph has chosen: also without a filter the walk may have to go on.
  return [...common, `SET LOCAL hnsw.ef_search = ${String(ef)}`, ...(isIterative ? iterative : [])];
}

async function explainPlan(link: PgLink, asked: Asked & { readonly index: VectorIndex | undefined }): Promise<string> {
  const { rows } = await runFiltered(link, asked.request, `EXPLAIN ${writeSelect(asked)}`);
  return rows.map((row) => String(Object.values(row)[0])).join('\n');
}

async function readHits(link: PgLink, asked: Asked & { readonly index: VectorIndex | undefined }): Promise<readonly SearchHit[]> {
  const { column, request } = asked;
  const { rows } = await runFiltered(link, request, writeSelect(asked));
  const names = listColumns(column, request);
  return rows.map((row) => ({
    key: pick(row, column.key, 'k'),
    score: toScore(request.metric, Number(row['sluice_distance'])),
    columns: pick(row, names, 'c'),
  }));
}

function pick(row: ResultRow, names: readonly string[], prefix: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(names.map((name, at) => [name, row[`${prefix}${String(at)}`]]));
}

function listColumns({ columns, key }: SearchColumn, { columns: wanted }: SearchRequest): readonly string[] {
  return wanted ?? columns.filter(({ isVector, name }) => !isVector && !key.includes(name)).map(({ name }) => name);
}

/** Higher is nearer. */
function toScore(metric: Metric, distance: number): number {
  if (metric === 'cosine') return 1 - distance;
  return distance === 0 ? 0 : -distance;
}

/**
 * Ordered twice: inside by what the index is over, outside by the table's own vectors, so that a half-precision index gives exact scores. Rows whose distance is
 * no number (an all-zero vector by cosine) are none of the nearest. The filter stands on lines of its own: a comment at its end ends there.
 */
function writeSelect({ column, request, index }: Asked & { readonly index: VectorIndex | undefined }): string {
  const operator = `OPERATOR(${column.extensionSchema}.${metricOperators[request.metric]})`;
  const own = quoteIdentifier(column.name);
  const indexed = index === undefined ? own : writeIndexed(column, index);
  const cast = (type: string): string => `$1::text::${column.extensionSchema}.${type}`;
  const names = [
    ...column.key.map((name, at) => `${quoteIdentifier(name)} AS k${String(at)}`),
    ...listColumns(column, request).map((name, at) => `${quoteIdentifier(name)} AS c${String(at)}`),
  ];
  const where = request.where === undefined ? '' : ` AND (\n${request.where}\n)`;
  const distance = `(${own} ${operator} ${cast(column.type)}) AS sluice_distance`;
  const order = `${indexed} ${operator} ${cast(index?.type ?? column.type)}`;
  return `SELECT * FROM (SELECT ${[...names, distance].join(', ')} FROM ${column.table} WHERE ${own} IS NOT NULL${where} ORDER BY ${order} LIMIT ${String(request.k)}) nearest
WHERE sluice_distance <> 'NaN' ORDER BY sluice_distance`;
}

/** What the server says of a statement that holds the user's own text is about that text: syntax, names, types, functions that fail, rights it does not have. */
const whereStates = /^(?:42|22|0A|25006|2F|P0001)/u;

async function runFiltered(link: PgLink, { where, vector }: SearchRequest, sql: string): Promise<{ readonly rows: readonly ResultRow[] }> {
  try {
    return await link.query(sql, [`[${vector.join(',')}]`], { timeoutMs: searchTimeoutMs });
  } catch (error) {
    if (where === undefined || !(error instanceof PgError) || !whereStates.test(error.sqlState)) throw error;
    throw new SluiceError('SLUICE_WHERE_INVALID', `The filter is not a condition that PostgreSQL takes (${quoteServer(error)}).`, {
      cause: error,
      hint: 'Write an SQL expression over the columns of the table, such as: year >= 2020.',
    });
  }
}
