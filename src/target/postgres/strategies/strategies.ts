/** The ways of writing rows into PostgreSQL that `sluice bench` compares; needs no more rights than to make a schema, and leaves nothing behind. */
import { quoteIdentifier } from '../../sql-text.ts';
import type { Strategy, StrategyContext, StrategyRequest, StrategyResult, StrategySet } from '../../strategy.ts';
import { openLink } from '../connect/connect.ts';
import { toSluiceError } from '../errors.ts';
import type { PgLink } from '../link.ts';
import {
  closeGround,
  countRows,
  findLeftovers,
  openGround,
  openLoadPlace,
  readLogBytes,
  useTable,
  type Ground,
  type TableShape,
} from './tables.ts';
import { copyRows, insertArrays, insertRows, type Writing } from './write.ts';

/** A round trip and a wait for the disk each: two thousand are a second or two, and enough to know. */
const autocommitRows = 2_000;
const slowRows = 20_000;
/** Live HNSW inserts run at some hundred rows a second. */
const hnswRows = 2_000;
/** Two tables with their indexes, and the log of each row; a plain user can't ask the server how much is free. */
const diskFactor = 6;
/** What an HNSW index of `vector` takes. */
const maxHnswDimensions = 2_000;
/** Rows above this many numbers leave the table for TOAST unless its target is raised: 8 kB pages, 2 kB rows. */
const minToastDimensions = 490;

interface Way extends Omit<Strategy, 'run'> {
  readonly shape?: TableShape;
  /** Rows, as many again as the way writes, and an index over them stand there before the clock starts. */
  readonly index?: { readonly ddl: (table: string, ground: Ground) => string; readonly isRebuilt: boolean };
  /** Sessions that are open before the clock starts; 1 by default. */
  readonly sessions?: number;
  /** The measured part; `others` are the sessions but the first. */
  readonly write: (writing: Writing, ground: Ground, others: readonly PgLink[]) => Promise<void>;
}

const copyBinary = (writing: Writing): Promise<void> => copyRows(writing, 'binary');

/** How programs write, from the slowest. */
const statementWays: readonly Way[] = [
  {
    name: 'row by row, autocommit',
    group: 'statements',
    what: 'an INSERT per row, each a transaction; vectors as text',
    sampleRows: autocommitRows,
    write: (writing) => insertRows(writing, { rowsPerStatement: 1, statementsPerCommit: 1 }),
  },
  {
    name: 'commits every 1,000 rows',
    group: 'statements',
    what: 'the same INSERT, a thousand a transaction',
    sampleRows: slowRows / 2,
    write: (writing) => insertRows(writing, { rowsPerStatement: 1, statementsPerCommit: 1_000 }),
  },
  {
    name: 'INSERT of 500 rows',
    group: 'statements',
    what: '500 rows a statement, each a transaction; vectors as text',
    sampleRows: slowRows,
    write: (writing) => insertRows(writing, { rowsPerStatement: 500, statementsPerCommit: 1 }),
  },
  {
    name: 'INSERT from arrays',
    group: 'statements',
    what: 'unnest of binary arrays: the fastest way without COPY',
    write: (writing) => insertArrays(writing, 1_000),
  },
  {
    name: 'text COPY',
    group: 'copy',
    what: 'COPY FROM STDIN; the server parses every number',
    sampleRows: slowRows,
    write: (writing) => copyRows(writing, 'text'),
  },
  { name: 'binary COPY', group: 'copy', what: 'COPY FROM STDIN (FORMAT binary)', write: copyBinary },
];

/** What is said to be faster. */
const tableWays: readonly Way[] = [
  {
    name: 'binary COPY, key made afterwards',
    group: 'tables',
    what: 'COPY without a primary key, then ADD PRIMARY KEY',
    shape: { hasKey: false },
    write: async (writing) => {
      await copyBinary(writing);
      await writing.link.query(`ALTER TABLE ${writing.table} ADD PRIMARY KEY (id)`, [], { signal: writing.signal, timeoutMs: 0 });
    },
  },
  {
    name: 'UNLOGGED staging, then INSERT … SELECT',
    group: 'tables',
    what: 'every row is written twice: the price of an upsert, no gain',
    write: (writing, ground) =>
      useTable(ground, { isUnlogged: true, hasKey: false }, async (staging) => {
        await copyBinary({ ...writing, table: staging });
        await writing.link.query(`INSERT INTO ${writing.table} SELECT * FROM ${staging}`, [], { signal: writing.signal, timeoutMs: 0 });
      }),
  },
  {
    name: 'binary COPY, UNLOGGED table',
    group: 'tables',
    what: 'no log: empty after a crash of the server',
    shape: { isUnlogged: true },
    write: copyBinary,
  },
];

