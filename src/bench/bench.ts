/** `bench`: the ways of writing rows that a target's driver brings, run one after another on the user's own database, each counted back and dropped again. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import { findDriver } from '../target/registry.ts';
import { hideSecrets } from '../secret-text.ts';
import type { BenchRows, Strategy, StrategyContext, StrategySet } from '../target/strategy.ts';
import { listLoadStrategies } from './load-strategies.ts';
import { benchNames, type BenchOptions, type BenchReport, type BenchResult } from './options.ts';
import { createBenchRows } from './rows.ts';

const defaultRows = 100_000;
const defaultDimensions = 384;
/** 400 MB of vectors: enough for steady figures, and some twenty times that on the server's disk at most, one way at a time. */
const maxNumbers = 100_000_000;
/** However slow the disk or far the server: a sample of this long tells a rate as well as a longer one. */
const maxSampleMs = 3_000;
/** Rows without vectors are small; beyond this a bench takes minutes per way. */
const maxRows = 10_000_000;
/** What pgvector stores at most. */
const maxDimensions = 16_000;

/**
 * Measures the ways side by side. What they make is dropped again, also after an abort or an error; nothing of the user's is touched.
 * A way that fails ends the bench: a figure beside a failure would mislead.
 * @throws SLUICE_USAGE for sizes out of range and a target that has nothing to compare, SLUICE_CANCELLED, and what the target throws
 */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  refuseUnknownOptions('bench', options, benchNames);
  const { rowCount, dimensions } = checkSizes(options);
  const driver = await findDriver(options.to);
  if (driver.openStrategies === undefined) {
    throw new SluiceError('SLUICE_USAGE', `There are no ways to compare on ${hideSecrets(options.to)}.`, {
      hint: 'sluice bench knows sqlite:, postgres: and rqlite:.',
    });
  }
  const rows = createBenchRows(rowCount, dimensions);
  const { signal } = options;
  const set = await driver.openStrategies({ url: options.to, rows, rowCount, signal });
  try {
    const account = await runAll(set, rows, { ...options, rowCount, dimensions });
    const { facts, notes } = set;
    return { schema: 1, target: hideSecrets(options.to), rows: rowCount, dims: dimensions, facts, ...account, notes };
  } finally {
    await set.close();
  }
}

function checkSizes(options: BenchOptions): { readonly rowCount: number; readonly dimensions: number } {
  const { rows: rowCount = defaultRows, dims: dimensions = defaultDimensions } = options;
  const hint = 'For example --rows 100000 --dims 384.';
  const isWhole = Number.isSafeInteger(rowCount) && Number.isSafeInteger(dimensions);
  if (!isWhole || rowCount < 1 || rowCount > maxRows || dimensions < 0 || dimensions > maxDimensions) {
    throw new SluiceError('SLUICE_USAGE', `A bench takes 1 to ${maxRows} rows of 0 to ${maxDimensions} dimensions.`, { hint });
  }
  if (rowCount * dimensions > maxNumbers) {
    throw new SluiceError('SLUICE_USAGE', `${rowCount} rows of ${dimensions} dimensions are more than ${maxNumbers} numbers.`, { hint });
  }
  return { rowCount, dimensions };
}

interface Request extends BenchOptions {
  readonly rowCount: number;
  readonly dimensions: number;
}

/** All ways, the driver's first; the first of them is what the others are compared with. */
async function runAll(set: StrategySet, rows: BenchRows, request: Request): Promise<Pick<BenchReport, 'results' | 'skipped'>> {
  const all = [...set.strategies, ...listLoadStrategies(set, request.dimensions)].filter((strategy) => isWanted(strategy, request.only));
  const runnable = all.filter((strategy) => strategy.obstacle === undefined);
  if (all.length === 0) {
    throw new SluiceError('SLUICE_USAGE', `No way is called ${request.only?.join(' or ')}.`, {
      hint: 'Leave --only out to see all names.',
    });
  }
  const results: BenchResult[] = [];
  for (const [index, strategy] of runnable.entries()) {
    const rowCount = Math.min(request.rowCount, strategy.sampleRows ?? request.rowCount);
    const progress = { index, total: runnable.length, name: strategy.name, rows: rowCount };
    request.onProgress?.({ ...progress, result: undefined });
    const result = await runOne(strategy, rows, { request, rowCount, first: results[0] });
    results.push(result);
    request.onProgress?.({ ...progress, rows: result.rows, result });
  }
  const skipped = all.flatMap(({ name, group, obstacle }) => (obstacle === undefined ? [] : [{ name, group, why: obstacle }]));
  return { results, skipped };
}

function isWanted({ name, group }: Strategy, only: readonly string[] | undefined): boolean {
  return only === undefined || only.some((text) => name.includes(text) || group.includes(text));
}

interface Run {
  readonly request: Request;
  readonly rowCount: number;
  readonly first: BenchResult | undefined;
}

async function runOne(strategy: Strategy, rows: BenchRows, { request, rowCount, first }: Run): Promise<BenchResult> {
  checkStopped(request.signal);
  const clock = createClock(strategy.sampleRows !== undefined);
  const done = await strategy.run({ rows, rowCount, signal: request.signal, ...clock });
  const isShort = done.sent < rowCount && strategy.sampleRows === undefined;
  if (done.rows !== done.sent || done.rows === 0 || isShort) {
    throw new SluiceError(
      'SLUICE_VERIFY_MISMATCH',
      `The way "${strategy.name}" wrote ${done.rows} of ${isShort ? rowCount : done.sent} rows.`,
      {
        hint: 'No figure of this bench can be trusted: report this with the versions that sluice bench prints.',
      },
    );
  }
  const rowsPerSecond = (done.rows / done.ms) * 1000;
  return {
    name: strategy.name,
    group: strategy.group,
    what: strategy.what,
    rows: done.rows,
    isSample: done.rows < request.rowCount,
    ms: done.ms,
    cpuMs: done.cpuMs,
    fullMs: (done.ms / done.rows) * request.rowCount,
    rowsPerSecond,
    bytesPerSecond: rowsPerSecond * rows.rowBytes,
    logBytesPerRow: done.logBytes === undefined ? undefined : done.logBytes / done.rows,
    ratio: first === undefined ? 1 : rowsPerSecond / first.rowsPerSecond,
    clientShare: done.cpuMs / done.ms,
  };
}

/** The clock of one way; the time of a sample begins with what is measured. */
function createClock(isSample: boolean): Pick<StrategyContext, 'measure' | 'isSpent'> {
  let endMs = Infinity;
  return {
    isSpent: () => performance.now() >= endMs,
    measure: async (work) => {
      const [startedMs, startedCpu] = [performance.now(), process.cpuUsage()];
      if (isSample) endMs = startedMs + maxSampleMs;
      await work();
      const [ms, cpu] = [performance.now() - startedMs, process.cpuUsage(startedCpu)];
      return { ms, cpuMs: (cpu.user + cpu.system) / 1000 };
    },
  };
}

function checkStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new SluiceError('SLUICE_CANCELLED', 'The bench was stopped.', { hint: 'What it had made was dropped.' });
}
