/** The flow of one shard: read, check, embed, commit, from the claimed position to the shard's end. It takes no step that the protocol's table does not have. */
import { SluiceError } from '../../errors.ts';
import type { Claim } from '../../target/driver.ts';
import type { Lane } from '../lane/lane.ts';
import { step, type ActiveState, type Event, type State } from './protocol.ts';
import { embedBatch, readStretch } from './fill.ts';
import { closeRun, openRun, type Run } from './run.ts';
import { commitBatch, reconnect, settleBatch, takeTurn } from './send.ts';

export type { Clock, Lane, LaneEvent, Turn, TurnEnd } from '../lane/lane.ts';

/** How a run of a shard ends. done: every row is accounted for · fenced: another owner has the shard · stopped: the rest is for a later run. */
export type ShardEnd = 'done' | 'fenced' | 'stopped';

/** What a lane does in each state. Each reports one event, and the table says which state that leads to. */
const stages: Readonly<Record<ActiveState, (run: Run) => Promise<Event>>> = {
  reading: readStretch,
  embedding: embedBatch,
  queued: takeTurn,
  committing: commitBatch,
  cut_off: reconnect,
  in_doubt: reconnect,
  settling: settleBatch,
};

/**
 * Runs a claimed shard until it is done, another owner has it, or `lane.stopping` is aborted: then the rows already read are committed first.
 * What can't go on is thrown; the ledger holds what was committed, and a new claim goes on from there.
 * @throws SLUICE_LINK_LOST when the target stays out of reach, SLUICE_INTERNAL when a part broke its contract, and what source, embedder and target throw.
 */
export async function runShard(claim: Claim, lane: Lane): Promise<ShardEnd> {
  const run = openRun(claim, lane);
  let state: State = step('open', 'claimed');
  try {
    while (isActive(state)) state = step(state, await stages[state](run));
  } catch (error) {
    state = step(state, 'failed');
    throw error;
  } finally {
    await closeRun(run, state);
  }
  return readEnd(state);
}

function isActive(state: State): state is ActiveState {
  return Object.hasOwn(stages, state);
}

function readEnd(state: State): ShardEnd {
  if (state === 'done' || state === 'fenced' || state === 'stopped') return state;
  throw new SluiceError('SLUICE_INTERNAL', `A run of a shard ended in state ${state}.`);
}
