/** What a statement may reach, decided by SQLite's authorizer when it is prepared: nothing outside the database file, and no setting or table that is the server's own. */
import { constants, type DatabaseSync } from 'node:sqlite';
import { ledgerDdl, ledgerViews } from '../../ledger/schema.ts';

/** Settings that would change durability, the journal, or who may write; rqlite refuses these, by the text of a statement. */
const keptPragmas: ReadonlySet<string> = new Set([
  'journal_mode',
  'wal_autocheckpoint',
  'synchronous',
  'query_only',
  'locking_mode',
  'temp_store_directory',
  'data_store_directory',
  // What it opens is the schema table, and by that every table there is.
  'writable_schema',
]);

/** The queue's table: its rows say which requests are in the database. */
export const queueTable = 'sluice_queue';
/** What a load keeps its accounts in: the names that the ledger's own statements make. */
const ledgerTables: ReadonlySet<string> = new Set([
  ...ledgerDdl.flatMap((sql) => /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(sql)?.[1] ?? []),
  ...ledgerViews.map(({ name }) => name),
]);
const guardedName = new RegExp(`\\b(?:${[queueTable, ...ledgerTables].join('|')})\\b`, 'i');

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
  constants.SQLITE_DROP_TEMP_TABLE,
  constants.SQLITE_DROP_TRIGGER,
  constants.SQLITE_DROP_TEMP_TRIGGER,
  constants.SQLITE_DROP_INDEX,
  constants.SQLITE_DROP_TEMP_INDEX,
  constants.SQLITE_DROP_VIEW,
  constants.SQLITE_DROP_TEMP_VIEW,
  constants.SQLITE_DROP_VTABLE,
  constants.SQLITE_ALTER_TABLE,
  constants.SQLITE_CREATE_TABLE,
  constants.SQLITE_CREATE_VIEW,
  constants.SQLITE_CREATE_INDEX,
  constants.SQLITE_CREATE_TRIGGER,
  constants.SQLITE_CREATE_VTABLE,
  // A temporary table of the same name would be found in the place of the real one.
  constants.SQLITE_CREATE_TEMP_TABLE,
  constants.SQLITE_CREATE_TEMP_VIEW,
  constants.SQLITE_CREATE_TEMP_INDEX,
  constants.SQLITE_CREATE_TEMP_TRIGGER,
]);

/** What the authorizer was told while a statement was prepared. */
export interface Seen {
  readonly codes: Set<number>;
  control: string | undefined;
  hasKeptPragma: boolean;
}

function isOneOf(names: readonly (string | null)[], isMeant: (table: string) => boolean): boolean {
  return names.some((name) => name !== null && isMeant(name.toLowerCase()));
}

/** `ALTER TABLE … RENAME TO` is told to nobody by its new name; the text has it. */
export function renamesGuarded(
  sql: string,
  { codes }: Seen,
  state: { readonly trusted: boolean; readonly mayWriteLedger: boolean },
): boolean {
  return codes.has(constants.SQLITE_ALTER_TABLE) && !state.trusted && !state.mayWriteLedger && guardedName.test(sql);
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
  /** The request that is being run may write to the ledger's tables. */
  mayWriteLedger: boolean;
}

/** Puts up the rules of what statements may reach. */
export function setRules(db: DatabaseSync): StatementRules {
  let seen = createSeen();
  const state = { seen: () => seen, reset: () => void (seen = createSeen()), trusted: false, allowsNameless: false, mayWriteLedger: true };
  db.setAuthorizer((...told) => {
    const [code, first, second, schema] = told;
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
    // VACUUM copies every table into a nameless file that it attaches as vacuum_…: the tables of the database stay as they are.
    if (schema?.startsWith('vacuum_') === true) return constants.SQLITE_OK;
    if (!changing.has(code)) return constants.SQLITE_OK;
    if (isOneOf([first, second], (name) => name === queueTable)) return constants.SQLITE_DENY;
    const isRefused = !state.mayWriteLedger && isOneOf([first, second], (name) => ledgerTables.has(name));
    return isRefused ? constants.SQLITE_DENY : constants.SQLITE_OK;
  });
  return state;
}
