/** Decides whether an index can be used for a search: its side file is whole, belongs to this table and build, and the record of changes has no gap. */
import { crc32 } from 'node:zlib';
import type { Metric } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { openSideFile, type SideFile, type SideFileHeader } from './vector-file.ts';
import { prepareRows, readRows, type VectorLink } from './vector-link.ts';
import { isVectorSql, type VectorTable } from './vector-table.ts';
import { changedRowsSql, findGap, readTracking, type Tracking } from './vector-tracking.ts';

export interface UsableIndex {
  readonly file: SideFile;
  readonly tracking: Tracking;
  /** Rows at or below the boundary that changed since the build began, or that it left out. */
  readonly changed: ReadonlySet<bigint>;
  /** Of the side file. */
  readonly path: string;
}

export interface NoIndex {
  readonly problem: string;
}

export interface IndexQuestion {
  readonly table: VectorTable;
  readonly metric: Metric;
  readonly path: string;
}

/** The index of a column, or why there is none to be used. Call it in the read transaction of the search, after `refreshSchema`. */
export function findIndex(link: VectorLink, { table, metric, path }: IndexQuestion): UsableIndex | NoIndex {
  if (table.rowid === undefined) return { problem: 'the table has no row ids, so it can only be scanned' };
  const tracking = readTracking(link.db, table);
  if (tracking === undefined) return { problem: 'it has no index' };
  const file = openSideFile(path);
  if ('problem' in file) return file;
  const stranger = findStranger(file.header, table, tracking);
  if (stranger !== undefined) return { problem: stranger };
  if (file.header.metric !== metric) return { problem: `the index is for the metric ${file.header.metric}` };
  const changed = readChanged(link, table);
  const owner = JSON.stringify([table.name, table.column]);
  const state = `${tracking.id} ${String(tracking.generation)} ${file.stamp}`;
  if (link.trusted.get(owner) !== state) {
    const problem = findGap(link.db, table, tracking) ?? findForeignRow(link, table, { header: file.header, changed });
    if (problem !== undefined) return { problem };
    link.trusted.set(owner, state);
  }
  return { file, tracking, changed, path };
}

/** A file of another table, of a table that was replaced, of a copy or an older state of the database. */
function findStranger(header: SideFileHeader, table: VectorTable, tracking: Tracking): string | undefined {
  const isOfTable = header.table === table.name && header.column === table.column && header.dimensions === table.dimensions;
  if (!isOfTable) return 'its file belongs to another table';
  if (header.id !== tracking.id) return 'its file belongs to another state of the table';
  // The pending build's file is as good as a published one: changes are recorded since before its first row was read.
  const isOfBuild = header.build === tracking.published || header.build === tracking.pending;
  return isOfBuild ? undefined : 'its file belongs to another state of the database';
}

function readChanged(link: VectorLink, table: VectorTable): ReadonlySet<bigint> {
  const rows = readRows(prepareRows(link, changedRowsSql), table.name, table.column);
  return new Set(rows.map((row) => row[0] as bigint));
}

/** Compares the rows that the file sampled, the last one among them, with the table: the last line against a table that was changed behind the triggers. */
function findForeignRow(
  link: VectorLink,
  table: VectorTable,
  { header, changed }: { readonly header: SideFileHeader; readonly changed: ReadonlySet<bigint> },
): string | undefined {
  const select = prepareRows(link, sampleSql(table));
  for (const [text, crc] of header.sample) {
    const rowid = BigInt(text);
    if (changed.has(rowid)) continue;
    const bytes = readRows(select, rowid)[0]?.[0];
    // A row that is gone may have been replaced without a trigger (INSERT OR REPLACE); only another vector in its place means other rows.
    if (bytes instanceof Uint8Array && crc32(bytes) !== crc) return 'its file has other vectors than the table';
  }
  return undefined;
}

function sampleSql(table: VectorTable): string {
  return `SELECT ${quoteIdentifier(table.column)} FROM ${quoteIdentifier(table.name)} WHERE ${table.rowid ?? 'NULL'} = ? AND ${isVectorSql(table)}`;
}

/** Row ids of a table, and the CRC-32 of their vectors, for a side file: some spread over the table and the last one. */
export function sampleRows(link: VectorLink, table: VectorTable, boundary: bigint): readonly (readonly [string, number])[] {
  const rowid = table.rowid ?? 'NULL';
  const column = quoteIdentifier(table.column);
  const from = `FROM ${quoteIdentifier(table.name)} WHERE ${rowid} <= ? AND ${isVectorSql(table)}`;
  const lowest = readRows(prepareRows(link, `SELECT min(${rowid}) FROM ${quoteIdentifier(table.name)}`))[0]?.[0];
  if (typeof lowest !== 'bigint') return [];
  const next = prepareRows(link, `SELECT ${rowid}, ${column} ${from} AND ${rowid} >= ? ORDER BY ${rowid} LIMIT 1`);
  const last = prepareRows(link, `SELECT ${rowid}, ${column} ${from} ORDER BY ${rowid} DESC LIMIT 1`);
  const sampled = new Map<string, number>();
  for (let i = 0n; i < sampleCount; i++) {
    const row = readRows(next, boundary, lowest + ((boundary - lowest) * i) / sampleCount)[0];
    if (row !== undefined) sampled.set(String(row[0]), crc32(row[1] as Uint8Array));
  }
  const end = readRows(last, boundary)[0];
  if (end !== undefined) sampled.set(String(end[0]), crc32(end[1] as Uint8Array));
  return [...sampled];
}

const sampleCount = 15n;
