/** The simulated way between a lane and the target: requests get lost, arrive late or twice, and answers never come. */
import { SluiceError } from '../../src/errors.ts';
import type { Lane } from '../../src/load/shard/shard.ts';
import type { CompareRequest, Mark, Outcome, RowComparison } from '../../src/target/driver.ts';
import { LinkLostError } from '../../src/target/link.ts';
import type { Actor } from './actor.ts';
import type { CommitRequest } from './target.ts';
import type { World } from './world.ts';

type Connection = Awaited<ReturnType<Lane['connection']>>;

export interface Link {
  readonly connection: Connection;
  reconnect(): Promise<void>;
}

export interface LinkOptions {
  readonly world: World;
  readonly actor: Actor;
  readonly owner: number;
  /** Shards that come before this one in the session. */
  readonly before: readonly number[];
  /** Lanes of the session that are in a commit right now. */
  readonly committing: Set<Actor>;
}

/** What the lane ought to know about its link. */
interface LinkState {
  isBroken: boolean;
  /** The commit whose end is unknown and was not asked for yet. */
  doubt: Mark | undefined;
}

export function createLink(options: LinkOptions): Link {
  const state: LinkState = { isBroken: false, doubt: undefined };
  return {
    connection: {
      commit: (unit, commitOptions) => {
        const isTorn = options.world.random.chance(0.3);
        const request = { ...unit, before: options.before, owner: options.owner, isTorn };
        return commitOverLink(options, state, { request, signal: commitOptions?.signal });
      },
      settle: (mark) => settleOverLink(options, state, mark),
      compareRows: (request) => compareOverLink(options, state, request),
    },
    reconnect: async () => {
      const { actor, world } = options;
      await actor.pause(10);
      if (world.random.chance(world.faults.unreachable)) throw new SluiceError('SLUICE_LINK_LOST', 'The simulated target is out of reach.');
      state.isBroken = false;
    },
  };
}

interface Sending {
  readonly request: CommitRequest;
  readonly signal: AbortSignal | undefined;
}

async function commitOverLink(options: LinkOptions, state: LinkState, sending: Sending): Promise<Outcome> {
  const { actor, committing, world } = options;
  const { audit, scenario } = world;
  if (state.isBroken) audit.report('I6', 'a commit was sent over a broken link');
  if (state.doubt !== undefined) audit.report('I6', 'a commit was sent before the unknown one was settled');
  committing.add(actor);
  if (committing.size > 1 && scenario.policy !== 'free') audit.report('I13', 'two lanes committed at once');
  try {
    return await carryOut(options, state, sending);
  } finally {
    committing.delete(actor);
  }
}

async function carryOut({ actor, world }: LinkOptions, state: LinkState, { request, signal }: Sending): Promise<Outcome> {
  const { faults, random, scheduler, target } = world;
  const land = (): Outcome => target.commit(request);
  const landLate = (): void => void scheduler.schedule(random.between(0, 200), land);
  let isSent = false;
  // A lane that dies while its request is under way can't take it back.
  if (random.chance(0.3)) {
    scheduler.schedule(random.between(0, 60), () => {
      if (actor.isDead && !isSent) land();
    });
  }
  await actor.pauseUnless(6, signal);
  isSent = true;
  if (random.chance(faults.failing)) throw new SluiceError('SLUICE_TARGET_LOCKED', 'The simulated target is locked.');
  if (random.chance(faults.cutBefore)) throw breakLink(state, 'no', request.mark);
  if (random.chance(faults.unknownNotLanded)) throw breakLink(state, 'unknown', request.mark);
  if (random.chance(faults.unknownLate)) {
    landLate();
    throw breakLink(state, 'unknown', request.mark);
  }
  const outcome = land();
  if (random.chance(faults.doubled)) landLate();
  if (random.chance(faults.unknownLanded)) throw breakLink(state, 'unknown', request.mark);
  await actor.pause(6);
  return outcome;
}

async function settleOverLink({ actor, world }: LinkOptions, state: LinkState, mark: Mark): Promise<'landed' | 'not_landed' | 'fenced'> {
  const { audit, faults, random, target } = world;
  if (state.isBroken) audit.report('I6', 'the ledger was asked over a broken link');
  await actor.pause(6);
  if (random.chance(faults.cutBefore)) throw breakLink(state, random.pick(['no', 'unknown']), mark);
  const answer = target.settle(mark);
  await actor.pause(6);
  state.doubt = undefined;
  return answer;
}

/** A question leaves nothing behind: whatever becomes of the link, there is no doubt to settle. */
async function compareOverLink({ actor, world }: LinkOptions, state: LinkState, { batch, signal }: CompareRequest): Promise<RowComparison> {
  const { audit, faults, random, target } = world;
  if (state.isBroken) audit.report('I6', 'rows were compared over a broken link');
  await actor.pauseUnless(6, signal);
  if (random.chance(faults.failing)) throw new SluiceError('SLUICE_TARGET_LOCKED', 'The simulated target is locked.');
  if (random.chance(faults.cutBefore)) throw breakLink(state, random.pick(['no', 'unknown']), undefined);
  const answer = target.compare(batch);
  await actor.pause(6);
  return answer;
}

function breakLink(state: LinkState, landed: 'no' | 'unknown', mark: Mark | undefined): LinkLostError {
  state.isBroken = true;
  if (landed === 'unknown') state.doubt = mark;
  return new LinkLostError(landed, 'The simulated link broke.');
}
