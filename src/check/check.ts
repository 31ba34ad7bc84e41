/** The flow of a check: plan → shards over lanes → keys that overlap once more → report. Nothing is written to the target, not even a ledger. */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions } from '../option-names.ts';
import { createEmbedder } from '../embed/registry.ts';
import type { Source } from '../source/source.ts';
import { minThreadBytes } from '../load/plan/lane-size.ts';
import type { Prepared } from '../load/plan/plan.ts';
import { createProgressMeter, type ProgressMeter } from '../load/report/progress-meter.ts';
import { watchProgress } from '../load/report/progress-watch.ts';
import { listEmbeds, type EmbedPlan } from '../load/plan/run-plan.ts';
import { createStatistics, mergeStatistics, type ColumnStatistics } from './column-statistics.ts';
import type { KeySeed } from './key-records.ts';
import { addFindings, createFound, type Found } from './found.ts';
import { findOverlapping } from './key-runs.ts';
import { checkNames, type CheckOptions, type CheckReport } from './options.ts';
import { makeCheckReport } from './report.ts';
import type { LaneFindings, ScanPlan, ScanRequest, ShardFindings } from './scan.ts';
import { prepareUnplaced } from './unplaced.ts';
import { openScanPool, type ScanPool } from './scan-pool.ts';

const defaultKeyBytes = 64 * 1024 * 1024;
const defaultPositions = 5;
const maxPositions = 1_000;

/** Shards are read whole, so they may be larger than a load's; small enough that lanes end together. */
const minShardBytes = 4 * 1024 * 1024;

/**
 * Reads the whole input as `load` with the same options would, and tells of every row that it would reject, of keys that come twice, and of what the columns
 * hold. Cancelled by its signal it answers with what was found so far.
 *
 * @throws SLUICE_USAGE, SLUICE_SOURCE_…, SLUICE_TARGET_… when there is nothing to check with
 */
export async function check(options: CheckOptions): Promise<CheckReport> {
  refuseUnknownOptions('check', options, checkNames);
  refuseOptions(options);
  const startedMs = performance.now();
  // The caller's signal ends the reading, not the plan's making: what was found is told all the same.
  const prepared = await prepareUnplaced({ ...options, signal: undefined });
  try {
    return await checkPrepared(prepared, options, startedMs);
  } finally {
    await prepared.close();
  }
}

function refuseOptions({ positions, maxKeyBytes }: CheckOptions): void {
  const problems: string[] = [];
  if (positions !== undefined && !(Number.isInteger(positions) && positions >= 1 && positions <= maxPositions))
    problems.push(`positions has to be a whole number from 1 to ${String(maxPositions)}.`);
  if (maxKeyBytes !== undefined && !(maxKeyBytes >= 2 ** 20)) problems.push('maxKeyBytes has to be 1 MiB or more.');
  if (problems.length > 0) throw new SluiceError('SLUICE_USAGE', problems.join(' '), { problems });
}

async function checkPrepared(prepared: Prepared, options: CheckOptions, startedMs: number): Promise<CheckReport> {
  const { run, source, plan } = prepared;
  const scanPlan = await toScanPlan(prepared, options);
  const stop = new AbortController();
  const cancel = (): void => stop.abort(new SluiceError('SLUICE_CANCELLED', 'The check was stopped.'));
  if (options.signal?.aborted === true) cancel();
  options.signal?.addEventListener('abort', cancel);
  const pool = openScanPool({
    source,
    descriptor: canShare(source) ? source.descriptor : undefined,
    lanes: run.lanes,
    plan: scanPlan,
    records: {
      seed: drawSeed(),
      maxBytes: options.maxKeyBytes ?? defaultKeyBytes,
      folder: options.temporaryFolder ?? tmpdir(),
      run: prepared.load,
    },
    signal: stop.signal,
  });
  const found = createFound();
  const meter = openMeter(prepared, pool);
  const watch = watchProgress(meter, options.onProgress);
  try {
    watch.enter('load');
    await pool.scanAll(
      listShards(source, { found, shardBytes: Math.max(plan.shardBytes, minShardBytes), signal: stop.signal }),
      (findings) => hear({ found, meter, positions: scanPlan.positions }, findings),
    );
    watch.enter('verify');
    if (!stop.signal.aborted) await pool.scanAll(listOverlapping(found), () => undefined);
    const lanes = await pool.end();
    watch.enter('done');
    return await makeCheckReport({
      prepared,
      options,
      found,
      statistics: mergeLanes(scanPlan, lanes),
      records: lanes.map(({ records }) => records),
      positions: scanPlan.positions,
      lanes: pool.lanes,
      isPartial: stop.signal.aborted,
      elapsedMs: performance.now() - startedMs,
    });
  } finally {
    watch.end();
    options.signal?.removeEventListener('abort', cancel);
    await pool.drop();
  }
}

