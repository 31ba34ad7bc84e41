/** The account of a load: counts from the ledger, times from the session. `read = written + skipped + rejected` is checked, not assumed. */
import type { LedgerLoad } from '../../ledger/reading.ts';
import { rejectCodes, type RejectClass } from '../../rows/batch.ts';
import type { Decision } from '../../target/driver.ts';
import { hideSecrets } from '../../secret-text.ts';
import { writeNextCommand } from '../control/command-text.ts';
import { readHistogram } from './latency-histogram.ts';
import type { Counts, LoadReport, RejectCause, SyncCounts } from '../options.ts';
import { readPeakRss } from './peak-memory.ts';
import type { ShardsEnd } from '../session/run-shards.ts';
import { parseRunPlan, type RunPlan } from '../plan/run-plan.ts';
import type { Session } from '../session/session.ts';
import { findPercentile, type Tally } from './tally.ts';
import { readTimeline } from './timeline.ts';

/** What a session ended with. */
export interface Ending {
  readonly session: Session;
  readonly tally: Tally;
  readonly end: ShardsEnd;
  readonly index: LoadReport['index'];
  readonly verification: LoadReport['verification'];
  readonly restored: readonly Decision[];
  /** The load as the ledger has it now. */
  readonly after: LedgerLoad;
  readonly sync?: SyncCounts | undefined;
  readonly causes: readonly RejectCause[];
  /** Time and processor time until the last row was committed. */
  readonly loaded: { readonly ms: number; readonly cpu: NodeJS.CpuUsage };
  readonly elapsedMs: number;
  readonly cpu: NodeJS.CpuUsage;
  readonly environment: LoadReport['environment'];
}

function isBalanced({ read, written, skipped, rejected }: Counts): boolean {
  return read === written + skipped + rejected;
}

/** Rejects by class; every class is there, also at 0. */
function sumByClass(causes: readonly RejectCause[]): Readonly<Record<RejectClass, number>> {
  const sums = Object.fromEntries(Object.values(rejectCodes).map((name) => [name, 0])) as Record<RejectClass, number>;
  for (const cause of causes) sums[cause.class] += cause.count;
  return sums;
}

function describeEmbedding(run: RunPlan, load: LedgerLoad): LoadReport['embedding'] {
  if (run.embed === undefined) return undefined;
  const { provider, model, dimensions } = run.embed.identity;
  return { ...load.embedding, embedder: `${provider}/${model}, ${String(dimensions)} dimensions` };
}

function sumCommits(tally: Tally): LoadReport['commits'] {
  return {
    count: tally.commits,
    p50Ms: findPercentile(tally.commitMs, 0.5),
    p95Ms: findPercentile(tally.commitMs, 0.95),
    p99Ms: findPercentile(tally.commitMs, 0.99),
    maxMs: tally.maxCommitMs,
    histogram: readHistogram(tally.latencies),
  };
}

/** Who stopped the session, where that was not its own process. */
function describeStop({ stops }: Session): readonly Decision[] {
  const by = stops.by();
  return by === undefined ? [] : [{ what: 'stopped', choice: `by ${by}`, why: 'it was asked for through the ledger' }];
}

/** Makes the report of a session that ran. */
export function makeReport(ending: Ending): LoadReport {
  const { session, tally, after, causes, loaded, elapsedMs } = ending;
  const seconds = Math.max(loaded.ms, 1) / 1000;
  const cpuSeconds = Math.max(loaded.cpu.user + loaded.cpu.system, 1000) / 1e6;
  const cpuMs = (ending.cpu.user + ending.cpu.system) / 1000;
  return {
    ...describeLoad(after, session.target),
    state: ending.end,
    session: {
      read: tally.read,
      written: tally.written,
      skipped: tally.skipped,
      rejected: tally.rejected,
      bytes: tally.bytes,
      elapsedMs,
      loadMs: loaded.ms,
      rowsPerSecond: tally.read / seconds,
      bytesPerSecond: tally.bytes / seconds,
    },
    embedding: describeEmbedding(session.run, after),
    sync: ending.sync,
    rejectsByClass: sumByClass(causes),
    rejectsByCause: causes,
    stageMs: tally.stageMs,
    commits: sumCommits(tally),
    timeline: readTimeline(tally.timeline),
    environment: ending.environment,
    index: ending.index,
    lanes: session.run.lanes,
    peakRssBytes: readPeakRss(),
    cpuMs,
    rowsPerCpuSecond: tally.read / cpuSeconds,
    decisions: [
      ...session.run.decisions,
      ...ending.restored,
      ...describeStop(session),
      ...tally.warnings.map((message) => ({ what: 'warning', choice: message, why: '' })),
    ],
    guarantee: session.run.guarantee,
    verification: ending.verification,
    startedAt: session.startedAt,
    endedAt: new Date().toISOString(),
  };
}

type Described = Pick<
  LoadReport,
  'schema' | 'load' | 'label' | 'source' | 'target' | 'table' | 'mode' | 'counts' | 'isBalanced' | 'shards' | 'next' | 'failure'
>;

function describeLoad(load: LedgerLoad, target: string): Described {
  return {
    schema: 1,
    load: load.load,
    label: load.label,
    source: load.source,
    target: hideSecrets(target),
    table: load.table,
    // Batches have reports of their own.
    mode: load.mode as LoadReport['mode'],
    counts: load.counts,
    isBalanced: isBalanced(load.counts),
    shards: load.shards,
    next: writeNextCommand(load, target),
    failure: undefined,
  };
}

/** The report for a load that an earlier one did already: its account, and nothing of this session. */
export function reportNothingToDo(load: LedgerLoad, target: string): LoadReport {
  const run = parseRunPlan(load.plan, load.load);
  const now = new Date().toISOString();
  return {
    ...describeLoad(load, target),
    state: 'nothing_to_do',
    session: { read: 0, written: 0, skipped: 0, rejected: 0, bytes: 0, elapsedMs: 0, loadMs: 0, rowsPerSecond: 0, bytesPerSecond: 0 },
    embedding: describeEmbedding(run, load),
    rejectsByClass: sumByClass([]),
    rejectsByCause: [],
    stageMs: { read: 0, check: 0, embed: 0, wait: 0, commit: 0 },
    commits: { count: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 },
    index: undefined,
    lanes: 0,
    peakRssBytes: readPeakRss(),
    cpuMs: 0,
    rowsPerCpuSecond: 0,
    decisions: [],
    guarantee: run.guarantee,
    verification: undefined,
    startedAt: now,
    endedAt: now,
  };
}
