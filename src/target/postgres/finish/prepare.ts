/** What is made before a load's first row: ledger, the load's records, its table; indexes that are put off are recorded and dropped. One transaction, repeatable. */
import { SluiceError } from '../../../errors.ts';
import { laterTables, ledgerDdl, ledgerVersion, ledgerViews } from '../../../ledger/schema.ts';
import { joinedMark } from '../../../rows/joined-place.ts';
import { recordIndex } from '../../../ledger/statements.ts';
import type { DeferredIndex, Statement, TablePlan } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { transactLocking } from './lock.ts';
import { dropAbandoned, dropOldSyncs } from './orphans.ts';
import { describeLostLedger } from '../errors.ts';
import { runStatement } from '../ledger.ts';
import { PgError, type PgLink } from '../link.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';
import { readSettings } from '../settings.ts';

export interface PreparingLoad {
  readonly id: string;
  readonly plan: TablePlan;
  readonly lockTimeoutMs?: number | undefined;
}

/** One key for all loads: two CREATE … IF NOT EXISTS of the same name at the same moment would collide in the catalogs. The bytes of `sluice`. */
const prepareLock = '126909663503205';

/** insufficient_privilege · invalid_schema_name: there is no schema on the search path to make tables in. */
const deniedStates = new Set(['42501', '3F000']);

/**
 * Readies the target for the load.
 * @throws SLUICE_TARGET_DENIED with the GRANT to ask for, SLUICE_TARGET_LOCKED, SLUICE_LEDGER_VERSION, SLUICE_TARGET_FAILED for a ledger in parts, SLUICE_FENCED when `records` were overtaken
 */
export async function prepareLoad(link: PgLink, load: PreparingLoad, records: readonly Statement[]): Promise<void> {
  const wait = { what: `Preparing ${load.plan.table}`, lockTimeoutMs: load.lockTimeoutMs };
  await transactLocking(link, wait, async () => {
    await takePrepareLock(link);
    await ensureLedger(link);
    await explainDenied(link, 'the tables of the ledger', async () => {
      for (const record of records) await runStatement(link, record);
    });
    await dropAbandoned(link, load);
    if (load.plan.mode === 'sync' && load.plan.ddl.length > 0) await dropOldSyncs(link, load);
    for (const ddl of load.plan.ddl) await link.script(ddl);
    for (const index of load.plan.deferredIndexes) await putOff(link, load, index);
  });
}

/** Relatives of PostgreSQL without advisory locks run their DDL one after another by themselves, or report a collision that is tried again. */
async function takePrepareLock(link: PgLink): Promise<void> {
  await link.script('SAVEPOINT sluice_lock');
  try {
    await link.query(`SELECT pg_advisory_xact_lock(${prepareLock})`);
  } catch (error) {
    if (!(error instanceof PgError) || error.sqlState !== '0A000') throw error;
    await link.script('ROLLBACK TO SAVEPOINT sluice_lock');
  }
  await link.script('RELEASE SAVEPOINT sluice_lock');
}

/** A ledger that is whole is left alone: a role that may write into it need not be allowed to make tables. */
async function ensureLedger(link: PgLink): Promise<void> {
  const tables = ledgerDdl.flatMap((ddl) => /^CREATE TABLE IF NOT EXISTS (\w+)/u.exec(ddl)?.[1] ?? []);
  const missing = await findMissing(link, [...tables, ...ledgerViews.map(({ name }) => name)]);
  if (!missing.has('sluice_meta')) {
    await checkVersion(link);
    // Made anew it would be empty, and a load without shards has nothing left to do.
    const lost = tables.filter((table) => missing.has(table) && !laterTables.includes(table));
    if (lost.length > 0) throw describeLostLedger(lost, link.place);
  }
  for (const name of await findOutdated(link)) missing.add(name);
  if (missing.size === 0) return;
  await explainDenied(link, 'a ledger', async () => {
    if (tables.some((table) => missing.has(table))) for (const ddl of ledgerDdl) await link.script(ddl);
    for (const { name, query } of ledgerViews) {
      if (missing.has(name)) await link.script(`CREATE OR REPLACE VIEW ${quoteIdentifier(name)} AS\n${query}`);
    }
  });
}

