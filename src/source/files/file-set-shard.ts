/** How the files of a set, and parts of them, stand in shards: by digests of the file and of the part, so that another file under the same name is noticed. */
import { SluiceError } from '../../errors.ts';
import type { FilePart } from '../file-format.ts';
import type { ShardPiece } from '../joined-shard.ts';
import type { Shard } from '../source.ts';
import type { MemberFile } from './member-file.ts';

/** What of a file is read. */
export interface ReadPart extends Pick<Shard, 'file' | 'head' | 'start' | 'end'> {
  readonly isWhole?: boolean;
}

interface CutPart {
  /** Undefined of a file without rows. */
  readonly part: FilePart | undefined;
  /** It is all of its file. */
  readonly isWhole: boolean;
}

export async function* cutParts(parts: AsyncIterable<FilePart>): AsyncGenerator<CutPart, void, undefined> {
  let last: FilePart | undefined;
  let count = 0;
  for await (const part of parts) {
    if (count++ > 0) yield { part: last, isWhole: false };
    last = part;
  }
  yield { part: last, isWhole: count < 2 };
}

export function toPiece(file: number, { isWhole, opened, part }: CutPart & { readonly opened: MemberFile }): ShardPiece {
  const { byteCount, digest } = opened;
  const whole = isWhole && byteCount !== undefined ? { byteCount, entry: writeEntry(opened, part) } : undefined;
  if (part === undefined) return { file, shard: undefined, whole };
  const { start, end, head, tail } = part;
  return { file, shard: { ordinal: 0, file, start, ...(end === undefined ? {} : { end }), head: joinDigests(digest, head), tail }, whole };
}

/** A file in a shard of several: its own digest, which a reader compares, and that of its only part. */
export function writeEntry({ digest }: MemberFile, part: Pick<FilePart, 'head' | 'tail'> | undefined): string {
  return joinDigests(digest, `${part?.head ?? ''}${part?.tail ?? ''}`);
}

/** The file's digest stands before the part's: a reader compares the first when it opens the file, and a resume both. */
export function joinDigests(file: string, part: string): string {
  return part === '' ? file : `${file}.${part}`;
}

export function readPartHead({ head }: Pick<Shard, 'head'>): string {
  const at = head.indexOf('.');
  return at < 0 ? '' : head.slice(at + 1);
}

export function changedError(path: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_CHANGED', `${path} is not the file any more that the load began with`, {
    hint: 'Put the file back as it was and resume, or load the new one as a load of its own with --again.',
  });
}
