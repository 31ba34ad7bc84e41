/** Runs the unfinished shards of a session over its lanes, and stops them when the caller, the reject limit or a failure says so. */
import { isSluiceError, type ErrorCode } from '../../errors.ts';
import { releaseShards } from '../../ledger/statements.ts';
import { openClaims, type Claims } from './claims.ts';
import { openLanePool, type LanePool, type PoolLane } from '../lane/pool.ts';
import type { LaneNews } from '../lane/news.ts';
import { openFlow, type Flow } from '../lane/flow.ts';
import { minThreadBytes } from '../plan/lane-size.ts';
import { stockThreads } from '../lane/threads.ts';
import type { Claim } from '../../target/driver.ts';
import { createLineCount, type CountLines } from './line-count.ts';
import { countRowsLeft, hasOpenShards, limitPlan } from './limit.ts';
import type { ProgressMeter } from '../report/progress-meter.ts';
import { hasProvenance } from '../lane/row-origin.ts';
import { isOverRejectLimit } from './reject-limit.ts';
import type { StopCause } from './session-stops.ts';
import type { Session } from './session.ts';
import { addNews, type Tally } from '../report/tally.ts';
import type { Turns } from '../lane/turn.ts';

/** How the shards of a session ended. done: none is left unfinished · otherwise why not. */
export type ShardsEnd = 'done' | StopCause | 'limit' | 'reject_limit';

interface Watch {
  readonly session: Session;
  readonly tally: Tally;
  readonly meter: ProgressMeter;
  readonly stop: AbortController;
  end: ShardsEnd;
}

/** What is told of the shards, and what their lanes obey. */
export interface ShardsWatch {
  readonly tally: Tally;
  readonly meter: ProgressMeter;
  readonly attach: (flow: Flow, meter: ProgressMeter) => () => void;
}

/**
 * Runs all shards that this session can claim. When it throws, the ledger holds all that was committed and the load can be resumed.
 * @throws the first failure of a lane, after the others have finished their batches
 */
export async function runShards(session: Session, { attach, meter, tally }: ShardsWatch): Promise<ShardsEnd> {
  const watch: Watch = { session, tally, meter, stop: new AbortController(), end: 'done' };
  const run = limitPlan(session);
  const flow = openFlow({ rowsLeft: countRowsLeft(session), rate: session.rate });
  if (isAtLimit(watch) && (await hasOpenShards(session))) return 'limit';
  const threads = session.threads ?? stockThreads(session.target, 0);
  const pool = await openLanePool({
    load: session.load,
    target: session.target,
    plan: run,
    lockTimeoutMs: session.lockTimeoutMs,
    source: session.source,
    lanes: session.source.hasOneReader === true ? 1 : run.lanes,
    usesThreads:
      session.connection.capabilities.usesThreads !== false &&
      run.source !== undefined &&
      session.source.hasOneReader !== true &&
      (run.lanes > 1 || (run.totalBytes ?? 0) >= minThreadBytes),
    threads,
    flow,
    tell: (lane, news) => hear(watch, lane, news),
  });
  watch.stop.signal.addEventListener('abort', () => {
    for (const lane of pool.lanes) lane.stop(watch.stop.signal.reason as ErrorCode);
  });
  const cancel = (): void => stopLanes(watch, session.stops.cause() ?? 'cancelled');
  if (session.signal.aborted) cancel();
  session.signal.addEventListener('abort', cancel);
  const detach = attach(flow, meter);
  try {
    await driveLanes(watch, pool, run.isOrdered);
  } finally {
    detach();
    session.signal.removeEventListener('abort', cancel);
    await pool.close();
  }
  // An index that is built beside readers waits for every snapshot that was there before it.
  await session.source.release?.();
  await session.connection.transact([releaseShards(session.load, session.owner)]);
  if (watch.end === 'limit' && !(await hasOpenShards(session))) watch.end = 'done';
  return isOverLimit(watch) && watch.end === 'done' ? 'reject_limit' : watch.end;
}

/** Everything that the session may read was read. */
function isAtLimit({ session, tally }: Watch): boolean {
  return session.limit !== undefined && session.before.counts.read + tally.read >= session.limit;
}

