/** The build of a vector index: begin (triggers first), fill a graph in chunks, publish. Rows are read in short transactions, so writers are never kept out; what they change meanwhile is recorded. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import type { IndexResult } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { transactSqlite, waitForLock, type SqliteFile } from './connect.ts';
import {
  locateSideFile,
  nameTemporary,
  openSideFile,
  placeSideFile,
  removeOrphans,
  sealSideFile,
  type SideFileHeader,
} from './vector-file.ts';
import { createFeed, noRows, type FedRows } from './vector-feed.ts';
import { createGraph, mergeSettings, toKey, toRowid, unusableRowid, type HnswGraph, type HnswSettings } from './vector-hnsw.ts';
import type { BuildOrder } from './vector-index.ts';
import { linkVectors, prepareRows, readRows, refreshSchema, type RowValues, type VectorLink } from './vector-link.ts';
import { findUnreached } from './vector-reach.ts';
import { describeVectorTable, isVectorSql, type VectorTable } from './vector-table.ts';
import { beginTracking, publishTracking, recordedRowsSql, type Tracking } from './vector-tracking.ts';
import { findIndex, sampleRows, type NoIndex, type UsableIndex } from './vector-trust.ts';

/** A graph loses quality and space by removals: above these an update builds anew. */
const maxTakenShare = 0.1;
const maxTakenRows = 20_000;

