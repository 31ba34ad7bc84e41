/** The ways of writing rows into rqlite that `sluice bench` compares: each in a table of its own that is dropped afterwards; the whole database is replaced only where it is empty. */
import { randomBytes } from 'node:crypto';
import type { LoadPlace, Strategy, StrategyContext, StrategyRequest, StrategySet } from '../strategy.ts';
import { ledgerDdl, ledgerViews } from '../../ledger/schema.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { parseRqliteUrl } from './address.ts';
import { readRows, writeStatement } from './answer.ts';
import { findObstacles } from './boot-plan.ts';
import { readJson, type JsonValue } from './json.ts';
import { countTable } from './keys.ts';
import { closeLink, defaultLeaderTimeoutMs, openLink, sendRequest, type RqliteLink } from './link.ts';
import { withShadow } from './shadow.ts';
import { bootRows } from './strategies-boot.ts';
import { writeRows, type Writing } from './strategies-write.ts';
import { runTransaction } from './transaction.ts';

/** A request and a consensus round each: 1,000 a second on one node, far fewer on a cluster. */
const singleRows = 500;
/** 33,000 to 52,000 rows a second were seen for bulks without a transaction, and about the same for the queue. */
const bulkRows = 20_000;

type Way = Omit<Strategy, 'run'> & { readonly writing: Writing };

const requestWays: readonly Way[] = [
  {
    name: 'singles',
    group: 'requests',
    what: 'a request per row, one after another',
    sampleRows: singleRows,
    writing: { form: 'singles', rowsPerRequest: 1 },
  },
  {
    name: 'bulk',
    group: 'requests',
    what: 'up to 1,000 statements a request, a commit each',
    sampleRows: bulkRows,
    writing: { form: 'bulk', rowsPerRequest: 1_000 },
  },
  {
    name: 'transaction',
    group: 'requests',
    what: 'up to 1,000 statements a request in one transaction',
    writing: { form: 'transaction', rowsPerRequest: 1_000 },
  },
  {
    name: 'multi-row',
    group: 'requests',
    what: 'one INSERT of up to 10,000 rows a request, in a transaction',
    writing: { form: 'multi-row', rowsPerRequest: 10_000 },
  },
];

const queueWays: readonly Way[] = [
  {
    name: 'queue',
    group: 'queue',
    what: 'queued writes of up to 1,000 rows a request; the time ends when all are applied. rqlite says nothing of single failures',
    sampleRows: bulkRows,
    writing: { form: 'queue', rowsPerRequest: 1_000 },
  },
];

/** Opens the ways on one server. @throws as `connect` does */
export async function openRqliteStrategies({ url, signal }: StrategyRequest): Promise<StrategySet> {
  const link = openLink(parseRqliteUrl(url), defaultLeaderTimeoutMs);
  try {
    const names = await listNames(link, signal);
    const obstacles = await withShadow(link, { signal }, (shadow) => findObstacles(link, shadow));
    const leftovers = names.filter((name) => /^(?:bench_)?sluice_bench_[0-9a-f]{8}$/u.test(name));
    const list = (chosen: readonly Way[]): readonly Strategy[] =>
      chosen.map(({ writing, ...way }) => ({ ...way, run: (context) => useTable(link, writing, context) }));
    return {
      // The queue of sluice serve leaves a table of its own, and a node that holds one is not booted.
      strategies: [...list(requestWays), listBoot(link, obstacles), ...list(queueWays)],
      facts: await readFacts(link),
      notes: leftovers.map((name) => `${name} is left over from a bench that was killed; drop it with DROP TABLE ${quoteIdentifier(name)}`),
      ...(names.includes('sluice_meta') ? { loadObstacle: 'the database has a ledger of loads, and a bench would write into it' } : {}),
      openLoadPlace: () => Promise.resolve(openPlace(link, url)),
      close: () => Promise.resolve(closeLink(link)),
    };
  } catch (error) {
    closeLink(link);
    throw error;
  }
}

