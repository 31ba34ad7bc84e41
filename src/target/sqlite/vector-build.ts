/** The build of a vector index: begin (triggers first), fill a graph in chunks, publish. Rows are read in short transactions, so writers are never kept out; what they change meanwhile is recorded. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import type { IndexResult } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { transactSqlite, waitForLock, type SqliteFile } from './connect.ts';
import { locateSideFile, nameTemporary, placeSideFile, removeOrphans, writeSideFile, type SideFileHeader } from './vector-file.ts';
import { createGraph, hnswSettings, prepareVector, toKey, unusableRowid, type HnswGraph } from './vector-hnsw.ts';
import type { BuildOrder } from './vector-index.ts';
import { linkVectors, prepareRows, readRows, refreshSchema, type RowValues, type VectorLink } from './vector-link.ts';
import { describeVectorTable, isVectorSql, readVector, type VectorTable } from './vector-table.ts';
import { beginTracking, publishTracking, type Tracking } from './vector-tracking.ts';
import { findIndex, sampleRows, type NoIndex, type UsableIndex } from './vector-trust.ts';

/** A graph loses quality and space by removals: above these an update builds anew. */
const maxTakenShare = 0.1;
const maxTakenRows = 20_000;

/** Floats handed to usearch at a time: 3 MiB, 2,048 × 384, about 0.2 s of work for two threads, so a signal is heeded soon and starting threads costs nothing. */
const chunkFloats = 786_432;
const maxChunkRows = 4_096;
const minChunkRows = 16;

/**
 * The first rows go in one after another: threads that start on an empty graph don't see each other's rows, and leave some that no search reaches.
 * Lost of 12 × 4,000 rows with 2 threads: 30 without, 20 with 512, 7 with 1,024.
 */
const seedRows = 1_024;

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
  readonly graph: HnswGraph;
  /** For an index that is extended: its boundary, and the rows that changed at or below it. */
  readonly extended: { readonly boundary: bigint; readonly taken: readonly bigint[] } | undefined;
  /** Rows that usearch can't hold. */
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
  if (order.how === 'update' && usable !== undefined && usable.changed.size === 0 && newer === 0)
    return { current: usable.file.header.rows };
  const extended = order.how === 'update' && canExtend(found, newer) ? listTaken(found) : undefined;
  const { tracking } = beginTracking(link.db, table, {
    id: randomBytes(12).toString('hex'),
    metric: order.metric,
    keepsPublished: usable?.file.header.build ?? null,
  });
  const graph = createGraph(table.dimensions, order.metric, hnswSettings);
  if (extended !== undefined) graph.load(path);
  return { ...setting, table, tracking, graph, extended, leftOut: [] };
}

/** A changed row above the boundary has moved there: it is among the newer ones, and must not come twice. */
function listTaken({ file, changed }: UsableIndex): NonNullable<Build['extended']> {
  const boundary = BigInt(file.header.boundary);
  return { boundary, taken: [...changed].filter((rowid) => rowid <= boundary) };
}

function canExtend(found: UsableIndex | NoIndex, newer: number): found is UsableIndex {
  if ('problem' in found) return false;
  const { rows, settings } = found.file.header;
  const taken = found.changed.size;
  const hasSameSettings = JSON.stringify(settings) === JSON.stringify(hnswSettings);
  return hasSameSettings && newer <= rows && taken <= maxTakenRows && taken <= rows * maxTakenShare;
}

/** Rows with a value in the column, above a row id or all. */
function countRows(link: VectorLink, table: VectorTable, above?: bigint): number {
  const where = `${quoteIdentifier(table.column)} IS NOT NULL${above === undefined ? '' : ` AND ${table.rowid ?? 'NULL'} > ?`}`;
  const statement = prepareRows(link, `SELECT count(*) FROM ${quoteIdentifier(table.name)} WHERE ${where}`);
  return Number(readRows(statement, ...(above === undefined ? [] : [above]))[0]?.[0] ?? 0);
}

