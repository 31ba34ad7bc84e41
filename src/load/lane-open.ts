/** Opens one lane: its own source reader, connection and embedding stage. The same for a worker thread and the main thread; who opens it closes it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createBatchBuilder } from '../rows/builder.ts';
import type { EmbedStage } from '../embed/embedder.ts';
import type { Source } from '../source/source.ts';
import { connect } from '../target/registry.ts';
import type { Claim, Connection } from '../target/driver.ts';
import { watchFields } from './field-watch.ts';
import { createNewsroom, type LaneNews } from './lane-news.ts';
import type { RunPlan } from './run-plan.ts';
import { runShard, type Clock, type Lane, type ShardEnd } from './shard.ts';
import type { Turns } from './turn.ts';

/** What a lane is opened with. */
export interface LaneRequest {
  readonly load: string;
  readonly target: string;
  readonly plan: RunPlan;
  readonly lockTimeoutMs: number | undefined;
  readonly source: Source;
  readonly turns: Turns;
  readonly stopping: AbortSignal;
  readonly aborting: AbortSignal;
  readonly tell: (news: LaneNews) => void;
  /** Set when the lane shares its thread with others: called between stretches. */
  readonly breathe: (() => Promise<void>) | undefined;
}

export interface OpenLane {
  /** Runs a shard; one that is handed over earlier comes first. */
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

async function openStage(request: LaneRequest): Promise<EmbedStage | undefined> {
  const { embed, cache } = request.plan;
  if (embed === undefined) return undefined;
  const { openEmbedStage } = await import('../embed/open.ts');
  return openEmbedStage({
    spec: embed.spec,
    task: 'document',
    emptyText: embed.emptyText,
    cache,
    onWarning: (message) => request.tell({ kind: 'warning', message }),
  });
}

/** Opens a lane. @throws SLUICE_TARGET_… , SLUICE_EMBEDDER_… when its parts can't be opened. */
export async function openLane(request: LaneRequest): Promise<OpenLane> {
  const { plan } = request;
  const link = createLink(request);
  const stage = await openStage(request);
  const shared: Omit<Lane, 'turn'> = {
    source: watchFields(request.source, plan, (message) => request.tell({ kind: 'warning', message })),
    columns: plan.table.columns,
    builder: createBatchBuilder(plan.table.columns),
    limits: { maxBatchBytes: plan.maxBatchBytes, maxBatchRows: plan.maxBatchRows, maxRejectBytes },
    embed:
      stage === undefined || plan.embed === undefined
        ? undefined
        : { stage, from: plan.embed.from, into: plan.embed.into, emptyText: plan.embed.emptyText },
    connection: link.get,
    reconnect: link.renew,
    clock,
    observe: createNewsroom(request.tell),
    stopping: request.stopping,
    aborting: request.aborting,
    ...(request.breathe === undefined ? {} : { breathe: request.breathe }),
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (claim, place) => {
      const run = last.then(() => runShard(claim, { ...shared, turn: request.turns.at(place) }));
      // How a run failed is for its own caller to hear; the next one only waits until the lane is free.
      last = run.then(
        () => undefined,
        () => undefined,
      );
      return run;
    },
    close: async () => {
      await link.close();
      await stage?.close();
    },
  };
}

/** The lane's connection: opened when first needed, replaced after it broke. */
function createLink(request: LaneRequest): { get: () => Promise<Connection>; renew: () => Promise<void>; close: () => Promise<void> } {
  let current: Connection | undefined;
  const open = async (): Promise<Connection> => {
    const options = request.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: request.lockTimeoutMs };
    const connection = await connect(request.target, { ...options, signal: request.aborting });
    await connection.begin(request.load, request.plan.table, request.plan.keeping);
    return connection;
  };
  const close = async (): Promise<void> => {
    const old = current;
    current = undefined;
    await old?.close();
  };
  return {
    get: async () => (current ??= await open()),
    renew: async () => {
      await close();
      current = await open();
    },
    close,
  };
}
