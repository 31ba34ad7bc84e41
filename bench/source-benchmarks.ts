/** Other sources, modes and what people would use instead: what is compared with what, and which bar it has to reach. */
import type { Bar, Benchmark, Entry, Summaries, Summary } from './benchmarks.ts';

const million = 1_000_000;
const wide = 100_000;

function get(of: Summaries, key: string): Summary {
  const found = of[key];
  if (found === undefined) throw new Error(`no results of ${key}`);
  return found;
}

const entry = (key: string, trial: string, rows: number): Entry => ({ key, trial, rows });

/** Rows per second of one entry beside another's. */
function ratioBar(what: string, [key, other]: readonly [string, string], atLeast: number): Bar {
  return {
    what,
    sluice: (of) => get(of, key).rowsPerSecond,
    limit: (of) => get(of, other).rowsPerSecond,
    bar: { atLeast },
    unit: 'rows/s',
  };
}

function rateBar(what: string, key: string, atLeast: number): Bar {
  return { what, sluice: (of) => get(of, key).rowsPerSecond, bar: { atLeast }, unit: 'rows/s' };
}

/** Time of one entry beside another's. */
function timeBar(what: string, [key, other]: readonly [string, string], atMost: number): Bar {
  return { what, sluice: (of) => get(of, key).ms, limit: (of) => get(of, other).ms, bar: { atMost }, unit: 'ms' };
}

function memoryBar(what: string, key: string, atMost: number): Bar {
  return { what, sluice: (of) => get(of, key).peakRssMb, bar: { atMost }, unit: 'MB' };
}

/** A source at 10⁵ and 10⁶ rows: its peak memory, and its rate where a start of some tenths of a second counts for little. */
function sizesOf(name: string, trial: string, atLeast: number): Benchmark {
  return {
    name: `source-rss-${name.toLowerCase().replaceAll(/[^a-z]+/gu, '-')}`,
    isHeavy: true,
    entries: [entry('small', trial, wide), entry('large', trial, million)],
    bars: [
      rateBar(`${name}, 10⁶ × 384-d, 2 lanes`, 'large', atLeast),
      memoryBar(`peak memory, ${name}, 10⁶ × 384-d`, 'large', 400),
      {
        what: `peak memory, ${name}, 10⁶ beside 10⁵ rows`,
        sluice: (of) => get(of, 'large').peakRssMb,
        limit: (of) => get(of, 'small').peakRssMb,
        bar: { atMost: 1.15 },
        unit: 'MB',
      },
    ],
  };
}

const p50 = (of: Summaries, key: string): number => get(of, key).figures['p50Ms'] ?? Number.NaN;

/** What people would use instead, on the same rows, as durable. */
export const rivalBenchmarks: readonly Benchmark[] = [
  {
    name: 'rival-stores',
    entries: [
      entry('sluice', 'sluice-memory', wide),
      entry('better-sqlite3', 'rival-better-sqlite3', wide),
      entry('LanceDB', 'rival-lancedb-add', wide),
      entry('sqlite-utils', 'rival-sqlite-utils', wide),
    ],
    bars: [
      ratioBar('100,000 × 384-d from memory, beside better-sqlite3 in one transaction', ['sluice', 'better-sqlite3'], 0.9),
      ratioBar('100,000 × 384-d from memory, beside LanceDB add', ['sluice', 'LanceDB'], 3),
      ratioBar('100,000 × 384-d from memory, beside sqlite-utils insert_all', ['sluice', 'sqlite-utils'], 1),
    ],
  },
  {
    name: 'rival-search',
    isHeavy: true,
    entries: [
      entry('sluice', 'rival-search-sluice', million),
      entry('sqlite-vec', 'rival-search-sqlite-vec', million),
      entry('LanceDB', 'rival-search-lancedb', million),
    ],
    bars: [
      {
        what: 'exact search, 10⁶ × 384: p50 beside sqlite-vec alone',
        sluice: (of) => p50(of, 'sluice'),
        limit: (of) => p50(of, 'sqlite-vec'),
        bar: { atMost: 1.1 },
        unit: 'ms',
      },
      {
        what: 'exact search, 10⁶ × 384: p50 beside LanceDB',
        sluice: (of) => p50(of, 'sluice'),
        limit: (of) => p50(of, 'LanceDB'),
        bar: { atMost: 5 },
        unit: 'ms',
      },
    ],
  },
];

