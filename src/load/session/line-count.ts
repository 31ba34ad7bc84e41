/** Counts the lines of a file that are before a shard, once for all shards: 2 GB/s, while the lanes are at work. For provenance alone. */
import { open } from 'node:fs/promises';
import { formatNames } from '../../source/formats.ts';
import type { Shard, Source } from '../../source/source.ts';
import { SluiceError } from '../../errors.ts';

const newline = 10;
const blockBytes = 1024 * 1024;

/** Lines (rows, where a source has no lines) of the shard's file before it; undefined where nobody knows. Called for shards in about their order. */
export type CountLines = (shard: Shard) => Promise<number | undefined>;

/** Counts for one session. */
export function createLineCount(source: Pick<Source, 'descriptor' | 'format' | 'isSeekable'>): CountLines {
  const { descriptor, format } = source;
  let last: Promise<unknown> = Promise.resolve();
  let known = { file: -1, offset: 0, lines: 0 };
  const count = async (shard: Shard): Promise<number> => {
    const from = known.file === shard.file && known.offset <= shard.start ? known : { file: shard.file, offset: 0, lines: 0 };
    const path = descriptor?.files[shard.file] ?? '';
    const lines = from.lines + (await countNewlines(path, from.offset, shard.start));
    known = { file: shard.file, offset: shard.start, lines };
    return lines;
  };
  return async (shard) => {
    // A database's shards all begin at 0.
    if (descriptor?.identity !== undefined) return shard.ordinal === 0 ? 0 : undefined;
    if (shard.start === 0) return 0;
    // Binary files and rows in memory: a shard begins at a row.
    if (descriptor === undefined || !formatNames.includes(format)) return shard.start;
    const turn = last.then(() => count(shard));
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function countNewlines(path: string, from: number, to: number): Promise<number> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(blockBytes, Math.max(1, to - from)));
    let lines = 0;
    for (let at = from; at < to;) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, to - at), at);
      if (bytesRead === 0)
        throw new SluiceError('SLUICE_SOURCE_CHANGED', `${path} ends at byte ${String(at)}; it was longer when the load began.`);
      const view = buffer.subarray(0, bytesRead);
      for (let found = view.indexOf(newline); found >= 0; found = view.indexOf(newline, found + 1)) lines++;
      at += bytesRead;
    }
    return lines;
  } finally {
    await file.close();
  }
}