/** A small file is read on the caller's thread before another one has started. */
function canShare({ byteCount = 0, descriptor, hasOneReader }: Source): boolean {
  return descriptor !== undefined && hasOneReader !== true && byteCount >= minThreadBytes;
}

async function toScanPlan({ run }: Prepared, options: CheckOptions): Promise<Omit<ScanPlan, 'records'>> {
  const { columns, key } = run.table;
  const indexes = key.map((name) => columns.findIndex((column) => column.name === name));
  const embeds = listEmbeds(run);
  const comparesKeys = options.duplicates !== false && indexes.length > 0 && indexes.every((index) => index >= 0);
  return {
    columns,
    key: comparesKeys ? indexes : [],
    hasStatistics: options.statistics !== false,
    // Of rows whose text can't be embedded the keys are not compared.
    countedByKey: comparesKeys && indexes.length === 1 && embeds.length === 0 ? indexes[0] : undefined,
    texts: await Promise.all(embeds.map(findTextRules)),
    positions: options.positions ?? defaultPositions,
  };
}

/** What the embedding stage would refuse. */
async function findTextRules(embed: EmbedPlan): Promise<ScanPlan['texts'][number]> {
  const embedder = await createEmbedder(embed.spec);
  await embedder.close?.();
  return {
    column: embed.from,
    emptyText: embed.emptyText,
    prefix: embed.spec.documentPrefix ?? '',
    maxInputBytes: embedder.limits.maxInputBytes,
  };
}

function drawSeed(): KeySeed {
  const bytes = randomBytes(16);
  return [bytes.readInt32LE(0), bytes.readInt32LE(4), bytes.readInt32LE(8), bytes.readInt32LE(12)];
}

function openMeter({ load, source }: Prepared, pool: ScanPool): ProgressMeter {
  return createProgressMeter({
    load,
    lanes: pool.lanes,
    totalBytes: source.byteCount,
    counts: { read: 0, written: 0, skipped: 0, rejected: 0 },
    bytes: 0,
    embedding: undefined,
    rejectsByCause: [],
    nowMs: performance.now(),
  });
}

interface Listing {
  readonly found: Found;
  readonly shardBytes: number;
  readonly signal: AbortSignal;
}

async function* listShards(source: Source, { found, shardBytes, signal }: Listing): AsyncGenerator<ScanRequest> {
  for await (const shard of source.shards(shardBytes)) {
    if (signal.aborted) return;
    found.shards.set(shard.ordinal, { shard, end: undefined });
    yield { shard };
  }
}

/** Shards that hold runs of keys which overlap with others, with the rows of those. */
function* listOverlapping({ shards, runs }: Found): Generator<ScanRequest> {
  const byShard = Map.groupBy(findOverlapping(runs), ({ shard }) => shard);
  for (const [ordinal, ranges] of byShard) {
    const known = shards.get(ordinal);
    if (known !== undefined) yield { shard: known.shard, ranges: ranges.map(({ from, to }) => ({ from, to })) };
  }
}

interface Hearing {
  readonly found: Found;
  readonly meter: ProgressMeter;
  readonly positions: number;
}

function hear({ found, meter, positions }: Hearing, findings: ShardFindings): void {
  addFindings(found, findings, positions);
  const counts = { read: findings.read, written: findings.read - findings.rejected, skipped: 0, rejected: findings.rejected };
  const causes = findings.causes.map(({ code, column, count, message, class: kind }) => ({ class: kind, code, column, count, message }));
  meter.observe({ kind: 'committed', counts, bytes: findings.bytes, causes }, performance.now());
}

function mergeLanes({ columns, countedByKey }: Omit<ScanPlan, 'records'>, lanes: readonly LaneFindings[]): readonly ColumnStatistics[] {
  return columns.map((_, index) => {
    const merged = createStatistics(index !== countedByKey);
    for (const { statistics } of lanes) {
      const part = statistics[index];
      if (part !== undefined) mergeStatistics(merged, part);
    }
    return merged;
  });
}
