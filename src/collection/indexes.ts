/** The verb index: vector indexes made, made again, dropped and listed, on tables of loads and on any other table with vectors. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import { findVectorColumn, type VectorColumn } from '../search/column.ts';
import type { Connection, IndexResult, IndexSettings, VectorIndexState } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import {
  buildIndexNames,
  dropIndexNames,
  tableNames,
  type BuildIndexOptions,
  type DropIndexOptions,
  type IndexBackend,
  type IndexEntry,
  type IndexReport,
  type ListIndexesOptions,
} from './options.ts';
import { findColumn, readMetric, recordMetric } from './vector-record.ts';

/**
 * Makes the index of a vector column. One that is there already is brought up to date; with other settings than asked for it is refused.
 * @throws SLUICE_USAGE, SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_INDEX_UNUSABLE, SLUICE_CANCELLED, SLUICE_TARGET_…
 */
export async function createIndex(options: BuildIndexOptions): Promise<IndexReport> {
  refuseUnknownOptions('createIndex', options, buildIndexNames);
  return withColumn(options, async (work) => {
    const { column, options: asked, present } = work;
    if (asked.backend === 'exact') return scanOnly(work);
    const metric = asked.metric ?? column.metric;
    const same = present.filter((index) => index.metric === metric && index.method === (asked.backend ?? index.method));
    const known = same.find((index) => asked.name === undefined || index.name === asked.name);
    const other = work.hasOneIndex && known === undefined ? present[0] : undefined;
    if (other !== undefined) throw taken(work, other);
    if (known !== undefined && findDifference(known, asked) !== undefined) throw taken(work, known);
    return build(work, { metric, how: 'update', name: asked.name });
  });
}

/**
 * Makes an index anew, as it was or with other settings. What stood before answers until the new one is there.
 * @throws as {@link createIndex}; SLUICE_USAGE where there is none
 */
export async function rebuildIndex(options: BuildIndexOptions): Promise<IndexReport> {
  refuseUnknownOptions('rebuildIndex', options, buildIndexNames);
  return withColumn(options, async (work) => {
    const { column, options: asked, present } = work;
    if (asked.backend === 'exact') return scanOnly(work);
    // Where a column has one index at most, another name is its new one.
    const index = chooseIndex(work, work.hasOneIndex ? undefined : asked.name, present);
    const isOther = asked.metric !== undefined && asked.metric !== index.metric;
    if (isOther && !work.hasOneIndex) {
      throw new SluiceError('SLUICE_USAGE', `The index ${index.name} compares by ${index.metric}, not by ${String(asked.metric)}.`, {
        hint: 'Create another one beside it: sluice index create … --metric.',
      });
    }
    const backend = asked.backend ?? index.method;
    return build(
      { ...work, options: { ...asked, backend }, column },
      { metric: asked.metric ?? index.metric, how: 'rebuild', name: work.hasOneIndex ? asked.name : index.name },
    );
  });
}

/** Drops the index of a column; its rows stay, and searches scan. @throws SLUICE_USAGE where there is none, or several are meant */
export async function dropIndex(options: DropIndexOptions): Promise<IndexReport> {
  refuseUnknownOptions('dropIndex', options, dropIndexNames);
  return withColumn(options, async (work) => {
    const index = chooseIndex(work, options.name, work.present);
    return drop(work, index.name);
  });
}

/** The vector columns of a table, or of all that loads made, each with its indexes. @throws SLUICE_TABLE_UNKNOWN */
export async function listIndexes(options: ListIndexesOptions): Promise<readonly IndexEntry[]> {
  refuseUnknownOptions('listIndexes', options, tableNames);
  const lockTimeout = options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs };
  const connection = await connect(options.in, { isReadOnly: true, ...lockTimeout });
  try {
    refuseWithout(connection);
    const tables = options.table === undefined ? await readTables(connection) : [options.table];
    const entries: IndexEntry[] = [];
    for (const table of tables) entries.push(...(await listTable(connection, table, options.table !== undefined)));
    return entries;
  } finally {
    await connection.close();
  }
}

