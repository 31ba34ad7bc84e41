/** The limit for rows from memory: one thread, one prepared statement, 20,000 rows a transaction. */
import type { SQLInputValue } from 'node:sqlite';
import type { VectorRow } from './data.ts';
import { createTable, openWriter, prepareInsert } from './loop.ts';

const rowsPerTransaction = 20_000;

/** Measured on 100,000 × 384-d: a quarter less processor time than one row a statement; 100 are no better. */
const rowsPerStatement = 20;

/** Inserts rows with id, text and a vector into a new database. */
export function insertFromMemory(rows: readonly VectorRow[], database: string): void {
  createTable(database, 'CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL, vector BLOB NOT NULL)');
  const db = openWriter(database);
  const insert = prepareInsert(db, 3, rowsPerStatement);
  const single = prepareInsert(db, 3, 1);
  for (let start = 0; start < rows.length; start += rowsPerTransaction) {
    const transaction = rows.slice(start, start + rowsPerTransaction);
    db.exec('BEGIN IMMEDIATE');
    for (let at = 0; at < transaction.length; at += rowsPerStatement) {
      const group = transaction.slice(at, at + rowsPerStatement);
      if (group.length === rowsPerStatement) insert.run(...group.flatMap(listValues));
      else group.forEach((row) => void single.run(...listValues(row)));
    }
    db.exec('COMMIT');
  }
  db.close();
}

function listValues({ id, text, vector }: VectorRow): SQLInputValue[] {
  return [id, text, new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)];
}