/** The view of rejects as an earlier version of sluice made it, which knows no shards of several files. Whose view it is not can't replace it; sluice itself asks no view. */
async function findOutdated(link: PgLink): Promise<readonly string[]> {
  const { rows } = await link.query(
    `SELECT relname::text AS name FROM pg_class WHERE oid = to_regclass('sluice_reject_places') AND relkind = 'v'
  AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND strpos(pg_get_viewdef(oid), $1) = 0`,
    [joinedMark],
  );
  return rows.map((row) => String(row['name']));
}

async function findMissing(link: PgLink, names: readonly string[]): Promise<Set<string>> {
  const { rows } = await link.query(`SELECT name FROM unnest(string_to_array($1::text, ',')) AS name WHERE to_regclass(name) IS NULL`, [
    names.join(','),
  ]);
  return new Set(rows.map((row) => String(row['name'])));
}

async function checkVersion(link: PgLink): Promise<void> {
  const { rows } = await explainDenied(link, 'the tables of the ledger', () =>
    link.query(`SELECT value FROM sluice_meta WHERE name = 'ledger_version'`),
  );
  const version = rows[0]?.['value'];
  if (version === undefined || Number(version) === ledgerVersion) return;
  throw new SluiceError(
    'SLUICE_LEDGER_VERSION',
    `The ledger in ${link.place} has version ${String(version)}; this sluice writes version ${String(ledgerVersion)}.`,
    { hint: 'Use the sluice that made it, or load into another schema or database.' },
  );
}

/** Turns a missing right into an error that names it. The transaction is lost at that point, so the names are asked for before. */
async function explainDenied<Result>(link: PgLink, what: string, work: () => Promise<Result>): Promise<Result> {
  const { rows } = await link.query('SELECT current_schema()::text AS schema, current_user::text AS role');
  const schema = rows[0]?.['schema'] ?? null;
  const role = quoteIdentifier(String(rows[0]?.['role']));
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PgError) || !deniedStates.has(error.sqlState)) throw error;
    if (schema === null) {
      throw new SluiceError(
        'SLUICE_TARGET_DENIED',
        `No schema of the search path in ${link.place} exists for ${role}: there is no place for ${what}.`,
        {
          cause: error,
          hint: `Ask for: CREATE SCHEMA AUTHORIZATION ${role};`,
        },
      );
    }
    const name = quoteIdentifier(String(schema));
    const grant =
      what === 'a ledger'
        ? `GRANT USAGE, CREATE ON SCHEMA ${name} TO ${role};`
        : `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${name} TO ${role};`;
    throw new SluiceError('SLUICE_TARGET_DENIED', `The role ${role} has no rights on ${what} in the schema ${name} of ${link.place}.`, {
      cause: error,
      hint: `Ask the schema's owner for: ${grant}`,
    });
  }
}

/** Recorded first, then dropped, in the same transaction: no moment knows of only one. */
async function putOff(link: PgLink, { id, plan }: PreparingLoad, index: DeferredIndex): Promise<void> {
  const drop = index.drop ?? (await writeDrop(link, plan, index));
  await runStatement(link, recordIndex(id, index));
  if (drop !== undefined) await link.script(drop);
}

/** The index by its own table's schema; undefined where there is nothing to drop. */
async function writeDrop(link: PgLink, plan: TablePlan, { name, ddl }: DeferredIndex): Promise<string | undefined> {
  if (!isIndexDdl(ddl)) return undefined;
  const table = readSettings(plan).publish === 'swap' ? plan.writesTo : plan.table;
  const { rows } = await link.query(
    `SELECT n.nspname::text AS schema FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = to_regclass($1::text) AND c.relname = $2::text`,
    [quoteTable(table), name],
  );
  const schema = rows[0]?.['schema'];
  return schema === undefined ? undefined : `DROP INDEX IF EXISTS ${quoteName({ schema: String(schema), name })}`;
}

/** Whether a statement that was put off makes an index; the others make constraints. */
export function isIndexDdl(ddl: string): boolean {
  return /^\s*CREATE\s+(UNIQUE\s+)?INDEX\s/iu.test(ddl);
}
