/** Search in an SQLite file: chooses between scan and index, and says why. Whatever the way, rows and scores come from the table as it stands. */
import { SluiceError } from '../../errors.ts';
import type { DatabaseSync } from 'node:sqlite';
import type { Decision, SearchAnswer, SearchRequest } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { chooseColumns, lookupSql, scanExact, scoreRows, takeNearest, type Scan, type ScoredRow } from './vector-exact.ts';
import { locateSideFile, widenGraph } from './vector-file.ts';
import { isIndexWorthwhile, proposeRows, type HnswGraph } from './vector-hnsw.ts';
import {
  aimScorer,
  findVectorTable,
  linkVectors,
  prepareRows,
  readRows,
  readSnapshot,
  refreshSchema,
  type VectorLink,
} from './vector-link.ts';
import type { VectorTable } from './vector-table.ts';
import { changedRowsSql } from './vector-tracking.ts';
import { findIndex, type UsableIndex } from './vector-trust.ts';
import { checkWhere } from './vector-where.ts';

/** More changed and new rows than this share of the index: scanning them one by one costs more than scanning all. */
const maxChangedShare = 0.25;

/**
 * The k rows nearest to a vector, from one state of the database. `file` is the database's path; its side files lie beside it.
 * Locks come out as SQLite's own errors, for the caller to wait and try again.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_DIMENSION_MISMATCH, SLUICE_WHERE_INVALID;
 * SLUICE_INDEX_UNUSABLE and SLUICE_USAGE (with a filter) only for `way: 'index'`
 */
export function searchVectors(db: DatabaseSync, file: string, request: SearchRequest): SearchAnswer {
  const link = linkVectors(db);
  link.skippedCount = 0;
  return readSnapshot(db, () => {
    refreshSchema(link);
    const table = findVectorTable(link, request.table, request.column);
    checkRequest(table, request);
    if (request.where !== undefined) checkWhere(db, table.name, request.where);
    const scan: Scan = {
      link,
      table,
      metric: request.metric,
      query: request.vector,
      score: aimScorer(link, request.metric, request.vector),
      columns: chooseColumns(table, request),
    };
    const { rows, explain } = answer(scan, request, () =>
      findIndex(link, { table, metric: request.metric, path: locateSideFile(file, table.name, table.column) }),
    );
    return { hits: rows.map((row) => row.hit), explain: [...explain, ...explainSkipped(link, table)] };
  });
}

function checkRequest(table: VectorTable, request: SearchRequest): void {
  if (request.vector.length !== table.dimensions) {
    throw new SluiceError(
      'SLUICE_DIMENSION_MISMATCH',
      `The query has ${String(request.vector.length)} dimensions, the column ${table.column} of ${table.name} has ${String(table.dimensions)}.`,
      { hint: 'Embed the query with what the table was loaded with.' },
    );
  }
  const unknown = request.columns?.find((name) => !table.columns.includes(name));
  if (unknown !== undefined) {
    throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${table.name} has no column ${unknown}.`, {
      hint: `Its columns: ${table.columns.join(', ')}.`,
    });
  }
}

interface Found {
  readonly rows: readonly ScoredRow[];
  readonly explain: readonly Decision[];
}

function answer(scan: Scan, request: SearchRequest, find: () => ReturnType<typeof findIndex>): Found {
  if (request.way === 'index' && request.where !== undefined) {
    throw new SluiceError('SLUICE_USAGE', 'A filter is answered by a scan, never by the index.', {
      hint: 'Leave out the way, or the filter.',
    });
  }
  if (request.way === 'exact') return answerExact(scan, request, 'asked for');
  if (request.where !== undefined) return answerExact(scan, request, 'a filter is exact: every row that matches is scored');
  const index = find();
  if ('problem' in index) {
    if (request.way === 'auto') return answerExact(scan, request, index.problem);
    throw new SluiceError(
      'SLUICE_INDEX_UNUSABLE',
      `The index of ${scan.table.name}.${scan.table.column} can't be used: ${index.problem}.`,
      {
        hint: 'Build it again, or search without asking for the index.',
      },
    );
  }
  const slow = request.way === 'auto' ? findSlowness(scan, index) : undefined;
  if (slow !== undefined) return answerExact(scan, request, slow);
  const graph = widenGraph(index.path, index.file, request.efSearch);
  const rows = searchIndex(scan, { ...index, graph }, request.k);
  if (rows === undefined) return answerExact(scan, request, 'the index holds fewer than k rows that are still there');
  return { rows, explain: explainIndex(index, request.efSearch) };
}

