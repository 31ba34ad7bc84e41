/** The shard protocol as a transition table: pure, and complete by type. docs/spec/shard-protocol.md says the same in words; the flow in shard.ts obeys this table. */
import { SluiceError } from '../../errors.ts';

/** States in which a lane works on the shard. */
export type ActiveState = 'reading' | 'embedding' | 'queued' | 'committing' | 'cut_off' | 'in_doubt' | 'settling';

/** States in which no lane does. */
export type RestingState = 'open' | 'done' | 'fenced' | 'stopped' | 'failed';

export type State = ActiveState | RestingState;

/** What happens on the way from the source to the turn. */
type BatchEvent = 'read' | 'refused' | 'batch_full' | 'read_end' | 'drained' | 'embedded' | 'turn_given' | 'turn_closed';
/** What a target or its ledger answers. */
type AnswerEvent = 'committed' | 'completed' | 'contested' | 'fenced' | 'settled_landed' | 'settled_done' | 'settled_not_landed';
/** What becomes of the link. */
type LinkEvent = 'link_cut' | 'link_doubtful' | 'unreachable' | 'reconnected';
/** What begins and ends a run. */
type RunEvent = 'claimed' | 'cancelled' | 'limit_reached' | 'failed' | 'killed';

/** Everything that can happen to a shard. The specification says what each one means and who reports it. */
export type Event = BatchEvent | AnswerEvent | LinkEvent | RunEvent;

/** The state after an event, or `impossible`: the pair can't occur, and where it does there is a bug. */
export type Transition = State | 'impossible';

type Row = Readonly<Record<Event, Transition>>;

const impossible = 'impossible';

/** Nobody works on the shard: it was never begun, or a run of it ended before the shard did. Only a claim moves it; the position in the ledger is all that is left. */
const resting: Row = {
  claimed: 'reading',
  read: impossible,
  refused: impossible,
  batch_full: impossible,
  read_end: impossible,
  drained: impossible,
  embedded: impossible,
  turn_given: impossible,
  turn_closed: impossible,
  committed: impossible,
  completed: impossible,
  link_cut: impossible,
  link_doubtful: impossible,
  unreachable: impossible,
  reconnected: impossible,
  settled_landed: impossible,
  settled_done: impossible,
  settled_not_landed: impossible,
  contested: impossible,
  fenced: impossible,
  cancelled: impossible,
  limit_reached: impossible,
  failed: impossible,
  killed: 'open',
};

