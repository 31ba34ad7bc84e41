/** Opens one lane: its own source reader, connection and embedding stage. The same for a worker thread and the main thread; who opens it closes it. */
import type { MessagePort } from 'node:worker_threads';
import { setImmediate as turnEventLoop, setTimeout as sleep } from 'node:timers/promises';
import { createBatchBuilder } from '../../rows/builder.ts';
import type { EmbedStage } from '../../embed/embedder.ts';
import type { Source } from '../../source/source.ts';
import { connect } from '../../target/registry.ts';
import type { Claim, Connection } from '../../target/driver.ts';
import type { LaneFlow } from './flow.ts';
import { createGate } from './gate.ts';
import { createNewsroom, type LaneNews } from './news.ts';
import { openReader, readAhead } from './read-ahead.ts';
import { openOrigin } from './row-origin.ts';
import type { LaneEmbed } from './lane.ts';
import { listEmbeds, type RunPlan } from '../plan/run-plan.ts';
import { isMirroring, planLaneSync } from './sync.ts';
import { runShard, type Clock, type Lane, type ShardEnd, type Turn } from '../shard/shard.ts';
import type { Turns } from './turn.ts';

/** What a lane is opened with. */
export interface LaneRequest {
  readonly load: string;
  readonly target: string;
  readonly plan: RunPlan;
  readonly lockTimeoutMs: number | undefined;
  readonly source: Source;
  /** Leads to the thread that reads for the lane; undefined where it reads for itself. */
  readonly reader?: MessagePort | undefined;
  readonly turns: Turns;
  readonly stopping: AbortSignal;
  readonly aborting: AbortSignal;
  readonly tell: (news: LaneNews) => void;
  readonly flow: LaneFlow;
  /** Set when the lane shares its thread with others: called between stretches. */
  readonly breathe: (() => Promise<void>) | undefined;
}

export interface OpenLane {
  /** Runs a shard. On a target whose lanes take turns one that is handed over earlier comes first. */
  run(claim: Claim, place: number): Promise<ShardEnd>;
  close(): Promise<void>;
}

/** Rows handed over for reject keeping count toward a batch up to this many bytes, then the batch is cut. */
const maxRejectBytes = 4 * 1024 * 1024;

const clock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  },
};

/** A stage for each column of texts; those that are embedded alike share one. */
async function openStages(request: LaneRequest): Promise<readonly LaneEmbed[]> {
  const { cache } = request.plan;
  const opened = new Map<string, EmbedStage>();
  const embeds: LaneEmbed[] = [];
  for (const { emptyText, from, into, spec } of listEmbeds(request.plan)) {
    const alike = JSON.stringify([spec, emptyText]);
    const { openEmbedStage } = await import('../../embed/open.ts');
    const onWarning = (message: string): void => request.tell({ kind: 'warning', message });
    const stage = opened.get(alike) ?? (await openEmbedStage({ spec, task: 'document', emptyText, cache, onWarning }));
    opened.set(alike, stage);
    embeds.push({ stage, from, into, emptyText });
  }
  return embeds;
}

/** Opens a lane. @throws SLUICE_TARGET_… , SLUICE_EMBEDDER_… when its parts can't be opened. */
export async function openLane(request: LaneRequest): Promise<OpenLane> {
  const { plan } = request;
  const link = createLink(request);
  // The first batch is read and checked meanwhile. What goes wrong here goes wrong again when the connection is asked for.
  const ahead = link.get().then(
    () => undefined,
    () => undefined,
  );
  const [embed, ...moreEmbeds] = await openStages(request);
  const observe = createNewsroom(request.tell);
  const warn = (message: string): void => request.tell({ kind: 'warning', message });
  const shared: Omit<Lane, 'turn' | 'builder'> = {
    source:
      request.reader === undefined
        ? openReader(request.source, plan, warn)
        : readAhead(request.reader, { warn, checked: (ms) => observe({ kind: 'stage', stage: 'check', ms }) }),
    columns: plan.table.columns,
    limits: { maxBatchBytes: plan.maxBatchBytes, maxBatchRows: plan.maxBatchRows, maxRejectBytes },
    embed,
    moreEmbeds,
    sync: planLaneSync(plan),
    connection: link.get,
    reconnect: link.renew,
    clock,
    observe,
    stopping: request.stopping,
    aborting: request.aborting,
    flow: request.flow,
    origin: openOrigin({
      load: request.load,
      columns: plan.table.columns,
      files: plan.source?.files,
      sourceName: plan.sourceName,
      source: request.source,
    }),
    ...(request.breathe === undefined ? {} : { breathe: request.breathe }),
  };
  const tracks = createTracks(request, shared);
  return {
    run: (claim, place) => {
      const track = tracks.reduce((least, each) => (each.length < least.length ? each : least));
      return track.run(claim, place);
    },
    close: async () => {
      request.reader?.close();
      await ahead;
      await link.close();
      for (const stage of new Set([embed, ...moreEmbeds].map((each) => each?.stage))) await stage?.close();
    },
  };
}