async function readTables(connection: Connection): Promise<readonly string[]> {
  if ((await connection.describe('sluice_vectors')) === undefined) return [];
  const rows = await connection.query({ sql: 'SELECT DISTINCT table_name FROM sluice_vectors ORDER BY table_name', parameters: [] });
  return rows.map((row) => String(row['table_name']));
}

async function listTable(connection: Connection, table: string, mustExist: boolean): Promise<readonly IndexEntry[]> {
  const description = await connection.describe(table);
  // The ledger remembers tables that somebody dropped since.
  if (description === undefined && !mustExist) return [];
  const states = description === undefined ? [] : await connection.listIndexes?.(table);
  const columns = await listVectorColumns(connection, table);
  return columns.flatMap((column): readonly IndexEntry[] => {
    const base = { table: column.table, column: column.column, dimensions: column.dimensions };
    const own = (states ?? []).filter((index) => index.column === column.column);
    if (own.length === 0) return [{ ...base, backend: 'exact', index: undefined, metric: column.metric }];
    return own.map((index) => ({ ...base, backend: index.method, index, metric: index.metric }));
  });
}

/** @throws SLUICE_TABLE_UNKNOWN */
export async function listVectorColumns(connection: Connection, table: string): Promise<readonly VectorColumn[]> {
  const description = await connection.describe(table);
  if (description === undefined) return [await findVectorColumn(connection, { table })];
  const columns: VectorColumn[] = [];
  for (const { name, type, dimensions } of description.columns) {
    const isRecorded = (await readMetric(connection, { table: description.name, column: name })) !== undefined;
    if (isRecorded || (type === 'vector' && dimensions !== undefined))
      columns.push(await findVectorColumn(connection, { table, column: name }));
  }
  return columns;
}

/** An index command at its column. */
interface Work {
  readonly connection: Connection;
  readonly options: BuildIndexOptions;
  readonly column: VectorColumn;
  /** Indexes of the column. */
  readonly present: readonly VectorIndexState[];
  /** A column can have one index at most, whatever its metric. */
  readonly hasOneIndex: boolean;
  readonly startedMs: number;
}

async function withColumn(options: BuildIndexOptions, act: (work: Work) => Promise<IndexReport>): Promise<IndexReport> {
  const startedMs = performance.now();
  const lockTimeout = options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs };
  const connection = await connect(options.in, { signal: options.signal, ...lockTimeout });
  try {
    refuseWithout(connection);
    if ((await connection.describe(options.table)) === undefined) await findVectorColumn(connection, { table: options.table });
    const column = await findColumn(connection, options);
    const states = (await connection.listIndexes?.(column.table)) ?? [];
    const present = states.filter((index) => index.column === column.column);
    const hasOneIndex = connection.capabilities.dialect !== 'postgres';
    return await act({ connection, options, column, present, hasOneIndex, startedMs });
  } finally {
    await connection.close();
  }
}

function refuseWithout(connection: Connection): void {
  const { capabilities } = connection;
  if (capabilities.supportsSearch && connection.listIndexes !== undefined) return;
  throw new SluiceError('SLUICE_USAGE', `The target ${capabilities.name} has no vector index.`, {
    hint: 'Load the rows into sqlite: or postgres:, for example: sluice load "rqlite://…?table=docs" --to sqlite:library.db --table docs.',
  });
}

function chooseIndex({ column }: Work, name: string | undefined, present: readonly VectorIndexState[]): VectorIndexState {
  const found = name === undefined ? present : present.filter((index) => index.name === name);
  const [index, ...others] = found;
  if (index !== undefined && others.length === 0) return index;
  const of = `${column.table}.${column.column}`;
  const names = present.map((each) => each.name).join(', ');
  if (index !== undefined) throw new SluiceError('SLUICE_USAGE', `${of} has several indexes.`, { hint: `Name one with --name: ${names}.` });
  throw new SluiceError('SLUICE_USAGE', name === undefined || names === '' ? `${of} has no index.` : `${of} has no index ${name}.`, {
    hint: names === '' ? `Make one: sluice index create --table ${column.table} --column ${column.column}.` : `There are: ${names}.`,
  });
}

