/** What is compared on the server and which bar it has to reach. No package brings an rqlited binary, so its side is what one did on such a machine (v10.2.7, 2 cores that client and server share, fsync on). */
import type { Bar, Benchmark, Summaries, Summary } from './benchmarks.ts';

const [thousand, million] = [1_000, 1_000_000];

function get(of: Summaries, key: string): Summary {
  const found = of[key];
  if (found === undefined) throw new Error(`no results of ${key}`);
  return found;
}

interface Compared {
  readonly name: string;
  readonly trial: string;
  readonly rows: number;
  readonly what: string;
  /** Statements or rows a second of rqlited, and how many times that is wanted. */
  readonly recorded: number;
  readonly atLeast: number;
  readonly maxRssMb?: number;
}

function benchmarkOf({ name, trial, rows, what, recorded, atLeast, maxRssMb }: Compared): Benchmark {
  const rate: Bar = {
    what: `${what}, beside rqlited as it was measured`,
    sluice: (of) => get(of, 'sluice').rowsPerSecond,
    limit: () => recorded,
    bar: { atLeast },
    unit: '/s',
  };
  const memory: Bar = {
    what: 'peak memory of the server',
    sluice: (of) => get(of, 'sluice').peakRssMb,
    bar: { atMost: maxRssMb ?? 0 },
    unit: 'MB',
  };
  return { name, entries: [{ key: 'sluice', trial, rows }], bars: maxRssMb === undefined ? [rate] : [rate, memory], isHeavy: true };
}

/** Every benchmark of the server; the upper end of what was recorded is what counts. */
export const serverBenchmarks: readonly Benchmark[] = [
  benchmarkOf({
    name: 'serve-singles',
    trial: 'serve-singles',
    rows: 5 * thousand,
    what: 'singles in sequence',
    recorded: 1_270,
    atLeast: 1.5,
  }),
  benchmarkOf({
    name: 'serve-singles-32',
    trial: 'serve-singles-32',
    rows: 50 * thousand,
    what: 'singles on 32 connections',
    recorded: 9_800,
    atLeast: 1.5,
  }),
  benchmarkOf({ name: 'serve-bulk', trial: 'serve-bulk', rows: million, what: 'bulk of 1,000, each alone', recorded: 52_000, atLeast: 4 }),
  benchmarkOf({
    name: 'serve-bulk-transaction',
    trial: 'serve-bulk-transaction',
    rows: million,
    what: 'bulk of 1,000 with transaction',
    recorded: 118_000,
    atLeast: 2,
  }),
  benchmarkOf({
    name: 'serve-multi-row',
    trial: 'serve-multi-row',
    rows: million,
    what: 'one INSERT of 1,000 rows',
    recorded: 234_000,
    atLeast: 1.3,
  }),
  benchmarkOf({
    name: 'serve-queue',
    trial: 'serve-queue',
    rows: million,
    what: 'queued, 1,000 a request, durable first',
    recorded: 53_000,
    atLeast: 3,
    maxRssMb: 250,
  }),
  {
    name: 'serve-load',
    entries: [
      { key: 'sluice', trial: 'serve-load', rows: million },
      { key: 'limit', trial: 'serve-load-limit', rows: million },
      { key: 'row by row', trial: 'serve-singles', rows: 5 * thousand },
    ],
    bars: [
      {
        what: 'load of a CSV file, beside requests of 1,000 rows that were encoded before',
        sluice: (of) => get(of, 'sluice').rowsPerSecond,
        limit: (of) => get(of, 'limit').rowsPerSecond,
        bar: { atLeast: 0.9 },
        unit: 'rows/s',
      },
      {
        what: 'load of a CSV file, beside a request for each row',
        sluice: (of) => get(of, 'sluice').rowsPerSecond,
        limit: (of) => get(of, 'row by row').rowsPerSecond,
        bar: { atLeast: 50 },
        unit: 'rows/s',
      },
    ],
    isHeavy: true,
  },
  {
    name: 'serve-load-dump',
    entries: [{ key: 'sluice', trial: 'serve-load-dump', rows: 200 * thousand }],
    bars: [
      {
        what: 'a dump of 200,000 INSERTs (rqlited: about 7 min)',
        sluice: (of) => get(of, 'sluice').ms,
        bar: { atMost: 3_000 },
        unit: 'ms',
      },
    ],
    isHeavy: true,
  },
  benchmarkOf({
    name: 'serve-point-selects',
    trial: 'serve-point-selects',
    rows: million,
    what: '1,000 point selects in one query',
    recorded: 62_000,
    atLeast: 2,
  }),
  benchmarkOf({
    name: 'serve-large-answer',
    trial: 'serve-large-answer',
    rows: million,
    what: '100,000 rows in one answer',
    recorded: 449_000,
    atLeast: 1,
    maxRssMb: 200,
  }),
  {
    name: 'serve-rss',
    entries: [
      { key: 'few', trial: 'serve-bulk-transaction', rows: 100 * thousand },
      { key: 'many', trial: 'serve-bulk-transaction', rows: 10 * million },
    ],
    bars: [
      { what: 'memory at the start', sluice: (of) => get(of, 'few').figures['idleRssMb'] ?? Number.NaN, bar: { atMost: 120 }, unit: 'MB' },
      {
        what: 'peak memory, 10⁷ statements beside 10⁵',
        sluice: (of) => get(of, 'many').peakRssMb,
        limit: (of) => get(of, 'few').peakRssMb,
        bar: { atMost: 1.1 },
        unit: 'MB',
      },
    ],
    isHeavy: true,
  },
];
