/** Statements by their text, bounded by bytes: what is used again stays, what came once goes first. */
import type { StatementSync } from 'node:sqlite';
import type { StatementShape } from '../../sql/shape.ts';
import type { Binding } from './unit-values.ts';

/** A statement that can be run with any values. */
export interface UnitEntry {
  /** The one statement of the text, which the shape's places refer to. */
  readonly text: string;
  readonly shape: StatementShape;
  readonly binding: Binding;
  /** INSERT, UPDATE or DELETE. */
  readonly isChange: boolean;
  /** Changes something only if a condition holds: IGNORE, DO NOTHING, or a WHERE. */
  readonly isConditional: boolean;
  /** What `last_insert_rowid()` tells after it: nothing, the new row, or the new row unless the upsert met an old one. */
  readonly numbers: 'nothing' | 'row' | 'upsert';
  isRead: boolean;
  /** Undefined for a change without values until it comes a second time: most come once, and `exec` is twice as fast then (388,000 a second for 204,000). */
  statement: StatementSync | undefined;
  /** Of what it gives back; each name once, as the keys of an object must be. */
  columns: readonly string[];
  isUsed: boolean;
}

/** Statements that are kept. */
export interface StatementCache {
  get(sql: string): UnitEntry | undefined;
  set(sql: string, entry: UnitEntry): void;
  /** Whether the text was asked about before, not long ago. */
  hasMet(sql: string): boolean;
  clear(): void;
}

/** 8 MiB: some 1,700 statements of usual length with what SQLite compiled of them. */
const maxBytes = 8 * 1024 * 1024;

/** A compiled statement takes 3 to 5 kB beside its text, by `sqlite3_stmt_status(SQLITE_STMTSTATUS_MEMUSED)`. */
const entryBytes = 4096;

/** Texts that came once are remembered up to so many, with less than so many units of text. */
const maxMet = 512;
const maxMetLength = 4096;

/** An empty cache. */
export function createStatementCache(): StatementCache {
  const entries = new Map<string, UnitEntry>();
  const met = new Set<string>();
  let bytes = 0;
  const evict = (): void => {
    for (const [sql, entry] of entries) {
      if (bytes <= maxBytes) return;
      entries.delete(sql);
      // A second chance for what was used since it came to the front; moving entries at every use would cost more than the look-up.
      if (entry.isUsed) {
        entry.isUsed = false;
        entries.set(sql, entry);
      } else {
        bytes -= weigh(sql);
      }
    }
  };
  return {
    get: (sql) => {
      const entry = entries.get(sql);
      if (entry !== undefined) entry.isUsed = true;
      return entry;
    },
    set: (sql, entry) => {
      bytes += weigh(sql);
      entries.set(sql, entry);
      if (bytes > maxBytes) evict();
    },
    hasMet: (sql) => {
      if (met.has(sql)) return true;
      if (met.size >= maxMet) met.clear();
      if (sql.length <= maxMetLength) met.add(sql);
      return false;
    },
    clear: () => {
      entries.clear();
      bytes = 0;
    },
  };
}

/** UTF-16, kept by the map, by SQLite and by the shape. */
function weigh(sql: string): number {
  return entryBytes + sql.length * 4;
}
