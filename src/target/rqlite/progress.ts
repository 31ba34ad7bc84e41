/** How far a batch has come: it may take several requests, each with a mark of its own, and its account must hold over all of them and over a broken link. */
import type { Batch, Position, Reject } from '../../rows/batch.ts';
import type { CommitUnit, Mark } from '../driver.ts';
import type { Refusal } from '../sqlite/errors.ts';

/** What a request adds to the account. */
export interface Share {
  readonly written: number;
  readonly skipped: number;
  readonly rejects: readonly Reject[];
}

/** A request whose end is not known. */
export interface Pending {
  readonly mark: Mark;
  readonly nextRow: number;
  readonly share: Share;
}

export interface Progress {
  readonly mark: Mark;
  /** The first row that is not in the ledger yet. */
  row: number;
  position: Position;
  isDone: boolean;
  byteCount: number;
  written: number;
  skipped: number;
  rejects: Reject[];
  pending: Pending | undefined;
  /** Rows that are to be looked at singly. */
  singles: { readonly from: number; readonly to: number } | undefined;
  /** Rows of the next requests: fewer while the one is looked for that COMMIT refuses. */
  maxRows: number;
  readonly excluded: Map<number, Refusal>;
  /** A request of this batch ended in a way that nobody knows, so that the fence may have met our own doing. */
  hasTwin: boolean;
}

/**
 * By batch: after a broken link the same batch is committed again over another connection. What is remembered here was acknowledged by
 * the server or is asked for in the ledger.
 */
const progresses = new WeakMap<Batch, Progress>();

/** Where this commit stands; a new one at its mark's beginning. */
export function findProgress({ batch, mark }: CommitUnit): Progress {
  const known = progresses.get(batch);
  if (known !== undefined && known.mark.load === mark.load && known.mark.shard === mark.shard && known.mark.epoch === mark.epoch)
    return known;
  const progress: Progress = {
    mark,
    row: 0,
    position: mark.from,
    isDone: false,
    byteCount: 0,
    written: 0,
    skipped: 0,
    rejects: [],
    pending: undefined,
    singles: undefined,
    maxRows: Number.MAX_SAFE_INTEGER,
    excluded: new Map(),
    hasTwin: false,
  };
  progresses.set(batch, progress);
  return progress;
}

export function forgetProgress(batch: Batch): void {
  progresses.delete(batch);
}

/** The mark of a request that takes the rows from `progress.row` to `nextRow`; the last one takes all that is left of the batch's mark. */
export function cutMark(progress: Progress, batch: Batch, nextRow: number): Mark {
  const { mark, position } = progress;
  if (nextRow >= batch.rowCount) {
    return { ...mark, from: position, readCount: mark.to.row - position.row, byteCount: mark.byteCount - progress.byteCount };
  }
  const { places } = batch;
  const to: Position = { offset: places.offsets[nextRow] ?? 0, row: places.rows[nextRow] ?? 0, line: places.lines[nextRow] ?? 0 };
  const embedded = { texts: 0, distinct: 0, cached: 0, embedded: 0 };
  const readCount = to.row - position.row;
  return {
    ...mark,
    from: position,
    to,
    isLast: false,
    readCount,
    byteCount: shareBytes(mark, { from: position, to, readCount }),
    embedded,
  };
}

/** Bytes of some rows of a batch: by their places where those are bytes of one file, else by their number (unpacked text, several files). */
function shareBytes(mark: Mark, { from, readCount, to }: Pick<Mark, 'from' | 'to' | 'readCount'>): number {
  const isMeasured = mark.to.offset - mark.from.offset === mark.byteCount;
  return isMeasured ? to.offset - from.offset : Math.round((mark.byteCount * readCount) / mark.readCount);
}

/** The rejects handed in that belong to a mark. */
export function pickRejects(rejects: readonly Reject[], mark: Mark, isLastOfBatch: boolean): readonly Reject[] {
  return rejects.filter(({ row }) => row >= mark.from.row && (isLastOfBatch || row < mark.to.row));
}

/** The pending request is in the ledger. */
export function advance(progress: Progress, { mark, nextRow, share }: Pending): void {
  progress.pending = undefined;
  progress.row = nextRow;
  progress.position = mark.to;
  progress.byteCount += mark.byteCount;
  progress.written += share.written;
  progress.skipped += share.skipped;
  progress.rejects.push(...share.rejects);
  progress.isDone = mark.to.offset === progress.mark.to.offset && mark.to.row === progress.mark.to.row;
  // One bad row is no reason to go on in small steps.
  progress.maxRows = Math.min(Number.MAX_SAFE_INTEGER, progress.maxRows * 2);
  if (progress.singles !== undefined && nextRow >= progress.singles.to) progress.singles = undefined;
}
