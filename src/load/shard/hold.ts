/** Where the flow of a shard is held back: a pause, a pace, the last rows of a limit. What is in hand is committed first, and a stop ends every wait. */
import { dropRows } from '../../rows/batch-edit.ts';
import { SluiceError } from '../../errors.ts';
import type { Position } from '../../rows/batch.ts';
import type { Stretch } from '../../source/source.ts';
import { countRecords, cutRecords } from '../../source/stretch-cut.ts';
import type { Lane } from '../lane/lane.ts';
import type { Cut, Run } from './run.ts';

/** A paused lane looks this often whether it may go on. */
const pauseMs = 200;
/** Lanes behind a paused one give up when nothing at all moves for an hour: it tells them every so often that it is there. */
const signsPerPause = 50;

/** Whether a pause or a limit keeps the run from reading on; what it has in hand is to be committed then. */
export function isHeld({ hand, lane }: Run): 'paused' | 'limit' | undefined {
  const { flow } = lane;
  if (flow === undefined) return undefined;
  if (flow.rowsLeft() <= hand.readCount) return 'limit';
  return flow.isPaused() ? 'paused' : undefined;
}

/** Waits while the load is paused. The owner keeps the shard's lease alive meanwhile. */
export async function waitForResume(lane: Lane): Promise<void> {
  for (let looks = 1; lane.flow?.isPaused() === true && !lane.stopping.aborted; looks++) {
    await lane.clock.sleep(pauseMs, lane.stopping);
    if (looks % signsPerPause === 0) lane.turn.release('again');
  }
}

/** Of a stretch the rows that may be taken now, once their time has come; the others wait in the run. Undefined after a stop: nothing was taken. */
export async function takeRecords(run: Run, records: Stretch): Promise<Stretch | undefined> {
  const { lane } = run;
  const { flow } = lane;
  if (flow === undefined) return records;
  const total = countRecords(records);
  const wanted = Math.min(flow.rowsLeft() - run.hand.readCount, flow.pieceRows(records.byteCount / Math.max(1, total)));
  const [taken, rest] = wanted > 0 && wanted < total ? cutRecords(records, wanted) : [records, undefined];
  run.pending = rest;
  const waitMs = flow.pay(countRecords(taken), taken.byteCount);
  if (waitMs >= 1) await lane.clock.sleep(waitMs, lane.stopping);
  return lane.stopping.aborted ? undefined : taken;
}

/**
 * The batch in hand with at most as many rows as the limit still has room for; undefined when it has none. Only while the run has the turn:
 * then no other lane can take the same room.
 */
export function fitLimit({ lane }: Run, cut: Cut): Cut | undefined {
  const left = lane.flow?.rowsLeft() ?? Infinity;
  if (left >= cut.mark.readCount) return cut;
  return left === 0 ? undefined : trimCut(cut, left);
}

/** The first `count` rows of a batch on its way. Its shard goes on where the next one begins. */
function trimCut(cut: Cut, count: number): Cut {
  const { batch, kept, mark } = cut;
  const end = mark.from.row + count;
  const parts = kept === undefined ? [batch] : [batch, kept];
  const dropped = parts.flatMap(({ places, rowCount }) => {
    const first = findRow(places.rows, rowCount, end);
    return first < rowCount ? [{ offset: places.offsets[first] ?? 0, row: places.rows[first] ?? 0, line: places.lines[first] ?? 0 }] : [];
  });
  const next = [...dropped, ...cut.rejects].find(({ row }) => row === end);
  if (next === undefined) throw new SluiceError('SLUICE_INTERNAL', `A batch of ${mark.readCount} rows has no row ${end} to stop at.`);
  const to: Position = { offset: next.offset, row: end, line: next.line };
  const isMeasured = mark.to.offset - mark.from.offset === mark.byteCount;
  const byteCount = isMeasured ? to.offset - mark.from.offset : Math.round((mark.byteCount * count) / mark.readCount);
  return {
    ...cut,
    batch: keepBefore(batch, end),
    ...(kept === undefined ? {} : { kept: keepBefore(kept, end) }),
    rejects: cut.rejects.filter(({ row }) => row < end),
    mark: { ...mark, to, byteCount, readCount: count, isLast: false },
  };
}

function keepBefore(batch: Cut['batch'], end: number): Cut['batch'] {
  const first = findRow(batch.places.rows, batch.rowCount, end);
  return dropRows(
    batch,
    Array.from({ length: batch.rowCount - first }, (_, index) => first + index),
  );
}

/** Index of the first row with this ordinal or a later one. */
function findRow(rows: Float64Array, rowCount: number, end: number): number {
  let index = rowCount;
  while (index > 0 && (rows[index - 1] ?? 0) >= end) index--;
  return index;
}
