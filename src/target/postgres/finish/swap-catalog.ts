/** What stands on a table besides its rows, read from the catalogs as the statements that put it on the table that takes its place. Every name in them is qualified. */
import type { PgLink } from '../link.ts';

/** The two tables of a swap. The new one lies in the same schema. */
export interface SwapTables {
  readonly oldOid: string;
  readonly newOid: string;
  /** Quoted and qualified; after the swap the new table bears the first. */
  readonly oldName: string;
  readonly newName: string;
  /** Quoted, without the schema. */
  readonly name: string;
  readonly schema: string;
}

/** A view on the table, or on such a view. */
export interface CarriedView {
  readonly oid: string;
  readonly name: string;
  /** Takes the view's lock and changes nothing. */
  readonly lock: string;
  readonly create: string;
  /** Owner, comments. */
  readonly after: readonly string[];
  readonly grants: readonly string[];
}

/** A foreign key of another table, or of the table itself, that points here. */
export interface CarriedReference {
  readonly child: string;
  readonly label: string;
  readonly drop: string;
  readonly add: string;
  /** undefined where nothing is to be checked: it was not valid before either, or is checked when it is added. */
  readonly validate: string | undefined;
}

/** Statements by the moment at which they run. */
export interface Carried {
  /** While both tables are there. */
  readonly before: readonly string[];
  /** When the new table bears the name. */
  readonly after: readonly string[];
  readonly grants: readonly string[];
  readonly references: readonly CarriedReference[];
  /** Each after those it reads from. */
  readonly views: readonly CarriedView[];
}

/** Views on the table by depth; a view's own depth is that of the longest way to it. */
export const dependentViewsSql = `WITH RECURSIVE found(oid, depth) AS (
  SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::text::oid AND r.ev_class <> d.refobjid
  UNION
  SELECT r.ev_class, f.depth + 1 FROM found f JOIN pg_depend d ON d.refobjid = f.oid JOIN pg_rewrite r ON r.oid = d.objid
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> f.oid AND f.depth < 100
), views AS (SELECT oid, max(depth) AS depth FROM found GROUP BY oid)`;

const named = `FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`;
const table = `format('%I.%I', n.nspname, c.relname)`;

/** While both are there. A sequence must have its table's owner, hence the order; an identity's new sequence goes on where the further of the two stands. */
const beforeSql = `SELECT sql FROM (
SELECT 1 AS step, 0 AS at, format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, pg_get_userbyid(o.relowner)) AS sql
${named} JOIN pg_class o ON o.oid = $1::text::oid WHERE c.oid = $2::text::oid AND c.relowner <> o.relowner
UNION ALL
SELECT 2, a.attnum, format('ALTER SEQUENCE %I.%I OWNED BY %s.%I', sn.nspname, s.relname, $3::text, a.attname)
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::text::oid AND d.deptype = 'a'
UNION ALL
SELECT 3, a.attnum, format('SELECT setval(%L, greatest(o.last_value, n.last_value), o.is_called OR n.is_called) FROM %s o, %s n',
  pg_get_serial_sequence($3::text, a.attname), pg_get_serial_sequence($4::text, a.attname), pg_get_serial_sequence($3::text, a.attname))
FROM pg_attribute a JOIN pg_attribute b ON b.attrelid = $2::text::oid AND b.attname = a.attname AND b.attidentity <> ''
WHERE a.attrelid = $1::text::oid AND a.attidentity <> '' AND NOT a.attisdropped
UNION ALL
SELECT 4, 0, format('DROP STATISTICS %I.%I', sn.nspname, s.stxname)
FROM pg_statistic_ext s JOIN pg_namespace sn ON sn.oid = s.stxnamespace WHERE s.stxrelid = $2::text::oid
) found ORDER BY step, at, sql`;

/** Names of identity sequences come over after the old table, and with it the old sequence, is gone. */
const sequencesSql = `SELECT format('ALTER SEQUENCE %s RENAME TO %I', pg_get_serial_sequence($4::text, b.attname), s.relname) AS sql
FROM pg_attribute a JOIN pg_attribute b ON b.attrelid = $2::text::oid AND b.attname = a.attname AND b.attidentity <> ''
JOIN pg_class s ON s.oid = pg_get_serial_sequence($3::text, a.attname)::regclass
WHERE a.attrelid = $1::text::oid AND a.attidentity <> '' AND NOT a.attisdropped`;