function answerExact(scan: Scan, request: SearchRequest, why: string): Found {
  const rows = scanExact(scan, request.k, request.where);
  const explain: Decision[] = [{ what: 'way', choice: 'exact', why }];
  if (scan.link.withoutExtension !== undefined) {
    explain.push({ what: 'distance', choice: 'JavaScript', why: `sqlite-vec could not be loaded (${scan.link.withoutExtension})` });
  } else if (scan.metric === 'ip') {
    explain.push({ what: 'distance', choice: 'JavaScript', why: 'sqlite-vec has no inner product' });
  }
  return { rows, explain };
}

/** Why a scan is quicker than a usable index; undefined when it isn't. */
function findSlowness({ link, table }: Scan, { file, changed }: UsableIndex): string | undefined {
  const { rows, boundary } = file.header;
  if (!isIndexWorthwhile(rows, table.dimensions)) return `${String(rows)} × ${String(table.dimensions)} are scanned as quickly`;
  const highest = readRows(prepareRows(link, `SELECT max(${table.rowid ?? 'NULL'}) FROM ${quoteIdentifier(table.name)}`))[0]?.[0];
  const newer = typeof highest === 'bigint' && highest > BigInt(boundary) ? Number(highest - BigInt(boundary)) : 0;
  return changed.size + newer > rows * maxChangedShare
    ? "too many rows changed since the index was built, or are equal and can't be reached in it"
    : undefined;
}

/** Candidates of the graph beyond k, because it holds vectors in half precision and rows may have changed: 32 for k = 10, more gave no better recall. */
function countCandidates(k: number): number {
  return Math.ceil(k * 1.5) + 17;
}

/** Nearest rows by index: the graph's candidates that are unchanged, every changed row, every newer row. Undefined when that is fewer than k. */
function searchIndex(
  scan: Scan,
  { file, changed, graph }: UsableIndex & { readonly graph: HnswGraph },
  k: number,
): readonly ScoredRow[] | undefined {
  const { link, table } = scan;
  const rowid = table.rowid ?? 'NULL';
  const boundary = BigInt(file.header.boundary);
  const found: ScoredRow[] = [...scanExact(scan, k, { sql: `${rowid} > ?`, values: [boundary] })];
  if (changed.size > 0) {
    // A row may have moved over the boundary: it is among the newer ones then.
    found.push(
      ...scanExact(scan, k, { sql: `${rowid} <= ? AND ${rowid} IN (${changedRowsSql})`, values: [boundary, table.name, table.column] }),
    );
  }
  const lookup = prepareRows(link, lookupSql(scan));
  const size = graph.size();
  let candidates: readonly ScoredRow[] = [];
  for (let count = countCandidates(k); candidates.length < k && size > 0; count *= 4) {
    const proposed = proposeRows(graph, { metric: scan.metric, query: scan.query, count: Math.min(count, size) });
    const unchanged = proposed.filter((row) => !changed.has(row));
    candidates = scoreRows(
      scan,
      unchanged.flatMap((row) => readRows(lookup, row)),
    );
    if (count >= size || proposed.length < count) break;
  }
  found.push(...candidates);
  return found.length < k ? undefined : takeNearest(found, k);
}

function explainIndex({ file, changed }: UsableIndex, efSearch: number | undefined): readonly Decision[] {
  const { rows, boundary, settings } = file.header;
  const explain: Decision[] = [
    {
      what: 'way',
      choice: 'index',
      why: `HNSW over ${String(rows)} rows, ${settings.scalar}, M ${String(settings.connectivity)}, ef ${String(efSearch ?? settings.expansionSearch)}; scores from the table's float32`,
    },
    { what: 'newer rows', choice: 'scanned exactly', why: `rows above row id ${boundary} are not in the index` },
  ];
  if (changed.size > 0)
    explain.push({
      what: 'changed rows',
      choice: 'scanned exactly',
      why: `${String(changed.size)} changed since the index was built, or can't be reached in it`,
    });
  return explain;
}

function explainSkipped(link: VectorLink, table: VectorTable): readonly Decision[] {
  if (link.skippedCount === 0) return [];
  const why = `they are no vectors of ${String(table.dimensions)} float32 in ${table.column}`;
  return [{ what: 'skipped values', choice: String(link.skippedCount), why }];
}
