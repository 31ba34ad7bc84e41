/** Parts of a file: ranges of rows of about equal size. Small row groups are joined, large ones cut, and the bytes of the file are shared out by their rows. */
import { hash } from 'node:crypto';
import type { ByteFile } from '../files/byte-file.ts';
import type { FilePart } from '../file-format.ts';
import type { Footer, Group } from './footer.ts';
import { countUsefulParts } from './page-size.ts';

const digestedBytes = 4096;
const digestLength = 16;
/** A part has at least this many rows, for each must find its place in every column. */
const leastRows = 64;
/** Answers how many bytes of the file stand before a row, so that all rows together have all of them. */
export function createByteShare({ groups }: Footer, byteCount: number): (row: number) => number {
  const starts: number[] = [];
  let sum = 0;
  for (const group of groups) {
    starts.push(sum);
    sum += group.compressedBytes;
  }
  const scale = sum === 0 ? 0 : byteCount / sum;
  return (row) => {
    const index = findGroup(groups, row);
    const group = groups[index];
    if (group === undefined) return byteCount;
    const inside = group.end === group.start ? 0 : (row - group.start) / (group.end - group.start);
    return Math.round(((starts[index] as number) + inside * group.compressedBytes) * scale);
  };
}

/** Index of the group that a row stands in; their number behind the last row. */
export function findGroup(groups: readonly Group[], row: number): number {
  let low = 0;
  let high = groups.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((groups[middle] as Group).end <= row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The digests of the part that starts at a row: of the first bytes of its group, and of the file's description. */
export async function digestPart(file: ByteFile, footer: Footer, start: number): Promise<Pick<FilePart, 'head' | 'tail'>> {
  const group = footer.groups[findGroup(footer.groups, start)];
  return { head: group === undefined ? '' : await digestGroup(file, group), tail: footer.digest };
}

/** Cuts a file into parts. */
export async function* cutParts(file: ByteFile, footer: Footer, targetBytes: number): AsyncGenerator<FilePart, void, undefined> {
  const share = createByteShare(footer, file.byteCount);
  // Behind a server each page that is passed over on the way to a row is a request: its groups stay whole.
  const countParts = file.isRemote === true ? () => 1 : (group: Group) => countUsefulParts(file, group);
  const ranges = listRanges(footer.groups, { targetBytes: Math.max(1, targetBytes), countParts });
  let digested: { readonly group: number; readonly digests: Pick<FilePart, 'head' | 'tail'> } | undefined;
  for await (const { start, end } of ranges) {
    const group = findGroup(footer.groups, start);
    if (digested?.group !== group) digested = { group, digests: await digestPart(file, footer, start) };
    yield { start, end, byteCount: share(end) - share(start), ...digested.digests };
  }
}

interface Cutting {
  readonly targetBytes: number;
  /** Into how many a group can be cut at most. */
  readonly countParts: (group: Group) => number | Promise<number>;
}

interface RowRange {
  readonly start: number;
  readonly end: number;
}

async function* listRanges(groups: readonly Group[], { countParts, targetBytes }: Cutting): AsyncGenerator<RowRange, void, undefined> {
  let joined: { start: number; end: number; bytes: number } | undefined;
  for (const group of groups) {
    if (group.end === group.start) continue;
    // What it will be in memory counts: a group that unpacks to a hundred times its bytes is as much work.
    const bytes = Math.max(group.compressedBytes, group.uncompressedBytes);
    if (joined !== undefined && joined.bytes + bytes > targetBytes) {
      yield joined;
      joined = undefined;
    }
    if (joined !== undefined) Object.assign(joined, { end: group.end, bytes: joined.bytes + bytes });
    else if (bytes <= targetBytes) joined = { start: group.start, end: group.end, bytes };
    else yield* cutGroup(group, Math.min(bytes / targetBytes, await countParts(group)));
  }
  if (joined !== undefined) yield joined;
}

function* cutGroup({ end, start }: Group, parts: number): Generator<RowRange, void, undefined> {
  const rows = Math.max(leastRows, Math.ceil((end - start) / Math.ceil(parts)));
  for (let from = start; from < end; from += rows) yield { start: from, end: Math.min(end, from + rows) };
}

/** Of the first bytes of a group; the file's own description, which is the other digest, has the sizes and statistics of all. */
async function digestGroup(file: ByteFile, { chunks }: Group): Promise<string> {
  const start = Math.min(...chunks.map((chunk) => (chunk.end === 0 ? Number.POSITIVE_INFINITY : chunk.start)));
  if (!Number.isFinite(start)) return '';
  const bytes = await file.read(start, Math.min(file.byteCount, start + digestedBytes));
  return hash('sha256', bytes, 'hex').slice(0, digestLength);
}
