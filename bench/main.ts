/**
 * `npm run bench [-- NAME … --runs 5 --warmups 1 --scale 1 --results FOLDER]`: measures sluice beside its limits and prints whether each bar is met.
 * Every run is a process of its own and the sides of a benchmark take turns, so that what else the machine does strikes both.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { benchmarks as sqliteBenchmarks, summarise } from './benchmarks.ts';
import type { Benchmark, Entry } from './benchmarks.ts';
import { postgresBenchmarks } from './postgres-benchmarks.ts';
import { serverBenchmarks } from './server-benchmarks.ts';
import { rivalBenchmarks, sourceBenchmarks } from './source-benchmarks.ts';
import { explainPgloaderAbsence } from './postgres-rivals.ts';
import { printSamples, printVerdicts } from './print.ts';
import { findTrial } from './trial-list.ts';
import { explainShellAbsence } from './trials.ts';
import { buildLibrary } from './sluice.ts';
import type { Sample } from './trials.ts';

const benchmarks = [...sqliteBenchmarks, ...rivalBenchmarks, ...sourceBenchmarks, ...postgresBenchmarks, ...serverBenchmarks];
/** One name for all that need a PostgreSQL server, for all of our own server, for the other sources and for what people use instead, by what their names begin with. */
const groups: Readonly<Record<string, string>> = { postgres: 'pg-', server: 'serve-', sources: 'source-', rivals: 'rival-' };

/** A run takes seconds; the heaviest, 10⁶ vectors on a slow disk, minutes. */
const runTimeoutMs = 20 * 60_000;

interface Options {
  readonly names: readonly string[];
  readonly runs: number;
  readonly warmups: number;
  readonly scale: number;
  /** Folder of the results file. */
  readonly results: string;
}

function describeGroups(): string {
  return Object.entries(groups)
    .map(([name, prefix]) => `  ${name}: all that begin with ${prefix}\n`)
    .join('');
}

/** A count from the command line, at least `least`. */
function readNumber(text: string, flag: string, least: number): number {
  const value = Number(text);
  if (!(value >= least)) throw new Error(`--${flag} takes a number, at least ${least}`);
  return value;
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      warmups: { type: 'string', default: '1' },
      scale: { type: 'string', default: '1' },
      results: { type: 'string', default: path.join(import.meta.dirname, 'results') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = positionals.filter((name) => !(name in groups) && !benchmarks.some((benchmark) => benchmark.name === name));
  if (values.help || unknown.length > 0) {
    const names = benchmarks.map((benchmark) => (benchmark.isHeavy === true ? `${benchmark.name} (only when named)` : benchmark.name));
    process.stdout.write(
      `${unknown.length > 0 ? `no benchmark is called ${unknown.join(', ')}\n` : ''}bench [NAME …] [--runs 5] [--warmups 1] [--scale 1]\n  ${names.join(', ')}\n${describeGroups()}`,
    );
    process.exit(values.help ? 0 : 2);
  }
  const runs = readNumber(values.runs, 'runs', 1);
  return {
    names: positionals,
    runs,
    warmups: readNumber(values.warmups, 'warmups', 0),
    scale: readNumber(values.scale, 'scale', 1e-6),
    results: values.results,
  };
}

/** Rows of an entry at the scale asked for; WordNet has as many as it has. */
function scaleRows(entry: Entry, scale: number): number {
  const isFixed = ['sluice-wordnet', 'sluice-warm-cache', 'sluice-search'].includes(entry.trial);
  return isFixed ? entry.rows : Math.max(1, Math.round(entry.rows * scale));
}

/** One run of a trial in a process of its own. */
function runTrial(entry: Entry, rows: number): Sample {
  const script = path.join(import.meta.dirname, 'trial.ts');
  const preload = entry.preload === undefined ? [] : ['--import', path.join(import.meta.dirname, entry.preload)];
  const done = spawnSync(process.execPath, [...preload, script, entry.trial, String(rows)], { encoding: 'utf8', timeout: runTimeoutMs });
  if (done.status !== 0) throw new Error(`${entry.trial} with ${rows} rows ended with ${done.status ?? done.signal}:\n${done.stderr}`);
  return JSON.parse(done.stdout.trimEnd().split('\n').at(-1) ?? '') as Sample;
}

/** The runs of a benchmark's entries: A B A B …, warm-ups first. */
async function runBenchmark(benchmark: Benchmark, options: Options): Promise<ReadonlyMap<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(benchmark.entries.map((entry) => [entry.key, []]));
  for (const entry of benchmark.entries) await (await findTrial(entry.trial)).provide(scaleRows(entry, options.scale));
  for (let run = -options.warmups; run < options.runs; run++) {
    for (const entry of benchmark.entries) {
      const sample = runTrial(entry, scaleRows(entry, options.scale));
      process.stderr.write(
        `  ${benchmark.name} ${run < 0 ? 'warm-up' : `run ${run + 1}`}: ${entry.key} ${(sample.ms / 1000).toFixed(2)} s\n`,
      );
      if (run >= 0) samples.get(entry.key)?.push(sample);
    }
  }
  return samples;
}

/** Tools that may be missing: the trial that needs them, and what the text of its bars says. */
const tools = [
  { trial: 'shell-import', bar: '.import', explain: explainShellAbsence },
  { trial: 'pg-small-pgloader', bar: 'pgloader', explain: explainPgloaderAbsence },
];

/** Without a tool, what compares with it is left out, and said. */
function leaveOutMissing(benchmark: Benchmark): Benchmark {
  let left = benchmark;
  for (const { trial, bar, explain } of tools) {
    const absence = left.entries.some((entry) => entry.trial === trial) ? explain() : undefined;
    if (absence === undefined) continue;
    process.stdout.write(`${benchmark.name}: without ${trial}: ${absence}\n`);
    left = {
      ...left,
      entries: left.entries.filter((entry) => entry.trial !== trial),
      bars: left.bars.filter(({ what }) => !what.includes(bar)),
    };
  }
  return left;
}

/** The machine and the versions that the results hold for. */
function describeMachine(): Readonly<Record<string, string | number>> {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    sqlite: process.versions['sqlite'] ?? 'unknown',
  };
}

function isNamed({ name }: Benchmark, names: readonly string[]): boolean {
  return names.some((asked) => asked === name || (asked in groups && name.startsWith(groups[asked] ?? '')));
}

const options = readOptions();
buildLibrary();
const chosen = benchmarks.filter((benchmark) =>
  options.names.length === 0 ? benchmark.isHeavy !== true : isNamed(benchmark, options.names),
);
const results: Record<string, unknown> = {};
let isAllMet = true;
for (const found of chosen) {
  const benchmark = leaveOutMissing(found);
  const samples = await runBenchmark(benchmark, options);
  const summaries = Object.fromEntries([...samples].map(([key, runs]) => [key, summarise(runs)]));
  printSamples(benchmark, samples);
  isAllMet = printVerdicts(benchmark, summaries) && isAllMet;
  results[benchmark.name] = { samples: Object.fromEntries(samples), summaries };
}
mkdirSync(options.results, { recursive: true });
const file = path.join(options.results, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`);
writeFileSync(
  file,
  `${JSON.stringify({ schema: 1, machine: describeMachine(), runs: options.runs, warmups: options.warmups, scale: options.scale, results }, null, 2)}\n`,
);
process.stdout.write(`\n${path.relative(process.cwd(), file)} has all of it\n`);
process.exitCode = isAllMet ? 0 : 1;
