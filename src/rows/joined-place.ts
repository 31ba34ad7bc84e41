/** Places in a shard of several whole files: each leads back to one file, and to the byte, the line and the row there. The ledger's view of rejects knows the same arithmetic. */
import type { Shard } from '../source/source.ts';
import type { Position } from './batch.ts';

/**
 * An offset in such a shard is the number of the shard's files before it times this, and the offset in its file. 2¹² files of up to 2⁴⁰ bytes are whole numbers
 * that a double holds. Every file may have an offset of its own in text that was unpacked, so the sizes of the files before it could not tell it.
 */
export const offsetsPerFile: number = 2 ** 40;
/** Files of a shard. */
export const maxJoinedFiles: number = 2 ** 12;

/**
 * A line is the line in its file, and times this how many more lines than rows came before it there (a header, blank lines; modulo 2²¹, for rows of a JSON array may
 * share a line): so the row's number in its file is known, too, while `row` counts through all files of the shard.
 */
export const linesPerGap: number = 2 ** 32;
const gaps = 2 ** 21;
/** In the place of a gap that has no number; the row in the file is not known then. */
export const unknownGap: number = 2 ** 20;

/** `tail` of such a shard: this, and an entry for each file by which it is known again. The ledger's view of rejects knows it by this, too. */
export const joinedMark = 'files ';

/** Whether a shard is several files. */
export function isJoined({ tail }: Shard): boolean {
  return tail.startsWith(joinedMark);
}

/** The entries of the files of a shard, in order; undefined where it is no shard of several files. */
export function readJoined(shard: Shard): readonly string[] | undefined {
  return isJoined(shard) ? shard.tail.slice(joinedMark.length).split(' ') : undefined;
}

/** A place in one file of a shard; numbers from 0. */
export interface FilePlace {
  /** Of the source. */
  readonly file: number;
  readonly offset: number;
  readonly line: number;
  /** Undefined where it is not known. */
  readonly row: number | undefined;
}

/** What a place in a shard is in its file. Of a shard that is one file, or a part of it, rows and lines count from the shard's start. */
export function locatePlace(shard: Shard, { line, offset, row }: Position): FilePlace {
  if (!isJoined(shard)) return { file: shard.file, offset, line, row };
  const lineInFile = line % linesPerGap;
  const gap = Math.floor(line / linesPerGap);
  return {
    file: shard.file + Math.floor(offset / offsetsPerFile),
    offset: offset % offsetsPerFile,
    line: lineInFile,
    row: gap === unknownGap ? undefined : lineInFile - (gap > unknownGap ? gap - gaps : gap),
  };
}

/** The line of such a place. */
export function packLine(line: number, row: number, isCounted: boolean): number {
  const gap = line - row;
  const isKnown = isCounted && Math.abs(gap) < unknownGap;
  return (isKnown ? (gap + gaps) % gaps : unknownGap) * linesPerGap + (line % linesPerGap);
}