/** Runs shards one after another. */
interface Track {
  /** Shards that it has not ended yet. */
  readonly length: number;
  run(claim: Claim, place: number): Promise<ShardEnd>;
}

/**
 * A lane that is alone has two tracks where the target allows it: one reads and checks its next batch while the server takes the batch of the other. Several
 * lanes do that for each other: two tracks in each cost a sixth more of the processor, more memory, and were no faster.
 */
function createTracks(request: LaneRequest, shared: Omit<Lane, 'turn' | 'builder'>): readonly [Track, ...Track[]] {
  const gate = createGate();
  const isFree = request.plan.turns === 'free';
  const hasCompany = shared.breathe !== undefined || request.plan.lanes === 1;
  // What else is on this thread has a connection that wants to send.
  const breathing = isFree && hasCompany ? { ...shared, breathe: yieldThread } : shared;
  // A question of one track and the commit of the other would meet on the lane's only connection.
  if (!isFree || request.plan.lanes > 1 || isMirroring(request.plan))
    return [createTrack(breathing, request.plan, (place) => request.turns.at(place))];
  const guard = (place: number): Turn => gate.guard(request.turns.at(place));
  return [createTrack(breathing, request.plan, guard), createTrack(breathing, request.plan, guard)];
}

/** Turns of the event loop between two stretches: in each the other connection sends a piece, and checking a stretch takes as long as the server needs for several. */
const turnsPerStretch = 4;

async function yieldThread(): Promise<void> {
  for (let turn = 0; turn < turnsPerStretch; turn++) await turnEventLoop();
}

function createTrack(shared: Omit<Lane, 'turn' | 'builder'>, plan: RunPlan, turnAt: (place: number) => Turn): Track {
  const builder = createBatchBuilder(plan.table.columns);
  let last: Promise<unknown> = Promise.resolve();
  let length = 0;
  return {
    get length() {
      return length;
    },
    run: (claim, place) => {
      length++;
      const run = last.then(() => runShard(claim, { ...shared, builder, turn: turnAt(place) })).finally(() => length--);
      // How a run failed is for its own caller to hear; the next one only waits until the track is free.
      last = run.then(
        () => undefined,
        () => undefined,
      );
      return run;
    },
  };
}

/** The lane's connection: opened when first needed, replaced after it broke. */
function createLink(request: LaneRequest): { get: () => Promise<Connection>; renew: () => Promise<void>; close: () => Promise<void> } {
  let current: Promise<Connection> | undefined;
  const open = async (): Promise<Connection> => {
    const options = request.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: request.lockTimeoutMs };
    const connection = await connect(request.target, { ...options, signal: request.aborting });
    try {
      await connection.begin(request.load, request.plan.table, request.plan.keeping);
    } catch (error) {
      await connection.close();
      throw error;
    }
    return connection;
  };
  const close = async (): Promise<void> => {
    const old = current;
    current = undefined;
    await old?.then(
      (connection) => connection.close(),
      () => undefined,
    );
  };
  const get = (): Promise<Connection> => {
    const opening = (current ??= open());
    // The next one to ask tries again.
    opening.catch(() => {
      if (current === opening) current = undefined;
    });
    return opening;
  };
  return {
    get,
    renew: async () => {
      await close();
      await get();
    },
    close,
  };
}