const wideWay: Way = {
  name: 'binary COPY, toast_tuple_target = 8160',
  group: 'tables',
  what: 'wide vectors stay in their rows',
  shape: { storage: 'toast_tuple_target = 8160' },
  write: copyBinary,
};

const indexOnTitle = (table: string): string => `CREATE INDEX bench_by_title ON ${table} (title)`;
const indexOnVector = (table: string, { vectorSchema }: Ground): string =>
  `CREATE INDEX bench_by_embedding ON ${table} USING hnsw (embedding "${vectorSchema.replaceAll('"', '""')}".vector_cosine_ops)`;

function listIndexWays(dimensions: number): readonly Way[] {
  const obstacle = dimensions > maxHnswDimensions ? `an HNSW index takes at most ${maxHnswDimensions} dimensions` : undefined;
  const titles = { group: 'secondary index', sampleRows: slowRows * 5, write: copyBinary };
  const vectors = { group: 'HNSW index', sampleRows: hnswRows, obstacle, write: copyBinary };
  const ways: readonly Way[] = [
    {
      ...titles,
      name: 'B-tree kept',
      what: 'on title; the table holds as many rows already',
      index: { ddl: indexOnTitle, isRebuilt: false },
    },
    { ...titles, name: 'B-tree dropped and rebuilt', what: 'the same table', index: { ddl: indexOnTitle, isRebuilt: true } },
    { ...vectors, name: 'HNSW kept', what: 'each row is searched its place in the graph', index: { ddl: indexOnVector, isRebuilt: false } },
    {
      ...vectors,
      name: 'HNSW dropped and rebuilt',
      what: 'the same table, its graph built at once',
      index: { ddl: indexOnVector, isRebuilt: true },
    },
  ];
  return dimensions > 0 ? ways : ways.slice(0, 2);
}

/** Binary COPY over several sessions, each with a stretch of the rows. */
function listSessionWays(room: number): readonly Way[] {
  return [1, 2, 4, 10].map((count) => ({
    name: count === 1 ? '1 connection' : `${count} connections`,
    group: 'connections',
    what: 'binary COPY, the rows shared out',
    obstacle: count - 1 > room ? `the server has room for ${room} more connections` : undefined,
    sessions: count,
    write: (writing, _, others) => writeShared(writing, others),
  }));
}

