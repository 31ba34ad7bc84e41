/** A simulated process that works on the load: lanes with turns, a supervisor that puts a new lane in the place of a dead one, cancel, limits and its own death. */
import { isSluiceError, SluiceError } from '../../src/errors.ts';
import { runShard, type Lane, type LaneEvent, type ShardEnd } from '../../src/load/shard/shard.ts';
import { openTurns, type Turns } from '../../src/load/lane/turn.ts';
import { createBatchBuilder, type BatchBuilder } from '../../src/rows/builder.ts';
import type { Claim } from '../../src/target/driver.ts';
import { createActor, type Actor } from './actor.ts';
import { createColumns, createSource, createStage } from './input.ts';
import { createLink } from './link.ts';
import type { Session } from './scenario.ts';
import type { World } from './world.ts';

/** 600 s of simulated time, as the actors stretch it: longer than any wait of a lane for its link, so that only a real stand-still is one. */
const stallMs = 30_000;

interface Process {
  readonly world: World;
  readonly session: Session;
  readonly owner: number;
  /** The shards of this session, by place. */
  readonly list: readonly number[];
  readonly turns: Turns;
  readonly actors: Set<Actor>;
  readonly committing: Set<Actor>;
  readonly stopping: AbortController;
  readonly aborting: AbortController;
  nextPlace: number;
  liveLanes: number;
  rejectCount: number;
  isOver: boolean;
  onEnd(): void;
}

/** Starts a session; `onEnd` is called once, when all its lanes have ended or the process was killed. */
export function startSession(world: World, session: Session, onEnd: () => void): void {
  const list = world.target.ledger.flatMap((row, ordinal) => (row.isDone ? [] : [ordinal]));
  const process: Process = {
    world,
    session,
    owner: world.nextOwner(),
    list,
    turns: openTurns({ policy: world.scenario.policy, stallMs }),
    actors: new Set(),
    committing: new Set(),
    stopping: new AbortController(),
    aborting: new AbortController(),
    nextPlace: 0,
    liveLanes: session.laneCount,
    rejectCount: 0,
    isOver: false,
    onEnd,
  };
  scheduleEnds(process);
  for (let lane = 0; lane < session.laneCount; lane += 1) startLane(process, undefined);
}

function scheduleEnds(process: Process): void {
  const { session, world } = process;
  const at = (ms: number | undefined, action: () => void): void => {
    if (ms !== undefined) world.scheduler.schedule(ms, action);
  };
  at(session.cancelsAtMs, () => process.stopping.abort(new SluiceError('SLUICE_CANCELLED', 'cancelled')));
  at(session.abortsAtMs, () => process.aborting.abort(new SluiceError('SLUICE_CANCELLED', 'aborted')));
  at(session.diesAtMs, () => {
    for (const actor of process.actors) actor.isDead = true;
    endProcess(process);
  });
}

function endProcess(process: Process): void {
  if (process.isOver) return;
  process.isOver = true;
  process.onEnd();
}

/** A lane that takes up shard after shard, beginning with `place` when it stands in for a dead one. */
function startLane(process: Process, place: number | undefined): void {
  const { world } = process;
  let current = place;
  const actor = createActor({
    scheduler: world.scheduler,
    random: world.random,
    deathRate: world.faults.laneDeath,
    slowRate: world.faults.slow,
    onDeath: () => {
      if (!process.actors.delete(actor)) return;
      process.committing.delete(actor);
      world.scheduler.schedule(world.random.between(0, 30), () => replaceLane(process, current));
    },
  });
  process.actors.add(actor);
  const tools = { actor, builder: createBatchBuilder(createColumns(world.scenario.isEmbedded)) };
  const work = async (): Promise<void> => {
    for (current ??= takePlace(process); current !== undefined; current = takePlace(process)) {
      if (!(await runPlace(process, tools, current))) break;
    }
    endLane(process, actor);
  };
  work().catch((error: unknown) => world.audit.report('internal', String(error)));
}

function takePlace(process: Process): number | undefined {
  if (process.stopping.signal.aborted || process.nextPlace >= process.list.length) return undefined;
  process.nextPlace += 1;
  return process.nextPlace - 1;
}

function replaceLane(process: Process, place: number | undefined): void {
  if (process.isOver) return;
  if (place !== undefined) process.turns.at(place).release(process.stopping.signal.aborted ? 'left' : 'again');
  if (process.stopping.signal.aborted) endLane(process, undefined);
  else startLane(process, place);
}

