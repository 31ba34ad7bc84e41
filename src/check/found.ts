/** What the lanes of a check have found so far, added up; its size grows with shards and causes, not with rows. */
import type { Position } from '../rows/batch.ts';
import type { Shard } from '../source/source.ts';
import type { KeyRun } from './key-runs.ts';
import type { ShardCause, ShardFindings, ShardPlace } from './scan.ts';

/** All that was found, with where each shard ended, so that lines can be counted from the start of its file. */
export interface Found {
  readonly shards: Map<number, { readonly shard: Shard; end: Position | undefined }>;
  readonly causes: Map<string, ShardCause>;
  readonly runs: KeyRun[];
  read: number;
  rejected: number;
  bytes: number;
}

export function createFound(): Found {
  return { shards: new Map(), causes: new Map(), runs: [], read: 0, rejected: 0, bytes: 0 };
}

/** Adds what a shard was found to hold; of each cause the first `positions` places stay. */
export function addFindings(found: Found, findings: ShardFindings, positions: number): void {
  const known = found.shards.get(findings.shard);
  if (known !== undefined && findings.isWhole) known.end = findings.end;
  found.read += findings.read;
  found.rejected += findings.rejected;
  found.bytes += findings.bytes;
  found.runs.push(...findings.runs);
  for (const cause of findings.causes) mergeCause(found.causes, cause, positions);
}

/** The first places stay, by the order of the input. */
function mergeCause(causes: Map<string, ShardCause>, cause: ShardCause, positions: number): void {
  const key = JSON.stringify([cause.code, cause.column]);
  const known = causes.get(key);
  if (known === undefined) {
    causes.set(key, { ...cause, places: [...cause.places] });
    return;
  }
  known.count += cause.count;
  if (isBefore(cause.places[0], known.places[0])) known.message = cause.message;
  known.places.push(...cause.places);
  known.places.sort((left, right) => left.shard - right.shard || left.row - right.row);
  known.places.length = Math.min(known.places.length, positions);
}

function isBefore(left: ShardPlace | undefined, right: ShardPlace | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return left.shard < right.shard || (left.shard === right.shard && left.row < right.row);
}
