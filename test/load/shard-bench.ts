/** A lane around the simulated target whose every part a test can replace; for the promises of the flow that need one shard only. */
import { createColumns, makeRecords } from '../simulate/input.ts';
import { createAudit, embedText, vectorLength, type Audit } from '../simulate/audit.ts';
import { createScenario, type InputRow, type Scenario } from '../simulate/scenario.ts';
import { createTarget, honestTarget, type SimulatedTarget } from '../simulate/target.ts';
import type { EmbedStage } from '../../src/embed/embedder.ts';
import { runShard, type Lane, type LaneEvent, type ShardEnd, type TurnEnd } from '../../src/load/shard/shard.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Records } from '../../src/source/source.ts';
import type { Claim, Mark } from '../../src/target/driver.ts';

export interface Bench {
  readonly lane: Lane;
  readonly claim: Claim;
  readonly target: SimulatedTarget;
  readonly audit: Audit;
  readonly stopping: AbortController;
  readonly aborting: AbortController;
  readonly told: LaneEvent[];
  readonly marks: Mark[];
  readonly turnEnds: TurnEnd[];
  readonly sleepsMs: number[];
  run(changes?: Partial<Lane>): Promise<ShardEnd>;
}

export interface BenchOptions {
  readonly stretchRows?: number;
  readonly maxBatchRows?: number;
  readonly isEmbedded?: boolean;
  readonly isSeekable?: boolean;
  /** Rows that the table has before; then the load mirrors its source. */
  readonly stored?: Scenario['stored'];
}

/** Rows that fit, with keys from 1. */
export function makeRows(count: number, change: (row: InputRow) => Partial<InputRow> = () => ({})): InputRow[] {
  return Array.from({ length: count }, (_, index) => {
    const row: InputRow = { id: index + 1, text: `text ${index + 1}`, fate: 'fits' };
    return { ...row, ...change(row) };
  });
}

export function openBench(rows: readonly InputRow[], options: BenchOptions = {}): Bench {
  const { isEmbedded = false, isSeekable = true, maxBatchRows = 1000, stretchRows = 1, stored } = options;
  const scenario: Scenario = {
    ...createScenario(1),
    shards: [rows],
    isEmbedded,
    isSeekable,
    stored: stored ?? [],
    mode: stored === undefined ? 'insert' : 'sync',
  };
  const audit = createAudit(scenario);
  const target = createTarget(scenario, audit, honestTarget);
  const claim = target.claim(0, 1);
  if (claim === undefined) throw new Error('The shard can not be claimed.');
  const [stopping, aborting] = [new AbortController(), new AbortController()];
  const record = { told: [] as LaneEvent[], marks: [] as Mark[], turnEnds: [] as TurnEnd[], sleepsMs: [] as number[] };
  const columns = createColumns(isEmbedded);
  const lane: Lane = {
    source: { read: (_shard, from) => readRows(rows, from.row, stretchRows) },
    columns,
    builder: createBatchBuilder(columns),
    limits: { maxBatchBytes: 2 ** 20, maxBatchRows, maxRejectBytes: 2 ** 20 },
    embed: isEmbedded ? { stage: plainStage, from: 1, into: 2, emptyText: 'reject' } : undefined,
    sync:
      stored === undefined
        ? undefined
        : { table: 'simulated', key: ['id'], compared: ['text'], filled: [], keys: createBatchBuilder(columns.slice(0, 1)) },
    connection: () => Promise.resolve(connect(target, record.marks)),
    reconnect: () => Promise.resolve(),
    turn: { take: () => Promise.resolve('taken'), release: (end) => void record.turnEnds.push(end) },
    clock: { now: () => performance.now(), sleep: (ms) => Promise.resolve(void record.sleepsMs.push(ms)) },
    observe: (event) => void record.told.push(event),
    stopping: stopping.signal,
    aborting: aborting.signal,
  };
  return { lane, claim, target, audit, stopping, aborting, ...record, run: (changes) => runShard(claim, { ...lane, ...changes }) };
}

export async function* readRows(rows: readonly InputRow[], from: number, stretchRows: number): AsyncGenerator<Records> {
  for (let at = from; at < rows.length; at += stretchRows) yield await Promise.resolve(makeRecords(rows.slice(at, at + stretchRows), at));
}

function connect(target: SimulatedTarget, marks: Mark[]): Awaited<ReturnType<Lane['connection']>> {
  return {
    commit: (unit) => {
      marks.push(unit.mark);
      return Promise.resolve(target.commit({ ...unit, before: [], owner: 1, isTorn: false }));
    },
    settle: (mark) => Promise.resolve(target.settle(mark)),
    compareRows: ({ batch }) => Promise.resolve(target.compare(batch)),
  };
}

export const plainStage: EmbedStage = {
  identity: { provider: 'simulated', model: 'simulated', revision: '1', dimensions: vectorLength, isNormalised: false },
  embed: (texts) => {
    const vectors = Float32Array.from(texts.flatMap((text) => embedText(text ?? '')));
    const refusals = texts.flatMap((text, index) =>
      text === '' ? [{ index, code: 'TEXT_EMPTY' as const, message: 'There is no text.' }] : [],
    );
    const count = texts.length - refusals.length;
    return Promise.resolve({
      vectors,
      nulls: undefined,
      refusals,
      counts: { texts: count, distinct: count, cached: 1, embedded: count - 1, requests: 1 },
    });
  },
  close: () => Promise.resolve(),
};

/** The lane's connection with another commit. */
export function withCommit(bench: Bench, change: (commit: Connection['commit']) => Connection['commit']): Pick<Lane, 'connection'> {
  return {
    connection: async () => {
      const connection = await bench.lane.connection();
      return { ...connection, commit: change(connection.commit) };
    },
  };
}

type Connection = Awaited<ReturnType<Lane['connection']>>;
