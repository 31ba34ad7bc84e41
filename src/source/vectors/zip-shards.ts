/** Shards of joined sources: each knows the number of its first row, so that any of them can be read alone, on any thread, from any place. */
import { SluiceError } from '../../errors.ts';
import { formatCount } from '../../count-text.ts';
import type { VectorRows } from '../file-format.ts';
import type { Shard, Source } from '../source.ts';

/** The two that are joined. */
export interface Zipped {
  readonly rows: Source;
  readonly vectors: VectorRows;
  /** Of the file of vectors, for messages. */
  readonly path: string;
}

/** A shard as the rows' source knows it, and which vectors are its own. */
export interface ZippedShard {
  readonly inner: Shard;
  /** Ordinal of its first row over all files. */
  readonly first: number;
  /** Rows, refused ones included; undefined for the last shard of a source whose rows can only be counted by reading them. */
  readonly count: number | undefined;
  /** Of its vectors. */
  readonly digest: string;
}

/** `first+count.digest.` stands before the rows' own digest. */
function wrapShard({ inner, first, count, digest }: ZippedShard): Shard {
  return { ...inner, head: `${String(first)}+${count === undefined ? '' : String(count)}.${digest}.${inner.head}` };
}

/** @throws SLUICE_SOURCE_CHANGED for a shard of a load without vectors */
export function readShard(shard: Shard): ZippedShard {
  const match = /^(\d+)\+(\d*)\.([0-9a-f]*)\.(.*)$/su.exec(shard.head);
  if (match === null) {
    throw new SluiceError('SLUICE_SOURCE_CHANGED', `shard ${String(shard.ordinal)} was planned without vectors beside it`, {
      hint: 'Resume the load with what it began with.',
    });
  }
  const [, first = '', count = '', digest = '', head = ''] = match;
  return { inner: { ...shard, head }, first: Number(first), count: count === '' ? undefined : Number(count), digest };
}

/**
 * The rows' shards with their row numbers. Rows are counted here, before anything is written.
 * @throws SLUICE_SOURCES_DISAGREE where the counts differ; a stream's are compared at its end
 */
export async function* listShards(
  zipped: Zipped,
  targetBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Shard, void, undefined> {
  const { rows } = zipped;
  let first = 0;
  let last: Shard | undefined;
  for await (const shard of rows.shards(targetBytes, signal)) {
    if (last !== undefined) {
      const count = (await rows.countRows?.(last, signal)) ?? (await countByReading(rows, last, signal));
      yield await makeShard(zipped, { inner: last, first, count });
      first += count;
    }
    last = shard;
  }
  if (last === undefined) return;
  const count = await rows.countRows?.(last, signal);
  if (count !== undefined && first + count !== zipped.vectors.rowCount) throw disagree(zipped, formatCount(first + count));
  yield await makeShard(zipped, { inner: last, first, count });
}

async function makeShard({ vectors }: Zipped, shard: Omit<ZippedShard, 'digest'>): Promise<Shard> {
  return wrapShard({ ...shard, digest: await digestVectors(vectors, shard) });
}

async function digestVectors(vectors: VectorRows, { count = vectors.rowCount, first }: Omit<ZippedShard, 'digest'>): Promise<string> {
  const start = Math.min(first, vectors.rowCount);
  return vectors.digest(start, Math.min(first + count, vectors.rowCount));
}

/** Compressed files tell their rows only when they are read; the last of several is read once, the others twice. */
async function countByReading(rows: Source, shard: Shard, signal: AbortSignal | undefined): Promise<number> {
  let count = 0;
  for await (const records of rows.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns: [], signal })) count = records.end.row;
  return count;
}

/** The shards whose rows or vectors are not what they were. */
export async function findChanged({ rows, vectors }: Zipped, shards: readonly Shard[]): Promise<readonly Shard[]> {
  const known = shards.map(readShard);
  const changed = new Set((await rows.changed(known.map(({ inner }) => inner))).map(({ ordinal }) => ordinal));
  for (const shard of known) {
    if ((await digestVectors(vectors, shard)) !== shard.digest) changed.add(shard.inner.ordinal);
  }
  return shards.filter(({ ordinal }) => changed.has(ordinal));
}

/** The counts of both, and what can be done. */
export function disagree({ path, rows, vectors }: Zipped, rowsText: string): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCES_DISAGREE',
    `${rows.name} has ${rowsText} rows and ${path} has ${formatCount(vectors.rowCount)} vectors`,
    {
      hint: 'Row n is joined with vector n, so both need the same number: make the vectors again from these rows, or look for the row that is missing.',
    },
  );
}
