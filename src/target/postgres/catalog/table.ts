/** Reads what a plan must know of a table from the system catalogs, in one query and with the rights of any role. Reads only. */
import type { PgLink } from '../link.ts';
import { parseQualifiedName, quoteName, type QualifiedName } from '../qualified-name.ts';

/** A column as the catalogs hold it; `base…` with domains resolved. */
export interface CatalogColumn {
  readonly name: string;
  /** `format_type()`: as it was declared. */
  readonly declaredType: string;
  readonly baseName: string;
  readonly baseOid: number;
  readonly typmod: number;
  /** `typtype` of the base type: b base · e enum · c composite · r range … */
  readonly baseKind: string;
  readonly arrayOid: number;
  /** Elements of an array with domains left as they are; 0 for no array. */
  readonly elementOid: number;
  readonly elementName: string | null;
  readonly elementKind: string | null;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** '' · s stored · v virtual. */
  readonly generated: string;
  /** '' · a always · d by default. */
  readonly identity: string;
  readonly canInsert: boolean;
  readonly canSelect: boolean;
  readonly canUpdate: boolean;
  /** False: texts that differ in their bytes may compare equal. */
  readonly isDeterministic: boolean;
}

export interface CatalogIndex {
  readonly schema: string;
  readonly name: string;
  /** btree, gin, hnsw, ivfflat … */
  readonly method: string;
  /** Key columns by name; an expression is null. */
  readonly columns: readonly (string | null)[];
  readonly isUnique: boolean;
  readonly isPrimary: boolean;
  readonly isValid: boolean;
  readonly isPartial: boolean;
  readonly isImmediate: boolean;
  readonly isReplicaIdentity: boolean;
  readonly isClustered: boolean;
  readonly isPartition: boolean;
  readonly hasComment: boolean;
  /** In a tablespace of its own, which `pg_get_indexdef` does not name. */
  readonly hasTablespace: boolean;
  /** Something else stands on it: a foreign key, a view with GROUP BY. */
  readonly hasDependents: boolean;
  /** The constraint it belongs to, with `pg_get_constraintdef`. */
  readonly constraint: { readonly name: string; readonly kind: string; readonly ddl: string } | null;
  readonly ddl: string;
  /** `ddl` from USING on: without the names of index and table. */
  readonly definition: string;
  readonly bytes: number;
  /** Read by a query within the last minutes (PostgreSQL 16 and later tell). */
  readonly isUsed: boolean;
}

interface CatalogTrigger {
  readonly name: string;
  readonly isBefore: boolean;
  readonly isInstead: boolean;
  readonly isRow: boolean;
  readonly onInsert: boolean;
  readonly onUpdate: boolean;
  /** Its function's text names the table, and so may add or delete rows of it. */
  readonly namesTable: boolean;
}

export interface CatalogForeignKey {
  readonly name: string;
  /** The other table. */
  readonly table: string;
  readonly isDeferrable: boolean;
  /** `confdeltype`: what becomes of a row whose partner is deleted. a, r nothing may · c deleted · n, d set to null or its default. */
  readonly onDelete: string;
}

export interface CatalogTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `relkind`: r table · p partitioned · v view · m materialized view · f foreign table … */
  readonly kind: string;
  /** `relpersistence`: p permanent · u unlogged · t temporary. */
  readonly persistence: string;
  readonly owner: string;
  readonly isOwner: boolean;
  readonly options: readonly string[];
  /** Row-level security holds for this role: COPY is refused, and reads may not see every row. */
  readonly isRowSecured: boolean;
  readonly isPartition: boolean;
  readonly hasParents: boolean;
  readonly hasChildren: boolean;
  readonly canSelect: boolean;
  readonly canInsert: boolean;
  readonly canUpdate: boolean;
  readonly canDelete: boolean;
  readonly rows: number;
  readonly pages: number;
  readonly bytes: number;
  /** Sessions of others hold locks on it. */
  readonly isLocked: boolean;
  readonly columns: readonly CatalogColumn[];
  readonly indexes: readonly CatalogIndex[];
  readonly triggers: readonly CatalogTrigger[];
  /** Names of rules, with the event they are for. */
  readonly rules: readonly { readonly name: string; readonly event: string }[];
  readonly foreignKeys: readonly CatalogForeignKey[];
  readonly referencedBy: readonly CatalogForeignKey[];
  readonly views: readonly string[];
  readonly publications: readonly string[];
}

/** Reads of the catalogs are short; a server that takes longer hangs or holds a lock on them. */
export const catalogTimeoutMs = 60_000;

