/** What the server is, asked once when a connection is opened; and how a pooler in between is told from it. */
import type { ServerFacts } from '../link.ts';
import type { Activity } from './exchange.ts';
import type { Session } from './session.ts';
import { runBound } from './statement.ts';

export interface Greeting {
  readonly server: ServerFacts;
  /** The process that answers; a pooler names another one as the session's own. */
  readonly processId: number;
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
}

const greetingSql = `
SELECT pg_catalog.current_setting('server_version_num')::int4 AS version,
  pg_catalog.version() AS version_text,
  pg_catalog.pg_backend_pid() AS process_id,
  pg_catalog.pg_is_in_recovery() AS is_standby,
  pg_catalog.current_setting('transaction_read_only') = 'on' AS is_read_only,
  (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector') AS vector_version,
  (SELECT pg_catalog.string_agg(t.oid || ' ' || t.typname, ',')
     FROM pg_catalog.pg_extension e
     JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
     JOIN pg_catalog.pg_type t ON t.oid = d.objid AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
    WHERE e.extname = 'vector' AND t.typname IN ('vector', 'halfvec', 'sparsevec')) AS vector_types`;

/** Asks the server; `timeoutMs` for the whole. */
export async function greetServer(session: Session, timeoutMs: number): Promise<Greeting> {
  const { rows } = await runBound(session, { sql: greetingSql, values: [], extensionTypes: new Map() }, { timeoutMs });
  const row = rows[0] ?? {};
  const types = typeof row['vector_types'] === 'string' ? row['vector_types'].split(',').map((part) => part.split(' ')) : [];
  return {
    server: {
      version: Number(row['version']),
      versionText: String(row['version_text']),
      vectorVersion: typeof row['vector_version'] === 'string' ? row['vector_version'] : undefined,
      extensionTypes: new Map(types.map(([oid = '', name = '']): [number, string] => [Number(oid), name])),
    },
    processId: Number(row['process_id']),
    isStandby: row['is_standby'] === true,
    isReadOnly: row['is_read_only'] === true,
  };
}

/**
 * Hosts of services that hand sessions to others after each transaction. PgBouncer's port · Neon's and Supabase's names.
 * @see https://www.pgbouncer.org/config.html https://neon.com/docs/connect/connection-pooling https://supabase.com/docs/guides/database/connecting-to-postgres
 */
const poolers: readonly { readonly port?: number; readonly name?: RegExp }[] = [
  { port: 6432 },
  { name: /-pooler\./u },
  { port: 6543, name: /\.supabase\.co(?:m)?$/u },
  { port: 6543, name: /\.pooler\.supabase\.com$/u },
];

export function isPoolerAddress(host: { readonly name: string; readonly port: number }): boolean {
  return poolers.some(({ port, name }) => (port === undefined || port === host.port) && (name === undefined || name.test(host.name)));
}

/**
 * Whether the server is at work for a session: running, and not waiting for us to send or to read. If not, the session is ended there: it would hold the
 * locks of its transaction until the system notices that nobody is there. A process of our role that has the number and is no younger than our session can be no other.
 */
const checkSql = `WITH found AS (
  SELECT pid, coalesce(state = 'active', false) AND wait_event_type IS DISTINCT FROM 'Client' AS working,
    usename = session_user AND backend_start <= pg_catalog.clock_timestamp() - $2 * interval '1 ms' AS is_ours
  FROM pg_catalog.pg_stat_activity WHERE pid = $1)
SELECT working, CASE WHEN is_ours AND NOT working THEN pg_catalog.pg_terminate_backend(pid) END AS is_ended FROM found`;

export interface Backend {
  readonly processId: number;
  /** For how long the session was there, by our own clock. */
  readonly ageMs: number;
}

/** See {@link checkSql}. */
export async function checkBackend(session: Session, { processId, ageMs }: Backend, timeoutMs: number): Promise<Activity> {
  const int4 = { typeOid: 23, isBinary: false, bytes: Buffer.from(String(processId)) };
  const float8 = { typeOid: 701, isBinary: false, bytes: Buffer.from(String(ageMs)) };
  const { rows } = await runBound(session, { sql: checkSql, values: [int4, float8], extensionTypes: new Map() }, { timeoutMs });
  return rows[0]?.['working'] === true ? 'working' : 'ended';
}