export interface BuildWatch {
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

/** A build under way. */
interface Build {
  readonly file: SqliteFile;
  readonly link: VectorLink;
  readonly order: BuildOrder;
  readonly watch: BuildWatch;
  readonly table: VectorTable;
  readonly tracking: Tracking;
  readonly settings: HnswSettings;
  readonly graph: HnswGraph;
  /** For an index that is extended: its boundary, and the rows that changed at or below it. */
  readonly extended: { readonly boundary: bigint; readonly taken: readonly bigint[] } | undefined;
  /** Rows that the graph can't answer for: it can't hold them, or no search reaches them. */
  readonly leftOut: bigint[];
}

/** Builds or updates an index as ordered. @throws as `buildVectorIndex` */
export async function runBuild(order: BuildOrder, watch: BuildWatch): Promise<IndexResult> {
  const startedAt = performance.now();
  const db = new DatabaseSync(order.file, { timeout: 0, allowExtension: true });
  const file: SqliteFile = { db, file: order.file, lockTimeoutMs: order.lockTimeoutMs, statements: new Map() };
  try {
    const link = await waitForLock(order.file, { lockTimeoutMs: order.lockTimeoutMs, signal: watch.signal }, () => linkVectors(db));
    const build = await transactSqlite(file, () => beginBuild({ file, link, order, watch }), watch.signal);
    if ('current' in build) return { rows: build.current, buildMs: performance.now() - startedAt, did: 'nothing' };
    await fillGraph(build);
    const outcome = await publishBuild(build);
    const did = outcome === 'superseded' ? 'nothing' : build.extended === undefined ? 'built' : 'extended';
    return { rows: build.graph.size(), buildMs: performance.now() - startedAt, did };
  } finally {
    db.close();
  }
}

type Setting = Pick<Build, 'file' | 'link' | 'order' | 'watch'>;

/** In a write transaction: what there is, what is to be done, and the triggers for it. No other build can put a file in place meanwhile. */
function beginBuild(setting: Setting): Build | { readonly current: number } {
  const { link, order } = setting;
  refreshSchema(link);
  const table = describeVectorTable(link.db, order.table, order.column);
  if (table.rowid === undefined) {
    throw new SluiceError('SLUICE_INDEX_UNUSABLE', `The table ${table.name} has no row ids, so it can't have an index.`, {
      hint: 'Search scans it exactly. For an index, make the table without WITHOUT ROWID.',
    });
  }
  const path = locateSideFile(order.file, table.name, table.column);
  removeOrphans(path);
  const found = findIndex(link, { table, metric: order.metric, path });
  const usable = 'problem' in found ? undefined : found;
  const newer = usable === undefined ? 0 : countRows(link, table, BigInt(usable.file.header.boundary));
  const recorded = usable === undefined ? [] : readRecorded(link, table);
  // An index that somebody made as they wanted it stays so when it is built again unasked.
  const present = usable?.file.header.settings ?? readPresent(path, order.metric);
  const settings = mergeSettings({ metric: order.metric, dimensions: table.dimensions }, order.settings, present);
  const isAsAsked = usable !== undefined && hasSettings(usable, settings) && hasName(usable, order);
  if (order.how === 'update' && isAsAsked && recorded.length === 0 && newer === 0) return { current: usable.file.header.rows };
  const extended =
    order.how === 'update' && canExtend(found, { newer, taken: recorded.length, settings }) ? listTaken(found, recorded) : undefined;
  const { tracking } = beginTracking(link.db, table, {
    id: randomBytes(12).toString('hex'),
    metric: order.metric,
    keepsPublished: usable?.file.header.build ?? null,
  });
  const graph = createGraph(table.dimensions, order.metric, settings);
  if (extended !== undefined) graph.load(path);
  return { ...setting, table, tracking, settings, graph, extended, leftOut: [] };
}

/** Rows that changed since the index was built. What its build left out is not among them: another update would find it no better. */
function readRecorded(link: VectorLink, table: VectorTable): readonly bigint[] {
  const rows = readRows(prepareRows(link, recordedRowsSql), table.name, table.column);
  return [...new Set(rows.map((row) => row[0] as bigint))];
}

/** A changed row above the boundary has moved there: it is among the newer ones, and must not come twice. The row that usearch can't hold is left out again. */
function listTaken({ file, changed }: UsableIndex, recorded: readonly bigint[]): NonNullable<Build['extended']> {
  const boundary = BigInt(file.header.boundary);
  const taken = new Set(recorded.filter((rowid) => rowid <= boundary));
  if (changed.has(unusableRowid)) taken.add(unusableRowid);
  return { boundary, taken: [...taken] };
}

interface Growth {
  readonly newer: number;
  readonly taken: number;
  readonly settings: HnswSettings;
}

function canExtend(found: UsableIndex | NoIndex, { newer, taken, settings }: Growth): found is UsableIndex {
  if ('problem' in found) return false;
  const { header } = found.file;
  return hasSettings(found, settings) && newer <= header.rows && taken <= maxTakenRows && taken <= header.rows * maxTakenShare;
}

function hasSettings({ file }: UsableIndex, settings: HnswSettings): boolean {
  const { scalar, connectivity, expansionAdd, expansionSearch } = file.header.settings;
  return (
    scalar === settings.scalar &&
    connectivity === settings.connectivity &&
    expansionAdd === settings.expansionAdd &&
    expansionSearch === settings.expansionSearch
  );
}

function hasName({ file }: UsableIndex, { name }: BuildOrder): boolean {
  return name === undefined || name === file.header.name;
}

/** Settings of a file that can't be searched any more (VACUUM, a table that was replaced), while its metric is the one asked for. */
function readPresent(path: string, metric: BuildOrder['metric']): HnswSettings | undefined {
  const file = openSideFile(path);
  return 'problem' in file || file.header.metric !== metric ? undefined : file.header.settings;
}

/** Rows with a value in the column, above a row id or all. */
function countRows(link: VectorLink, table: VectorTable, above?: bigint): number {
  const where = `${quoteIdentifier(table.column)} IS NOT NULL${above === undefined ? '' : ` AND ${table.rowid ?? 'NULL'} > ?`}`;
  const statement = prepareRows(link, `SELECT count(*) FROM ${quoteIdentifier(table.name)} WHERE ${where}`);
  return Number(readRows(statement, ...(above === undefined ? [] : [above]))[0]?.[0] ?? 0);
}

/** Rows that go into the graph, chunk by chunk. */
async function fillGraph(build: Build): Promise<void> {
  const { link, table, tracking, extended, order, watch, leftOut } = build;
  const taken = extended?.taken ?? [];
  const total = taken.length + (await read(build, () => countRows(link, table, extended?.boundary)));
  const feed = createFeed({ graph: build.graph, metric: order.metric, dimensions: table.dimensions, threads: order.threads });
  let done = 0;
  const advance = async (rows: FedRows): Promise<void> => {
    feed.flush();
    if (rows.hasUnusable) leftOut.push(unusableRowid);
    done += rows.count;
    watch.onProgress(Math.min(done, total), total);
    // The turn of the event loop in which a signal arrives.
    await nextTurn();
    if (watch.signal.aborted)
      throw new SluiceError('SLUICE_CANCELLED', `The index of ${table.name}.${table.column} was not built: it was stopped.`);
  };
  await advance(noRows);
  for (let start = 0; start < taken.length;) {
    const rowids = taken.slice(start, start + feed.maxRows());
    build.graph.remove(BigUint64Array.from(rowids.filter(isUsable), toKey));
    const rows = await read(build, () => feed.take(readListed(build, rowids)));
    start += rowids.length;
    await advance({ ...rows, count: rowids.length });
  }
  let next = extended === undefined ? lowestRowid : extended.boundary + 1n;
  while (next <= tracking.boundary) {
    const from = next;
    const rows = await read(build, () => feed.take(readRange(build, { from, to: tracking.boundary, maxRows: feed.maxRows() })));
    if (rows.last === undefined) break;
    await advance(rows);
    next = rows.last + 1n;
  }
}

const lowestRowid = -(2n ** 63n);

function isUsable(rowid: bigint): boolean {
  return rowid !== unusableRowid;
}

/** Reads wait for locks: with a rollback journal a commit keeps readers out for its moment. */
async function read<Result>({ file, watch }: Build, work: () => Result): Promise<Result> {
  return waitForLock(file.file, { lockTimeoutMs: file.lockTimeoutMs, signal: watch.signal }, work);
}

function selectRows(table: VectorTable): string {
  return `SELECT ${table.rowid ?? 'NULL'}, ${quoteIdentifier(table.column)} FROM ${quoteIdentifier(table.name)} WHERE ${isVectorSql(table)} AND ${table.rowid ?? 'NULL'}`;
}

function readListed({ link, table }: Build, rowids: readonly bigint[]): readonly RowValues[] {
  const statement = prepareRows(link, `${selectRows(table)} = ?`);
  return rowids.flatMap((rowid) => readRows(statement, rowid));
}

/** Row by row: a quarter less time than all at once, and one row's garbage at a time. */
function readRange(
  { link, table }: Build,
  range: { readonly from: bigint; readonly to: bigint; readonly maxRows: number },
): Iterable<RowValues> {
  const statement = prepareRows(link, `${selectRows(table)} BETWEEN ? AND ? ORDER BY 1 LIMIT ?`);
  return statement.iterate(range.from, range.to, range.maxRows) as unknown as Iterable<RowValues>;
}

/** The file first, whole and on the disk under another name; then, in one transaction, the record and the name. Killed in between, the file counts as the pending build's. */
async function publishBuild(build: Build): Promise<'published' | 'superseded'> {
  const { file, link, order, table, tracking, graph, leftOut, watch } = build;
  const path = locateSideFile(order.file, table.name, table.column);
  const temporary = nameTemporary(path, tracking.pending ?? '');
  try {
    const sample = await read(build, () => sampleRows(link, table, tracking.boundary));
    graph.save(temporary);
    // A row that no search reaches in the graph is scanned instead. Few are lost, except among many equal vectors.
    for (const key of findUnreached(temporary) ?? []) leftOut.push(toRowid(key));
    sealSideFile(temporary, describeFile(build, sample));
    const outcome = await transactSqlite(
      file,
      () => {
        const published = publishTracking(link.db, table, { tracking, leftOut });
        if (published === 'published') placeSideFile(temporary, path);
        return published;
      },
      watch.signal,
    );
    if (outcome !== 'gone') return outcome;
    throw new SluiceError('SLUICE_INDEX_UNUSABLE', `The table ${table.name} was replaced while its index was built.`, {
      hint: 'Build the index again.',
    });
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** A build that names nothing keeps the name that the index has. */
function readName(order: BuildOrder, table: VectorTable): string | undefined {
  const file = openSideFile(locateSideFile(order.file, table.name, table.column));
  return 'problem' in file ? undefined : file.header.name;
}

function describeFile(
  { order, table, tracking, settings, graph }: Build,
  sample: SideFileHeader['sample'],
): Omit<SideFileHeader, 'bytes' | 'crc' | 'format'> {
  return {
    table: table.name,
    column: table.column,
    metric: order.metric,
    dimensions: table.dimensions,
    rows: graph.size(),
    id: tracking.id,
    build: tracking.pending ?? '',
    boundary: String(tracking.boundary),
    settings,
    name: order.name ?? readName(order, table),
    builtAt: new Date().toISOString(),
    sample,
  };
}
