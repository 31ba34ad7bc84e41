/** Relatives of PostgreSQL as data: how each is told by asking, and what a load must do differently there. Nothing is assumed of an unknown server but PostgreSQL itself. */
import type { ServerState } from '../catalog/server.ts';
import type { ServerFacts } from '../link.ts';

/** What a service is told by, beside its version. */
type FamilyMarks = Pick<ServerState, 'marks' | 'extensions' | 'serviceRoles'>;

export interface Family {
  readonly name: string;
  /** Told by what the server says of itself. */
  readonly isMatch: (server: ServerFacts, state: FamilyMarks) => boolean;
  /** A COPY commits in between unless this setting is 0, so that a batch would not stand or fall as a whole. */
  readonly atomicCopySetting?: string;
  readonly supportsTemporary: boolean;
  readonly supportsUnlogged: boolean;
  /** `toast_tuple_target` and other storage parameters mean something. */
  readonly hasHeap: boolean;
  readonly maxLanes?: number;
  /** All connections share one session of one process: no workers, and no pooler though nothing may be left in it. */
  readonly hasOneSession?: boolean;
  /** How much longer an index build takes than on a server. */
  readonly buildFactor?: number;
  /** What follows for a load; printed. Empty where nothing does. */
  readonly notes: readonly string[];
  /** Where it was read; none of these was run unless said. */
  readonly source: string;
}

function hasMark({ marks }: FamilyMarks, prefix: string): boolean {
  return Object.keys(marks).some((name) => name.startsWith(prefix));
}

const plain = { supportsTemporary: true, supportsUnlogged: true, hasHeap: true } as const;

/** The first that matches counts; PostgreSQL itself is what is left. */
const families: readonly Family[] = [
  {
    ...plain,
    name: 'PGlite',
    isMatch: (server) => /PGlite|emscripten/iu.test(server.versionText),
    maxLanes: 1,
    hasOneSession: true,
    // In WebAssembly: 10,000 × 384 in 28 s, of which a server's process takes 6.
    buildFactor: 4.7,
    notes: [],
    source: 'run: 0.5.14',
  },
  {
    ...plain,
    name: 'YugabyteDB (YSQL)',
    isMatch: (server, { marks }) => /-YB-|yugabyte/iu.test(server.versionText) || Object.hasOwn(marks, 'yb_enable_optimizer_statistics'),
    // The first COPY of a transaction block is cut too, unless data was sent before it (its copy.c asks YBIsDataSent).
    atomicCopySetting: 'yb_default_copy_from_rows_per_transaction',
    supportsUnlogged: false,
    hasHeap: false,
    notes: ['tables are stored by DocDB: storage parameters and unlogged tables mean nothing there'],
    source: 'docs.yugabyte.com: COPY, ROWS_PER_TRANSACTION; copy.c',
  },
  {
    ...plain,
    name: 'Citus',
    isMatch: (_, { extensions }) => extensions.includes('citus'),
    notes: ['rows of a distributed table are spread by its distribution column; one coordinator core is the limit'],
    source: 'docs.citusdata.com: ingest',
  },
  {
    ...plain,
    name: 'TimescaleDB',
    isMatch: (_, { extensions }) => extensions.includes('timescaledb'),
    notes: ['rows of a hypertable go to its chunks; unique keys there hold the time column'],
    source: 'docs.timescale.com: timescaledb-parallel-copy',
  },
  {
    ...plain,
    name: 'Neon',
    isMatch: (_, asked) => asked.extensions.includes('neon') || hasMark(asked, 'neon.') || asked.serviceRoles.includes('neon_superuser'),
    supportsUnlogged: false,
    notes: [
      'unlogged and temporary tables live on the disk of the compute node and vanish when it restarts or idles; large index builds are bounded by that disk',
    ],
    source: 'neon.com/docs: compatibility',
  },
  {
    ...plain,
    name: 'Supabase',
    isMatch: (_, asked) => hasMark(asked, 'supautils.') || asked.serviceRoles.includes('supabase_admin'),
    notes: ['no superuser; port 6543 is a pooler in transaction mode, 5432 a session'],
    source: 'supabase.com/docs: database, connecting',
  },
  {
    ...plain,
    name: 'Amazon Aurora',
    isMatch: (_, asked) => hasMark(asked, 'aurora_'),
    notes: ['no server files, no superuser'],
    source: 'docs.aws.amazon.com: Aurora PostgreSQL',
  },
  {
    ...plain,
    name: 'Amazon RDS',
    isMatch: (_, asked) => hasMark(asked, 'rds.') || asked.serviceRoles.includes('rds_superuser'),
    notes: ['no server files, no superuser'],
    source: 'docs.aws.amazon.com: RDS for PostgreSQL',
  },
];

const postgres: Family = { ...plain, name: 'PostgreSQL', isMatch: () => true, notes: [], source: 'run: 16.14, 18.4' };

/** Which of the family a server is. */
export function recognizeFamily(server: ServerFacts, state: FamilyMarks): Family {
  return families.find((family) => family.isMatch(server, state)) ?? postgres;
}

/** The oldest server whose catalogs the plan's queries read. */
const minVersion = 130_000;

/** Speaks the protocol, but not the language: its name, or undefined. Asked before any other query, as those would fail there. */
export function findUnsupported(server: Pick<ServerFacts, 'version' | 'versionText'>): string | undefined {
  const foreign = /redshift|cockroachdb|materialize|questdb|cratedb|risingwave|duckdb/iu.exec(server.versionText)?.[0];
  if (foreign !== undefined)
    return `The server is ${foreign}, which speaks PostgreSQL's protocol but is not one: its catalogs, COPY and ON CONFLICT differ too much. Choose PostgreSQL 13 or later, or a relative of it.`;
  if (server.version > 0 && server.version < minVersion) {
    return `The server is PostgreSQL ${formatServerVersion(server.version)}; sluice needs 13 or later.`;
  }
  return undefined;
}

/** `180004` as `18.4`. */
export function formatServerVersion(version: number): string {
  const major = Math.floor(version / 10_000);
  return major >= 10 ? `${String(major)}.${String(version % 10_000)}` : `${String(major)}.${String(Math.floor(version / 100) % 100)}`;
}
