/** Cuts an Arrow file into parts: anywhere between two rows of a batch whose buffers are plain, else between batches. */
import { hash } from 'node:crypto';
import type { ByteFile } from '../files/byte-file.ts';
import type { FilePart } from '../file-format.ts';
import type { Shard } from '../source.ts';
import type { FileMap, PlacedBatch } from './file-map.ts';

const digestedBytes = 4096;
/** Hex digits that are kept: 64 bits. */
const digestLength = 16;

/** Bytes of the file up to a row, by its share of the rows: from 0 to the file's size. */
export function bytesBefore({ byteCount }: ByteFile, { rowCount }: FileMap, row: number): number {
  return row === rowCount ? byteCount : Math.floor((byteCount * row) / rowCount);
}

/** The batch that a row is in; the last one for the row behind the last. */
export function findBatch({ batches }: FileMap, row: number): number {
  let low = 0;
  let high = batches.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((batches[middle] as PlacedBatch).firstRow <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

export async function* cutParts(file: ByteFile, map: FileMap, targetBytes: number): AsyncGenerator<FilePart, void, undefined> {
  const { rowCount } = map;
  const wanted = Math.max(1, Math.round((targetBytes * rowCount) / Math.max(1, file.byteCount)));
  let start = 0;
  do {
    const end = Math.min(rowCount, moveToCut(map, start + wanted));
    const byteCount = bytesBefore(file, map, end) - (start === 0 ? 0 : bytesBefore(file, map, start));
    yield { start, end, byteCount, ...(await digestPart(file, map, { start, end })) };
    start = end;
  } while (start < rowCount);
}

/** The end of the batch that a row is in, where that can't be cut. */
function moveToCut(map: FileMap, row: number): number {
  const batch = map.batches[findBatch(map, row)];
  return batch === undefined || batch.isPlain || batch.firstRow === row ? row : batch.firstRow + batch.rowCount;
}

/** Digests of bytes where the part's first and last rows are. */
export async function digestPart(
  file: ByteFile,
  map: FileMap,
  { start, end = map.rowCount }: Pick<Shard, 'start' | 'end'>,
): Promise<Pick<Shard, 'head' | 'tail'>> {
  return { head: await digestAt(file, map, start), tail: await digestAt(file, map, Math.max(start, end - 1)) };
}

async function digestAt(file: ByteFile, map: FileMap, row: number): Promise<string> {
  const batch = map.batches[findBatch(map, row)];
  if (batch === undefined) return '';
  const share = batch.rowCount === 0 ? 0 : (row - batch.firstRow) / batch.rowCount;
  const at = batch.bodyStart + Math.floor((batch.end - batch.bodyStart) * share);
  return hash('sha256', await file.read(at, Math.min(file.byteCount, at + digestedBytes)), 'hex').slice(0, digestLength);
}
