/** Finds equal keys among the records of all lanes, part by part: each part's records stand in a table of their own, and the first row in the order of the input stays. */
import { readParts, recordWords, type KeyRecords } from './key-records.ts';

export interface PlacedRow {
  readonly shard: number;
  readonly row: number;
}

export interface DuplicateRows {
  readonly count: number;
  /** The first of them in the order of the input. */
  readonly pairs: readonly { readonly first: PlacedRow; readonly again: PlacedRow }[];
}

/** How many more pairs are gathered than told before the later ones are dropped. */
const slack = 4_096;

interface Pair {
  readonly first: PlacedRow;
  readonly again: PlacedRow;
}

export function findDuplicates(all: readonly KeyRecords[], maxPairs: number): DuplicateRows {
  let count = 0;
  const pairs: Pair[] = [];
  const keep = (): void => {
    pairs.sort((left, right) => left.again.shard - right.again.shard || left.again.row - right.again.row);
    pairs.length = Math.min(pairs.length, maxPairs);
  };
  for (const records of readParts(all)) {
    count += findInPart(records, (pair) => {
      pairs.push(pair);
      if (pairs.length >= maxPairs + slack) keep();
    });
  }
  keep();
  return { count, pairs };
}

/** Sorted by digest, then by place: equal keys stand together, the first row in front. */
function findInPart(records: Uint32Array, found: (pair: Pair) => void): number {
  const count = records.length / recordWords;
  const groups = groupEqual(records, count);
  let duplicates = 0;
  for (const group of groups) {
    const rows = group.map((index) => placeOf(records, index)).sort((left, right) => left.shard - right.shard || left.row - right.row);
    const first = rows[0] as PlacedRow;
    for (const again of rows.slice(1)) found({ first, again });
    duplicates += rows.length - 1;
  }
  return duplicates;
}

function placeOf(records: Uint32Array, index: number): PlacedRow {
  return { shard: records[index * recordWords + 4] as number, row: records[index * recordWords + 5] as number };
}

/** Records with an equal other one, in groups. Open addressing over twice as many places as records: no objects but for those that have a twin. */
function groupEqual(records: Uint32Array, count: number): readonly (readonly number[])[] {
  const table = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, count * 2)))).fill(-1);
  const twins = new Map<number, number[]>();
  for (let index = 0; index < count; index++) {
    const other = enter(table, records, index);
    if (other === undefined) continue;
    const group = twins.get(other);
    if (group === undefined) twins.set(other, [other, index]);
    else group.push(index);
  }
  return [...twins.values()];
}

/** Enters a record, or answers with the equal one that is there. */
function enter(table: Int32Array, records: Uint32Array, index: number): number | undefined {
  const mask = table.length - 1;
  for (let at = (records[index * recordWords + 1] as number) & mask; ; at = (at + 1) & mask) {
    const other = table[at] as number;
    if (other < 0) {
      table[at] = index;
      return undefined;
    }
    if (isEqual(records, index, other)) return other;
  }
}

function isEqual(records: Uint32Array, left: number, right: number): boolean {
  for (let word = 0; word < 4; word++) if (records[left * recordWords + word] !== records[right * recordWords + word]) return false;
  return true;
}
