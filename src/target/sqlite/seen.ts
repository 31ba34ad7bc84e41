/** The keys that a sync has seen, in a table of the load: written with the rows, in the same transaction, so that it always holds the keys up to the shards' positions. */
import type { StatementSync } from 'node:sqlite';
import type { Batch } from '../../rows/batch.ts';
import { pickColumns } from '../../rows/batch-keys.ts';
import type { CommitUnit, TablePlan } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { prepareOnce, type SqliteFile } from './connect.ts';
import { createEncoder, type Parameter } from './encode.ts';
import type { Refusal } from './errors.ts';
import { describeTable } from './schema.ts';

/** Rows of one statement: 100,000 keys took 37 ms by 20, 29 by 100, 20 by 250 and 21 by 1,000. */
const rowsPerStatement = 250;

/** What every such table's name begins with; the load's id follows. */
export const seenPrefix = 'sluice_seen_';

export function nameSeen(load: string): string {
  return `${seenPrefix}${load}`;
}

/** A column of the key as the table compares it. */
export interface KeyColumn {
  readonly name: string;
  readonly declaredType: string;
  /** Of the unique index that the key has. */
  readonly collation: string;
}

/** The statement that makes the table: the key's columns with the affinity and the collation that they have in the target, so that equal means the same. */
export function writeSeenDdl(load: string, key: readonly KeyColumn[]): string {
  const names = key.map((_, index) => `k${index}`);
  const only = key.length === 1 ? key[0] : undefined;
  const name = quoteIdentifier(nameSeen(load));
  if (only !== undefined && /^INTEGER$/iu.test(only.declaredType)) return `CREATE TABLE IF NOT EXISTS ${name} (k0 INTEGER PRIMARY KEY)`;
  const columns = key.map(
    ({ declaredType, collation }, index) => `k${index} ${nameAffinity(declaredType)} COLLATE ${quoteIdentifier(collation)}`,
  );
  return `CREATE TABLE IF NOT EXISTS ${name} (${columns.join(', ')}, PRIMARY KEY (${names.join(', ')})) WITHOUT ROWID`;
}

/** The affinity of a declared type. @see https://sqlite.org/datatype3.html#determination_of_column_affinity */
function nameAffinity(declared: string): string {
  const upper = declared.toUpperCase();
  if (upper.includes('INT')) return 'INTEGER';
  if (/CHAR|CLOB|TEXT/u.test(upper)) return 'TEXT';
  if (upper.includes('BLOB') || upper === '') return 'BLOB';
  return /REAL|FLOA|DOUB/u.test(upper) ? 'REAL' : 'NUMERIC';
}

/** Asks for the collations of a key: one row a column of each unique index, with the index's name. Takes the table. */
export const keyCollationsSql = `SELECT l.name AS at, x.name AS column_name, x.coll AS collation FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x WHERE l."unique" = 1 AND l.partial = 0 AND x.key = 1`;

/** The key's columns with their collations, by the unique index that has exactly these columns; an integer primary key has none and needs none. */
export function readKeyColumns(
  key: readonly string[],
  declaredTypes: ReadonlyMap<string, string>,
  indexColumns: readonly Readonly<Record<string, unknown>>[],
): readonly KeyColumn[] {
  const indexes = [...Map.groupBy(indexColumns, (row) => row['at']).values()];
  const wanted = [...key].sort().join('\u0000');
  const index =
    indexes.find(
      (rows) =>
        rows
          .map((row) => String(row['column_name']))
          .sort()
          .join('\u0000') === wanted,
    ) ?? [];
  return key.map((name) => ({
    name,
    declaredType: declaredTypes.get(name) ?? '',
    collation: String(index.find((row) => row['column_name'] === name)?.['collation'] ?? 'BINARY'),
  }));
}

/** The statement that makes the table of a load over this target. */
export function planSeen(link: SqliteFile, load: string, { table, key }: Pick<TablePlan, 'table' | 'key'>): string {
  const types = new Map(describeTable(link, table)?.columns.map((column) => [column.name, column.declaredType]));
  return writeSeenDdl(load, readKeyColumns(key, types, link.db.prepare(keyCollationsSql).all(table)));
}