function listBoot(link: RqliteLink, obstacles: readonly string[]): Strategy {
  const why = obstacles.map((text) => text.replace(/^--boot /u, 'a boot ').replace(/: load without it\.$/u, '')).join('; ');
  return {
    name: 'boot',
    group: 'file',
    what: 'an SQLite file built on this machine takes the place of the whole, empty database',
    ...(obstacles.length > 0 ? { obstacle: why } : {}),
    run: (context) => bootRows(link, nameTable(), context),
  };
}

function nameTable(): string {
  return `sluice_bench_${randomBytes(4).toString('hex')}`;
}

async function useTable(link: RqliteLink, writing: Writing, context: StrategyContext): ReturnType<Strategy['run']> {
  const table = nameTable();
  const vector = context.rows.dimensions > 0 ? ', embedding BLOB NOT NULL' : '';
  await runAll(link, [`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, title TEXT NOT NULL${vector})`]);
  try {
    let sent = 0;
    const times = await context.measure(async () => {
      sent = await writeRows(link, table, { ...context, writing });
    });
    return { ...times, sent, rows: await countTable(link, table) };
  } finally {
    await runAll(link, [`DROP TABLE ${table}`]);
  }
}

async function runAll(link: RqliteLink, statements: readonly string[]): Promise<void> {
  const sent = statements.map((sql) => writeStatement(sql, []));
  const end = await runTransaction(link, sent);
  if (end.kind !== 'committed') throw new Error(`A table of the bench could not be made or dropped: ${end.error}`);
}

async function listNames(link: RqliteLink, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const entry = await readRows(link, writeStatement(`SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name`, []), {
    signal,
  });
  return entry.values.map(([name]) => String(name));
}

async function readFacts(link: RqliteLink): Promise<Readonly<Record<string, string>>> {
  const [sqlite] = (await readRows(link, writeStatement('SELECT sqlite_version()', []))).values;
  const version = await readVersion(link);
  return {
    ...(version === undefined ? {} : { server: version }),
    SQLite: String(sqlite?.[0] ?? 'unknown'),
    acknowledged: 'when the log of a majority holds it',
  };
}

/** Whoever may not read the status may bench all the same. */
async function readVersion(link: RqliteLink): Promise<string | undefined> {
  const { status, text } = await sendRequest(link, { method: 'GET', path: '/status', isRead: true });
  if (status !== 200) return undefined;
  const build = member(readJson(text), 'build');
  const version = member(build, 'version');
  return typeof version === 'string' ? version : undefined;
}

function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, JsonValue>>)[name] : undefined;
}

const ledgerTables: readonly string[] = ledgerDdl.flatMap((sql) => /^CREATE TABLE IF NOT EXISTS (\w+)/u.exec(sql)?.[1] ?? []);

/** The load's table and its ledger stand among the user's tables: rqlite has no place apart. There was no ledger when the bench began. */
function openPlace(link: RqliteLink, url: string): LoadPlace {
  // A load refuses names that begin as sluice's own.
  const table = `bench_${nameTable()}`;
  return {
    url,
    table,
    count: () => countTable(link, table),
    readLogBytes: () => Promise.resolve(undefined),
    dispose: () => dropPlace(link, table),
  };
}

/** A load that somebody began meanwhile has its ledger there as well: then only the table goes, and the ledger stays. */
async function dropPlace(link: RqliteLink, table: string): Promise<void> {
  const dropTable = `DROP TABLE IF EXISTS ${table}`;
  const names = await listNames(link, undefined);
  if (!names.includes('sluice_loads')) return runAll(link, [dropTable]);
  const others = await readRows(link, writeStatement('SELECT 1 FROM sluice_loads WHERE target_table <> ? LIMIT 1', [table]));
  if (others.values.length > 0) return runAll(link, [dropTable]);
  const views = ledgerViews.map(({ name }) => `DROP VIEW IF EXISTS ${name}`);
  return runAll(link, [dropTable, ...views, ...ledgerTables.map((name) => `DROP TABLE IF EXISTS ${name}`)]);
}
