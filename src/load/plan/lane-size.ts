/** How large shards and batches are, and how many lanes run: arithmetic over the sample, with the reason beside each figure. */
import { availableParallelism } from 'node:os';
import type { Column } from '../../rows/schema.ts';
import type { Capabilities, Decision, LaneAdvice, LoadMode } from '../../target/driver.ts';
import type { Source } from '../../source/source.ts';
import type { TurnPolicy } from '../lane/turn.ts';
import { formatCount } from '../../count-text.ts';

const mebibyte = 1024 * 1024;

/** A file smaller than this is loaded on the caller's thread where one lane is enough: starting a thread takes longer than reading it. */
export const minThreadBytes: number = 2 * 1024 * 1024;

/** Lanes beyond this only wait for the one writer. */
const maxLanesOfOneWriter = 4;

/** A shard is one batch where it can be: then lanes commit in turn, in the order of the input. At least this much of the source, to keep commits few. */
const minShardBytes = mebibyte / 4;
const maxShardBytes = 64 * mebibyte;
/** The ledger has a row a shard: a file has at most about this many. */
const maxShards = 20_000;
/** Shards per lane that keep lanes busy to the end: the last ones end within a few per cent of each other. */
const shardsPerLane = 16;

/** Memory that a row takes in a batch beside its values: its place (three numbers). */
const placeBytes = 24;

export interface SizeRequest {
  readonly columns: readonly Column[];
  readonly meanRowBytes: number | undefined;
  readonly totalBytes: number | undefined;
  readonly isSeekable: boolean;
  /** Rows are compared with a table that is there, see {@link mirroredVectorShare}. */
  readonly isMirroring?: boolean | undefined;
  /** Rows that stand in this process's memory: every lane is on the caller's thread, and reads where it likes. */
  readonly isInMemory?: boolean;
  /** The source can be read by one lane only. */
  readonly hasOneReader?: boolean | undefined;
  /** Shards that the source has, where it can't be cut as one likes: whole files, whatever their size. */
  readonly wholeShards?: number | undefined;
  /** The largest of them. */
  readonly largestWholeBytes?: number | undefined;
  /** Another thread can read the source, and hand on its rows with their texts. */
  readonly canReadAhead?: boolean | undefined;
  /** Small files become one shard. */
  readonly joinsFiles?: boolean | undefined;
  /** What of the load decides whether the order of its rows shows in the table. */
  readonly mode?: LoadMode | undefined;
  readonly capabilities: Capabilities;
  /** Of the target, where it says how many it has room for. */
  readonly advice: LaneAdvice | undefined;
  readonly lanes: number | undefined;
  readonly maxBatchBytes: number | undefined;
  readonly maxBatchRows: number | undefined;
  /** As asked for; chosen here when undefined. */
  readonly shardBytes: number | undefined;
}

export interface Sizes {
  readonly lanes: number;
  readonly shardBytes: number;
  readonly maxBatchBytes: number;
  readonly maxBatchRows: number;
  /** Commits follow the order of the input. */
  readonly isOrdered: boolean;
  readonly turns: TurnPolicy;
  /** Each lane has a thread that reads for it. */
  readonly readsAhead: boolean;
  readonly estimatedRows: number | undefined;
  readonly decisions: readonly Decision[];
}

/**
 * Of a sync, the share of a row's vector that counts toward a batch: rows that are equal get none, and commits are dear where few rows are written. A batch
 * of new rows alone is so many times larger than the limit, and no more. Sync of 10⁶ rows of 384 dimensions: 3.4 s of loading with whole vectors where nothing changed, 1.2 s so.
 */
export const mirroredVectorShare = 0.25;

/** Bytes that a row will take in a batch: fixed for numbers and vectors, as long as in the source for everything else. */
function estimateRowMemory({ columns, isMirroring }: SizeRequest, meanRowBytes: number): number {
  const share = (column: Column): number => (column.isEmbedded === true && isMirroring === true ? mirroredVectorShare : 1);
  const fixed = columns.reduce((sum, column) => sum + (column.type === 'vector' ? 4 * (column.dimensions ?? 0) * share(column) : 8), 0);
  const hasText = columns.some((column) => !['integer', 'real', 'boolean', 'vector'].includes(column.type));
  const vectorText = columns.some((column) => column.type === 'vector' && column.isEmbedded !== true);
  // Text beside a vector is a small part of the row's bytes in the source; without one it is about all of them.
  return placeBytes + fixed + (hasText ? (vectorText ? Math.min(meanRowBytes, 256) : meanRowBytes) : 0);
}