function taken({ column }: Work, index: VectorIndexState): SluiceError {
  const settings = Object.entries(index.settings).map(([name, value]) => `${name} ${String(value)}`);
  return new SluiceError(
    'SLUICE_USAGE',
    `${column.table}.${column.column} has the index ${index.name} already: ${[index.method, index.metric, ...settings].join(', ')}.`,
    { hint: 'Make it anew with other settings by sluice index rebuild, or drop it first by sluice index drop.' },
  );
}

const settingNames = ['m', 'efConstruction', 'efSearch', 'lists', 'storage'] as const;

function findDifference({ settings }: VectorIndexState, asked: BuildIndexOptions): string | undefined {
  return settingNames.find((name) => asked[name] !== undefined && settings[name] !== undefined && asked[name] !== settings[name]);
}

interface Order {
  readonly metric: VectorColumn['metric'];
  readonly how: 'rebuild' | 'update';
  readonly name: string | undefined;
}

async function build(work: Work, { metric, how, name }: Order): Promise<IndexReport> {
  const { column, connection, options } = work;
  const rows = await connection.countRows(column.table);
  const result: IndexResult = await connection.buildIndex({
    table: column.table,
    column: column.column,
    metric,
    how,
    name,
    settings: readSettings(options),
    isConcurrent: options.blocksWriters !== true,
    threads: options.threads,
    rows,
    onProgress:
      options.onProgress && ((done, total) => options.onProgress?.({ done, total, elapsedMs: performance.now() - work.startedMs })),
    signal: options.signal,
    lockTimeoutMs: options.lockTimeoutMs,
  });
  const states = ((await connection.listIndexes?.(column.table)) ?? []).filter((index) => index.column === column.column);
  // Searches compare by what the column is recorded with: that stays while an index of it stands.
  if (metric !== column.metric && !states.some((index) => index.metric === column.metric)) await recordMetric(connection, column, metric);
  const method = options.backend === 'ivfflat' ? 'ivfflat' : 'hnsw';
  const index = states.find((each) => (name === undefined ? each.metric === metric && each.method === method : each.name === name));
  return describe(work, { metric, backend: method, did: result.did, dropped: [], index });
}

function readSettings({ backend, efConstruction, efSearch, lists, m, storage }: BuildIndexOptions): IndexSettings | undefined {
  const method = backend === 'ivfflat' || backend === 'hnsw' ? backend : undefined;
  const settings = { method, m, efConstruction, efSearch, lists, storage };
  return Object.values(settings).some((value) => value !== undefined) ? settings : undefined;
}

/** The backend `exact`: no index, and a record of the metric. */
async function scanOnly(work: Work): Promise<IndexReport> {
  const { column, connection, options } = work;
  const metric = options.metric ?? column.metric;
  const dropped = work.present.length === 0 ? [] : ((await connection.dropIndex?.(dropRequest(work, undefined))) ?? []);
  await recordMetric(connection, column, metric);
  return describe(work, { metric, backend: 'exact', did: dropped.length > 0 ? 'dropped' : 'nothing', dropped, index: undefined });
}

async function drop(work: Work, name: string): Promise<IndexReport> {
  const dropped = (await work.connection.dropIndex?.(dropRequest(work, name))) ?? [];
  const left = work.present.find((index) => !dropped.includes(index.name));
  return describe(work, { metric: work.column.metric, backend: left?.method ?? 'exact', did: 'dropped', dropped, index: undefined });
}

function dropRequest({ column, options }: Work, name: string | undefined): Parameters<NonNullable<Connection['dropIndex']>>[0] {
  const { lockTimeoutMs, signal } = options;
  return { table: column.table, column: column.column, name, signal, lockTimeoutMs };
}

function describe(
  { column, startedMs }: Work,
  done: Pick<IndexReport, 'did' | 'dropped' | 'index' | 'metric'> & { readonly backend: IndexBackend },
): IndexReport {
  const { table, dimensions } = column;
  return { schema: 1, table, column: column.column, dimensions, ...done, elapsedMs: performance.now() - startedMs };
}
