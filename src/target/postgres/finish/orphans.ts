/** Finds tables that loads built beside a target and nobody will ever publish, and drops them. In doubt a table stays. */
import type { TablePlan } from '../../driver.ts';
import { seenPrefix } from '../mirror/seen-table.ts';
import { PgError, type PgLink } from '../link.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';

/** How such tables are called: this and the load's id, as the plan writes it. */
const stagingPrefix = 'sluice_new_';

/**
 * Drops what is left of loads that are done, or that the ledger does not know. A load that failed can be resumed, so its table stays; a table without a load
 * is only taken as abandoned where this ledger is the only one in the database.
 */
export async function dropAbandoned(link: PgLink, load: { readonly id: string; readonly plan: TablePlan }): Promise<void> {
  const { rows } = await link.query(
    `SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN sluice_loads l ON left($2::text || l.load, 63) = c.relname
WHERE c.relkind = 'r' AND starts_with(c.relname::text, $2::text) AND pg_has_role(c.relowner, 'USAGE')
  AND c.relname <> left($2::text || $3::text, 63)
  AND n.nspname = coalesce((SELECT s.nspname FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace WHERE t.oid = to_regclass($1::text)), current_schema())
  AND (l.state = 'done' AND l.target_table = $4::text
    OR l.load IS NULL AND (SELECT count(*) FROM pg_class o WHERE o.relname = 'sluice_loads') = 1)`,
    [quoteTable(load.plan.table), stagingPrefix, load.id, load.plan.table],
  );
  for (const row of rows) await dropQuietly(link, quoteName({ schema: String(row['schema']), name: String(row['name']) }));
}

/** Drops what other syncs of the same table left: this one takes their place, and what is in the table from now on is not what they saw. */
export async function dropOldSyncs(link: PgLink, load: { readonly id: string; readonly plan: TablePlan }): Promise<void> {
  const { rows } = await link.query(
    `SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN sluice_loads l ON c.relname IN ($1::text || l.load, $2::text || l.load)
WHERE c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') AND l.load <> $3::text AND l.target_table = $4::text AND l.mode = 'sync'`,
    [seenPrefix, stagingPrefix, load.id, load.plan.table],
  );
  for (const row of rows) await dropQuietly(link, quoteName({ schema: String(row['schema']), name: String(row['name']) }));
}

/** Somebody who reads it, or a view on it, keeps it: it is only room that is lost, and the next load tries again. */
async function dropQuietly(link: PgLink, table: string): Promise<void> {
  await link.script('SAVEPOINT sluice_orphan');
  try {
    await link.script(`DROP TABLE IF EXISTS ${table}`);
  } catch (error) {
    if (!(error instanceof PgError) || !['55P03', '2BP01'].includes(error.sqlState)) throw error;
    await link.script('ROLLBACK TO SAVEPOINT sluice_orphan');
  }
  await link.script('RELEASE SAVEPOINT sluice_orphan');
}
