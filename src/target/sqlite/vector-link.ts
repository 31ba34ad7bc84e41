/** What search keeps with a connection: distance functions, prepared statements, tables as described. One record per connection, gone with it. */
import { createRequire } from 'node:module';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type * as SqliteVec from 'sqlite-vec';
import type { Metric } from '../driver.ts';
import { createScorer, type Scorer } from './vector-score.ts';
import { describeVectorTable, readVector, type VectorTable } from './vector-table.ts';

/** Search's view of a connection. */
export interface VectorLink {
  readonly db: DatabaseSync;
  /** Why sqlite-vec is not used on this connection; undefined when it is. */
  readonly withoutExtension: string | undefined;
  /** Scores for `sluice_score`; set before each statement that calls it. */
  scorer: Scorer;
  /** Values that `sluice_skipped` has passed over since the search began. */
  skippedCount: number;
  /** The schema that `tables` and `trusted` were read under. */
  schemaVersion: number;
  readonly tables: Map<string, VectorTable>;
  /** The side file that was last checked against the table, by table and column. */
  readonly trusted: Map<string, string>;
  readonly statements: Map<string, StatementSync>;
}

/** Statements kept per connection: a search takes five, so this is room for some dozen tables. */
const maxStatements = 128;

const links = new WeakMap<DatabaseSync, VectorLink>();

/** The record of a connection; on first use its functions are registered. */
export function linkVectors(db: DatabaseSync): VectorLink {
  const known = links.get(db);
  if (known !== undefined) return known;
  const link: VectorLink = {
    db,
    withoutExtension: loadVectorFunctions(db),
    scorer: () => Number.NaN,
    skippedCount: 0,
    schemaVersion: -1,
    tables: new Map(),
    trusted: new Map(),
    statements: new Map(),
  };
  db.function('sluice_score', { deterministic: true, directOnly: true }, (bytes) => {
    const score = bytes instanceof Uint8Array ? link.scorer(readVector(bytes)) : Number.NaN;
    return Number.isFinite(score) ? score : null;
  });
  db.function('sluice_skipped', { directOnly: true }, () => {
    link.skippedCount++;
    return null;
  });
  links.set(db, link);
  return link;
}

/** Loads sqlite-vec and closes the door behind it; returns why it could not be loaded. Search then scores in JavaScript: half as fast, the same answers. */
function loadVectorFunctions(db: DatabaseSync): string | undefined {
  try {
    const extension = createRequire(import.meta.url)('sqlite-vec') as typeof SqliteVec;
    db.enableLoadExtension(true);
    extension.load(db);
    db.enableLoadExtension(false);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A prepared statement whose rows are arrays and whose integers are bigints; the oldest is dropped when there are many. */
export function prepareRows(link: VectorLink, sql: string): StatementSync {
  const known = link.statements.get(sql);
  if (known !== undefined) return known;
  const statement = prepareFreshRows(link, sql);
  if (link.statements.size >= maxStatements) {
    for (const oldest of link.statements.keys()) {
      link.statements.delete(oldest);
      break;
    }
  }
  link.statements.set(sql, statement);
  return statement;
}

/** The same, not kept: for statements with a user's expression. */
export function prepareFreshRows(link: VectorLink, sql: string): StatementSync {
  const statement = link.db.prepare(sql);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  return statement;
}

/** Values of a row as `setReturnArrays` gives them. */
export type RowValues = readonly (null | number | bigint | string | Uint8Array)[];

/** All rows of a statement. */
export function readRows(statement: StatementSync, ...values: (null | number | bigint | string | Uint8Array)[]): readonly RowValues[] {
  return statement.all(...values) as unknown as readonly RowValues[];
}

/** Forgets what was read under another schema. Call it inside the read transaction. VACUUM, too, makes a new schema version. */
export function refreshSchema(link: VectorLink): void {
  const version = Number(readRows(prepareRows(link, 'PRAGMA schema_version'))[0]?.[0] ?? 0);
  if (version === link.schemaVersion) return;
  link.schemaVersion = version;
  link.tables.clear();
  link.trusted.clear();
}

/** A table as it stands under the schema of {@link refreshSchema}. @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN */
export function findVectorTable(link: VectorLink, table: string, column: string): VectorTable {
  const name = JSON.stringify([table, column]);
  const known = link.tables.get(name);
  if (known !== undefined) return known;
  const described = describeVectorTable(link.db, table, column);
  link.tables.set(name, described);
  return described;
}

/** Runs `work` on one state of the database, in a read transaction of its own unless one is open. */
export function readSnapshot<Result>(db: DatabaseSync, work: () => Result): Result {
  if (db.isTransaction) return work();
  db.exec('BEGIN');
  try {
    return work();
  } finally {
    if (db.isTransaction) db.exec('COMMIT');
  }
}

/** Readies `sluice_score` for a query. */
export function aimScorer(link: VectorLink, metric: Metric, query: Float32Array): Scorer {
  link.scorer = createScorer(metric, query);
  return link.scorer;
}
