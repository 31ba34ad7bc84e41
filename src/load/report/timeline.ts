/** A session as a series of bins of equal width: at most 240 of them, whatever it takes; where there would be more, neighbours are merged. */
import { stageNames } from '../options.ts';
import type { StageName, Timeline } from '../options.ts';
import type { CommittedNews } from '../lane/news.ts';

/** About one bin for every four pixels of a chart on a wide page. */
const maxBins = 240;
/** Ten bins a second at first: a load of some seconds has a shape, too. */
const firstBinMs = 100;

interface Bin {
  rows: number;
  bytes: number;
  rejected: number;
  readonly stageMs: Record<StageName, number>;
}

/** A series that grows while a session runs. */
export interface TimelineGathering {
  readonly startedMs: number;
  binMs: number;
  bins: Bin[];
}

export function createTimeline(startedMs: number): TimelineGathering {
  return { startedMs, binMs: firstBinMs, bins: [] };
}

function emptyBin(): Bin {
  return { rows: 0, bytes: 0, rejected: 0, stageMs: { read: 0, check: 0, embed: 0, wait: 0, commit: 0 } };
}

/** Adds a batch to the bin in which it was committed; time that nothing happened in leaves bins of zeros. */
export function addToTimeline(timeline: TimelineGathering, news: CommittedNews, nowMs: number): void {
  const sinceMs = Math.max(0, nowMs - timeline.startedMs);
  while (Math.floor(sinceMs / timeline.binMs) >= maxBins) halve(timeline);
  const index = Math.floor(sinceMs / timeline.binMs);
  while (timeline.bins.length <= index) timeline.bins.push(emptyBin());
  const bin = timeline.bins[index] ?? emptyBin();
  bin.rows += news.counts.read;
  bin.bytes += news.bytes;
  bin.rejected += news.counts.rejected;
  for (const stage of stageNames) bin.stageMs[stage] += news.stageMs[stage];
}

function halve(timeline: TimelineGathering): void {
  const merged: Bin[] = [];
  timeline.bins.forEach((bin, index) => {
    const at = merged[index >> 1];
    if (at === undefined) merged.push(bin);
    else merge(at, bin);
  });
  timeline.bins = merged;
  timeline.binMs *= 2;
}

function merge(into: Bin, bin: Bin): void {
  into.rows += bin.rows;
  into.bytes += bin.bytes;
  into.rejected += bin.rejected;
  for (const stage of stageNames) into.stageMs[stage] += bin.stageMs[stage];
}

/** The series as a report has it, by column; undefined when nothing was committed. */
export function readTimeline({ bins, binMs }: TimelineGathering): Timeline | undefined {
  if (bins.length === 0) return undefined;
  const listStage = (stage: StageName): readonly number[] => bins.map((bin) => Math.round(bin.stageMs[stage]));
  return {
    binMs,
    rows: bins.map((bin) => bin.rows),
    bytes: bins.map((bin) => bin.bytes),
    rejected: bins.map((bin) => bin.rejected),
    stageMs: {
      read: listStage('read'),
      check: listStage('check'),
      embed: listStage('embed'),
      wait: listStage('wait'),
      commit: listStage('commit'),
    },
  };
}