/** Chooses the sizes of a load. */
export function chooseSizes(request: SizeRequest): Sizes {
  const maxBatchBytes = request.maxBatchBytes ?? request.capabilities.batchBytes;
  const maxBatchRows = request.maxBatchRows ?? request.capabilities.batchRows;
  const { meanRowBytes, totalBytes } = request;
  const estimatedRows =
    meanRowBytes === undefined || totalBytes === undefined ? undefined : Math.round(totalBytes / Math.max(1, meanRowBytes));
  const wantedLanes =
    request.capabilities.usesThreads === false || request.hasOneReader === true ? 1 : (request.lanes ?? defaultLanes(request));
  const shardBytes = chooseShardBytes(request, { maxBatchBytes, maxBatchRows, lanes: wantedLanes });
  const shards = (request.isSeekable ? countShards(request, shardBytes) : undefined) ?? 1;
  // In memory there is nothing to read: lanes help where the target works for each of them.
  const lanes = request.isInMemory === true && request.capabilities.writers > 1 ? wantedLanes : Math.min(wantedLanes, shards);
  const readsAhead = lanes < wantedLanes && mayReadAhead(request);
  const isOrdered = request.capabilities.writers === 1 && shardBytes <= maxShardBytes && !isCoarse(request, { lanes, shardBytes });
  return {
    lanes,
    shardBytes,
    maxBatchBytes,
    maxBatchRows,
    isOrdered,
    turns: request.capabilities.writers > 1 ? 'free' : isOrdered ? 'ordered' : 'exclusive',
    readsAhead,
    estimatedRows,
    decisions: explain(request, { lanes, shards, shardBytes, isOrdered, readsAhead, maxBatchBytes, maxBatchRows }),
  };
}

/** Where there are fewer shards than lanes, threads are left that can read. A sync compares what it reads first, and a small input is read sooner than a thread starts. */
function mayReadAhead({ canReadAhead, isSeekable, mode, totalBytes }: SizeRequest): boolean {
  return canReadAhead === true && isSeekable && mode !== 'sync' && (totalBytes ?? 0) >= minThreadBytes;
}

/** What of a source decides how many shards it has. */
export function describeFiles(source: Source): FileSizes {
  const { byteCount: totalBytes, largestWholeBytes, wholeShards } = source;
  return { totalBytes, wholeShards, largestWholeBytes, joinsFiles: 'joinedShards' in source };
}

export type FileSizes = Pick<SizeRequest, 'totalBytes' | 'wholeShards' | 'largestWholeBytes' | 'joinsFiles'>;

/** Shards of so many bytes that the source will have, about; undefined where its size is not known. */
export function countShards({ joinsFiles, totalBytes, wholeShards }: FileSizes, shardBytes: number): number | undefined {
  const bySize = totalBytes === undefined ? undefined : Math.max(1, Math.ceil(totalBytes / shardBytes));
  if (wholeShards === undefined) return bySize;
  return joinsFiles === true ? Math.min(wholeShards, bySize ?? wholeShards) : wholeShards;
}

/** Batches of one shard up to which other lanes wait for it: 4 files of 2 batches of vectors took 8 % longer in order, of 9 batches of small rows no longer. */
const batchesInTurn = 4;

/**
 * A lane that commits a large file in its turn keeps the others waiting to the file's end. It is given the turn all the same where a later row takes the place of an
 * earlier one, or is passed over for it: there the order of the input decides what the table holds.
 */
function isCoarse(
  { largestWholeBytes = 0, mode, wholeShards }: SizeRequest,
  chosen: { readonly lanes: number; readonly shardBytes: number },
): boolean {
  const isSettledByOrder = mode === 'upsert' || mode === 'skip' || mode === 'sync';
  if (wholeShards === undefined || wholeShards === 1 || chosen.lanes === 1 || isSettledByOrder) return false;
  return largestWholeBytes > batchesInTurn * chosen.shardBytes;
}

function defaultLanes({ advice, capabilities }: SizeRequest): number {
  const cores = availableParallelism();
  if (capabilities.writers === 1) return Math.min(cores, maxLanesOfOneWriter);
  return Math.max(1, Math.min(advice?.lanes ?? cores, capabilities.writers));
}

