/** What is compared with what, and which bar it has to reach; all of it data. The bars are those of the table in README and docs. */
import type { Sample } from './trials.ts';

/** A trial with a number of rows; `key` names it among the results of its benchmark. */
export interface Entry {
  readonly key: string;
  readonly trial: string;
  readonly rows: number;
  /** A module of this folder that the trial's process loads first. */
  readonly preload?: string;
}

/** Medians of a trial's runs. */
export interface Summary {
  readonly rowsPerSecond: number;
  readonly rowsPerCpuSecond: number;
  readonly ms: number;
  readonly peakRssMb: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** One line of the table. `value` is what the bar is compared with. */
export interface Bar {
  readonly what: string;
  readonly sluice: (of: Summaries) => number;
  readonly limit?: (of: Summaries) => number;
  /** Ratio of the two, or sluice's own figure where there is no limit. */
  readonly bar: { readonly atLeast: number } | { readonly atMost: number };
  readonly unit: string;
}

export type Summaries = Readonly<Record<string, Summary>>;

export interface Benchmark {
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly bars: readonly Bar[];
  /** Takes minutes or tens of gigabytes of disk: only when it is named. */
  readonly isHeavy?: boolean;
}

/** The summary of an entry; a bar that asks for one that was not run is a mistake here. */
function get(of: Summaries, key: string): Summary {
  const found = of[key];
  if (found === undefined) throw new Error(`no results of ${key}`);
  return found;
}

/** Sluice and its limit on the same rows, taking turns. */
function pairOf(name: string, rows: number): readonly Entry[] {
  return [
    { key: 'sluice', trial: `sluice-${name}`, rows },
    { key: 'limit', trial: `limit-${name}`, rows },
  ];
}

/** A bar on rows per second beside the limit. */
function rateBar(what: string, atLeast: number): Bar {
  return {
    what,
    sluice: (of) => get(of, 'sluice').rowsPerSecond,
    limit: (of) => get(of, 'limit').rowsPerSecond,
    bar: { atLeast },
    unit: 'rows/s',
  };
}

/** A bar on a figure of sluice's trial alone. */
function figureBar(what: string, figure: string, rest: Pick<Bar, 'bar' | 'unit'>): Bar {
  return { what, sluice: (of) => get(of, 'sluice').figures[figure] ?? Number.NaN, ...rest };
}

const million = 1_000_000;
const definitions = 117_791;

/** Every benchmark, in the order of the table. */
export const benchmarks: readonly Benchmark[] = [
  { name: 'vectors', entries: pairOf('vectors', 100_000), bars: [rateBar('100,000 JSONL lines with 384-d vectors, 2 lanes', 0.85)] },
  {
    name: 'csv',
    entries: [...pairOf('csv', 10 * million), { key: 'shell', trial: 'shell-import', rows: 10 * million }],
    bars: [
      rateBar('10⁷ small rows from CSV', 0.8),
      {
        what: '10⁷ small rows from CSV, beside .import of the sqlite3 shell',
        sluice: (of) => get(of, 'sluice').rowsPerSecond,
        limit: (of) => get(of, 'shell').rowsPerSecond,
        bar: { atLeast: 1.3 },
        unit: 'rows/s',
      },
      {
        what: '10⁷ small CSV rows: rows per CPU-second',
        sluice: (of) => get(of, 'sluice').rowsPerCpuSecond,
        bar: { atLeast: 1.1 * million },
        unit: 'rows/CPU-s',
      },
    ],
  },
  { name: 'jsonl', entries: pairOf('jsonl', 10 * million), bars: [rateBar('10⁷ small rows from JSONL', 0.8)] },
  { name: 'memory', entries: pairOf('memory', 100_000), bars: [rateBar('100,000 × 384-d rows from memory', 0.8)] },
  {
    name: 'wordnet',
    entries: [{ key: 'sluice', trial: 'sluice-wordnet', rows: definitions }],
    bars: [
      {
        what: 'WordNet, hash embedder 384-d, index apart',
        sluice: (of) => get(of, 'sluice').rowsPerSecond,
        bar: { atLeast: 40_000 },
        unit: 'rows/s',
      },
    ],
  },
  {
    name: 'cache',
    entries: [{ key: 'sluice', trial: 'sluice-warm-cache', rows: definitions }],
    bars: [
      figureBar('warm cache: texts embedded', 'embedded', { bar: { atMost: 0 }, unit: 'texts' }),
      figureBar('warm cache: share of the embed stage', 'stageShare', { bar: { atMost: 0.1 }, unit: 'of 1' }),
    ],
  },
  {
    name: 'rss',
    entries: [100_000, million, 10 * million].map((rows) => ({ key: `csv ${rows}`, trial: 'cli-csv', rows })),
    bars: [
      { what: 'peak memory, 10⁷ small CSV rows', sluice: (of) => get(of, 'csv 10000000').peakRssMb, bar: { atMost: 220 }, unit: 'MB' },
      {
        what: 'peak memory, 10⁷ beside 10⁶ small CSV rows',
        sluice: (of) => get(of, 'csv 10000000').peakRssMb,
        limit: (of) => get(of, 'csv 1000000').peakRssMb,
        bar: { atMost: 1.1 },
        unit: 'MB',
      },
      {
        what: 'peak memory, 10⁷ beside 10⁵ small CSV rows',
        sluice: (of) => get(of, 'csv 10000000').peakRssMb,
        limit: (of) => get(of, 'csv 100000').peakRssMb,
        bar: { atMost: 1.1 },
        unit: 'MB',
      },
    ],
  },
  {
    name: 'rss-vectors',
    isHeavy: true,
    entries: [{ key: 'sluice', trial: 'cli-vectors', rows: million }],
    bars: [{ what: 'peak memory, 10⁶ × 384-d JSONL', sluice: (of) => get(of, 'sluice').peakRssMb, bar: { atMost: 300 }, unit: 'MB' }],
  },
  {
    name: 'ledger',
    entries: [
      { key: 'sluice', trial: 'sluice-csv', rows: 10 * million },
      { key: 'limit', trial: 'sluice-csv', rows: 10 * million, preload: 'ledger-off.ts' },
    ],
    bars: [rateBar('10⁷ small CSV rows, beside commits that leave the ledger out', 0.98)],
  },
  {
    name: 'index',
    entries: pairOf('index', 100_000),
    bars: [rateBar('index build, 100,000 × 384, beside usearch called directly', 0.95)],
  },
  {
    name: 'search',
    entries: [{ key: 'sluice', trial: 'sluice-search', rows: definitions }],
    bars: [
      figureBar('search, 117,791 × 384, HNSW, warm: p50', 'p50Ms', { bar: { atMost: 3 }, unit: 'ms' }),
      figureBar('search, 117,791 × 384, HNSW: recall@10', 'recall', { bar: { atLeast: 0.95 }, unit: 'of 1' }),
    ],
  },
  {
    name: 'resume',
    entries: [{ key: 'sluice', trial: 'sluice-resume', rows: 10 * million }],
    bars: [figureBar('kill -9, resume: committed rows read again', 'readAgain', { bar: { atMost: 0 }, unit: 'rows' })],
  },
];

/** The middle value; the lower of the two middle ones of an even number. */
export function takeMedian(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

/** Medians of all that the runs measured. */
export function summarise(samples: readonly Sample[]): Summary {
  const median = (pick: (sample: Sample) => number): number => takeMedian(samples.map(pick));
  const names = Object.keys(samples[0]?.figures ?? {});
  return {
    rowsPerSecond: median((sample) => (sample.rows / sample.ms) * 1000),
    rowsPerCpuSecond: median((sample) => (sample.rows / sample.cpuMs) * 1000),
    ms: median((sample) => sample.ms),
    peakRssMb: median((sample) => sample.peakRssBytes / 1e6),
    figures: Object.fromEntries(names.map((name) => [name, median((sample) => sample.figures[name] ?? Number.NaN)])),
  };
}