/** Looking for one row: a table whose rows were all deleted is read to its end, 100 GB of them in some minutes. */
export const probeTimeoutMs = 600_000;

/**
 * A domain's typmod stands in the domain, and the last one of a chain counts, as `getBaseTypeAndTypmod` in the server's source has it.
 * Arrays are told by their category: vector types have `typelem` 0.
 */
const columnsSql = `SELECT coalesce(json_agg(json_build_object(
  'name', a.attname, 'declaredType', format_type(a.atttypid, a.atttypmod),
  'baseName', b.typname, 'baseOid', b.oid::int8, 'typmod', base.typmod, 'baseKind', b.typtype, 'arrayOid', b.typarray::int8,
  'elementOid', CASE WHEN b.typcategory = 'A' THEN b.typelem::int8 ELSE 0 END, 'elementName', e.typname, 'elementKind', e.typtype,
  'isNullable', NOT (a.attnotnull OR base.not_null), 'hasDefault', a.atthasdef OR a.attidentity = 'd' OR base.has_default,
  'generated', a.attgenerated, 'identity', a.attidentity,
  'canInsert', has_column_privilege(c.oid, a.attnum, 'INSERT'), 'canSelect', has_column_privilege(c.oid, a.attnum, 'SELECT'),
  'canUpdate', has_column_privilege(c.oid, a.attnum, 'UPDATE'), 'isDeterministic', coalesce(l.collisdeterministic, true)
) ORDER BY a.attnum), '[]')
FROM pg_attribute a
CROSS JOIN LATERAL (
  WITH RECURSIVE chain (type, typmod, not_null, has_default, depth) AS (
    SELECT a.atttypid, a.atttypmod, false, false, 0
    UNION ALL
    SELECT d.typbasetype, d.typtypmod, chain.not_null OR d.typnotnull, chain.has_default OR d.typdefault IS NOT NULL, chain.depth + 1
    FROM chain JOIN pg_type d ON d.oid = chain.type AND d.typtype = 'd'
  ) SELECT * FROM chain ORDER BY depth DESC LIMIT 1
) base
JOIN pg_type b ON b.oid = base.type
LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

/** `pg_stat_all_indexes` tells when an index was last read since PostgreSQL 16; ten minutes are long beside the pauses of a service in use. */
function writeIndexesSql(version: number): string {
  const isUsed = version >= 160000 ? `coalesce(s.last_idx_scan > now() - interval '10 minutes', false)` : 'false';
  return `SELECT coalesce(json_agg(json_build_object(
  'schema', n.nspname, 'name', i.relname, 'method', m.amname, 'columns', (
    SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(x.indkey) WITH ORDINALITY AS k (number, place)
    LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number AND k.number > 0 WHERE k.place <= x.indnkeyatts),
  'isUnique', x.indisunique, 'isPrimary', x.indisprimary, 'isValid', x.indisvalid, 'isPartial', x.indpred IS NOT NULL,
  'isImmediate', x.indimmediate, 'isReplicaIdentity', x.indisreplident, 'isClustered', x.indisclustered, 'isPartition', i.relispartition,
  'hasComment', obj_description(i.oid, 'pg_class') IS NOT NULL OR obj_description(o.oid, 'pg_constraint') IS NOT NULL,
  'hasTablespace', i.reltablespace <> 0,
  'hasDependents', EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'n' AND (
    (d.refclassid = 'pg_class'::regclass AND d.refobjid = i.oid) OR (d.refclassid = 'pg_constraint'::regclass AND d.refobjid = o.oid))),
  'constraint', CASE WHEN o.oid IS NULL THEN NULL ELSE json_build_object('name', o.conname, 'kind', o.contype, 'ddl', pg_get_constraintdef(o.oid)) END,
  'ddl', pg_get_indexdef(i.oid),
  'definition', substr(pg_get_indexdef(i.oid), 1 + length(format('CREATE %sINDEX %I ON %s%I.%I ', CASE WHEN x.indisunique THEN 'UNIQUE ' END, i.relname,
    CASE WHEN c.relkind = 'p' THEN 'ONLY ' END, n.nspname, c.relname))),
  'bytes', pg_relation_size(i.oid), 'isUsed', ${isUsed}
) ORDER BY NOT x.indisprimary, i.relname), '[]')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace JOIN pg_am m ON m.oid = i.relam
LEFT JOIN pg_constraint o ON o.conindid = i.oid AND o.conrelid = x.indrelid AND o.contype IN ('p', 'u', 'x')
LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.oid
WHERE x.indrelid = c.oid`;
}

/** Bits of `tgtype`: 1 row · 2 before · 4 insert · 16 update · 64 instead. A disabled trigger does nothing. */
const triggersSql = `SELECT coalesce(json_agg(json_build_object(
  'name', t.tgname, 'isRow', t.tgtype & 1 <> 0, 'isBefore', t.tgtype & 2 <> 0, 'onInsert', t.tgtype & 4 <> 0,
  'onUpdate', t.tgtype & 16 <> 0, 'isInstead', t.tgtype & 64 <> 0,
  'namesTable', strpos(lower(f.prosrc), lower(c.relname)) > 0) ORDER BY t.tgname), '[]')
FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'`;

const rulesSql = `SELECT coalesce(json_agg(json_build_object('name', w.rulename,
  'event', CASE w.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' WHEN '4' THEN 'DELETE' ELSE 'SELECT' END) ORDER BY w.rulename), '[]')
FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN'`;

function writeForeignKeysSql(mine: 'conrelid' | 'confrelid', other: 'conrelid' | 'confrelid'): string {
  return `SELECT coalesce(json_agg(json_build_object('name', f.conname, 'table', f.${other}::regclass::text, 'isDeferrable', f.condeferrable, 'onDelete', f.confdeltype) ORDER BY f.conname), '[]')
FROM pg_constraint f WHERE f.contype = 'f' AND f.${mine} = c.oid`;
}

const viewsSql = `SELECT coalesce(json_agg(DISTINCT v.oid::regclass::text), '[]')
FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class v ON v.oid = w.ev_class
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND v.oid <> c.oid`;

/** Locks of a vacuum (ShareUpdateExclusive) don't count: nobody waits for the answer. */
const isLockedSql = `EXISTS (SELECT FROM pg_locks k WHERE k.relation = c.oid AND k.locktype = 'relation' AND k.pid <> pg_backend_pid()
  AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND k.mode <> 'ShareUpdateExclusiveLock')`;

function writeTableSql(version: number): string {
  return `SELECT json_build_object(
  'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'persistence', c.relpersistence,
  'owner', pg_get_userbyid(c.relowner), 'isOwner', pg_has_role(c.relowner, 'USAGE'), 'options', coalesce(to_json(c.reloptions), '[]'),
  'isRowSecured', row_security_active(c.oid), 'isPartition', c.relispartition,
  'hasParents', EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid), 'hasChildren', EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
  'canSelect', has_table_privilege(c.oid, 'SELECT'), 'canInsert', has_table_privilege(c.oid, 'INSERT'), 'canUpdate', has_table_privilege(c.oid, 'UPDATE'),
  'canDelete', has_table_privilege(c.oid, 'DELETE'), 'rows', size.rows, 'pages', size.pages, 'bytes', size.bytes, 'isLocked', ${isLockedSql},
  'columns', (${columnsSql}), 'indexes', (${writeIndexesSql(version)}), 'triggers', (${triggersSql}), 'rules', (${rulesSql}),
  'foreignKeys', (${writeForeignKeysSql('conrelid', 'confrelid')}), 'referencedBy', (${writeForeignKeysSql('confrelid', 'conrelid')}),
  'views', (${viewsSql}),
  'publications', (SELECT coalesce(json_agg(p.pubname), '[]') FROM pg_publication_tables p WHERE p.schemaname = n.nspname AND p.tablename = c.relname)
)::text AS facts
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT coalesce(sum(greatest(p.reltuples, 0)), 0)::float8 AS rows, coalesce(sum(p.relpages), 0)::int8 AS pages, coalesce(sum(pg_relation_size(p.oid)), 0)::int8 AS bytes
  FROM pg_class p WHERE p.relkind IN ('r', 'm', 't') AND p.oid IN (SELECT c.oid UNION ALL SELECT t.relid FROM pg_partition_tree(c.oid) t WHERE c.relkind = 'p')
) size
WHERE c.oid = to_regclass($1)`;
}

/** The relation of that name, of any kind, with everything that a plan asks of it; undefined where there is none. */
export async function readCatalogTable(link: PgLink, table: string | QualifiedName): Promise<CatalogTable | undefined> {
  const name = typeof table === 'string' ? parseQualifiedName(table) : table;
  const { rows } = await link.query(writeTableSql(link.server.version), [quoteName(name)], { timeoutMs: catalogTimeoutMs });
  const facts = rows[0]?.['facts'];
  return typeof facts === 'string' ? (JSON.parse(facts) as CatalogTable) : undefined;
}
