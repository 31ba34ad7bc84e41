/** Shards of several whole files, for files that are small: which of them go together, and how they are read one after another. No row is read past one that was not. */
import { SluiceError } from '../errors.ts';
import type { Places, Position, Reject } from '../rows/batch.ts';
import { joinedMark, locatePlace, maxJoinedFiles, offsetsPerFile, packLine, readJoined } from '../rows/joined-place.ts';
import type { Records, Shard } from './source.ts';

/** A shard, or a file that has none because it holds no row. */
export interface ShardPiece {
  readonly file: number;
  readonly shard: Shard | undefined;
  /** Of a shard that is a whole file; undefined for a part of one. */
  readonly whole: { readonly byteCount: number; readonly entry: string } | undefined;
}

/** Puts whole files together until they have about `targetBytes`; a file alone, or a part of one, stays the shard that it was. */
export async function* joinPieces(pieces: AsyncIterable<ShardPiece>, targetBytes: number): AsyncGenerator<Shard, void, undefined> {
  let held: ShardPiece[] = [];
  let heldBytes = 0;
  let ordinal = 0;
  for await (const piece of pieces) {
    const byteCount = piece.whole?.byteCount ?? Infinity;
    if (held.length > 0 && (heldBytes + byteCount > targetBytes || held.length === maxJoinedFiles)) {
      yield join(held, ordinal++);
      [held, heldBytes] = [[], 0];
    }
    // A shard that begins with a file without rows would be one more file to look at.
    if (held.length === 0 && piece.shard === undefined) continue;
    held.push(piece);
    heldBytes += byteCount;
  }
  if (held.length > 0) yield join(held, ordinal);
}

/** The first piece has a shard. */
function join(held: readonly ShardPiece[], ordinal: number): Shard {
  const filled = held.slice(0, held.findLastIndex(({ shard }) => shard !== undefined) + 1);
  const [first, last] = [filled[0]?.shard, filled.at(-1)?.shard];
  if (first === undefined || last === undefined) throw new SluiceError('SLUICE_INTERNAL', 'Files without rows were made a shard.');
  if (filled.length === 1) return { ...first, ordinal };
  const end = (filled.length - 1) * offsetsPerFile + Math.min(last.end ?? 0, offsetsPerFile - 1);
  return { ordinal, file: first.file, start: 0, end, head: '', tail: joinedMark + filled.map(({ whole }) => whole?.entry ?? '').join(' ') };
}

/** Where a file of the shard stands in it. */
interface FileBase {
  /** Files of the shard before it. */
  readonly index: number;
  /** Rows of those files. */
  readonly rows: number;
  /** Its rows are counted from its first one. */
  readonly isCounted: boolean;
}

/**
 * Reads the files of a shard one after another from a position on; `readFile` reads one of them, by its number in the shard, with places of its own.
 * A reader that was told to stop may end before its file does: nothing of the next one is read then.
 */
export async function* readJoinedFiles(
  shard: Shard,
  { from, readFile, signal }: { readonly from: Position; readonly readFile: ReadFile; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Records, void, undefined> {
  const fileCount = readJoined(shard)?.length ?? 0;
  const first = locatePlace(shard, from);
  let start: Position = { offset: first.offset, row: first.row ?? 0, line: first.line };
  let base: FileBase = { index: first.file - shard.file, rows: from.row - start.row, isCounted: first.row !== undefined };
  for (; base.index < fileCount; base = { index: base.index + 1, rows: base.rows + start.row, isCounted: true }, start = zero) {
    for await (const records of readFile(base.index, start)) {
      yield placeRecords(records, base);
      start = records.end;
    }
    if (signal?.aborted === true) return;
  }
}

export type ReadFile = (index: number, from: Position) => AsyncIterable<Records>;

const zero: Position = { offset: 0, row: 0, line: 0 };

/** A stretch of a file as one of its shard. */
function placeRecords(records: Records, base: FileBase): Records {
  const { endAt, places, rejects, rowCount } = records;
  return {
    ...records,
    places: movePlaces(places, rowCount, base),
    rejects: rejects.map((reject): Reject => ({ ...reject, ...movePlace(reject, base) })),
    end: movePlace(records.end, base),
    ...(endAt === undefined ? {} : { endAt: (count: number) => movePlace(endAt(count), base) }),
  };
}

function movePlaces(places: Places, rowCount: number, base: FileBase): Places {
  const [offsets, rows, lines] = [new Float64Array(rowCount), new Float64Array(rowCount), new Float64Array(rowCount)];
  for (let index = 0; index < rowCount; index++) {
    const row = places.rows[index] as number;
    offsets[index] = base.index * offsetsPerFile + (places.offsets[index] as number);
    rows[index] = base.rows + row;
    lines[index] = packLine(places.lines[index] as number, row, base.isCounted);
  }
  return { offsets, rows, lines, raw: places.raw };
}

function movePlace({ line, offset, row }: Position, base: FileBase): Position {
  if (offset >= offsetsPerFile)
    throw new SluiceError('SLUICE_SOURCE_INVALID', 'One of many small files unpacks to more than a tebibyte.', {
      hint: 'Load it alone.',
    });
  return { offset: base.index * offsetsPerFile + offset, row: base.rows + row, line: packLine(line, row, base.isCounted) };
}
