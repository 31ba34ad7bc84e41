/** Opens the durable queue: acknowledged after the disk has a request, applied in order by groups, exactly once because the position is committed with the data. */
import { SluiceError } from '../../errors.ts';
import type { Engine } from '../engine/contract.ts';
import type { Queue, QueueAddition, QueueFacts, QueueOptions } from './contract.ts';
import { startFeed, type AppliedGroup, type Feed } from './feed.ts';
import { makeFolder } from './folder.ts';
import { takeLock } from './lock.ts';
import { createLog, type QueueLog } from './log.ts';
import { openOutcomes, type OutcomeStore } from './outcomes.ts';
import { readPending, recover, type Recovery } from './recovery.ts';
import { createRoom, type Room } from './room.ts';
import { resolveSettings, type QueueSettings } from './settings.ts';

/** What `close` gives a group that is in the engine after the flush's own deadline has passed. */
const lastGroupMs = 1_000;

interface QueueState {
  readonly engine: Engine;
  readonly settings: QueueSettings;
  readonly recovery: Recovery;
  readonly room: Room;
  readonly log: QueueLog;
  readonly feed: Feed;
  readonly outcomes: OutcomeStore;
  readonly unlock: () => void;
  /** One `whileEmpty` after the other. */
  turn: Promise<unknown>;
  appended: number;
  refused: { count: number };
  closed: Promise<void> | undefined;
}

/**
 * Opens the queue that lies beside the database. What an earlier process left is applied before this resolves, so that nothing that was acknowledged
 * is overtaken by later writes; only where the engine can't take it within `replayTimeoutMs` does it go on behind the caller's back, still before new requests.
 * @throws SLUICE_TARGET_LOCKED another process serves the database · SLUICE_LEDGER_VERSION · SLUICE_USAGE
 */
