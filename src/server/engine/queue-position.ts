/** The queue's position in the database: the sequence number up to which queued requests have been applied, committed together with what they did. */
import type { DatabaseSync } from 'node:sqlite';
import { type Link, queueTable } from './link.ts';

/** The stored position; 0n where no queue has been here. */
export function readPosition(link: Link): bigint {
  return link.trust(() => {
    const known = link.db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(queueTable);
    if (known === undefined) return 0n;
    const statement = link.db.prepare(`SELECT position FROM ${queueTable} WHERE id = 1`);
    statement.setReadBigInts(true);
    const position = statement.get()?.['position'];
    return typeof position === 'bigint' ? position : 0n;
  });
}

/** Stores it, in whatever transaction is open; the table is made at first use. Without rowid: the id that a client's statement inserted last stays what it was. */
export function writePosition(db: DatabaseSync, position: bigint): void {
  db.exec(`CREATE TABLE IF NOT EXISTS ${queueTable} (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL) WITHOUT ROWID`);
  const statement = db.prepare(`INSERT INTO ${queueTable} VALUES (1, ?) ON CONFLICT DO UPDATE SET position = excluded.position`);
  // `run` also reads the rowid that a client's statement inserted last, and throws where that is beyond 2⁵³.
  statement.setReadBigInts(true);
  statement.run(position);
}
