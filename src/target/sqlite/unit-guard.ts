/**
 * What a user's statements may not do to the file, asked by SQLite itself while it compiles them: so views, triggers, CTEs and clever spelling hide nothing.
 * sluice's tables can be read and never changed; the transaction, the file's mode and other files stay out of reach.
 */
import { constants } from 'node:sqlite';
import { readTokens } from '../../sql/tokens.ts';

/** State of the authorizer of one connection. */
export interface Guard {
  /** sluice's own statements are run: everything passes. */
  isTrusted: boolean;
  /** Why the statement that was compiled last was refused. */
  refusal: string | undefined;
  /** Whether the statement that was compiled last only reads. */
  isRead: boolean;
  /** The statement drops a table: its triggers go with it. */
  dropsTable: boolean;
}

/** A new guard, which trusts until the connection is set up. */
export function createGuard(): Guard {
  return { isTrusted: true, refusal: undefined, isRead: true, dropsTable: false };
}

/** Readies the guard for the next statement. Also before one that is compiled already: a changed schema makes SQLite compile it again. */
export function armGuard(guard: Guard): void {
  guard.refusal = undefined;
  guard.isRead = true;
  guard.dropsTable = false;
}

/** One thing that a statement does. */
interface Deed {
  readonly action: number;
  readonly first: string;
  readonly second: string;
  /** The innermost trigger or view that does it. */
  readonly through: string;
}

/** The authorizer for `setAuthorizer`; it stays set for the life of the connection, because setting one makes SQLite compile every statement again. */
export function createAuthorizer(guard: Guard): (action: number, ...names: (string | null)[]) => number {
  return (action, ...names) => {
    if (guard.isTrusted) return constants.SQLITE_OK;
    const [first, second, , through] = names;
    const refusal = judge(guard, { action, first: first ?? '', second: second ?? '', through: through ?? '' });
    if (refusal === undefined) return constants.SQLITE_OK;
    guard.refusal ??= refusal;
    return constants.SQLITE_DENY;
  };
}

function judge(guard: Guard, deed: Deed): string | undefined {
  switch (deed.action) {
    case constants.SQLITE_SELECT:
    case constants.SQLITE_READ:
    case constants.SQLITE_RECURSIVE:
      return undefined;
    case constants.SQLITE_FUNCTION:
      return deed.second.toLowerCase() === 'load_extension'
        ? 'load_extension() is not allowed: statements stay inside the database. Load what you need in the program that makes the file.'
        : undefined;
    case constants.SQLITE_PRAGMA:
      guard.isRead &&= readsOnly(deed.first.toLowerCase(), deed.second);
      return judgePragma(deed.first.toLowerCase(), deed.second);
    default:
      guard.isRead = false;
      return judgeChange(guard, deed);
  }
}

function judgeChange(guard: Guard, deed: Deed): string | undefined {
  switch (deed.action) {
    case constants.SQLITE_TRANSACTION:
    case constants.SQLITE_SAVEPOINT:
      return 'BEGIN, COMMIT, ROLLBACK and SAVEPOINT are not allowed: a unit is one transaction already. Leave them out; with `transaction` the unit is all or nothing.';
    case constants.SQLITE_ATTACH:
    case constants.SQLITE_DETACH:
      return 'ATTACH and DETACH are not allowed: statements stay inside one database. Run the other file as a target of its own.';
    case constants.SQLITE_DROP_TABLE:
    case constants.SQLITE_DROP_TEMP_TABLE:
      guard.dropsTable = true;
      break;
    default:
  }
  if (deed.first.toLowerCase() === rawPages) return `${rawPages} can be read, not changed: it holds the pages of the file itself.`;
  const name = namesOf(deed).find(isOwnName);
  if (name === undefined || isOwnTrigger(guard, deed)) return undefined;
  return `${name} belongs to sluice: what is called sluice_… can be read, not changed or made. Give tables of your own another name.`;
}

/** Raw pages of the file: written there, anything could be changed. `defensive` refuses it too, where Node has it. */
const rawPages = 'sqlite_dbpage';

/** Whether a name is one of those that sluice keeps for itself. */
export function isOwnName(name: string): boolean {
  return name.length >= 7 && name.slice(0, 7).toLowerCase() === 'sluice_';
}