function stopLanes(watch: Watch, why: Exclude<ShardsEnd, 'done'>): void {
  if (watch.stop.signal.aborted) return;
  watch.end = why;
  watch.stop.abort(why === 'reject_limit' ? 'SLUICE_REJECT_LIMIT' : 'SLUICE_CANCELLED');
}

function hear(watch: Watch, lane: number, news: LaneNews): void {
  const { tally, meter } = watch;
  const nowMs = performance.now();
  if (news.kind === 'warning') {
    if (!tally.warnings.includes(news.message)) tally.warnings.push(news.message);
    return;
  }
  addNews(tally, news, nowMs);
  for (const [stage, ms] of Object.entries(news.stageMs))
    meter.observe({ kind: 'stage', stage: stage as keyof typeof news.stageMs, ms }, nowMs);
  meter.observe({ kind: 'committed', counts: news.counts, bytes: news.bytes, embedding: news.embedding, causes: news.causes }, nowMs);
  meter.observe({ kind: 'queued', lane, bytes: news.batchBytes }, nowMs);
  if (isOverLimit(watch)) stopLanes(watch, 'reject_limit');
  else if (isAtLimit(watch)) stopLanes(watch, 'limit');
}

function isOverLimit({ session, tally }: Watch): boolean {
  const { before, run } = session;
  return isOverRejectLimit(run.maxRejects, {
    rejected: before.counts.rejected + tally.rejected,
    read: before.counts.read + tally.read,
    isWhole: before.bytes + tally.bytes >= (run.totalBytes ?? Infinity),
  });
}

/** Each lane takes the next shard when it is done with one. The first failure stops the others after the batch they are in. */
async function driveLanes(watch: Watch, pool: LanePool, isOrdered: boolean): Promise<void> {
  const { session, stop } = watch;
  const claims = openClaims({
    connection: session.connection,
    load: session.load,
    owner: session.owner,
    isOrdered,
    signal: stop.signal,
  });
  const countLines = hasProvenance(session.run.table.columns) ? createLineCount(session.source) : undefined;
  const places = createPlaces(claims, countLines);
  const failures: unknown[] = [];
  await Promise.all(
    // Twice over the lanes: while a lane runs a shard it holds the next one, so that it need not ask and wait in between.
    [...pool.lanes, ...pool.lanes].map(async (lane) => {
      try {
        await driveLane(lane, { next: places, turns: pool.turns, signal: stop.signal });
      } catch (error) {
        failures.push(error);
        stop.abort('SLUICE_CANCELLED');
        pool.turns.close();
      }
    }),
  );
  await claims.close();
  if (failures.length > 0) throw failures.find((error) => !isSluiceError(error, 'SLUICE_CANCELLED')) ?? failures[0];
}

/** A claim with its place in the order of turns. */
interface Work {
  readonly claim: Claim;
  readonly place: number;
}

/**
 * Numbers the claims in the order in which they were made, which is the order of their turns, and gives them out in that order, too: a lane that got a later place first
 * would run it first, and wait for the turn of one that stands in its own queue.
 */
function createPlaces(claims: Claims, countLines: CountLines | undefined): () => Promise<Work | undefined> {
  let place = 0;
  let last: Promise<unknown> = Promise.resolve();
  const take = async (): Promise<Work | undefined> => {
    const claim = await claims.next();
    if (claim === undefined) return undefined;
    const at = place++;
    return { claim: countLines === undefined ? claim : { ...claim, firstLine: await countLines(claim.shard) }, place: at };
  };
  return () => {
    const work = last.then(take);
    last = work.catch(() => undefined);
    return work;
  };
}

interface Drive {
  readonly next: ReturnType<typeof createPlaces>;
  readonly turns: Turns;
  readonly signal: AbortSignal;
}

async function driveLane(lane: PoolLane, { next, turns, signal }: Drive): Promise<void> {
  while (!signal.aborted) {
    const work = await next();
    if (work === undefined) return;
    if (signal.aborted) {
      // The shard will not be run in this session: lanes behind it must not wait for its turn.
      turns.at(work.place).release('left');
      return;
    }
    await lane.run(work.claim, work.place);
  }
}