function endLane(process: Process, actor: Actor | undefined): void {
  if (actor !== undefined) process.actors.delete(actor);
  process.liveLanes -= 1;
  if (process.liveLanes === 0) endProcess(process);
}

/** What a lane keeps from shard to shard. */
interface Tools {
  readonly actor: Actor;
  readonly builder: BatchBuilder;
}

/** Claims and runs one shard. Whether the lane may go on with another. */
async function runPlace(process: Process, tools: Tools, place: number): Promise<boolean> {
  const { actor } = tools;
  const { stopping, turns, world } = process;
  const ordinal = process.list[place] ?? -1;
  await actor.pause(5);
  const claim = world.target.claim(ordinal, process.owner);
  if (claim === undefined) {
    turns.at(place).release('done');
    return true;
  }
  const told: LaneEvent[] = [];
  actor.heldRows = 0;
  try {
    const end = await runShard(claim, world.breakLane(createLane(process, tools, { place, told }), claim));
    checkEnd(process, claim, { end, told });
    return end !== 'stopped';
  } catch (error) {
    if (isSluiceError(error) && error.isTransient && error.code !== 'SLUICE_LANE_DIED') stopping.abort(error);
    else world.audit.report(isSluiceError(error, 'SLUICE_LANE_DIED') ? 'I15' : 'internal', String(error));
    turns.at(place).release('left');
    return false;
  }
}

const mirrored = { table: 'simulated', key: ['id'], compared: ['text'], filled: [] };

function createLane(process: Process, { actor, builder }: Tools, run: { place: number; told: LaneEvent[] }): Lane {
  const { aborting, committing, list, owner, stopping, world } = process;
  const { scenario } = world;
  const before = scenario.policy === 'ordered' ? list.slice(0, run.place) : [];
  const link = createLink({ world, actor, owner, before, committing });
  const columns = createColumns(scenario.isEmbedded);
  const { buffer } = process.turns;
  return {
    source: createSource(world, actor),
    columns,
    builder,
    limits: { maxBatchBytes: 2 ** 20, maxBatchRows: scenario.maxBatchRows, maxRejectBytes: 2 ** 20 },
    embed: scenario.isEmbedded ? { stage: createStage(world, actor), from: 1, into: 2, emptyText: 'reject' } : undefined,
    sync: scenario.mode === 'sync' ? { ...mirrored, keys: createBatchBuilder(columns.slice(0, 1)) } : undefined,
    connection: () => Promise.resolve(link.connection),
    reconnect: () => link.reconnect(),
    turn: openTurns({ policy: scenario.policy, buffer, stallMs, wait: actor.waitForChange }).at(run.place),
    clock: { now: () => world.scheduler.now(), sleep: (ms, signal) => actor.sleep(ms, signal) },
    observe: (event) => observe(process, actor, { event, told: run.told }),
    stopping: stopping.signal,
    aborting: aborting.signal,
    breathe: () => actor.pause(1),
  };
}

function observe(process: Process, actor: Actor, { event, told }: { event: LaneEvent; told: LaneEvent[] }): void {
  if (event.kind !== 'batch' && event.kind !== 'landed') return;
  told.push(event);
  actor.heldRows -= event.mark.readCount;
  process.rejectCount +=
    event.kind === 'landed' ? event.rejects.length : event.outcome.kind === 'committed' ? event.outcome.rejects.length : 0;
  if (process.rejectCount > process.session.maxRejects) process.stopping.abort(new SluiceError('SLUICE_REJECT_LIMIT', 'too many'));
}

/** What a run says about its end must be so. */
function checkEnd(process: Process, claim: Claim, { end, told }: { end: ShardEnd; told: readonly LaneEvent[] }): void {
  const { audit, target } = process.world;
  const { ordinal } = claim.shard;
  const row = target.ledger[ordinal];
  const toldCount = told.reduce((sum, event) => sum + ('mark' in event ? event.mark.readCount : 0), 0);
  if (end === 'done' && row?.isDone !== true) audit.report('I16', `a run says that shard ${ordinal} is done`);
  if (end === 'done' && toldCount !== (row?.position.row ?? 0) - claim.position.row)
    audit.report('I16', `a run told of ${toldCount} rows of shard ${ordinal}`);
  if (end === 'fenced' && audit.isNewest(ordinal, claim.epoch)) audit.report('I16', `a run says that shard ${ordinal} has another owner`);
  if (end === 'stopped' && !process.stopping.signal.aborted && !process.aborting.signal.aborted)
    audit.report('I16', 'a run stopped without a reason');
}
