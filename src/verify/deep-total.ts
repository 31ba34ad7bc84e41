/** Adds up what the shards of a load came to; the first differences in the order of the input are kept, whichever shard ended first. */
import type { DeepCounts, DeepDifference, DeepFindings } from './deep-contract.ts';
import { maxDifferences, maxKeys } from './deep-contract.ts';

export const nothing: DeepCounts = { compared: 0, equal: 0, differing: 0, missing: 0, leftOut: 0, unfit: 0 };

/** Findings of all shards together. */
export interface Total {
  compared: number;
  equal: number;
  differing: number;
  missing: number;
  leftOut: number;
  unfit: number;
  readonly byColumn: Map<string, number>;
  readonly differences: { readonly at: number; readonly difference: DeepDifference }[];
  readonly keys: Set<string>;
}

export function createTotal(): Total {
  return { ...nothing, byColumn: new Map(), differences: [], keys: new Set() };
}

export function addFindings(total: Total, findings: DeepFindings, at: number): void {
  for (const name of ['compared', 'equal', 'differing', 'missing', 'leftOut', 'unfit'] as const) total[name] += findings[name];
  for (const [column, count] of Object.entries(findings.byColumn)) total.byColumn.set(column, (total.byColumn.get(column) ?? 0) + count);
  total.differences.push(...findings.differences.map((difference) => ({ at, difference })));
  // Shards end in any order, and the first differences of the input are told.
  total.differences.sort((a, b) => a.at - b.at || a.difference.offset - b.difference.offset);
  total.differences.splice(maxDifferences);
  for (const key of findings.keys) if (total.keys.size <= maxKeys) total.keys.add(key);
}