/** Actions whose second name is a table too, or instead. */
const twoNames: ReadonlySet<number> = new Set([
  constants.SQLITE_CREATE_INDEX,
  constants.SQLITE_CREATE_TEMP_INDEX,
  constants.SQLITE_CREATE_TRIGGER,
  constants.SQLITE_CREATE_TEMP_TRIGGER,
  constants.SQLITE_DROP_INDEX,
  constants.SQLITE_DROP_TEMP_INDEX,
  constants.SQLITE_DROP_TRIGGER,
  constants.SQLITE_DROP_TEMP_TRIGGER,
]);

/** What an action changes; the second name of an UPDATE is only a column. */
function namesOf({ action, first, second }: Deed): readonly string[] {
  if (action === constants.SQLITE_ALTER_TABLE) return [second];
  // ANALYZE and REINDEX change no row.
  if (action === constants.SQLITE_ANALYZE || action === constants.SQLITE_REINDEX) return [];
  return twoNames.has(action) ? [first, second] : [first];
}

const indexTrigger = /^sluice_index_[0-9a-f]{16}_(?:insert|update|delete)$/iu;

/** The triggers of a vector index record changed rows whoever changes them, and go with their table. */
function isOwnTrigger(guard: Guard, { action, first, through }: Deed): boolean {
  if (action === constants.SQLITE_DROP_TRIGGER) return guard.dropsTable;
  return first.toLowerCase() === 'sluice_index_changes' && indexTrigger.test(through);
}

/** Pragmas that only read, whatever they are given. */
const readingPragmas: ReadonlySet<string> = new Set([
  'foreign_key_check',
  'foreign_key_list',
  'index_info',
  'index_list',
  'index_xinfo',
  'integrity_check',
  'quick_check',
  'table_info',
  'table_list',
  'table_xinfo',
]);

/** Pragmas that may be set: part of the transaction, or no more than a limit of this connection. */
const settablePragmas: ReadonlySet<string> = new Set([
  'analysis_limit',
  'application_id',
  'cache_size',
  'defer_foreign_keys',
  'incremental_vacuum',
  'max_page_count',
  'optimize',
  'user_version',
]);

function readsOnly(name: string, value: string): boolean {
  return readingPragmas.has(name) || (value === '' && name !== 'optimize' && name !== 'incremental_vacuum');
}

function judgePragma(name: string, value: string): string | undefined {
  if (name === 'wal_checkpoint') return 'PRAGMA wal_checkpoint is not allowed: it can do nothing inside a transaction, which a unit is.';
  if (value === '' || readingPragmas.has(name) || settablePragmas.has(name)) return undefined;
  if (name === 'foreign_keys') {
    return 'PRAGMA foreign_keys does nothing inside a transaction, which a unit is. PRAGMA defer_foreign_keys = ON has them checked at its end.';
  }
  return `PRAGMA ${name} is not allowed to be set: it outlives the unit, or changes the mode of the file. Set it with the sqlite3 shell while nothing is running.`;
}

/** What SQLite's questions don't show: names that a statement keeps for later, and VACUUM. Takes the first keyword in upper case. */
export function findTextRefusal(sql: string, verb: string): string | undefined {
  if (verb === 'VACUUM') return 'VACUUM can not run inside a transaction, which a unit is. Run it with the sqlite3 shell.';
  if ((verb !== 'CREATE' && verb !== 'ALTER') || !/sluice_/iu.test(sql)) return undefined;
  const words = readTokens(sql, 'sqlite')
    .filter(({ kind }) => kind !== 'operator' && kind !== 'number')
    .map(({ text }) => text.replaceAll(/^["'`[]|["'`\]]$/gu, ''));
  const at = words.findIndex((word, index) => isOwnName(word) && isKept(words, index));
  if (at < 0) return undefined;
  return `${words[at] ?? ''} belongs to sluice: it can't be the new name of a table, referred to by a foreign key, or named in a trigger.`;
}

/** A trigger would run when sluice writes too, a foreign key would stop it from deleting, and under a new name a table would pass for its own. */
function isKept(words: readonly string[], index: number): boolean {
  const before = words[index - 1]?.toUpperCase();
  if (before === 'REFERENCES' || (before === 'TO' && words[index - 2]?.toUpperCase() === 'RENAME')) return true;
  return words.slice(0, 4).some((word) => word.toUpperCase() === 'TRIGGER');
}