async function writeShared(writing: Writing, others: readonly PgLink[]): Promise<void> {
  const { from, to } = writing;
  const links = [writing.link, ...others];
  const share = Math.ceil((to - from) / links.length);
  const parts = links.map((link, index) => ({
    ...writing,
    link,
    from: from + index * share,
    to: Math.min(to, from + (index + 1) * share),
  }));
  // All settle before a link is closed: a failure must not leave another session writing.
  const ended = await Promise.allSettled(parts.filter((part) => part.from < part.to).map(copyBinary));
  const failed = ended.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function useSessions<Result>(
  { url }: Ground,
  { count, signal }: { readonly count: number; readonly signal: AbortSignal | undefined },
  work: (links: readonly PgLink[]) => Promise<Result>,
): Promise<Result> {
  const links: PgLink[] = [];
  try {
    while (links.length < count) links.push(await openLink(url, { signal }));
    return await work(links);
  } finally {
    await Promise.all(links.map((link) => link.close()));
  }
}

/** Makes the table, lets the way write, counts, drops. */
async function runWay(way: Way, ground: Ground, context: StrategyContext): Promise<StrategyResult> {
  try {
    const sessions = { count: (way.sessions ?? 1) - 1, signal: context.signal };
    return await useSessions(ground, sessions, (others) =>
      useTable(ground, way.shape ?? {}, (table) => measureWay(way, { ground, context, table, others })),
    );
  } catch (error) {
    throw toSluiceError(error, ground.link.place);
  }
}

interface WayRun {
  readonly ground: Ground;
  readonly context: StrategyContext;
  readonly table: string;
  readonly others: readonly PgLink[];
}

async function measureWay(way: Way, { ground, context, table, others }: WayRun): Promise<StrategyResult> {
  const { link, columns, types } = ground;
  const { rows, rowCount, signal, isSpent } = context;
  const before = way.index === undefined ? 0 : rowCount;
  const tally = { sent: 0 };
  const writing = { link, table, columns, types, rows, from: before, to: before + rowCount, signal, isSpent, tally };
  const ddl = way.index?.ddl(table, ground) ?? '';
  // An index takes as long as it takes; Ctrl-C ends it.
  const long = { signal, timeoutMs: 0 };
  if (before > 0) {
    await copyBinary({ ...writing, from: 0, to: before, tally: { sent: 0 } });
    await link.query(ddl, [], long);
  }
  const logBefore = await readLogBytes(link);
  const times = await context.measure(async () => {
    if (way.index?.isRebuilt === true) await link.query(`DROP INDEX ${quoteIdentifier(ground.schema)}.${indexName(ddl)}`, [], long);
    await way.write(writing, ground, others);
    if (way.index?.isRebuilt === true) await link.query(ddl, [], long);
  });
  const logAfter = await readLogBytes(link);
  const logBytes = logBefore === undefined || logAfter === undefined ? undefined : logAfter - logBefore;
  return { ...times, sent: tally.sent, rows: (await countRows(link, table)) - before, logBytes };
}

function indexName(ddl: string): string {
  return ddl.split(' ')[2] ?? '';
}

/** What decides about speed, as the server says it; none of these needs special rights. */
const factSettings = [
  'shared_buffers',
  'max_wal_size',
  'wal_level',
  'fsync',
  'synchronous_commit',
  'maintenance_work_mem',
  'max_parallel_maintenance_workers',
];

async function readFacts({ link }: Ground): Promise<Readonly<Record<string, string>>> {
  const { rows } = await link.query(
    'SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1::text[]) ORDER BY name',
    [`{${factSettings.join(',')}}`],
  );
  const settings = Object.fromEntries(rows.map(({ name, value }) => [String(name), String(value)]));
  const { versionText, vectorVersion } = link.server;
  return {
    server: versionText.split(',')[0] ?? versionText,
    ...(vectorVersion === undefined ? {} : { pgvector: vectorVersion }),
    ...settings,
  };
}

/** How many more sessions the server takes, as far as this user may see. */
async function countRoom({ link }: Ground): Promise<number> {
  const sql = `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*)::int AS room
    FROM pg_stat_activity WHERE backend_type = 'client backend'`;
  return Math.max(0, Number((await link.query(sql)).rows[0]?.['room'] ?? 0));
}

/** Opens the ways. @throws SLUICE_TARGET_DENIED where no schema can be made, SLUICE_USAGE without pgvector */
export async function openPostgresStrategies(request: StrategyRequest): Promise<StrategySet> {
  const ground = await openGround(request);
  try {
    const { dimensions } = request.rows;
    const wide = dimensions >= minToastDimensions ? [wideWay] : [];
    const ways = [...statementWays, ...tableWays, ...wide, ...listIndexWays(dimensions), ...listSessionWays(await countRoom(ground))];
    const leftovers = await findLeftovers(ground);
    return {
      strategies: ways.map((way) => ({ ...describeWay(way), run: (context) => runWay(way, ground, context) })),
      facts: {
        ...(await readFacts(ground)),
        'disk taken meanwhile': `up to ${Math.ceil((request.rowCount * request.rows.rowBytes * diskFactor) / 1e6)} MB`,
      },
      notes: leftovers.map((statement) => `if no other bench runs, this one was left by a killed one: ${statement}`),
      loadObstacle: ground.link.ownsSession ? undefined : 'behind a pooler its ledger can not be kept apart from yours',
      openLoadPlace: () => openLoadPlace(ground),
      close: () => closeGround(ground),
    };
  } catch (error) {
    await closeGround(ground);
    throw toSluiceError(error, ground.link.place);
  }
}

function describeWay({ name, group, what, sampleRows, obstacle }: Way): Omit<Strategy, 'run'> {
  return { name, group, what, sampleRows, obstacle };
}
