/** The limit for rows from memory: one thread, one prepared statement, 20,000 rows a transaction. */
import { createTable, openWriter } from './loop.ts';
import type { VectorRow } from './data.ts';

const rowsPerTransaction = 20_000;

/** Inserts rows with id, text and a vector into a new database. */
export function insertFromMemory(rows: readonly VectorRow[], database: string): void {
  createTable(database, 'CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL, vector BLOB NOT NULL)');
  const db = openWriter(database);
  const insert = db.prepare('INSERT INTO rows VALUES (?, ?, ?)');
  for (let start = 0; start < rows.length; start += rowsPerTransaction) {
    db.exec('BEGIN IMMEDIATE');
    for (const { id, text, vector } of rows.slice(start, start + rowsPerTransaction)) {
      insert.run(id, text, new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
    }
    db.exec('COMMIT');
  }
  db.close();
}
