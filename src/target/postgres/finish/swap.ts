/** Puts a table that was built aside in the place of another, in one short transaction: readers see the old one or the new one, with all that stood on it. */
import { SluiceError } from '../../../errors.ts';
import { recordIndex } from '../../../ledger/statements.ts';
import type { Decision } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { FinishingLoad } from './finishing-load.ts';
import { transactLocking } from './lock.ts';
import { markPublished, tellPublished } from './publication.ts';
import { runStatement } from '../ledger.ts';
import type { PgLink } from '../link.ts';
import { parseQualifiedName, quoteTable } from '../qualified-name.ts';
import type { Restoring } from './restore-index.ts';
import { readCarried, readGrants, readQualified, readReferences, readViews, type Carried, type SwapTables } from './swap-catalog.ts';
import { checkColumns, checkReferences, countRowsThere } from './swap-checks.ts';
import { buildParts, writeRenames } from './swap-indexes.ts';
import { findSwapObstacles } from './swap-obstacles.ts';
import { formatCount } from '../../../count-text.ts';

/** How often the new table is brought up to what the old one got in the meantime, such as another index. */
const maxRounds = 5;

/**
 * Publishes `plan.writesTo` as `plan.table`. An earlier call that got through leaves nothing to do.
 * @throws SLUICE_TARGET_FAILED with the old table in place and the reasons, SLUICE_TARGET_LOCKED, DuplicateKeysError
 */
export async function publishSwap(link: PgLink, load: FinishingLoad): Promise<readonly Decision[]> {
  const tables = await findTables(link, load);
  if (tables === undefined) return [await tellPublished(link, load)];
  if (tables.oldOid === '') return publishNew(link, load, tables);
  await checkObstacles(link, load);
  await checkColumns(link, load.plan, tables);
  const restoring = describeBuild(load);
  const decisions: Decision[] = [];
  for (let round = 1; round <= maxRounds; round++) {
    decisions.push(...(await buildParts(link, tables, restoring)));
    await checkReferences(link, load.plan, tables);
    await analyze(link, load, tables);
    const swapped = await swap(link, load, tables);
    if (swapped !== undefined) return [...decisions, swapped];
  }
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${load.plan.table} got new indexes or constraints again and again while it was to be replaced; the old table stays.`,
    {
      hint: 'Resume when nobody alters the table.',
    },
  );
}

function describeBuild({ id, plan, options, lockTimeoutMs, openSecond }: FinishingLoad): Restoring {
  const { signal, onProgress } = options;
  return {
    id,
    plan,
    lockTimeoutMs,
    signal,
    openSecond,
    onProgress: onProgress && ((index, progress) => onProgress({ index, ...progress })),
  };
}

/** `oldOid` is empty for a table that does not exist yet; undefined: no new table waits. */
async function findTables(link: PgLink, { plan }: FinishingLoad): Promise<SwapTables | undefined> {
  const { rows } = await link.query(
    `SELECT c.oid::text AS new_oid, quote_ident(n.nspname) AS schema, CASE WHEN c.oid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname) END AS new_name, to_regclass($2::text)::oid::text AS old_oid
FROM (SELECT to_regclass($1::text) AS oid) found LEFT JOIN pg_class c ON c.oid = found.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace`,
    [quoteTable(plan.writesTo), quoteTable(plan.table)],
  );
  const row = rows[0];
  const oldOid = row?.['old_oid'] ?? null;
  if (row === undefined || row['new_oid'] === null) return undefined;
  const schema = String(row['schema']);
  const name = quoteIdentifier(parseQualifiedName(plan.table).name);
  return {
    oldOid: String(oldOid ?? ''),
    newOid: String(row['new_oid']),
    oldName: `${schema}.${name}`,
    newName: String(row['new_name']),
    name,
    schema,
  };
}

async function publishNew(link: PgLink, load: FinishingLoad, tables: SwapTables): Promise<readonly Decision[]> {
  await analyze(link, load, tables);
  await transactLocking(link, waitFor(load), async () => {
    await link.script(`ALTER TABLE ${tables.newName} RENAME TO ${tables.name}`);
    await markPublished(link, load.id);
  });
  return [{ what: 'table published', choice: load.plan.table, why: 'all its rows became visible with its name' }];
}

function waitFor({ plan, lockTimeoutMs, options }: FinishingLoad): {
  what: string;
  lockTimeoutMs: number | undefined;
  signal: AbortSignal | undefined;
} {
  return { what: `Publishing ${plan.table}`, lockTimeoutMs, signal: options.signal };
}

async function checkObstacles(link: PgLink, { plan }: FinishingLoad): Promise<void> {
  const obstacles = await findSwapObstacles(link, plan.table);
  if (obstacles.length === 0) return;
  throw new SluiceError('SLUICE_TARGET_FAILED', `${plan.table} can't be replaced: ${obstacles.join('; ')}. The old table stays.`, {
    problems: obstacles,
    hint: 'Drop what is named (and make it again afterwards), then resume: the rows are loaded already.',
  });
}

