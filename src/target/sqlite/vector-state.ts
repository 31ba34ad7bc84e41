/** The vector indexes of a table as they stand: fresh, stale by so many rows, being built, or of no use, and why. Only reads. */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { VectorIndexState } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { locateSideFile, openSideFile } from './vector-file.ts';
import type { HnswSettings } from './vector-hnsw.ts';
import { findVectorTable, linkVectors, prepareRows, readRows, readSnapshot, refreshSchema, type VectorLink } from './vector-link.ts';
import { hasTable, isVectorSql, type VectorTable } from './vector-table.ts';
import { readTracking, recordedRowsSql } from './vector-tracking.ts';
import { findIndex, type UsableIndex } from './vector-trust.ts';

/** `docs_vector_hnsw`, where nobody gave it another name. */
export function nameIndex(table: string, column: string): string {
  return `${table}_${column}_hnsw`;
}

/** All indexes of a table, by column. */
export function listVectorIndexes(db: DatabaseSync, file: string, table: string): readonly VectorIndexState[] {
  const link = linkVectors(db);
  return readSnapshot(db, () => {
    refreshSchema(link);
    if (!hasTable(db, 'sluice_indexes')) return [];
    const rows = db.prepare('SELECT column_name FROM sluice_indexes WHERE table_name = ? COLLATE NOCASE ORDER BY column_name').all(table);
    return rows.flatMap((row) => describeIndex(link, file, { table, column: String(row['column_name']) }));
  });
}

function describeIndex(
  link: VectorLink,
  file: string,
  owner: { readonly table: string; readonly column: string },
): readonly VectorIndexState[] {
  const table = findVectorTable(link, owner.table, owner.column);
  const tracking = readTracking(link.db, table);
  if (tracking === undefined) return [];
  const path = locateSideFile(file, table.name, table.column);
  const found = findIndex(link, { table, metric: tracking.metric, path });
  if (!('problem' in found)) return [describeUsable(link, table, found)];
  const isBuilding = tracking.pending !== null && tracking.pending !== tracking.published;
  const kept = openSideFile(path);
  const header = 'problem' in kept ? undefined : kept.header;
  return [
    {
      name: header?.name ?? nameIndex(table.name, table.column),
      column: table.column,
      metric: tracking.metric,
      method: 'hnsw',
      state: isBuilding ? 'building' : 'unusable',
      staleRows: undefined,
      rows: header?.rows,
      byteCount: measureFile(path),
      builtAt: header?.builtAt,
      settings: header === undefined ? {} : describeSettings(header.settings),
      why: isBuilding ? 'a build has begun and has not ended; if none is running, build it again' : found.problem,
    },
  ];
}

function describeUsable(link: VectorLink, table: VectorTable, { file, path }: UsableIndex): VectorIndexState {
  const { header } = file;
  const staleRows = countStale(link, table, BigInt(header.boundary));
  return {
    name: header.name ?? nameIndex(table.name, table.column),
    column: table.column,
    metric: header.metric,
    method: 'hnsw',
    state: staleRows === 0 ? 'fresh' : 'stale',
    staleRows,
    rows: header.rows,
    byteCount: measureFile(path),
    builtAt: header.builtAt,
    settings: describeSettings(header.settings),
    why: staleRows === 0 ? undefined : 'rows came or changed since it was built; searches scan them beside it',
  };
}

/** Rows that triggers recorded since, at or below the boundary, and vectors above it. */
function countStale(link: VectorLink, table: VectorTable, boundary: bigint): number {
  const rowid = table.rowid ?? 'NULL';
  const recorded = readRows(prepareRows(link, recordedRowsSql), table.name, table.column);
  const changed = new Set(recorded.map((row) => row[0] as bigint).filter((row) => row <= boundary));
  const newer = prepareRows(
    link,
    `SELECT count(*) FROM ${quoteIdentifier(table.name)} WHERE ${rowid} > ? AND ${quoteIdentifier(table.column)} IS NOT NULL AND ${isVectorSql(table)}`,
  );
  return changed.size + Number(readRows(newer, boundary)[0]?.[0] ?? 0);
}

function describeSettings(settings: HnswSettings): Readonly<Record<string, string | number>> {
  return {
    m: settings.connectivity,
    efConstruction: settings.expansionAdd,
    efSearch: settings.expansionSearch,
    storage: settings.scalar,
  };
}

function measureFile(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
