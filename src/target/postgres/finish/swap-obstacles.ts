/** What a swap can't carry over from a table to the one that takes its place, as the server describes it. Found before anything is written. */
import type { PgLink } from '../link.ts';
import { quoteTable } from '../qualified-name.ts';
import { dependentViewsSql } from './swap-catalog.ts';

/**
 * What depends on the table or on a view on it, and is neither such a view, nor the table's own, nor a foreign key. Materialized views would have to be filled
 * again; functions and columns of the row type hold the type itself, which goes with the old table.
 */
const dependentsSql = `${dependentViewsSql}, rels AS (
  SELECT $1::text::oid AS oid UNION SELECT v.oid FROM views v JOIN pg_class c ON c.oid = v.oid WHERE c.relkind = 'v'
), targets AS (
  SELECT 'pg_class'::regclass AS class, oid FROM rels
  UNION ALL SELECT 'pg_type'::regclass, t.oid FROM rels JOIN pg_type t ON t.typrelid = rels.oid
  UNION ALL SELECT 'pg_type'::regclass, t.typarray FROM rels JOIN pg_type t ON t.typrelid = rels.oid
)
SELECT DISTINCT CASE WHEN rc.oid IS NOT NULL THEN pg_describe_object('pg_class'::regclass, rc.oid, 0) ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS what
FROM targets JOIN pg_depend d ON d.refclassid = targets.class AND d.refobjid = targets.oid AND d.deptype = 'n'
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_class rc ON rc.oid = r.ev_class
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
WHERE coalesce(rc.relkind, '') <> 'v'
  AND (rc.oid IS NULL OR rc.oid NOT IN (SELECT oid FROM rels))
  AND (k.oid IS NULL OR k.contype <> 'f' AND k.conrelid <> $1::text::oid)
  AND (t.oid IS NULL OR t.tgrelid NOT IN (SELECT oid FROM rels))
  AND (p.oid IS NULL OR p.polrelid <> $1::text::oid)
  AND (f.oid IS NULL OR f.adrelid <> $1::text::oid)
  AND NOT (d.classid = 'pg_class'::regclass AND d.objid IN (SELECT oid FROM rels))
  AND d.classid <> 'pg_publication_rel'::regclass
  AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE d.classid = 'pg_class'::regclass AND h.inhrelid = d.objid AND h.inhparent = d.refobjid)
ORDER BY 1`;

/** What the table, or a view on it, is or has that nothing in pg_depend tells. */
const traitsSql = `${dependentViewsSql}, held AS (SELECT oid FROM views UNION SELECT $1::text::oid)
SELECT what FROM (
SELECT 1 AS step, CASE c.relkind WHEN 'p' THEN 'it is a partitioned table' WHEN 'v' THEN 'it is a view' WHEN 'm' THEN 'it is a materialized view' ELSE 'it is a foreign table' END AS what
FROM pg_class c WHERE c.oid = $1::text::oid AND c.relkind <> 'r'
UNION ALL SELECT 1, 'it is a temporary table' FROM pg_class c WHERE c.oid = $1::text::oid AND c.relpersistence = 't'
UNION ALL SELECT 1, 'it is a table of the type ' || format_type(c.reloftype, NULL) FROM pg_class c WHERE c.oid = $1::text::oid AND c.reloftype <> 0
UNION ALL SELECT 2, 'it inherits from ' || i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = $1::text::oid
UNION ALL SELECT 2, i.inhrelid::regclass::text || ' inherits from it' FROM pg_inherits i WHERE i.inhparent = $1::text::oid
UNION ALL SELECT 3, format('rule %s on %s', r.rulename, r.ev_class::regclass) FROM pg_rewrite r JOIN held ON held.oid = r.ev_class WHERE r.rulename <> '_RETURN'
UNION ALL SELECT 4, format('trigger %s on view %s', t.tgname, t.tgrelid::regclass) FROM pg_trigger t JOIN views ON views.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT 4, format('constraint trigger %s on %s, which names it', t.tgname, t.tgrelid::regclass) FROM pg_trigger t
  WHERE t.tgconstrrelid = $1::text::oid AND t.tgconstraint = 0 AND t.tgrelid <> t.tgconstrrelid
UNION ALL SELECT 5, format('default of a column of view %s', a.adrelid::regclass) FROM pg_attrdef a JOIN views ON views.oid = a.adrelid
UNION ALL SELECT 6, 'it belongs to the extension ' || e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
  WHERE d.classid = 'pg_class'::regclass AND d.objid = $1::text::oid AND d.refclassid = 'pg_extension'::regclass
UNION ALL SELECT 7, format('security label of %s', l.provider) FROM pg_seclabel l JOIN held ON held.oid = l.objoid WHERE l.classoid = 'pg_class'::regclass
UNION ALL SELECT 8, 'a subscription writes into it' FROM pg_subscription_rel s WHERE s.srrelid = $1::text::oid
UNION ALL SELECT 9, format('publication %s, which belongs to %s', p.pubname, pg_get_userbyid(p.pubowner)) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
  WHERE r.prrelid = $1::text::oid AND NOT pg_has_role(p.pubowner, 'USAGE')
UNION ALL SELECT 9, format('view %s, which belongs to %s', c.oid::regclass, pg_get_userbyid(c.relowner)) FROM views v JOIN pg_class c ON c.oid = v.oid
  WHERE NOT pg_has_role(c.relowner, 'USAGE')
UNION ALL SELECT 9, format('foreign key %s of %s, which belongs to %s', k.conname, c.oid::regclass, pg_get_userbyid(c.relowner)) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  WHERE k.contype = 'f' AND k.confrelid = $1::text::oid AND NOT pg_has_role(c.relowner, 'USAGE')
) found ORDER BY step, what`;

/** Each obstacle as a short text; empty: the table can be swapped. A table that does not exist has none. */
export async function findSwapObstacles(link: PgLink, table: string): Promise<readonly string[]> {
  const { rows } = await link.query('SELECT to_regclass($1::text)::oid::text AS oid', [quoteTable(table)]);
  const oid = rows[0]?.['oid'];
  if (oid === null || oid === undefined) return [];
  const traits = await link.query(traitsSql, [String(oid)]);
  const dependents = await link.query(dependentsSql, [String(oid)]);
  return [...new Set([...traits.rows, ...dependents.rows].map((row) => String(row['what'])))];
}
