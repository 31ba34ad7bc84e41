/** Embedded stores of Node, each used the way its own documentation shows. They are dependencies of the benchmark alone. */
import path from 'node:path';
import type { VectorRow } from '../data.ts';

/** Their types are not known to this project, which does not depend on them. */
async function importStore<Shape>(name: string): Promise<Shape> {
  return (await import(name)) as Shape;
}

interface BetterSqlite {
  readonly default: new (file: string) => {
    pragma(text: string): unknown;
    exec(sql: string): unknown;
    prepare(sql: string): { run(...values: readonly unknown[]): unknown };
    transaction(work: () => void): () => void;
    close(): void;
  };
}

/** better-sqlite3: one prepared statement, one transaction over all rows; WAL and synchronous FULL, as durable as a load of sluice. */
export async function openBetterSqlite(database: string): Promise<(rows: readonly VectorRow[]) => void> {
  const { default: Database } = await importStore<BetterSqlite>('better-sqlite3');
  return (rows) => {
    const db = new Database(database);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL, vector BLOB NOT NULL)');
    const insert = db.prepare('INSERT INTO rows VALUES (?, ?, ?)');
    db.transaction(() => {
      for (const { id, text, vector } of rows) insert.run(id, text, Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength));
    })();
    db.close();
  };
}

interface LanceTable {
  add(rows: readonly object[]): Promise<unknown>;
  countRows(): Promise<number>;
  vectorSearch(vector: readonly number[]): {
    distanceType(type: string): { limit(count: number): { toArray(): Promise<readonly object[]> } };
  };
}

interface LanceDb {
  connect(folder: string): Promise<{ createTable(name: string, rows: readonly object[]): Promise<LanceTable> }>;
}

/** Rows of one `add`: 25,000 to 27,000 rows/s from 1,000 on. */
const rowsPerAdd = 5_000;

/** LanceDB: `add` of many rows a call. The table is opened before the clock starts; what it takes to make the first rows into one counts. */
export async function openLance(folder: string): Promise<(rows: readonly VectorRow[]) => Promise<LanceTable>> {
  const lancedb = await importStore<LanceDb>('@lancedb/lancedb');
  const db = await lancedb.connect(path.join(folder, 'lance'));
  return async (rows) => {
    const toObject = ({ id, text, vector }: VectorRow): object => ({ id, text, vector: Array.from(vector) });
    const table = await db.createTable('rows', rows.slice(0, rowsPerAdd).map(toObject));
    for (let start = rowsPerAdd; start < rows.length; start += rowsPerAdd)
      await table.add(rows.slice(start, start + rowsPerAdd).map(toObject));
    return table;
  };
}
