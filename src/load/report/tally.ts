/** Adds up what the lanes of a session tell. Its size does not grow with rows. */
import type { EmbeddingCounts, StageName } from '../options.ts';
import type { CommittedNews } from '../lane/news.ts';
import { countLatency, createHistogram } from './latency-histogram.ts';
import { addToTimeline, createTimeline, type TimelineGathering } from './timeline.ts';

/** Commit times kept one by one; beyond, every second one is dropped, so percentiles stay those of the whole session. */
const maxSamples = 8192;

export interface Tally {
  read: number;
  written: number;
  skipped: number;
  rejected: number;
  bytes: number;
  commits: number;
  readonly stageMs: Record<StageName, number>;
  readonly embedding: { -readonly [Name in keyof EmbeddingCounts]: number };
  readonly commitMs: number[];
  /** Every how many commits one is kept. */
  commitStride: number;
  maxCommitMs: number;
  readonly latencies: number[];
  readonly timeline: TimelineGathering;
  readonly warnings: string[];
}

/** `startedMs` and the times of news are of one clock. */
export function createTally(startedMs: number): Tally {
  return {
    read: 0,
    written: 0,
    skipped: 0,
    rejected: 0,
    bytes: 0,
    commits: 0,
    stageMs: { read: 0, check: 0, embed: 0, wait: 0, commit: 0 },
    embedding: { texts: 0, distinct: 0, cached: 0, embedded: 0 },
    commitMs: [],
    commitStride: 1,
    maxCommitMs: 0,
    latencies: createHistogram(),
    timeline: createTimeline(startedMs),
    warnings: [],
  };
}

export function addNews(tally: Tally, news: CommittedNews, nowMs: number): void {
  tally.read += news.counts.read;
  tally.written += news.counts.written;
  tally.skipped += news.counts.skipped;
  tally.rejected += news.counts.rejected;
  tally.bytes += news.bytes;
  for (const stage of Object.keys(tally.stageMs) as StageName[]) tally.stageMs[stage] += news.stageMs[stage];
  for (const name of Object.keys(tally.embedding) as (keyof EmbeddingCounts)[]) tally.embedding[name] += news.embedding[name];
  addCommit(tally, news.commitMs);
  countLatency(tally.latencies, news.commitMs);
  addToTimeline(tally.timeline, news, nowMs);
}

function addCommit(tally: Tally, ms: number): void {
  if (tally.commits % tally.commitStride === 0) tally.commitMs.push(ms);
  tally.commits++;
  tally.maxCommitMs = Math.max(tally.maxCommitMs, ms);
  if (tally.commitMs.length < maxSamples) return;
  const kept = tally.commitMs.filter((_, index) => index % 2 === 0);
  tally.commitMs.length = 0;
  tally.commitMs.push(...kept);
  tally.commitStride *= 2;
}

/** The time that this share (0 to 1) of the commits did not exceed; 0 without commits. */
export function findPercentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) return 0;
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