/** Once the new table bears the name. Triggers come last: nothing of the swap may fire them. */
const afterSql = `SELECT sql FROM (
SELECT 1 AS step, 0 AS at, format('ALTER TABLE %s SET (%s)', ${table}, string_agg(format('%I = %L', o.option_name, o.option_value), ', ')) AS sql
${named}, pg_options_to_table(c.reloptions) o WHERE c.oid = $1::text::oid GROUP BY n.nspname, c.relname
UNION ALL
SELECT 1, 1, format('ALTER TABLE %s SET (%s)', ${table}, string_agg(format('toast.%I = %L', o.option_name, o.option_value), ', '))
${named} JOIN pg_class t ON t.oid = c.reltoastrelid, pg_options_to_table(t.reloptions) o WHERE c.oid = $1::text::oid GROUP BY n.nspname, c.relname
UNION ALL
SELECT 2, a.attnum, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', ${table}, a.attname, a.attstattarget)
${named} JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.oid = $1::text::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget >= 0
UNION ALL
SELECT 2, a.attnum, format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', ${table}, a.attname, array_to_string(a.attoptions, ', '))
${named} JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.oid = $1::text::oid AND NOT a.attisdropped AND a.attoptions IS NOT NULL
UNION ALL
SELECT 3, 0, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s WHERE s.stxrelid = $1::text::oid
UNION ALL
SELECT 4, d.objsubid, CASE WHEN d.objsubid = 0 THEN format('COMMENT ON TABLE %s IS %L', ${table}, d.description)
  ELSE format('COMMENT ON COLUMN %s.%I IS %L', ${table}, a.attname, d.description) END
${named} JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid WHERE c.oid = $1::text::oid
UNION ALL
SELECT 5, 0, format('COMMENT ON INDEX %I.%I IS %L', n.nspname, c.relname, d.description)
${named} JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid WHERE i.indrelid = $1::text::oid
UNION ALL
SELECT 5, 1, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, ${table}, d.description)
${named} JOIN pg_constraint k ON k.conrelid = c.oid JOIN pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid
WHERE c.oid = $1::text::oid AND (k.contype <> 'f' OR k.confrelid <> k.conrelid)
UNION ALL
SELECT 6, 0, format('ALTER TABLE %s REPLICA IDENTITY %s', ${table}, CASE c.relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL'
  ELSE (SELECT format('USING INDEX %I', ic.relname) FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident) END)
${named} WHERE c.oid = $1::text::oid AND c.relreplident <> 'd'
UNION ALL
SELECT 6, 1, format('ALTER TABLE %s CLUSTER ON %I', ${table}, ic.relname)
${named} JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class ic ON ic.oid = i.indexrelid WHERE c.oid = $1::text::oid AND i.indisclustered
UNION ALL
SELECT 7, 0, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, ${table}, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    (SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ') FROM unnest(p.polroles) AS role))
  || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '') || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
${named} JOIN pg_policy p ON p.polrelid = c.oid WHERE c.oid = $1::text::oid
UNION ALL
SELECT 8, 0, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', ${table}) ${named} WHERE c.oid = $1::text::oid AND c.relrowsecurity
UNION ALL
SELECT 8, 1, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', ${table}) ${named} WHERE c.oid = $1::text::oid AND c.relforcerowsecurity
UNION ALL
SELECT 9, t.oid::int8, pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = $1::text::oid AND NOT t.tgisinternal
UNION ALL
SELECT 10, 0, format('ALTER TABLE %s %s TRIGGER %I', ${table}, CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname)
${named} JOIN pg_trigger t ON t.tgrelid = c.oid WHERE c.oid = $1::text::oid AND NOT t.tgisinternal AND t.tgenabled <> 'O'
UNION ALL
SELECT 10, 1, format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, ${table}, d.description)
${named} JOIN pg_trigger t ON t.tgrelid = c.oid JOIN pg_description d ON d.classoid = 'pg_trigger'::regclass AND d.objoid = t.oid WHERE c.oid = $1::text::oid
) found WHERE sql IS NOT NULL ORDER BY step, at, sql`;

/** Row filters and column lists came with PostgreSQL 15. */
function writePublicationsSql(version: number): string {
  const parts =
    version < 150_000
      ? `''`
      : `coalesce((SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')' FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY(r.prattrs::int2[])), '')
    || coalesce(' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')', '')`;
  return `SELECT format('ALTER PUBLICATION %I ADD TABLE %s', p.pubname, ${table}) || ${parts} AS sql
${named} JOIN pg_publication_rel r ON r.prrelid = c.oid JOIN pg_publication p ON p.oid = r.prpubid WHERE c.oid = $1::text::oid`;
}

/** Rights of a table or view and of its columns; a missing list means the owner's default. */
const grantsSql = `SELECT format('GRANT %s ON %s TO %s%s', g.privilege_type, ${table}, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
  CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
${named}, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g WHERE c.oid = $1::text::oid
UNION ALL
SELECT format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, ${table}, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
  CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
${named} JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) g WHERE c.oid = $1::text::oid AND NOT a.attisdropped`;