function chooseShardBytes(request: SizeRequest, batch: { maxBatchBytes: number; maxBatchRows: number; lanes: number }): number {
  const { meanRowBytes, totalBytes } = request;
  // Rows in memory: about a batch each, so that one can be checked while the target takes another. A stream is one shard whatever is said here.
  if (meanRowBytes === undefined || totalBytes === undefined) return Math.ceil(0.85 * batch.maxBatchBytes);
  if (request.shardBytes !== undefined) return Math.ceil(Math.max(request.shardBytes, totalBytes / maxShards));
  const rowMemory = estimateRowMemory(request, meanRowBytes);
  // A little less than a batch, so that a shard of somewhat larger rows than the sample's still is one.
  const rows = 0.9 * Math.min(batch.maxBatchRows, batch.maxBatchBytes / rowMemory);
  const byBatch = Math.max(minShardBytes, Math.min(rows * meanRowBytes, maxShardBytes));
  const byBalance = Math.max(minShardBytes, totalBytes / (batch.lanes * shardsPerLane));
  return Math.ceil(Math.max(Math.min(byBatch, byBalance), totalBytes / maxShards));
}

function formatBytes(bytes: number): string {
  return bytes >= mebibyte ? `${(bytes / mebibyte).toFixed(1)} MiB` : `${(bytes / 1024).toFixed(0)} KiB`;
}

interface Chosen {
  readonly lanes: number;
  readonly shards: number;
  readonly shardBytes: number;
  readonly isOrdered: boolean;
  readonly readsAhead: boolean;
  readonly maxBatchBytes: number;
  readonly maxBatchRows: number;
}

function explainLanes(request: SizeRequest, chosen: Chosen): string {
  const oneWriter = request.capabilities.writers === 1;
  if (request.hasOneReader === true) return 'the source gives its snapshot to one reader only';
  if (request.capabilities.usesThreads === false) return 'the target lives in this thread';
  if (!request.isSeekable && (request.isInMemory !== true || oneWriter)) return 'a stream is read by one';
  if (request.lanes !== undefined) return 'as asked for';
  if (request.isSeekable && chosen.lanes === chosen.shards) return 'the input is that small';
  if (request.advice !== undefined && !oneWriter) return request.advice.why;
  return `one per core${oneWriter ? '; the target takes one writer, so they take turns to commit' : ''}`;
}

function explainShards(request: SizeRequest, chosen: Chosen): Decision {
  const size = formatBytes(chosen.shardBytes);
  if (request.wholeShards !== undefined) {
    const isJoined = chosen.shards < request.wholeShards;
    const why = 'these files can only be read from their start';
    if (!isJoined) return { what: 'shards', choice: String(chosen.shards), why: `one a file: ${why}` };
    return { what: 'shards', choice: `about ${String(chosen.shards)}`, why: `about one batch each, small files together: ${why}` };
  }
  if (request.isSeekable) {
    const why = 'about one batch each; a resume reads at most one batch a lane again';
    return { what: 'shards', choice: `${String(chosen.shards)} of about ${size}`, why };
  }
  if (request.isInMemory === true) return { what: 'shards', choice: `of about ${size} in memory`, why: 'about one batch each' };
  return { what: 'shards', choice: '1', why: 'a stream can only be read from its start' };
}

const readingAhead: Decision = {
  what: 'reading',
  choice: 'on a thread of its own for each lane, at most a batch ahead',
  why: 'there are fewer shards than lanes: rows are read and checked while a lane commits',
};

function explain(request: SizeRequest, chosen: Chosen): readonly Decision[] {
  const oneWriter = request.capabilities.writers === 1;
  return [
    { what: 'lanes', choice: String(chosen.lanes), why: explainLanes(request, chosen) },
    explainShards(request, chosen),
    ...(chosen.readsAhead ? [readingAhead] : []),
    {
      what: 'batch',
      choice: `at most ${formatBytes(chosen.maxBatchBytes)} or ${formatCount(chosen.maxBatchRows)} rows`,
      why: 'one transaction each, one in memory a lane',
    },
    {
      what: 'order',
      choice: chosen.isOrdered ? 'rows land in the order of the input' : 'rows land in no set order',
      why: chosen.isOrdered
        ? 'shards commit in turn'
        : oneWriter
          ? request.wholeShards === undefined
            ? 'the input is too large for shards of one batch'
            : 'lanes read whole files of many batches side by side; --lanes 1 reads them in order'
          : 'lanes write at the same time',
    },
  ];
}