export async function openQueue(options: QueueOptions, engine: Engine): Promise<Queue> {
  const settings = resolveSettings(options);
  const folder = await makeFolder(settings.file);
  const unlock = takeLock(folder);
  try {
    const state = await openState({ engine, settings, folder, unlock });
    if (state.recovery.pending > 0) await state.feed.flush(settings.replayTimeoutMs);
    return {
      add: (request) => add(state, request),
      waitFor: (sequence, timeoutMs) => state.feed.waitFor(sequence, timeoutMs),
      outcomes: (since, limit) => state.outcomes.list(since, limit),
      facts: () => readFacts(state),
      whileEmpty: (run) => takeTurn(state, run),
      close: () => (state.closed ??= close(state)),
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

interface Opening {
  readonly engine: Engine;
  readonly settings: QueueSettings;
  readonly folder: string;
  readonly unlock: () => void;
}

async function openState({ engine, settings, folder, unlock }: Opening): Promise<QueueState> {
  const { onNotice } = settings;
  const position = await engine.readQueuePosition();
  const recovery = await recover(folder, position, onNotice);
  const outcomes = await openOutcomes({
    folder,
    capacity: settings.outcomeCapacity,
    maxBytes: settings.outcomeBytes,
    onFault: (error) =>
      onNotice({ kind: 'outcomes', message: `outcomes of the queue can not be written, and are kept in memory only: ${describe(error)}` }),
  });
  const refused = { count: 0 };
  const room = createRoom({
    capacity: settings.capacity,
    capacityBytes: settings.capacityBytes,
    timeoutMs: settings.fullTimeoutMs,
    onRefusal: () => refused.count++,
  });
  // rqlite's numbers begin at the wall clock; those that were given out before decide where it went back.
  const clock = settings.readClock();
  const log = createLog({
    folder,
    segmentBytes: settings.segmentBytes,
    waitTimeoutMs: settings.fullTimeoutMs,
    segments: recovery.segments,
    damaged: recovery.damaged,
    next: clock > recovery.floor ? clock : recovery.floor + 1n,
    onDurable: (record) => feed.push(record),
  });
  const feed = startFeed({
    ...settings,
    engine,
    position,
    backlog: { requests: recovery.pending, floor: recovery.floor, read: (from) => readPending(recovery.segments, from) },
    onApplied: (group) => settle(state, group),
  });
  const state: QueueState = {
    engine,
    settings,
    recovery,
    room,
    log,
    feed,
    outcomes,
    unlock,
    turn: Promise.resolve(),
    appended: 0,
    refused,
    closed: undefined,
  };
  return state;
}

async function add(state: QueueState, { body, isStrict }: QueueAddition): Promise<bigint> {
  const bytes = body.byteLength;
  // Room is taken before the disk is: what is acknowledged always has a place in memory until it is applied.
  await state.room.enter(bytes);
  try {
    const sequence = await state.log.append(body, isStrict);
    state.appended++;
    return sequence;
  } catch (error) {
    state.refused.count++;
    state.room.leave(1, bytes);
    throw error;
  }
}

async function settle(state: QueueState, { outcomes, position, ownRequests, ownBytes }: AppliedGroup): Promise<void> {
  if (ownRequests > 0) state.room.leave(ownRequests, ownBytes);
  await state.outcomes.add(outcomes);
  try {
    await state.log.removeUpTo(position);
  } catch (error) {
    // What stays is passed over at the next start, by the position in the database.
    state.settings.onNotice({
      kind: 'remove',
      message: `files of the queue that have been applied can not be removed: ${describe(error)}`,
    });
  }
}

function takeTurn<Result>(state: QueueState, run: () => Promise<Result>): Promise<Result> {
  const turn = state.turn.then(() => whileEmpty(state, run));
  state.turn = turn.catch(() => undefined);
  return turn;
}

async function whileEmpty<Result>(state: QueueState, run: () => Promise<Result>): Promise<Result> {
  const { log, feed, settings } = state;
  if (state.closed !== undefined) throw new SluiceError('SLUICE_CLOSED', 'the queue is closed');
  await log.hold();
  try {
    if (!(await feed.flush(settings.flushTimeoutMs))) {
      throw new SluiceError(
        'SLUICE_TARGET_BUSY',
        `queued requests could not be applied in ${settings.flushTimeoutMs} ms: the database was not replaced`,
        {
          hint: 'Try again when the queue is empty.',
        },
      );
    }
    // Removed before the database is replaced: a crash in between must not apply them to the new one.
    await log.clear();
    return await run();
  } finally {
    await adoptPosition(state);
    log.release();
  }
}

/**
 * Also after a failure another database may be in place, with a position above the numbers given out here: it would pass over the next requests.
 * Where it can't be read, nothing is acknowledged any more.
 */
async function adoptPosition({ log, engine }: QueueState): Promise<void> {
  try {
    log.raise(await engine.readQueuePosition());
  } catch (cause) {
    log.fail(
      new SluiceError('SLUICE_TARGET_FAILED', "the queue's position can not be read from the database: it takes no more requests", {
        cause,
        hint: 'Start the server again.',
      }),
    );
  }
}

async function close(state: QueueState): Promise<void> {
  const { room, log, feed, outcomes, settings, unlock } = state;
  room.close();
  await state.turn;
  await log.drain();
  if (await feed.flush(settings.flushTimeoutMs)) await forget(state);
  await feed.stop(lastGroupMs);
  await log.close();
  await outcomes.close();
  unlock();
}

/** Nothing is left behind that an older copy of the database, put in place by hand while no server runs, would be given once more. */
async function forget({ log, settings }: QueueState): Promise<void> {
  try {
    await log.clear();
  } catch (error) {
    settings.onNotice({ kind: 'remove', message: `files of the queue that have been applied can not be removed: ${describe(error)}` });
  }
}

function readFacts(state: QueueState): QueueFacts {
  const { settings, room, log, feed, outcomes, recovery } = state;
  return {
    ...feed.facts(),
    capacity: settings.capacity,
    batchSize: settings.batchSize,
    timeoutMs: settings.timeoutMs,
    isTransaction: settings.isTransaction,
    capacityBytes: settings.capacityBytes,
    waiting: room.waiting() + log.waiting(),
    lastSequence: log.lastSequence(),
    oldestOutcome: outcomes.oldest(),
    appendedRequests: state.appended,
    syncs: log.syncs(),
    refusedRequests: state.refused.count,
    damagedRecords: recovery.damagedRecords,
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
