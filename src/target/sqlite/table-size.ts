/** How much room a table takes in its file, indexes included. Only reads. */
import type { DatabaseSync } from 'node:sqlite';

/** From SQLite's own account of its pages; undefined where that was not compiled in. */
export function measureTable(db: DatabaseSync, table: string): number | undefined {
  const hasPages = db.prepare(`SELECT 1 FROM pragma_module_list WHERE name = 'dbstat'`).get() !== undefined;
  if (!hasPages) return undefined;
  const sql = `SELECT sum(pgsize) AS bytes FROM dbstat WHERE aggregate = 1 AND name IN (SELECT name FROM sqlite_schema WHERE tbl_name = ? COLLATE NOCASE)`;
  return Number(db.prepare(sql).get(table)?.['bytes'] ?? 0);
}
