/** Whether lists of floats are vectors, and of how many numbers: by the first of them, and by how many numbers each row group says it holds. */
import { maxDimensions } from '../../rows/column-type.ts';
import type { GroupColumns } from './chunks.ts';
import type { EntryLevels } from './entry-levels.ts';
import { placeFault } from './fault.ts';
import type { Footer, Group } from './footer.ts';
import { minEmbeddingLength, type ListLengths } from './list-lengths.ts';
import type { ListShape } from './schema.ts';

/** Lists that are looked at. */
const sampledLists = 64;
/** Groups that are looked at where the first ones hold nulls alone. */
const sampledGroups = 4;
const minEmbeddingShare = 0.9;

/** Looks at the lists of a column of float lists. */
export async function findDimensions(
  columns: GroupColumns,
  list: ListShape,
  place: { readonly footer: Footer; readonly file: string },
): Promise<ListLengths> {
  const { file, footer } = place;
  for (const group of chooseGroups(footer.groups, list)) {
    try {
      const lengths = await countLengths(await columns.openLevels(group, list.leaf), list);
      if (lengths.length > 0) return { dimensions: judgeLengths(lengths, list, footer.groups), isSeen: true };
    } catch (error) {
      throw placeFault(error, { file, group: group.ordinal, column: list.leaf.name });
    }
  }
  return { dimensions: undefined, isSeen: false };
}

function chooseGroups(groups: readonly Group[], { leaf }: ListShape): readonly Group[] {
  const filled = groups.filter(({ chunks }) => (chunks[leaf.leaf]?.entryCount ?? 0) > 0);
  const step = Math.max(1, Math.floor((filled.length - 1) / (sampledGroups - 1)));
  return filled.filter((_, index) => index % step === 0).slice(0, sampledGroups);
}

/** Lengths of the first lists that are there. */
async function countLengths(levels: EntryLevels, { element, list }: ListShape): Promise<readonly number[]> {
  const lengths: number[] = [];
  let length = -1;
  for (let rows = 0; rows <= sampledLists && (await levels.fill());) {
    for (; levels.start < levels.end && rows <= sampledLists; levels.start++) {
      const definition = levels.definitions[levels.start] as number;
      if (levels.repetitions[levels.start] !== 0) {
        length++;
        continue;
      }
      if (length >= 0) lengths.push(length);
      length = definition < list ? -1 : definition < element ? 0 : 1;
      rows++;
    }
  }
  return length < 0 || lengths.length >= sampledLists ? lengths : [...lengths, length];
}

function judgeLengths(lengths: readonly number[], { leaf }: ListShape, groups: readonly Group[]): number | undefined {
  const counts = new Map<number, number>();
  for (const length of lengths) counts.set(length, (counts.get(length) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  if (most === undefined) return undefined;
  const [length, count] = most;
  if (length < 2 || length > maxDimensions) return undefined;
  const isUniform = count === lengths.length && groups.every((group) => hasOneLength(group, leaf.leaf, length));
  return isUniform || (length >= minEmbeddingLength && count >= lengths.length * minEmbeddingShare) ? length : undefined;
}

/** Whether the entries of a group can be lists of one length and null lists, which have one entry each. */
function hasOneLength({ chunks, end, start }: Group, leaf: number, length: number): boolean {
  const rows = end - start;
  const filled = ((chunks[leaf]?.entryCount ?? 0) - rows) / (length - 1);
  return Number.isInteger(filled) && filled <= rows;
}
