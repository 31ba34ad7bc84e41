/** The results as text: medians with their spread, then each bar and whether it is met. */
import process from 'node:process';
import { takeMedian } from './benchmarks.ts';
import type { Bar, Benchmark, Summaries } from './benchmarks.ts';
import type { Sample } from './trials.ts';

/** A figure with at most three decimals and thousands apart. */
function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 2 : 4;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** Columns as wide as their widest cell. */
function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Each trial's median rate, its lowest and highest, its rate by processor time (which other work on the machine hardly changes), its memory. */
export function printSamples(benchmark: Benchmark, samples: ReadonlyMap<string, readonly Sample[]>): void {
  process.stdout.write(`\n${benchmark.name}\n`);
  const rows = [...samples].map(([key, runs]) => {
    const rates = runs.map((run) => (run.rows / run.ms) * 1000);
    const memory = takeMedian(runs.map((run) => run.peakRssBytes / 1e6));
    const spread = `${formatNumber(Math.min(...rates))} … ${formatNumber(Math.max(...rates))}`;
    const perCpu = takeMedian(runs.map((run) => (run.rows / run.cpuMs) * 1000));
    return [
      `  ${key}`,
      `${formatNumber(takeMedian(rates))} rows/s`,
      spread,
      `${runs.length} runs`,
      Number.isFinite(perCpu) ? `${formatNumber(perCpu)} rows/CPU-s` : '',
      memory > 0 ? `${formatNumber(memory)} MB` : '',
    ];
  });
  printTable(rows);
}

/** What the bar is compared with: the ratio to the limit, or the figure itself. */
function judgeBar(bar: Bar, summaries: Summaries): { cells: readonly string[]; isMet: boolean } {
  const sluice = bar.sluice(summaries);
  const limit = bar.limit?.(summaries);
  const judged = limit === undefined ? sluice : sluice / limit;
  const isMet = 'atLeast' in bar.bar ? judged >= bar.bar.atLeast : judged <= bar.bar.atMost;
  const wanted = 'atLeast' in bar.bar ? `≥ ${formatNumber(bar.bar.atLeast)}` : `≤ ${formatNumber(bar.bar.atMost)}`;
  const figures = [
    `${formatNumber(sluice)} ${bar.unit}`,
    limit === undefined ? '' : formatNumber(limit),
    limit === undefined ? '' : judged.toFixed(3),
  ];
  return { cells: [`  ${bar.what}`, ...figures, wanted, isMet ? 'met' : 'NOT MET'], isMet };
}

/** Prints the table of a benchmark's bars and returns whether all are met. */
export function printVerdicts(benchmark: Benchmark, summaries: Summaries): boolean {
  const verdicts = benchmark.bars.map((bar) => judgeBar(bar, summaries));
  printTable([['  what', 'sluice', 'limit', 'ratio', 'bar', ''], ...verdicts.map((verdict) => verdict.cells)]);
  return verdicts.every((verdict) => verdict.isMet);
}
