/** The range of keys, row ids or pages that a shard of a database has: plain data, which the ledger keeps as JSON in the shard's `head`. */
import type { Shard } from '../source.ts';

/** `(after, upTo]`, as text so that no digit is lost; an end that is left out is open. */
export interface KeyRange {
  readonly after?: string;
  readonly upTo?: string;
}

/** The shards of ascending bounds: one more than there are bounds, together everything. */
export function* listRanges(bounds: readonly string[], rowsOfAll: number, version: string): Generator<Shard, void, undefined> {
  const rows = Math.max(0, Math.round(rowsOfAll / (bounds.length + 1)));
  for (let ordinal = 0; ordinal <= bounds.length; ordinal++) {
    const [after, upTo] = [bounds[ordinal - 1], bounds[ordinal]];
    const range: KeyRange = { ...(after === undefined ? {} : { after }), ...(upTo === undefined ? {} : { upTo }) };
    // `start` and `end` are no places to go to: rows are counted from the shard's start, and how many there are is an estimate.
    yield { ordinal, file: 0, start: 0, end: rows, head: JSON.stringify(range), tail: version };
  }
}

export function readRange({ head }: Shard): KeyRange {
  return head === '' ? {} : (JSON.parse(head) as KeyRange);
}
