/** The stages that bring a batch into the target exactly once: the turn, the commit, and what follows a broken link. The ledger alone says what landed. */
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { Outcome } from '../../target/driver.ts';
import { readLanded } from '../../target/link.ts';
import type { Event } from './protocol.ts';
import { fitLimit } from './hold.ts';
import { advanceRun, isCancellation, readStop, timeStage, type Cut, type Run } from './run.ts';

/**
 * How often in a row the link of one batch may break or fail to be mended: with the waits below this is 2 minutes, as long as the
 * fail-over of a managed database takes (Amazon RDS names 60 to 120 s for Multi-AZ instances).
 */
const maxLosses = 18;
const firstDelayMs = 250;
const maxDelayMs = 10_000;

/** Waits for the right to commit; what the driver can do with the batch before that is done first, while other lanes commit. */
export async function takeTurn(run: Run): Promise<Event> {
  const { lane } = run;
  await readyBatch(run);
  const answer = await timeStage(lane, 'wait', () => lane.turn.take(lane.aborting));
  if (answer !== 'taken') return 'turn_closed';
  // With the turn nobody else takes what is left of a limit. Without anything left the turn goes back as `left`: no shard behind this one may commit either.
  run.cut = fitLimit(run, readCut(run));
  return run.cut === undefined ? 'turn_closed' : 'turn_given';
}

/** A connection that can't be opened is the commit's to tell of: it asks for it again. */
async function readyBatch(run: Run): Promise<void> {
  const connection = await run.lane.connection().catch(() => undefined);
  connection?.ready?.(readCut(run).batch);
}

/** Sends the batch in hand: rows, rejects and mark in one transaction. */
export async function commitBatch(run: Run): Promise<Event> {
  const { lane } = run;
  const cut = readCut(run);
  let outcome: Outcome;
  try {
    outcome = await timeStage(lane, 'commit', () => sendCut(run, cut));
  } catch (error) {
    return readBreak(run, error);
  }
  if (outcome.kind === 'fenced') return readFence(run);
  const { rejects, skipped, written } = outcome;
  const accountedCount = written + skipped + rejects.length;
  if (accountedCount !== cut.mark.readCount) throw lostCount(cut, accountedCount);
  lane.observe({ kind: 'batch', batch: cut.batch, outcome, mark: cut.mark });
  advanceRun(run, cut.mark);
  return cut.mark.isLast ? 'completed' : 'committed';
}

async function sendCut({ lane }: Run, cut: Cut): Promise<Outcome> {
  const connection = await lane.connection();
  return connection.commit(cut, { signal: lane.aborting });
}

/**
 * The fence refused the batch. After an earlier send with an unknown end that may be our own doing: the twin landed after the ledger was asked,
 * and moved the position. The ledger tells.
 */
function readFence(run: Run): Event {
  if (!run.mayHaveTwin) return 'fenced';
  run.isContested = true;
  return 'contested';
}

/** The event of a broken link; everything else is thrown on. */
function readBreak(run: Run, error: unknown): Event {
  const { lane } = run;
  if (isCancellation(error, lane.aborting)) return readStop(lane);
  const landed = readLanded(error);
  if (landed === undefined || !mayTryAgain(run)) throw error;
  lane.observe({ kind: 'link', landed, losses: run.losses });
  if (landed === 'no') return 'link_cut';
  run.mayHaveTwin = true;
  return 'link_doubtful';
}

/** Counts a broken link under a question, which can be asked again whatever became of it; everything else is thrown on. */
export function meetLoss(run: Run, error: unknown): void {
  if (readLanded(error) === undefined || !mayTryAgain(run)) throw error;
  run.lane.observe({ kind: 'link', landed: 'no', losses: run.losses });
}

function mayTryAgain(run: Run): boolean {
  run.losses += 1;
  return run.losses <= maxLosses;
}

/** Mends the link: at once the first time, then ever later. A stop ends the waiting: a later run asks the ledger. */
export async function reconnect(run: Run): Promise<Event> {
  const { lane } = run;
  if (run.losses > 1) await lane.clock.sleep(readDelayMs(run), lane.stopping);
  if (run.losses > 1 && lane.stopping.aborted) return readStop(lane);
  try {
    await lane.reconnect();
    return 'reconnected';
  } catch (error) {
    if (!isSluiceError(error) || !error.isTransient) throw error;
    if (lane.stopping.aborted) return readStop(lane);
    if (!mayTryAgain(run)) throw error;
    return 'unreachable';
  }
}

/** Doubles up to a limit, and differs between shards so that a thousand lanes do not come back in the same moment. */
function readDelayMs({ claim, losses }: Run): number {
  const spread = 1 + (claim.shard.ordinal % 16) / 16;
  return Math.min(maxDelayMs, firstDelayMs * 2 ** (losses - 2)) * spread;
}

/** Asks the ledger, over the new connection, whether the batch in hand is in it. */
export async function settleBatch(run: Run): Promise<Event> {
  const { lane } = run;
  const { mark, rejects } = readCut(run);
  try {
    const connection = await lane.connection();
    const answer = await timeStage(lane, 'commit', () => connection.settle(mark));
    if (answer === 'fenced') return 'fenced';
    if (answer === 'not_landed') return readNotLanded(run);
  } catch (error) {
    return readBreak(run, error);
  }
  lane.observe({ kind: 'landed', mark, rejects });
  advanceRun(run, mark);
  return mark.isLast ? 'settled_done' : 'settled_landed';
}

/** Positions only move forward, so a ledger that still stands before the batch can't have refused it for its position. */
function readNotLanded(run: Run): Event {
  if (run.isContested) throw new SluiceError('SLUICE_INTERNAL', 'The ledger refused a batch and then said that nothing stood in its way.');
  return 'settled_not_landed';
}

function readCut({ cut }: Run): Cut {
  if (cut === undefined) throw new SluiceError('SLUICE_INTERNAL', 'There is no batch to commit.');
  return cut;
}

function lostCount({ mark }: Cut, accountedCount: number): SluiceError {
  const message = `The target accounted for ${accountedCount} of ${mark.readCount} rows of a batch of shard ${mark.shard}.`;
  return new SluiceError('SLUICE_INTERNAL', message, { hint: 'Run `sluice verify` on the table: its ledger no longer balances.' });
}
