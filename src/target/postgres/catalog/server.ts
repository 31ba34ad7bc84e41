/** What a plan asks of a server beside the table: its state, settings, extensions and the role's rights. One query, no right that an ordinary role lacks. */
import { catalogTimeoutMs } from './table.ts';
import type { PgLink } from '../link.ts';

export interface ServerState {
  readonly role: string;
  readonly database: string;
  /** The schema that unqualified names are made in; null where the search path names none that exists. */
  readonly schema: string | null;
  readonly canCreateInSchema: boolean;
  readonly canMakeTemporary: boolean;
  /** May make objects of the database itself: schemas, trusted extensions. */
  readonly canCreateInDatabase: boolean;
  readonly isSuperuser: boolean;
  readonly isInRecovery: boolean;
  /** Set for the role, the database or the server, not by this session. */
  readonly isReadOnly: boolean;
  /** The ledger's tables are there, in the schema that unqualified names are found in. */
  readonly hasLedger: boolean;
  /** Rights that the role lacks on the ledger's tables, as `GRANT` names them with the table. */
  readonly missingLedgerRights: readonly string[];
  /** pgvector as the server could install it: its version, and whether the role may (trusted since PostgreSQL 13 where the owner of the control file says so). */
  readonly vectorAvailable: { readonly version: string; readonly isTrusted: boolean } | null;
  readonly vectorSchema: string | null;
  /** The search path finds its types without their schema. */
  readonly isVectorVisible: boolean;
  readonly extensions: readonly string[];
  /** Roles by which a service can be told; settings of an extension may be hidden from ordinary roles, these are not. */
  readonly serviceRoles: readonly string[];
  readonly maintenanceWorkMemKb: number;
  readonly sharedBuffersKb: number;
  readonly maxWalSizeMb: number;
  readonly maintenanceWorkers: number;
  readonly parallelWorkers: number;
  readonly workerProcesses: number;
  readonly sharedMemoryType: string;
  readonly maxConnections: number;
  readonly reservedConnections: number;
  readonly usedConnections: number;
  /** Limits of the role and of the database; -1 for none. */
  readonly roleLimit: number;
  readonly roleUsed: number;
  readonly databaseLimit: number;
  readonly databaseUsed: number;
  /** Settings that tell a family: yb_…, neon.…, rds.… with their values. */
  readonly marks: Readonly<Record<string, string>>;
}

/** A setting, or the given number where the server has none of that name. */
function readSetting(name: string, fallback: number): string {
  return `coalesce((SELECT setting::int8 FROM pg_settings WHERE name = '${name}'), ${String(fallback)})`;
}

/** Prefixes of settings by which a service can be told; see family.ts. */
const markPattern = '^(yb_|neon\\.|rds\\.|aurora_|citus\\.|timescaledb\\.|supautils\\.|azure\\.|alloydb\\.|cloudsql\\.)';

/** Tables that every commit of a load writes to. */
const ledgerTables = ['sluice_loads', 'sluice_shards', 'sluice_rejects', 'sluice_deferred_indexes'];

const stateSql = `SELECT json_build_object(
  'role', current_user, 'database', current_database(), 'schema', current_schema(),
  'canCreateInSchema', coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
  'canMakeTemporary', has_database_privilege(current_database(), 'TEMP'),
  'canCreateInDatabase', has_database_privilege(current_database(), 'CREATE'),
  'isSuperuser', coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false),
  'isInRecovery', pg_is_in_recovery(),
  'isReadOnly', EXISTS (SELECT FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on' AND source NOT IN ('session', 'client')),
  'hasLedger', to_regclass('sluice_meta') IS NOT NULL,
  'missingLedgerRights', (SELECT coalesce(json_agg(format('%s ON %s', r.name, t.name)), '[]')
    FROM unnest(ARRAY['${ledgerTables.join("', '")}']) AS t (name) CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r (name)
    WHERE to_regclass(t.name) IS NOT NULL AND NOT has_table_privilege(to_regclass(t.name), r.name)),
  'vectorAvailable', (SELECT json_build_object('version', v.version, 'isTrusted', v.trusted) FROM pg_available_extension_versions v
    JOIN pg_available_extensions a ON a.name = v.name AND a.default_version = v.version WHERE v.name = 'vector'),
  'vectorSchema', (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'),
  'isVectorVisible', to_regtype('vector') IS NOT NULL,
  'serviceRoles', (SELECT coalesce(json_agg(rolname), '[]') FROM pg_roles WHERE rolname IN ('supabase_admin', 'rds_superuser', 'neon_superuser')),
  'extensions', (SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_extension),
  'maintenanceWorkMemKb', ${readSetting('maintenance_work_mem', 65_536)},
  'sharedBuffersKb', ${readSetting('shared_buffers', 16_384)} * 8,
  'maxWalSizeMb', ${readSetting('max_wal_size', 1024)},
  'maintenanceWorkers', ${readSetting('max_parallel_maintenance_workers', 2)},
  'parallelWorkers', ${readSetting('max_parallel_workers', 8)},
  'workerProcesses', ${readSetting('max_worker_processes', 8)},
  'sharedMemoryType', coalesce((SELECT setting FROM pg_settings WHERE name = 'dynamic_shared_memory_type'), ''),
  'maxConnections', ${readSetting('max_connections', 100)},
  'reservedConnections', ${readSetting('superuser_reserved_connections', 3)} + ${readSetting('reserved_connections', 0)},
  'usedConnections', (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database),
  'roleLimit', coalesce((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1),
  'roleUsed', (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user),
  'databaseLimit', coalesce((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1),
  'databaseUsed', coalesce((SELECT numbackends FROM pg_stat_database WHERE datname = current_database()), 0),
  'marks', (SELECT coalesce(json_object_agg(name, setting), '{}') FROM pg_settings WHERE name ~ '${markPattern}')
)::text AS state`;

export async function readServerState(link: PgLink): Promise<ServerState> {
  const { rows } = await link.query(stateSql, [], { timeoutMs: catalogTimeoutMs });
  return JSON.parse(String(rows[0]?.['state'])) as ServerState;
}
