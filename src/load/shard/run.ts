/** What one run of a shard holds: its place in the source and at most one batch, which is never changed once it was sent. */
import { isSluiceError } from '../../errors.ts';
import type { Batch, Position, Reject } from '../../rows/batch.ts';
import type { Stretch } from '../../source/source.ts';
import type { Claim, CommitUnit, Mark } from '../../target/driver.ts';
import type { Lane } from '../lane/lane.ts';
import type { StageName } from '../options.ts';
import type { Event, State } from './protocol.ts';

/** Rows that were read and are in no batch yet: what stands beside the builder. */
export interface Hand {
  readonly rejects: Reject[];
  /** Mode sync: keys of rejects. */
  readonly spared: Batch[];
  rejectBytes: number;
  readCount: number;
  byteCount: number;
  /** Where reading goes on once the hand is committed. */
  end: Position;
}

/** A batch on its way to the target. Sending it again sends the same rows with the same mark. */
export type Cut = CommitUnit;

export interface Run {
  readonly claim: Claim;
  readonly lane: Lane;
  readonly reader: AsyncIterator<Stretch>;
  /** Where the ledger's position stands, as far as this run knows. */
  position: Position;
  hand: Hand;
  /** A stretch that was read to see whether the shard goes on; it belongs to the next batch. */
  pending: Stretch | undefined;
  cut: Cut | undefined;
  /** How often in a row the link of the batch in hand broke, or could not be mended. */
  losses: number;
  /** Whether an earlier send of the batch in hand ended unknown, so that a late twin of it may still land. */
  mayHaveTwin: boolean;
  /** Whether the fence refused the batch in hand and the ledger is asked why. */
  isContested: boolean;
}

/** Takes up a claim: the run reads on from the position that the ledger gave with it. */
export function openRun(claim: Claim, lane: Lane): Run {
  const { columns, source, stopping } = lane;
  return {
    claim,
    lane,
    reader: source.read(claim.shard, claim.position, { columns, signal: stopping })[Symbol.asyncIterator](),
    position: claim.position,
    hand: emptyHand(claim.position),
    pending: undefined,
    cut: undefined,
    losses: 0,
    mayHaveTwin: false,
    isContested: false,
  };
}

/** Gives back what the run holds: the turn first, so that no other lane waits for a reader to close. */
export async function closeRun(run: Run, state: State): Promise<void> {
  const { builder, turn } = run.lane;
  // A run that failed does not say what becomes of its shard: whoever owns the lane does, by running it again or by releasing it as left.
  turn.release(state === 'done' || state === 'fenced' ? 'done' : state === 'stopped' ? 'left' : 'again');
  if (builder.rowCount > 0) builder.take();
  run.cut = undefined;
  run.pending = undefined;
  await run.reader.return?.();
}

/** A hand without rows, at `position`. */
export function emptyHand(position: Position): Hand {
  return { rejects: [], spared: [], rejectBytes: 0, readCount: 0, byteCount: 0, end: position };
}

/** The batch in hand is in the ledger: the run goes on behind it, and the turn is free for others unless the shard is done. */
export function advanceRun(run: Run, mark: Mark): void {
  run.position = mark.to;
  run.lane.flow?.spend(mark.readCount);
  if (run.cut !== undefined) run.lane.builder.reuse(run.cut.batch);
  run.cut = undefined;
  run.losses = 0;
  run.mayHaveTwin = false;
  run.isContested = false;
  if (!mark.isLast) run.lane.turn.release('again');
}

/** Runs `work` and tells the lane how long the stage took, also when it fails. */
export async function timeStage<T>(lane: Lane, stage: StageName, work: () => Promise<T>): Promise<T> {
  const startedMs = lane.clock.now();
  try {
    return await work();
  } finally {
    lane.observe({ kind: 'stage', stage, ms: lane.clock.now() - startedMs });
  }
}

/** The event of a stop, by who asked for it. */
export function readStop(lane: Lane): Event {
  return isSluiceError(lane.stopping.reason, 'SLUICE_REJECT_LIMIT') ? 'limit_reached' : 'cancelled';
}

/** Whether `error` is how a wait ends whose `signal` was aborted, and not a failure that happened beside it. */
export function isCancellation(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal === undefined || !signal.aborted) return false;
  return error === signal.reason || isSluiceError(error, 'SLUICE_CANCELLED') || (error instanceof Error && error.name === 'AbortError');
}
