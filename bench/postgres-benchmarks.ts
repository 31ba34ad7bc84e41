/** What is compared on PostgreSQL and which bar it has to reach; all of it data. Server and client share the machine: 2 cores, fsync on, no TLS. */
import type { Bar, Benchmark, Entry, Summaries, Summary } from './benchmarks.ts';

const [thousand, million] = [1_000, 1_000_000];
const vectors = 100 * thousand;
/** Ways that are ten times slower are measured on fewer rows; it is rates that are compared. */
const slowVectors = 20 * thousand;

function entryOf(trial: string, rows: number): Entry {
  return { key: trial.replace(/^pg-(?:wide|384|small)-/, ''), trial, rows };
}

function get(of: Summaries, key: string): Summary {
  const found = of[key];
  if (found === undefined) throw new Error(`no results of ${key}`);
  return found;
}

/** Rows per second of one entry beside those of another. */
function rateBar(what: string, sides: readonly [sluice: string, rival: string], atLeast: number): Bar {
  const [sluice, rival] = sides;
  return {
    what,
    sluice: (of) => get(of, sluice).rowsPerSecond,
    limit: (of) => get(of, rival).rowsPerSecond,
    bar: { atLeast },
    unit: 'rows/s',
  };
}

/** Elapsed time of one entry beside that of another. */
function timeBar(what: string, sides: readonly [sluice: string, rival: string], atMost: number): Bar {
  const [sluice, rival] = sides;
  return { what, sluice: (of) => get(of, sluice).ms, limit: (of) => get(of, rival).ms, bar: { atMost }, unit: 'ms' };
}

function badBars(): readonly Bar[] {
  const keys = ['pg-bad-1', 'pg-bad-10', 'pg-bad-1000'];
  const limits = [1.02, 1.2, 3];
  return keys.flatMap((key, index) => [
    timeBar(`10⁶ small rows, ${key.slice(7)} refused by the server, beside none`, [key, 'pg-bad-0'], limits[index] ?? 1),
    {
      what: `${key.slice(7)} refused: rejects too many or too few`,
      sluice: (of) => get(of, key).figures['wrongRejects'] ?? Number.NaN,
      bar: { atMost: 0 },
      unit: 'rejects',
    },
  ]);
}

const rss = [100 * thousand, million, 10 * million];

/** Parquet, and npy beside JSONL: at 10⁶ rows the start and the end of a load count for little. */
function sourcesAt(name: string, shown: string, rows: number): Benchmark {
  const rate = (what: string, key: string, atLeast: number): Bar => ({
    what: `${what}, ${shown} × 384-d, 2 lanes`,
    sluice: (of) => get(of, key).rowsPerSecond,
    bar: { atLeast },
    unit: 'rows/s',
  });
  return {
    name,
    entries: [entryOf('pg-384-sluice-parquet', rows), entryOf('pg-384-sluice-zip', rows)],
    bars: [rate('Parquet, snappy', 'sluice-parquet', 60 * thousand), rate('npy + JSONL', 'sluice-zip', 120 * thousand)],
  };
}