/** Drops the tables of loads into the same table that this one has taken the place of, inside the caller's transaction. */
export function dropOldSeen(link: SqliteFile, load: string, table: string): void {
  const rows = prepareOnce(
    link,
    `SELECT s.name FROM sqlite_schema s JOIN sluice_loads l ON s.name = '${seenPrefix}' || l.load WHERE s.type = 'table' AND l.target_table = ? AND l.load <> ?`,
  ).all(table, load);
  for (const row of rows) link.db.exec(`DROP TABLE ${quoteIdentifier(String(row['name']))}`);
}

/** Writes the keys of a commit down. */
export interface SeenWriter {
  readonly link: SqliteFile;
  readonly load: string;
  readonly key: readonly string[];
  /** As the columns of the key are declared in the table. */
  readonly declaredTypes: readonly string[];
}

/** Rows whose key this load has seen before: of the batch, and of the kept rows. */
export interface Repeated {
  readonly batch: ReadonlyMap<number, Refusal>;
  readonly kept: ReadonlyMap<number, Refusal>;
}

type Noted = Pick<CommitUnit, 'batch' | 'kept' | 'spared'>;

/**
 * Notes all keys of a commit as seen, inside the caller's transaction. Nearly always they are all new, so they are written without regard to their order first; where
 * one is not, that is taken back and they are written one by one in the order of the input, for the first row of a key to be the one that stays.
 */
export function noteSeen(writer: SeenWriter, noted: Noted): Repeated {
  const parts = [noted.batch, ...(noted.kept === undefined ? [] : [noted.kept]), ...(noted.spared ?? [])].map((batch) =>
    openPart(writer, batch),
  );
  prepareOnce(writer.link, 'SAVEPOINT sluice_seen').run();
  const areNew = parts.every((part) => writeAll(writer, part));
  if (!areNew) prepareOnce(writer.link, 'ROLLBACK TO sluice_seen').run();
  prepareOnce(writer.link, 'RELEASE sluice_seen').run();
  return areNew ? { batch: new Map(), kept: new Map() } : noteOrdered(writer, parts, noted);
}

interface Part {
  readonly batch: Batch;
  readonly fill: (parameters: Parameter[], from: number, to: number) => void;
}

function openPart({ key, declaredTypes }: SeenWriter, batch: Batch): Part {
  const keys = pickColumns(batch, key);
  const encoder = createEncoder(keys, declaredTypes);
  return { batch, fill: (parameters, from, to) => encoder.fill(parameters, from, to) };
}

function prepareNote({ link, load, key }: SeenWriter, rows: number): StatementSync {
  const row = `(${key.map(() => '?').join(',')})`;
  const columns = key.map((_, index) => `k${index}`).join(', ');
  return prepareOnce(
    link,
    `INSERT OR IGNORE INTO ${quoteIdentifier(nameSeen(load))} (${columns}) VALUES ${Array<string>(rows).fill(row).join(',')}`,
  );
}

function writeAll(writer: SeenWriter, { batch, fill }: Part): boolean {
  for (let from = 0; from < batch.rowCount;) {
    const size = batch.rowCount - from >= rowsPerStatement ? rowsPerStatement : 1;
    const parameters: Parameter[] = [];
    fill(parameters, from, from + size);
    if (Number(prepareNote(writer, size).run(...parameters).changes) !== size) return false;
    from += size;
  }
  return true;
}

/** Why the second row of a key is refused. */
export const repeatedKey: Refusal = {
  code: 'REFUSED_UNIQUE',
  message: 'An earlier row of the source has the same key; in mode sync the first row of a key stays.',
  column: undefined,
};

function noteOrdered(writer: SeenWriter, parts: readonly Part[], { batch, kept }: Noted): Repeated {
  const rows = parts.flatMap((part) =>
    Array.from({ length: part.batch.rowCount }, (_, row) => ({ part, row, at: part.batch.places.rows[row] ?? 0 })),
  );
  rows.sort((a, b) => a.at - b.at);
  const repeated = { batch: new Map<number, Refusal>(), kept: new Map<number, Refusal>() };
  for (const { part, row } of rows) {
    const parameters: Parameter[] = [];
    part.fill(parameters, row, row + 1);
    if (Number(prepareNote(writer, 1).run(...parameters).changes) === 1) continue;
    if (part.batch === batch) repeated.batch.set(row, repeatedKey);
    else if (part.batch === kept) repeated.kept.set(row, repeatedKey);
  }
  return repeated;
}