const codecs = ['snappy', 'zstd'] as const;

/** The other sources and modes. */
export const sourceBenchmarks: readonly Benchmark[] = [
  ...codecs.map((codec): Benchmark => ({
    name: `source-parquet-${codec}`,
    entries: [entry('sluice', `source-parquet-${codec}`, wide), entry('objects', `source-objects-${codec}`, wide)],
    bars: [
      rateBar(`Parquet, ${codec}, 100,000 × 384-d, 2 lanes`, 'sluice', 60_000),
      ratioBar(`Parquet, ${codec}, beside hyparquet's row objects`, ['sluice', 'objects'], 3),
    ],
  })),
  {
    name: 'source-zip',
    entries: [entry('sluice', 'source-zip', wide)],
    bars: [rateBar('npy + JSONL, 100,000 × 384-d', 'sluice', 150_000)],
  },
  {
    name: 'source-gzip',
    entries: [
      entry('sluice', 'source-gzip', 3 * million),
      entry('plain', 'sluice-jsonl', 3 * million),
      entry('zlib', 'source-gunzip', 3 * million),
      entry('zstd', 'source-zstd', 3 * million),
    ],
    bars: [
      {
        what: '3 × 10⁶ small rows from gzip JSONL, beside the slower of zlib alone and plain JSONL',
        sluice: (of) => get(of, 'sluice').rowsPerSecond,
        limit: (of) => Math.min(get(of, 'plain').rowsPerSecond, get(of, 'zlib').rowsPerSecond),
        bar: { atLeast: 0.8 },
        unit: 'rows/s',
      },
    ],
  },
  {
    name: 'source-sync',
    entries: [entry('first', 'source-sync-first', million), entry('again', 'source-sync-again', million)],
    bars: [
      timeBar('sync of 10⁶ embedded rows, 1 % changed, beside the first load', ['again', 'first'], 0.4),
      {
        what: 'sync: texts embedded beyond the changed ones',
        sluice: (of) => get(of, 'again').figures['wrongEmbedded'] ?? Number.NaN,
        bar: { atMost: 0 },
        unit: 'texts',
      },
    ],
  },
  {
    name: 'source-sync-plain',
    entries: [entry('first', 'source-sync-plain-first', million), entry('again', 'source-sync-plain-again', million)],
    bars: [timeBar('sync of 10⁶ rows without vectors, 1 % changed, beside the first load', ['again', 'first'], 2)],
  },
  {
    name: 'source-atomic',
    entries: [
      entry('atomic new', 'source-atomic-new', million),
      entry('rows new', 'source-rows-new', million),
      entry('atomic old', 'source-atomic-old', million),
      entry('rows old', 'source-rows-old', million),
    ],
    bars: [
      timeBar('--atomic, 10⁶ small rows into a new table', ['atomic new', 'rows new'], 1.3),
      timeBar('--atomic, 10⁶ small rows into a table with 10⁶ rows', ['atomic old', 'rows old'], 1.3),
    ],
  },
  {
    name: 'source-check',
    entries: [entry('check', 'source-check', 10 * million), entry('parse', 'source-parse', 10 * million)],
    bars: [
      ratioBar('plan --check of 10⁷ small CSV rows, beside reading and converting alone', ['check', 'parse'], 0.8),
      memoryBar('peak memory of plan --check, 10⁷ rows with unique key', 'check', 350),
    ],
  },
  sizesOf('Parquet', 'source-parquet-snappy', 60_000),
  sizesOf('npy + JSONL', 'source-zip', 150_000),
  sizesOf('Arrow', 'source-arrow', 60_000),
];