/** The planner must know the new table from its first query on; statistics go by the table, not by its name. */
async function analyze(link: PgLink, { options }: FinishingLoad, { newName }: SwapTables): Promise<void> {
  await link.query(`ANALYZE ${newName}`, [], { signal: options.signal, timeoutMs: 0 });
}

/** undefined: the old table has something now that the new one lacks, and nothing was changed. */
async function swap(link: PgLink, load: FinishingLoad, tables: SwapTables): Promise<Decision | undefined> {
  return transactLocking(link, waitFor(load), async () => {
    await lockAll(link, tables);
    await checkObstacles(link, load);
    await checkColumns(link, load.plan, tables);
    if (load.plan.mode !== 'replace') await refuseRowsThere(link, load, tables);
    const { renames, carried } = await readQualified(link, async () => ({
      renames: await writeRenames(link, tables),
      carried: await readCarried(link, tables),
    }));
    if (renames === undefined) return undefined;
    await exchange(link, tables, { renames, carried });
    for (const { label, validate } of carried.references) {
      if (validate !== undefined) await runStatement(link, recordIndex(load.id, { name: label, ddl: validate }));
    }
    await markPublished(link, load.id);
    return { what: 'table published', choice: load.plan.table, why: describeCarried(carried) };
  });
}

/** Readers take a view's lock before its table's: in the same order here, or both would wait for each other. */
async function lockAll(link: PgLink, { oldOid, oldName, newName }: SwapTables): Promise<void> {
  const { views, references } = await readQualified(link, async () => ({
    views: await readViews(link, oldOid),
    references: await readReferences(link, oldOid),
  }));
  for (const view of views.toReversed()) await link.script(view.lock);
  const children = new Set(references.map(({ child }) => child));
  for (const name of new Set([oldName, newName, ...children])) await link.script(`LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE`);
}

/** Only mode replace may take rows away. */
async function refuseRowsThere(link: PgLink, { plan }: FinishingLoad, { oldName }: SwapTables): Promise<void> {
  const rows = await countRowsThere(link, oldName);
  if (rows === 0) return;
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${plan.table} was empty when the load was planned and has ${formatCount(rows)} rows now; they stay, and the load is not published.`,
    {
      hint: `Move them away and resume, or load again: the loaded rows wait in ${plan.writesTo}.`,
    },
  );
}

/** DROP without CASCADE is the last check: what was overlooked refuses it, and everything stays as it was. */
async function exchange(
  link: PgLink,
  tables: SwapTables,
  { renames, carried }: { renames: readonly string[]; carried: Carried },
): Promise<void> {
  const { oldName, newName, name } = tables;
  const outside = carried.references.filter(({ child }) => child !== oldName);
  const statements = [
    ...carried.before,
    ...outside.map(({ drop }) => drop),
    ...carried.views.toReversed().map((view) => `DROP VIEW ${view.name}`),
    `DROP TABLE ${oldName}`,
    `ALTER TABLE ${newName} RENAME TO ${name}`,
    ...renames,
    ...carried.after,
    ...carried.references.map(({ add }) => add),
  ];
  for (const statement of statements) await link.script(statement);
  await grant(link, oldName, carried.grants);
  for (const view of carried.views) {
    await link.script(view.create);
    for (const statement of view.after) await link.script(statement);
    await grant(link, view.name, view.grants);
  }
}

/** What a new table or view has by default privileges goes first: it may be more than the old one had. */
async function grant(link: PgLink, name: string, grants: readonly string[]): Promise<void> {
  const { rows } = await link.query(
    `SELECT c.oid::text AS oid, (SELECT string_agg(DISTINCT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, ', ')
  FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g) AS roles FROM pg_class c WHERE c.oid = to_regclass($1::text)`,
    [name],
  );
  const { oid, roles } = rows[0] ?? {};
  const there = new Set(await readGrants(link, String(oid)));
  const hasMore = there.difference(new Set(grants)).size > 0;
  if (hasMore && typeof roles === 'string') await link.script(`REVOKE ALL ON ${name} FROM ${roles}`);
  for (const statement of grants) if (hasMore || !there.has(statement)) await link.script(statement);
}

function describeCarried({ references, views }: Carried): string {
  const parts = ['owner, rights, comments, triggers and settings came over'];
  if (views.length > 0) parts.push(views.length === 1 ? '1 view' : `${String(views.length)} views`);
  if (references.length > 0) parts.push(`foreign keys that point at it (${String(references.length)})`);
  return parts.join(', ');
}