const all: readonly Benchmark[] = [
  {
    name: 'pg-wide',
    entries: [
      entryOf('pg-wide-sluice', vectors),
      entryOf('pg-wide-sluice-two', vectors),
      entryOf('pg-wide-server-file', vectors),
      entryOf('pg-wide-psql-binary', vectors),
      entryOf('pg-wide-psql-csv', slowVectors / 2),
    ],
    bars: [
      rateBar('10⁵ × 1536-d from memory, 1 session, beside the server reading a binary file', ['sluice', 'server-file'], 0.95),
      rateBar('the same beside psql \\copy csv', ['sluice', 'psql-csv'], 5),
      rateBar('2 sessions and toast_tuple_target, beside psql \\copy binary', ['sluice-two', 'psql-binary'], 1.4),
    ],
  },
  {
    name: 'pg-384',
    entries: [
      entryOf('pg-384-sluice-memory', vectors),
      entryOf('pg-384-psycopg-copy', vectors),
      entryOf('pg-384-pg-copy-streams', vectors),
      entryOf('pg-384-psql-binary', vectors),
      entryOf('pg-384-pgvector-node', slowVectors),
    ],
    bars: [
      rateBar('10⁵ × 384-d from memory, beside psycopg 3 binary copy', ['sluice-memory', 'psycopg-copy'], 0.95),
      {
        what: 'the same: client CPU per row beside psycopg 3',
        sluice: (of) => 1e6 / get(of, 'sluice-memory').rowsPerCpuSecond,
        limit: (of) => 1e6 / get(of, 'psycopg-copy').rowsPerCpuSecond,
        bar: { atMost: 0.5 },
        unit: 'µs',
      },
      rateBar('the same beside pgvector-node as documented', ['sluice-memory', 'pgvector-node'], 10),
    ],
  },
  {
    name: 'pg-file',
    entries: [
      entryOf('pg-384-sluice-jsonl', vectors),
      entryOf('pg-384-sluice-csv', vectors),
      entryOf('pg-384-psql-csv', vectors / 2),
      entryOf('pg-384-two-psql-csv', vectors / 2),
    ],
    bars: [
      rateBar('10⁵ × 384-d from JSONL, 2 lanes, beside psql \\copy csv', ['sluice-jsonl', 'psql-csv'], 3),
      rateBar('the same beside two psql', ['sluice-jsonl', 'two-psql-csv'], 1.8),
      rateBar('10⁵ × 384-d from CSV, 2 lanes, beside psql \\copy csv', ['sluice-csv', 'psql-csv'], 3),
      rateBar('the same beside two psql', ['sluice-csv', 'two-psql-csv'], 1.8),
    ],
  },
  {
    name: 'pg-small',
    entries: [
      entryOf('pg-small-sluice-in-place', million),
      entryOf('pg-small-sluice-deferred', million),
      entryOf('pg-small-psql-csv', million),
    ],
    bars: [
      rateBar('10⁶ small CSV rows, key in place, beside psql \\copy', ['sluice-in-place', 'psql-csv'], 0.9),
      rateBar('the same, key put off by the plan', ['sluice-deferred', 'psql-csv'], 1.2),
    ],
  },
  {
    name: 'pg-pgloader',
    entries: [entryOf('pg-small-sluice-deferred', million), entryOf('pg-small-pgloader', million)],
    bars: [rateBar('10⁶ small CSV rows beside pgloader', ['sluice-deferred', 'pgloader'], 4)],
  },
  {
    name: 'pg-insert',
    entries: [
      entryOf('pg-384-sluice-insert', vectors),
      entryOf('pg-384-psycopg-executemany', vectors),
      entryOf('pg-384-node-postgres', slowVectors),
      entryOf('pg-384-postgres-js', slowVectors),
    ],
    bars: [
      rateBar('10⁵ × 384-d without COPY, beside psycopg 3 executemany', ['sluice-insert', 'psycopg-executemany'], 0.8),
      rateBar('the same beside node-postgres, 500 rows a statement', ['sluice-insert', 'node-postgres'], 6),
    ],
  },
  sourcesAt('pg-sources', '10⁵', vectors),
  sourcesAt('pg-sources-million', '10⁶', million),
  {
    name: 'pg-upsert',
    entries: [entryOf('pg-384-sluice-upsert', vectors), entryOf('pg-384-sluice-memory', vectors)],
    bars: [rateBar('10⁵ × 384-d over as many keys, beside the plain insert', ['sluice-upsert', 'sluice-memory'], 0.5)],
  },
  {
    name: 'pg-atomic',
    entries: [entryOf('pg-384-sluice-atomic', vectors), entryOf('pg-384-sluice-new', vectors)],
    bars: [timeBar('10⁵ × 384-d from JSONL, --atomic, 2 lanes, beside the same without', ['sluice-atomic', 'sluice-new'], 1.15)],
  },
  {
    name: 'pg-ledger',
    entries: [
      { key: 'sluice', trial: 'pg-small-sluice-deferred', rows: million },
      { key: 'limit', trial: 'pg-small-sluice-deferred', rows: million, preload: 'ledger-off.ts' },
    ],
    bars: [rateBar('10⁶ small CSV rows, beside commits that leave the ledger out', ['sluice', 'limit'], 0.98)],
  },
  {
    name: 'pg-rss',
    entries: rss.map((rows) => ({ key: `csv ${rows}`, trial: 'pg-small-cli', rows })),
    bars: [
      { what: 'peak memory, 10⁷ small CSV rows', sluice: (of) => get(of, 'csv 10000000').peakRssMb, bar: { atMost: 220 }, unit: 'MB' },
      {
        what: 'peak memory, 10⁷ beside 10⁶ small CSV rows',
        sluice: (of) => get(of, 'csv 10000000').peakRssMb,
        limit: (of) => get(of, 'csv 1000000').peakRssMb,
        bar: { atMost: 1.1 },
        unit: 'MB',
      },
    ],
  },
  {
    name: 'pg-cpu',
    entries: [entryOf('pg-small-cli', million)],
    bars: [
      {
        what: 'small CSV rows per client CPU-second',
        sluice: (of) => get(of, 'cli').rowsPerCpuSecond,
        bar: { atLeast: 800 * thousand },
        unit: 'rows/CPU-s',
      },
    ],
  },
  {
    name: 'pg-hnsw',
    entries: [
      { key: 'auto', trial: 'pg-hnsw-auto', rows: slowVectors },
      { key: 'kept', trial: 'pg-hnsw-kept', rows: slowVectors },
    ],
    bars: [rateBar('20,000 rows into 20,000 under an HNSW index: the way that the plan picks, beside the index kept', ['auto', 'kept'], 1)],
  },
  {
    name: 'pg-bad-rows',
    entries: [0, 1, 10, 1_000].map((bad) => ({ key: `pg-bad-${bad}`, trial: `pg-bad-${bad}`, rows: million })),
    bars: badBars(),
  },
];

/** Every benchmark on PostgreSQL; they run when they are named, or all by the name `postgres`: without a server they mean nothing. */
export const postgresBenchmarks: readonly Benchmark[] = all.map((benchmark) => ({ ...benchmark, isHeavy: true }));
