/**
 * Finds the statements to blame when COMMIT says that a deferred foreign key does not hold: it names neither statement nor row. The unit is run again without
 * being committed, in halves, until each row without a parent is traced to the statement that made it so.
 */
import { quoteIdentifier } from '../sql-text.ts';
import { isSqliteError } from './errors.ts';
import { command, readOwn, type UnitSession } from './unit-session.ts';

/** A foreign key that does not hold; `rowid` is null in a table WITHOUT ROWID. */
interface Orphan {
  readonly table: string;
  readonly rowid: bigint | null;
  readonly foreignKey: bigint;
  /** How many such rows there were before the unit, where they can't be told apart. */
  before: number;
}

/** What {@link findGuilty} needs of the unit. */
export interface Suspects {
  readonly session: UnitSession;
  readonly count: number;
  /** Runs one statement again; errors of the statement are its own matter. False: the transaction is gone. */
  run(index: number): boolean;
  /** @throws when the unit is over time */
  check(): void;
}

/** The rows without a parent as they stand, those of before the unit too. To be called while the transaction that could not be committed is open. */
export function listOrphans(session: UnitSession): readonly Orphan[] {
  return readOwn(session, 'SELECT DISTINCT "table", rowid, fkid FROM pragma_foreign_key_check').map((row) => ({
    table: String(row['table']),
    rowid: row['rowid'] as bigint | null,
    foreignKey: row['fkid'] as bigint,
    before: 0,
  }));
}

/**
 * The statements, ascending, without which `orphans` would have parents; empty when it can't be told. Runs in an open transaction that the caller rolls back.
 * About log₂ n runs of each statement near a guilty one, and two look-ups for each orphan at each step.
 */
export function findGuilty(suspects: Suspects, orphans: readonly Orphan[]): readonly number[] {
  const { session } = suspects;
  for (const orphan of orphans) orphan.before = countOrphans(session, orphan);
  const made = orphans.filter((orphan) => orphan.rowid === null || orphan.before === 0);
  const guilty: number[] = [];
  search({ suspects, guilty }, { from: 0, to: suspects.count, orphans: made });
  return guilty;
}

interface Search {
  readonly suspects: Suspects;
  readonly guilty: number[];
}

interface Stretch {
  readonly from: number;
  readonly to: number;
  /** Which of them the stretch makes is looked for. */
  readonly orphans: readonly Orphan[];
}

/** Leaves the transaction as it is after the good statements of the stretch. False: the transaction is gone. */
function search(state: Search, { from, to, orphans }: Stretch): boolean {
  const { suspects, guilty } = state;
  const { session } = suspects;
  const savepoint = `sluice_search_${String(from)}_${String(to)}`;
  command(session, `SAVEPOINT ${savepoint}`);
  for (let index = from; index < to; index++) {
    suspects.check();
    if (!suspects.run(index)) return false;
  }
  const made = orphans.filter((orphan) => countOrphans(session, orphan) > orphan.before);
  if (made.length > 0) command(session, `ROLLBACK TO ${savepoint}`);
  command(session, `RELEASE ${savepoint}`);
  if (made.length === 0) return true;
  if (to - from === 1) {
    guilty.push(from);
    return true;
  }
  const middle = from + Math.floor((to - from) / 2);
  return search(state, { from, to: middle, orphans: made }) && search(state, { from: middle, to, orphans: made });
}

function countOrphans(session: UnitSession, { table, rowid, foreignKey }: Orphan): number {
  try {
    return rowid === null ? countInTable(session, table, foreignKey) : isOrphan(session, { table, rowid, foreignKey });
  } catch (error) {
    // In this half of the unit the table may not be there yet.
    if (isSqliteError(error) && session.db.isTransaction) return 0;
    throw error;
  }
}

function countInTable(session: UnitSession, table: string, foreignKey: bigint): number {
  const rows = readOwn(session, 'SELECT count(*) AS count FROM pragma_foreign_key_check(?) WHERE fkid = ?', table, foreignKey);
  return Number(rows[0]?.['count']);
}

function isOrphan(
  session: UnitSession,
  { table, rowid, foreignKey }: Omit<Orphan, 'before' | 'rowid'> & { readonly rowid: bigint },
): number {
  const columns = readOwn(
    session,
    'SELECT "table", "from", "to" FROM pragma_foreign_key_list(?) WHERE id = ? ORDER BY seq',
    table,
    foreignKey,
  );
  const parent = String(columns[0]?.['table']);
  const key = readOwn(session, 'SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk', parent).map((row) => String(row['name']));
  const child = columns.map((column) => `c.${quoteIdentifier(String(column['from']))}`);
  const match = child.map((name, index) => `p.${quoteIdentifier(String(columns[index]?.['to'] ?? key[index]))} = ${name}`);
  const isSet = child.map((name) => `${name} IS NOT NULL`);
  return readOwn(
    session,
    `SELECT 1 FROM ${quoteIdentifier(table)} c WHERE c._rowid_ = ? AND ${isSet.join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${quoteIdentifier(parent)} p WHERE ${match.join(' AND ')})`,
    rowid,
  ).length;
}
