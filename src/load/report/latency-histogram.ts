/** Commit times counted by size: steps of 1, 2 and 5 in every decade, so that the counts are exact and never more than a few dozen. */
import type { LatencyStep } from '../options.ts';

/** From 0.1 ms to 100 s; what takes longer stands in a last step without an end. */
const boundsMs: readonly number[] = [0.1, 1, 10, 100, 1_000, 10_000].flatMap((decade) => [decade, 2 * decade, 5 * decade]).concat(100_000);

/** One count a step; one more for what is above all of them. */
export function createHistogram(): number[] {
  return Array.from({ length: boundsMs.length + 1 }, () => 0);
}

export function countLatency(counts: number[], ms: number): void {
  const found = boundsMs.findIndex((bound) => ms <= bound);
  const index = found < 0 ? boundsMs.length : found;
  counts[index] = (counts[index] ?? 0) + 1;
}

/** The steps from the first to the last that was met, those between them at 0 included. */
export function readHistogram(counts: readonly number[]): readonly LatencyStep[] {
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return [];
  const last = counts.findLastIndex((count) => count > 0);
  return counts.slice(first, last + 1).map((count, at) => ({ upToMs: boundsMs[first + at], count }));
}
