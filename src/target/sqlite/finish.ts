/** The two ends of a load on SQLite: what is made before the first row, and what is put right after the last. Each step is one transaction and may be run again. */
import { SluiceError } from '../../errors.ts';
import { ledgerDdl, ledgerViews } from '../../ledger/schema.ts';
import { forgetIndex, recordIndex } from '../../ledger/statements.ts';
import type { Decision, Statement, TablePlan } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { prepareOnce, transactSqlite, waitForLock, type SqliteFile } from './connect.ts';
import { isBusy } from './errors.ts';
import { isFreshFile } from './schema.ts';
import { publishMove } from './move.ts';
import type { PublishingLoad } from './publication.ts';
import { dropOldSeen } from './seen.ts';
import { publishSwap } from './swap.ts';
import { deleteVanished } from './vanished.ts';

/** Runs statements inside the caller's transaction; one that changes another number of rows than it must ends it. */
export function runStatements(link: SqliteFile, statements: readonly Statement[]): readonly number[] {
  return statements.map((statement) => {
    const changes = Number(prepareOnce(link, statement.sql).run(...statement.parameters).changes);
    if (statement.mustChange !== undefined && changes !== statement.mustChange) {
      throw new SluiceError('SLUICE_FENCED', `The ledger in ${link.file} was changed by another process at the same moment.`, {
        hint: 'Run the same command again.',
      });
    }
    return changes;
  });
}

/** Sets the journal that the plan chose; `TRUNCATE` counts for one connection, WAL for the file. Even to ask for the journal takes a lock, so all of it waits. */
export async function setJournal(link: SqliteFile, plan: TablePlan): Promise<void> {
  await waitForLock(link.file, { lockTimeoutMs: link.lockTimeoutMs }, () => {
    // A file that was fresh when the load was planned may have turned to WAL since, with readers who keep it there.
    if (plan.settings['journal'] === 'truncate' && (readJournal(link) !== 'wal' || isFreshFile(link))) {
      if (isFreshFile(link)) link.db.exec(`PRAGMA page_size = ${String(Number(plan.settings['pageSize']))}`);
      link.db.exec('PRAGMA journal_mode = TRUNCATE');
    }
    link.db.exec('PRAGMA synchronous = FULL');
  });
}

function readJournal(link: SqliteFile): string {
  return String(link.db.prepare('PRAGMA journal_mode').get()?.['journal_mode']);
}

/** Ledger, the load's records, its table, and the indexes that are put off: recorded and dropped in the same transaction, so no moment knows of only one. */
export async function prepareLoad(
  link: SqliteFile,
  load: { readonly id: string; readonly plan: TablePlan },
  records: readonly Statement[],
): Promise<void> {
  const { id, plan } = load;
  await setJournal(link, plan);
  await transactSqlite(link, () => {
    for (const ddl of ledgerDdl) link.db.exec(ddl);
    makeViews(link);
    runStatements(link, records);
    if (plan.mode === 'sync') dropOldSeen(link, id, plan.table);
    for (const ddl of plan.ddl) link.db.exec(ddl);
    for (const index of plan.deferredIndexes) {
      runStatements(link, [recordIndex(id, index)]);
      link.db.exec(index.drop ?? `DROP INDEX IF EXISTS ${quoteIdentifier(index.name)}`);
    }
  });
}

/** Makes the views; one that an earlier version of sluice made in another way is made anew. */
function makeViews({ db }: SqliteFile): void {
  const find = db.prepare(`SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?`);
  for (const { name, query } of ledgerViews) {
    const sql = `CREATE VIEW ${name} AS\n${query}`;
    if (find.get(name)?.['sql'] === sql) continue;
    db.exec(`DROP VIEW IF EXISTS ${name}`);
    db.exec(sql);
  }
}

/** Makes the put-off indexes again, publishes a replaced table, and turns a fresh file to WAL. */
export async function finishLoad(link: SqliteFile, load: PublishingLoad): Promise<readonly Decision[]> {
  const decisions: Decision[] = [];
  for (const index of await listDeferred(link, load.id)) {
    await restoreIndex(link, load.id, index);
    decisions.push({ what: 'index restored', choice: index.name, why: 'it was dropped for the load' });
  }
  if (!load.options.isComplete) return decisions;
  decisions.push(...(await publish(link, load)));
  if (load.plan.settings['journal'] === 'truncate') decisions.push(await turnToWal(link));
  return decisions;
}

/** A plan of an older sluice names no way: then only mode replace is published as a whole. */
async function publish(link: SqliteFile, load: PublishingLoad): Promise<readonly Decision[]> {
  const { id, plan, options } = load;
  if (plan.settings['publish'] === 'move') return publishMove(link, load);
  if (plan.settings['publish'] === 'swap' || plan.mode === 'replace') return publishSwap(link, load);
  return plan.mode === 'sync' && !plan.isNew ? deleteVanished(link, { load: id, plan, options }) : [];
}

async function listDeferred(link: SqliteFile, load: string): Promise<readonly { readonly name: string; readonly ddl: string }[]> {
  const rows = await waitForLock(link.file, { lockTimeoutMs: link.lockTimeoutMs }, () =>
    prepareOnce(link, 'SELECT name, ddl FROM sluice_deferred_indexes WHERE load = ? ORDER BY name').all(load),
  );
  return rows.map((row) => ({ name: String(row['name']), ddl: String(row['ddl']) }));
}

async function restoreIndex(link: SqliteFile, load: string, index: { readonly name: string; readonly ddl: string }): Promise<void> {
  await transactSqlite(link, () => {
    const exists = link.db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?`).get(index.name) !== undefined;
    if (!exists) link.db.exec(index.ddl);
    runStatements(link, [forgetIndex(load, index.name)]);
  });
}

/** Readers that are in the file at this moment keep it from turning to WAL; then it stays with its rollback journal, which is as safe. */
const walWaitMs = 2_000;

async function turnToWal(link: SqliteFile): Promise<Decision> {
  const deadline = performance.now() + walWaitMs;
  for (;;) {
    try {
      link.db.exec('PRAGMA journal_mode = WAL');
      return { what: 'journal afterwards', choice: 'WAL', why: 'readers and a writer do not wait for each other' };
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() >= deadline)
        return {
          what: 'journal afterwards',
          choice: 'rollback journal',
          why: 'another connection has the file open, so it could not turn to WAL',
        };
    }
    await new Promise((resume) => setTimeout(resume, 20));
  }
}
