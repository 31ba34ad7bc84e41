/** The two ends of a load on rqlite: what is made before the first row, and what is put right after the last. Each step is one transaction and may be run again. */
import { SluiceError } from '../../errors.ts';
import { ledgerDdl, ledgerViews } from '../../ledger/schema.ts';
import { forgetIndex, recordIndex } from '../../ledger/statements.ts';
import type { Decision, FinishOptions, Statement, TablePlan } from '../driver.ts';
import { readLanded } from '../link.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { findTable, readTriggers } from '../sqlite/schema.ts';
import { readRows, toResultRows, toStatementError, writeStatement } from './answer.ts';
import type { RqliteLink } from './link.ts';
import { findChildren } from './plan.ts';
import { seenPrefix } from '../sqlite/seen.ts';
import { withShadow, type Shadow } from './shadow.ts';
import { guardCondition, runTransaction, transact, writeBound } from './transaction.ts';
import { deleteVanished } from './vanished.ts';

/** An index over many rows takes its time; the server gives no progress. */
const indexTimeoutMs = 30 * 60_000;

const plain = (sql: string): Statement => ({ sql, parameters: [] });

/** Statements that make the ledger where it is missing. */
const ledgerStatements: readonly Statement[] = [
  ...ledgerDdl.map(plain),
  // An earlier version of sluice may have made one in another way.
  ...ledgerViews.flatMap(({ name, query }) => [plain(`DROP VIEW IF EXISTS ${name}`), plain(`CREATE VIEW ${name} AS\n${query}`)]),
];

/** Ledger, the load's records, its table, and the indexes that are put off: recorded and dropped in the same transaction. */
export async function prepareLoad(
  link: RqliteLink,
  load: { readonly id: string; readonly plan: TablePlan },
  records: readonly Statement[],
): Promise<void> {
  const { id, plan } = load;
  const statements = [
    ...ledgerStatements,
    ...records,
    ...(plan.mode === 'sync' ? await dropOldSeen(link, id, plan.table) : []),
    ...plan.ddl.map(plain),
    ...plan.deferredIndexes.flatMap((index) => [
      recordIndex(id, index),
      plain(index.drop ?? `DROP INDEX IF EXISTS ${quoteIdentifier(index.name)}`),
    ]),
  ];
  try {
    await transact(link, statements);
  } catch (error) {
    if (readLanded(error) !== 'unknown') throw error;
    // The records of a new load begin it, and are there or not with all the rest. All else here may be run again.
    const isNew = records.some(({ mustChange }) => mustChange !== undefined);
    if (isNew && (await isBegun(link, id))) return;
    await transact(link, statements);
  }
}

