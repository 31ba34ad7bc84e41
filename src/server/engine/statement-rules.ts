/** What a statement may reach, decided by SQLite's authorizer when it is prepared: nothing outside the database file, and no setting or table that is the server's own. */
import { constants, type DatabaseSync } from 'node:sqlite';

/** Settings that would change durability, the journal, or who may write; rqlite refuses these, by the text of a statement. */
const keptPragmas: ReadonlySet<string> = new Set([
  'journal_mode',
  'wal_autocheckpoint',
  'synchronous',
  'query_only',
  'locking_mode',
  'temp_store_directory',
  'data_store_directory',
]);

/** The queue's table: its rows say which requests are in the database. */
export const queueTable = 'sluice_queue';
const ledgerTables: ReadonlySet<string> = new Set(['sluice_meta', 'sluice_loads', 'sluice_shards', 'sluice_rejects']);

/** What a statement does that only reads. */
export const readingCodes: ReadonlySet<number> = new Set([
  constants.SQLITE_SELECT,
  constants.SQLITE_READ,
  constants.SQLITE_FUNCTION,
  constants.SQLITE_RECURSIVE,
]);

/** What can't be done inside a transaction that is shared with others. */
export const aloneCodes: ReadonlySet<number> = new Set([
  constants.SQLITE_TRANSACTION,
  constants.SQLITE_SAVEPOINT,
  constants.SQLITE_ATTACH,
  constants.SQLITE_DETACH,
  constants.SQLITE_PRAGMA,
]);
const changing: ReadonlySet<number> = new Set([
  constants.SQLITE_INSERT,
  constants.SQLITE_UPDATE,
  constants.SQLITE_DELETE,
  constants.SQLITE_DROP_TABLE,
  constants.SQLITE_DROP_TRIGGER,
  constants.SQLITE_DROP_INDEX,
  constants.SQLITE_ALTER_TABLE,
  constants.SQLITE_CREATE_TABLE,
  constants.SQLITE_CREATE_VIEW,
  constants.SQLITE_CREATE_INDEX,
  constants.SQLITE_CREATE_TRIGGER,
]);

/** What the authorizer was told while a statement was prepared. */
export interface Seen {
  readonly codes: Set<number>;
  control: string | undefined;
  hasKeptPragma: boolean;
}

function takesTable(code: number, names: readonly (string | null)[], guardsLedger: boolean): boolean {
  if (!changing.has(code)) return false;
  return names.some((name) => {
    const table = name?.toLowerCase() ?? '';
    return table === queueTable || (guardsLedger && ledgerTables.has(table));
  });
}

function createSeen(): Seen {
  return { codes: new Set(), control: undefined, hasKeptPragma: false };
}

/** The rules of one connection, and what they have seen. */
export interface StatementRules {
  readonly seen: () => Seen;
  readonly reset: () => void;
  /** The engine's own statements run: nothing is refused. */
  trusted: boolean;
  /** A nameless file may be attached, as VACUUM does. */
  allowsNameless: boolean;
}

/** Puts up the rules of what statements may reach. */
export function setRules(db: DatabaseSync, guardsLedger: boolean): StatementRules {
  let seen = createSeen();
  const state = { seen: () => seen, reset: () => void (seen = createSeen()), trusted: false, allowsNameless: false };
  db.setAuthorizer((code, first, second) => {
    seen.codes.add(code);
    if (code === constants.SQLITE_TRANSACTION || code === constants.SQLITE_SAVEPOINT)
      seen.control = `${first ?? ''} ${second ?? ''}`.trim();
    if (state.trusted) return constants.SQLITE_OK;
    if (code === constants.SQLITE_ATTACH && first === '' && state.allowsNameless) return constants.SQLITE_OK;
    if (code === constants.SQLITE_ATTACH || code === constants.SQLITE_DETACH) return constants.SQLITE_DENY;
    if (code === constants.SQLITE_FUNCTION && second?.toLowerCase() === 'load_extension') return constants.SQLITE_DENY;
    if (code === constants.SQLITE_PRAGMA) {
      const name = first?.toLowerCase() ?? '';
      if (name === 'wal_checkpoint' || (keptPragmas.has(name) && second !== null)) {
        seen.hasKeptPragma = true;
        return constants.SQLITE_DENY;
      }
    }
    return takesTable(code, [first, second], guardsLedger) ? constants.SQLITE_DENY : constants.SQLITE_OK;
  });
  return state;
}