/** Rows that go into the graph, chunk by chunk. */
async function fillGraph(build: Build): Promise<void> {
  const { link, table, tracking, extended } = build;
  const taken = extended?.taken ?? [];
  const total = taken.length + (await read(build, () => countRows(link, table, extended?.boundary)));
  const chunk = createChunk(build);
  let done = 0;
  const advance = async (count: number): Promise<void> => {
    done += count;
    build.watch.onProgress(Math.min(done, total), total);
    // The turn of the event loop in which a signal arrives.
    await nextTurn();
    if (build.watch.signal.aborted)
      throw new SluiceError('SLUICE_CANCELLED', `The index of ${table.name}.${table.column} was not built: it was stopped.`);
  };
  await advance(0);
  for (let start = 0; start < taken.length; start += chunk.maxRows) {
    const rowids = taken.slice(start, start + chunk.maxRows);
    build.graph.remove(
      BigUint64Array.from(
        rowids.filter((rowid) => rowid !== unusableRowid),
        toKey,
      ),
    );
    addRows(build, chunk, await read(build, () => readListed(build, rowids)));
    await advance(rowids.length);
  }
  let next = extended === undefined ? lowestRowid : extended.boundary + 1n;
  while (next <= tracking.boundary) {
    const from = next;
    const rows = await read(build, () => readRange(build, { from, to: tracking.boundary, maxRows: chunk.maxRows }));
    const last = rows.at(-1)?.[0];
    if (typeof last !== 'bigint') break;
    addRows(build, chunk, rows);
    await advance(rows.length);
    next = last + 1n;
  }
}

const lowestRowid = -(2n ** 63n);

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

function readRange(
  { link, table }: Build,
  range: { readonly from: bigint; readonly to: bigint; readonly maxRows: number },
): readonly RowValues[] {
  const statement = prepareRows(link, `${selectRows(table)} BETWEEN ? AND ? ORDER BY 1 LIMIT ?`);
  return readRows(statement, range.from, range.to, range.maxRows);
}

/** Room for the rows of one call of usearch, used again for each. */
interface Chunk {
  readonly maxRows: number;
  readonly keys: BigUint64Array;
  readonly vectors: Float32Array;
}

function createChunk({ table }: Build): Chunk {
  const maxRows = Math.max(minChunkRows, Math.min(maxChunkRows, Math.floor(chunkFloats / table.dimensions)));
  return { maxRows, keys: new BigUint64Array(maxRows), vectors: new Float32Array(maxRows * table.dimensions) };
}

function addRows({ order, table, graph, leftOut }: Build, chunk: Chunk, rows: readonly RowValues[]): void {
  const { dimensions } = table;
  let count = 0;
  for (const [rowid, bytes] of rows) {
    if (rowid === unusableRowid) {
      leftOut.push(unusableRowid);
      continue;
    }
    const into = chunk.vectors.subarray(count * dimensions, (count + 1) * dimensions);
    if (!prepareVector(order.metric, readVector(bytes as Uint8Array), into)) continue;
    chunk.keys[count++] = toKey(rowid as bigint);
  }
  const threads = order.threads ?? availableParallelism();
  const seeds = Math.min(count, Math.max(0, seedRows - graph.size()));
  for (const [start, end, threadCount] of [[0, seeds, 1] as const, [seeds, count, threads] as const]) {
    if (end > start) graph.add(chunk.keys.subarray(start, end), chunk.vectors.subarray(start * dimensions, end * dimensions), threadCount);
  }
}

/** The file first, whole and on the disk under another name; then, in one transaction, the record and the name. Killed in between, the file counts as the pending build's. */
async function publishBuild(build: Build): Promise<'published' | 'superseded'> {
  const { file, link, order, table, tracking, graph, leftOut, watch } = build;
  const path = locateSideFile(order.file, table.name, table.column);
  const temporary = nameTemporary(path, tracking.pending ?? '');
  try {
    const sample = await read(build, () => sampleRows(link, table, tracking.boundary));
    writeSideFile(temporary, graph, describeFile(build, sample));
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

function describeFile(
  { order, table, tracking, graph }: Build,
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
    settings: hnswSettings,
    sample,
  };
}