/** Drops the keys seen by loads into the same table that this one has taken the place of. */
async function dropOldSeen(link: RqliteLink, load: string, table: string): Promise<readonly Statement[]> {
  const names = await readRows(
    link,
    writeStatement(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '${seenPrefix}%'`, []),
  );
  if (names.values.length === 0) return [];
  const loads = await readRows(link, writeBound('SELECT load FROM sluice_loads WHERE target_table = ? AND load <> ?', [table, load]));
  const older = new Set(loads.values.map(([id]) => `${seenPrefix}${String(id)}`));
  return names.values.flatMap(([name]) =>
    older.has(String(name)) ? [plain(`DROP TABLE IF EXISTS ${quoteIdentifier(String(name))}`)] : [],
  );
}

async function isBegun(link: RqliteLink, load: string): Promise<boolean> {
  return withShadow(link, {}, async ({ file }) => {
    if (findTable(file, 'sluice_loads') === undefined) return false;
    const entry = await readRows(link, writeStatement('SELECT 1 FROM sluice_loads WHERE load = ?', [load]));
    return entry.values.length > 0;
  });
}

/** Makes the put-off indexes again and publishes a replaced table. */
export async function finishLoad(
  link: RqliteLink,
  load: { readonly id: string; readonly plan: TablePlan; readonly options: FinishOptions },
): Promise<readonly Decision[]> {
  const decisions: Decision[] = [];
  for (const index of await readDeferred(link, load.id)) {
    await restoreIndex(link, load.id, index);
    decisions.push({ what: 'index', choice: `${index.name} made again`, why: 'it was put off for the load' });
  }
  const { isComplete } = load.options;
  if (isComplete && load.plan.mode === 'sync' && !load.plan.isNew) {
    decisions.push(...(await deleteVanished(link, { load: load.id, plan: load.plan, options: load.options })));
  }
  if (isComplete && load.plan.mode === 'replace' && (await publishTable(link, load.plan))) {
    decisions.push({ what: 'replace', choice: `${load.plan.table} replaced`, why: 'every shard is done' });
  }
  return decisions;
}

async function readDeferred(link: RqliteLink, load: string): Promise<readonly { readonly name: string; readonly ddl: string }[]> {
  const entry = await readRows(link, writeStatement('SELECT name, ddl FROM sluice_deferred_indexes WHERE load = ? ORDER BY name', [load]));
  return toResultRows(entry).map((row) => ({ name: String(row['name']), ddl: String(row['ddl']) }));
}

async function restoreIndex(link: RqliteLink, load: string, index: { readonly name: string; readonly ddl: string }): Promise<void> {
  const exists = await hasObject(link, 'index', index.name);
  await transact(link, [...(exists ? [] : [plain(index.ddl)]), forgetIndex(load, index.name)], { timeoutMs: indexTimeoutMs });
}

async function hasObject(link: RqliteLink, type: string, name: string): Promise<boolean> {
  const entry = await readRows(link, writeBound('SELECT 1 FROM sqlite_schema WHERE type = ? AND name = ?', [type, name]));
  return entry.values.length > 0;
}

/** Swaps the new table for the old one: readers see the one or the other. `false`: somebody has done so already. */
async function publishTable(link: RqliteLink, plan: TablePlan): Promise<boolean> {
  return withShadow(link, {}, async (shadow) => {
    if (findTable(shadow.file, plan.writesTo) === undefined) return false;
    const { statements, guard } = writeSwap(shadow, plan);
    try {
      const end = await runTransaction(link, statements, { timeoutMs: indexTimeoutMs });
      if (end.kind === 'committed') return true;
      await restoreRenaming(link);
      if (!(await hasObject(link, 'table', plan.writesTo))) return false;
      if (end.kind === 'failed' && end.index === guard) throw refuseSwap(link, plan, findChildren(shadow, plan.table));
      throw toStatementError(link, end.error);
    } catch (error) {
      // The swap takes the new table's name away, so that its absence tells that it was done.
      if (readLanded(error) === 'unknown' && !(await hasObject(link, 'table', plan.writesTo))) return true;
      throw error;
    }
  });
}

/** A transaction that was undone leaves the setting of the connection as the statement before set it. */
async function restoreRenaming(link: RqliteLink): Promise<void> {
  await runTransaction(link, [writeStatement('PRAGMA legacy_alter_table = OFF', [])]);
}

function writeSwap(shadow: Shadow, plan: TablePlan): { readonly statements: readonly string[]; readonly guard: number | undefined } {
  const { db } = shadow.file;
  const indexes = db
    .prepare(`SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL`)
    .all(plan.table)
    .map((row) => String(row['sql']));
  const triggers = readTriggers(shadow.file).filter(({ table }) => table.toLowerCase() === plan.table.toLowerCase());
  const hasChildren = findChildren(shadow, plan.table).length > 0;
  // With foreign keys checked, DROP TABLE deletes the rows one by one, and those of other tables with them.
  const guards = hasChildren ? [guardCondition('(SELECT foreign_keys FROM pragma_foreign_keys) = 0', [])] : [];
  const ddl = [
    // Without it RENAME reads all views and triggers, and those that name the table fail while it is gone.
    'PRAGMA legacy_alter_table = ON',
    `DROP TABLE IF EXISTS ${quoteIdentifier(plan.table)}`,
    `ALTER TABLE ${quoteIdentifier(plan.writesTo)} RENAME TO ${quoteIdentifier(plan.table)}`,
    ...indexes,
    ...triggers.map(({ sql }) => sql),
    'PRAGMA legacy_alter_table = OFF',
  ];
  return { statements: [...guards, ...ddl.map((sql) => writeStatement(sql, []))], guard: hasChildren ? 0 : undefined };
}

function refuseSwap(link: RqliteLink, plan: TablePlan, children: readonly string[]): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${children.join(', ')} refer to ${plan.table} and ${link.address.label} checks foreign keys, so the old ${plan.table} can't be dropped; it stays.`,
    { hint: 'Turn the check off for the moment (PRAGMA foreign_keys = OFF by /db/execute), then resume: the rows are loaded already.' },
  );
}