/** A partitioned child can't take one that is not checked yet before PostgreSQL 18: there it is checked at once, under the lock. */
const referencesSql = `SELECT format('%I.%I', n.nspname, c.relname) AS child, format('%I on %I.%I', k.conname, n.nspname, c.relname) AS label,
  format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, k.conname) AS drop,
  format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s%s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid),
    CASE WHEN k.convalidated AND c.relkind <> 'p' THEN ' NOT VALID' ELSE '' END) AS add,
  CASE WHEN k.convalidated AND c.relkind <> 'p' THEN format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname) END AS validate
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = $1::text::oid AND k.conparentid = 0 ORDER BY c.oid, k.conname`;

const viewsSql = `${dependentViewsSql}
SELECT c.oid::text AS oid, ${table} AS name, format('ALTER VIEW %s OWNER TO %I', ${table}, pg_get_userbyid(c.relowner)) AS lock,
  format('CREATE VIEW %s (%s)%s AS %s', ${table},
    (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
    coalesce((SELECT ' WITH (' || string_agg(format('%I = %L', o.option_name, o.option_value), ', ') || ')' FROM pg_options_to_table(c.reloptions) o), ''),
    rtrim(pg_get_viewdef(c.oid), ';')) AS create
FROM views v JOIN pg_class c ON c.oid = v.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' ORDER BY v.depth, c.oid`;

const viewCommentsSql = `SELECT format('ALTER VIEW %s OWNER TO %I', ${table}, pg_get_userbyid(c.relowner)) AS sql ${named} WHERE c.oid = $1::text::oid
UNION ALL
SELECT CASE WHEN d.objsubid = 0 THEN format('COMMENT ON VIEW %s IS %L', ${table}, d.description) ELSE format('COMMENT ON COLUMN %s.%I IS %L', ${table}, a.attname, d.description) END
${named} JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid WHERE c.oid = $1::text::oid`;

/** Reads with an empty search path, inside the caller's transaction: the server then qualifies every name it writes. */
export async function readQualified<Result>(link: PgLink, read: () => Promise<Result>): Promise<Result> {
  const { rows } = await link.query(`SELECT current_setting('search_path') AS path, set_config('search_path', '', true)`);
  const result = await read();
  await link.query(`SELECT set_config('search_path', $1::text, true)`, [String(rows[0]?.['path'])]);
  return result;
}

async function readStatements(link: PgLink, sql: string, parameters: readonly string[]): Promise<readonly string[]> {
  return (await link.query(sql, parameters)).rows.map((row) => String(row['sql']));
}

/** All that comes over, as it stands at this moment; call it under {@link readQualified}. */
export async function readCarried(link: PgLink, tables: SwapTables): Promise<Carried> {
  const { oldOid, newOid, oldName, newName } = tables;
  const views: CarriedView[] = [];
  for (const view of await readViews(link, oldOid)) {
    const after = await readStatements(link, viewCommentsSql, [view.oid]);
    views.push({ ...view, after, grants: await readGrants(link, view.oid) });
  }
  const sequences = await readStatements(link, sequencesSql, [oldOid, newOid, oldName, newName]);
  return {
    before: await readStatements(link, beforeSql, [oldOid, newOid, newName, oldName]),
    after: [
      ...sequences,
      ...(await readStatements(link, afterSql, [oldOid])),
      ...(await readStatements(link, writePublicationsSql(link.server.version), [oldOid])),
    ],
    grants: await readGrants(link, oldOid),
    references: await readReferences(link, oldOid),
    views,
  };
}

/** The rights on a table or view as statements. */
export function readGrants(link: PgLink, oid: string): Promise<readonly string[]> {
  return readStatements(link, grantsSql, [oid]);
}

/** Views on a table, each after those it reads from. */
export async function readViews(link: PgLink, oid: string): Promise<readonly Omit<CarriedView, 'after' | 'grants'>[]> {
  const { rows } = await link.query(viewsSql, [oid]);
  return rows.map((row) => ({
    oid: String(row['oid']),
    name: String(row['name']),
    lock: String(row['lock']),
    create: String(row['create']),
  }));
}

/** Foreign keys that point at a table. */
export async function readReferences(link: PgLink, oid: string): Promise<readonly CarriedReference[]> {
  const { rows } = await link.query(referencesSql, [oid]);
  return rows.map((row) => ({
    child: String(row['child']),
    label: String(row['label']),
    drop: String(row['drop']),
    add: String(row['add']),
    validate: row['validate'] === null ? undefined : String(row['validate']),
  }));
}
