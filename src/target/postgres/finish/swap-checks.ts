/** What must hold before a table is replaced: the columns are still the same, and no row elsewhere points at a row that the new table lacks. */
import { SluiceError } from '../../../errors.ts';
import type { TablePlan } from '../../driver.ts';
import type { PgLink } from '../link.ts';
import { readSettings } from '../settings.ts';
import type { SwapTables } from './swap-catalog.ts';
import { formatCount } from '../../../count-text.ts';

const columnsSql = `SELECT name FROM (
  SELECT a.attname::text AS name, a.attrelid, format_type(a.atttypid, a.atttypmod), a.attidentity, a.attgenerated, a.attnotnull, a.attcollation
  FROM pg_attribute a WHERE a.attrelid IN ($1::text::oid, $2::text::oid) AND a.attnum > 0 AND NOT a.attisdropped
) c GROUP BY name, format_type, attidentity, attgenerated, attcollation HAVING count(*) <> 2 ORDER BY name`;

/** @throws SLUICE_TARGET_FAILED naming the columns that one of the tables lacks or has otherwise */
export async function checkColumns(link: PgLink, plan: TablePlan, { oldOid, newOid }: SwapTables): Promise<void> {
  const { rows } = await link.query(columnsSql, [oldOid, newOid]);
  const changed = JSON.parse(readSettings(plan).changedColumns ?? '[]') as readonly string[];
  const differing = rows.map((row) => String(row['name'])).filter((name) => !changed.includes(name));
  if (differing.length === 0) return;
  const names = [...new Set(differing)].join(', ');
  throw new SluiceError('SLUICE_TARGET_FAILED', `${plan.table} was altered since the load was planned (${names}); the old table stays.`, {
    hint: `Give ${plan.writesTo} the same columns and resume, or load again.`,
  });
}

/** `conkey` and `confkey` belong together place by place; a key with a null points nowhere. */
const orphansSql = `SELECT k.conname::text AS name, format('%I.%I', n.nspname, c.relname) AS child, c.oid = k.confrelid AS is_own,
  (SELECT string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ') FROM unnest(k.conkey) AS num JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = num) AS is_set,
  (SELECT string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND ') FROM unnest(k.conkey, k.confkey) AS pair(own, other)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.own JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.other) AS match
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = $1::text::oid AND k.conparentid = 0 AND k.convalidated ORDER BY c.oid, k.conname`;

/** @throws SLUICE_TARGET_FAILED when rows of other tables would lose the row that they refer to */
export async function checkReferences(link: PgLink, plan: TablePlan, { oldOid, newName }: SwapTables): Promise<void> {
  const { rows } = await link.query(orphansSql, [oldOid]);
  for (const row of rows) {
    const child = row['is_own'] === true ? newName : String(row['child']);
    const found = await link.query(
      `SELECT count(*) AS n FROM ${child} c WHERE ${String(row['is_set'])} AND NOT EXISTS (SELECT 1 FROM ${newName} p WHERE ${String(row['match'])})`,
      [],
      { timeoutMs: 0 },
    );
    const count = Number(found.rows[0]?.['n'] ?? 0);
    if (count > 0) throw orphaned(plan, { child: String(row['child']), name: String(row['name']), count });
  }
}

function orphaned(
  plan: TablePlan,
  { child, name, count }: { readonly child: string; readonly name: string; readonly count: number },
): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${formatCount(count)} rows of ${child} refer (${name}) to rows that the new ${plan.table} does not have; the old table stays.`,
    { hint: `Mend ${child} (or the input), then resume: the rows are loaded already.` },
  );
}

/** Rows of a table, counted only far enough to be told. */
export async function countRowsThere(link: PgLink, name: string): Promise<number> {
  const { rows } = await link.query(`SELECT count(*) AS n FROM (SELECT 1 FROM ${name} LIMIT 1000000) found`, []);
  return Number(rows[0]?.['n'] ?? 0);
}