/** What becomes of a shard in each state at each event. A state or event that is added without its pairs does not compile. */
export const transitions: Readonly<Record<State, Row>> = {
  open: resting,
  // Records go from the source into the builder. Leaves with a batch in hand, or, after a stop with nothing in hand, for good.
  reading: {
    claimed: impossible,
    read: 'reading',
    refused: 'reading',
    batch_full: 'embedding',
    read_end: 'embedding',
    drained: 'embedding',
    embedded: impossible,
    turn_given: impossible,
    turn_closed: impossible,
    committed: impossible,
    completed: impossible,
    link_cut: impossible,
    link_doubtful: impossible,
    unreachable: impossible,
    reconnected: impossible,
    settled_landed: impossible,
    settled_done: impossible,
    settled_not_landed: impossible,
    contested: impossible,
    fenced: impossible,
    cancelled: 'stopped',
    limit_reached: 'stopped',
    failed: 'failed',
    killed: 'open',
  },
  // A batch is in hand. A stop lets it go on; only an abort (a second one, “at once”) drops it.
  embedding: {
    claimed: impossible,
    read: impossible,
    refused: 'queued',
    batch_full: impossible,
    read_end: impossible,
    drained: impossible,
    embedded: 'queued',
    turn_given: impossible,
    turn_closed: impossible,
    committed: impossible,
    completed: impossible,
    link_cut: impossible,
    link_doubtful: impossible,
    unreachable: impossible,
    reconnected: impossible,
    settled_landed: impossible,
    settled_done: impossible,
    settled_not_landed: impossible,
    contested: impossible,
    fenced: impossible,
    cancelled: 'stopped',
    limit_reached: 'stopped',
    failed: 'failed',
    killed: 'open',
  },
  // The batch is ready and waits for the right to commit.
  queued: {
    claimed: impossible,
    read: impossible,
    refused: impossible,
    batch_full: impossible,
    read_end: impossible,
    drained: impossible,
    embedded: impossible,
    turn_given: 'committing',
    turn_closed: 'stopped',
    committed: impossible,
    completed: impossible,
    link_cut: impossible,
    link_doubtful: impossible,
    unreachable: impossible,
    reconnected: impossible,
    settled_landed: impossible,
    settled_done: impossible,
    settled_not_landed: impossible,
    contested: impossible,
    fenced: impossible,
    cancelled: impossible,
    limit_reached: impossible,
    failed: 'failed',
    killed: 'open',
  },
  // The transaction was sent. `contested`: refused by the fence after an earlier send of the same batch ended unknown, so its twin may have landed.
  committing: {
    claimed: impossible,
    read: impossible,
    refused: impossible,
    batch_full: impossible,
    read_end: impossible,
    drained: impossible,
    embedded: impossible,
    turn_given: impossible,
    turn_closed: impossible,
    committed: 'reading',
    completed: 'done',
    link_cut: 'cut_off',
    link_doubtful: 'in_doubt',
    unreachable: impossible,
    reconnected: impossible,
    settled_landed: impossible,
    settled_done: impossible,
    settled_not_landed: impossible,
    contested: 'settling',
    fenced: 'fenced',
    cancelled: 'stopped',
    limit_reached: 'stopped',
    failed: 'failed',
    killed: 'open',
  },
  // The link is gone and the batch is certainly not written: the same batch again, over a new connection.
  cut_off: {
    claimed: impossible,
    read: impossible,
    refused: impossible,
    batch_full: impossible,
    read_end: impossible,
    drained: impossible,
    embedded: impossible,
    turn_given: impossible,
    turn_closed: impossible,
    committed: impossible,
    completed: impossible,
    link_cut: impossible,
    link_doubtful: impossible,
    unreachable: 'cut_off',
    reconnected: 'committing',
    settled_landed: impossible,
    settled_done: impossible,
    settled_not_landed: impossible,
    contested: impossible,
    fenced: impossible,
    cancelled: 'stopped',
    limit_reached: 'stopped',
    failed: 'failed',
    killed: 'open',
  },
  // The link is gone and nobody knows: nothing may be sent but the question to the ledger, over a new connection.
  in_doubt: {
    claimed: impossible,
    read: impossible,
    refused: impossible,
    batch_full: impossible,
    read_end: impossible,
    drained: impossible,
    embedded: impossible,
    turn_given: impossible,
    turn_closed: impossible,
    committed: impossible,
    completed: impossible,
    link_cut: impossible,
    link_doubtful: impossible,
    unreachable: 'in_doubt',
    reconnected: 'settling',
    settled_landed: impossible,
    settled_done: impossible,
    settled_not_landed: impossible,
    contested: impossible,
    fenced: impossible,
    cancelled: 'stopped',
    limit_reached: 'stopped',
    failed: 'failed',
    killed: 'open',
  },
  // The ledger was asked over a new connection. Losing that link changes nothing about the doubt.
  settling: {
    claimed: impossible,
    read: impossible,
    refused: impossible,
    batch_full: impossible,
    read_end: impossible,
    drained: impossible,
    embedded: impossible,
    turn_given: impossible,
    turn_closed: impossible,
    committed: impossible,
    completed: impossible,
    link_cut: 'in_doubt',
    link_doubtful: 'in_doubt',
    unreachable: impossible,
    reconnected: impossible,
    settled_landed: 'reading',
    settled_done: 'done',
    settled_not_landed: 'committing',
    contested: impossible,
    fenced: 'fenced',
    cancelled: 'stopped',
    limit_reached: 'stopped',
    failed: 'failed',
    killed: 'open',
  },
  // The end. The ledger gives no claim to a finished shard, and no event moves it.
  done: {
    claimed: impossible,
    read: impossible,
    refused: impossible,
    batch_full: impossible,
    read_end: impossible,
    drained: impossible,
    embedded: impossible,
    turn_given: impossible,
    turn_closed: impossible,
    committed: impossible,
    completed: impossible,
    link_cut: impossible,
    link_doubtful: impossible,
    unreachable: impossible,
    reconnected: impossible,
    settled_landed: impossible,
    settled_done: impossible,
    settled_not_landed: impossible,
    contested: impossible,
    fenced: impossible,
    cancelled: impossible,
    limit_reached: impossible,
    failed: impossible,
    killed: 'done',
  },
  fenced: resting,
  stopped: resting,
  failed: resting,
};

/**
 * The state after `event`.
 * @throws SLUICE_INTERNAL for a pair that can't occur.
 */
export function step(state: State, event: Event): State {
  const next = transitions[state][event];
  if (next === impossible) throw new SluiceError('SLUICE_INTERNAL', `The shard protocol has no event ${event} in state ${state}.`);
  return next;
}
