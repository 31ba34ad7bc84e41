/** Prepared statements of one connection by their text, bounded by bytes; what was prepared with a right is never run without it. */
import type { StatementSync } from 'node:sqlite';

/** What prepared statements may hold, by their texts; a statement takes about as much again as 4 KiB. */
const maxCacheBytes = 4 * 1024 * 1024;
const statementBytes = 4096;

/** Newer versions of Node can free a statement; in older ones it goes when V8 collects it. */
type ClosableStatement = StatementSync & { readonly close?: () => void };

interface Entry {
  readonly statement: StatementSync | undefined;
}

/** The statements of one connection. */
export interface StatementCache<Prepared> {
  /** SQLite prepares a statement again by itself when the schema changes, with the rights of that moment: so those of each right stay apart. */
  get(sql: string, mayWriteLedger: boolean): Prepared | undefined;
  keep(sql: string, prepared: Prepared, mayWriteLedger: boolean): void;
  clear(): void;
  /** Frees those that are kept no longer; none of them may be in use. */
  free(): void;
}

function measure(sql: string): number {
  return sql.length * 2 + statementBytes;
}

/** `frees`: {@link StatementCache.free} will be called again and again. */
export function createStatementCache<Prepared extends Entry>(frees: boolean): StatementCache<Prepared> {
  const dropped: ClosableStatement[] = [];
  const drop = ({ statement }: Prepared): void => {
    if (frees && statement !== undefined) dropped.push(statement);
  };
  const plain = createPart(drop);
  const ledger = createPart(drop);
  return {
    get: (sql, mayWriteLedger) => (mayWriteLedger ? ledger : plain).get(sql),
    keep: (sql, prepared, mayWriteLedger) => (mayWriteLedger ? ledger : plain).keep(sql, prepared),
    clear: () => {
      plain.clear();
      ledger.clear();
    },
    free: () => {
      for (const statement of dropped.splice(0)) statement.close?.();
    },
  };
}

interface CachePart<Prepared> {
  get(sql: string): Prepared | undefined;
  keep(sql: string, prepared: Prepared): void;
  clear(): void;
}

/** `drop` hears of statements that are kept no longer, or never were. */
function createPart<Prepared>(drop: (prepared: Prepared) => void): CachePart<Prepared> {
  const kept = new Map<string, Prepared>();
  let keptBytes = 0;
  return {
    get: (sql) => kept.get(sql),
    keep: (sql, prepared) => {
      if (measure(sql) > maxCacheBytes / 4) {
        drop(prepared);
        return;
      }
      kept.set(sql, prepared);
      keptBytes += measure(sql);
      // The oldest goes first: a text that is used all the time is prepared again once in a while, which costs 2 µs.
      for (const [oldest, old] of kept) {
        if (keptBytes <= maxCacheBytes) break;
        kept.delete(oldest);
        drop(old);
        keptBytes -= measure(oldest);
      }
    },
    clear: () => {
      kept.forEach(drop);
      kept.clear();
      keptBytes = 0;
    },
  };
}
