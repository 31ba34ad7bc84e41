/** Parts that don't keep their promise, each with the invariants that must then be seen to break. A simulator that misses one of these proves nothing. */
import type { Lane, Turn } from '../../src/load/shard/shard.ts';
import type { Stretch } from '../../src/source/source.ts';
import { start } from './target.ts';
import type { Breakage } from './world.ts';

export interface KnownBreakage extends Breakage {
  readonly name: string;
  /** The invariants of which one is seen first, by schedule. */
  readonly invariants: readonly string[];
}

const targetBreakages: readonly KnownBreakage[] = [
  { name: 'a fence that does not look at the epoch', invariants: ['I4'], target: { fencesEpoch: false } },
  {
    name: 'a fence that does not look at the position',
    invariants: ['I1', 'I2', 'I5'],
    target: { fencesPosition: false, fencesDone: false },
  },
  { name: 'a fence that lets a done shard be changed', invariants: ['I5'], target: { fencesDone: false } },
  { name: 'a claim that does not raise the epoch', invariants: ['I4'], target: { claimRaisesEpoch: false } },
  { name: 'a claim of a shard that is done', invariants: ['I5'], target: { claimRefusesDone: false } },
  { name: 'rows that are written without the ledger', invariants: ['I2', 'I16'], target: { atomicity: 'rows_first' } },
  { name: 'a ledger that is written without the rows', invariants: ['I17'], target: { atomicity: 'ledger_first' } },
  { name: 'a ledger that forgets rejects', invariants: ['I7'], target: { keepsRejects: false } },
  { name: 'an answer that leaves a reject out', invariants: ['internal'], target: { countsRejects: false } },
  {
    name: 'a sync that takes refused and equal rows for vanished ones',
    invariants: ['I17', 'I18'],
    target: { notesSeen: 'with_written_rows' },
  },
  { name: 'a settling that always says landed', invariants: ['I16', 'I17'], target: { settles: 'always_landed' } },
  { name: 'a settling that never says landed', invariants: ['internal'], target: { settles: 'never_landed' } },
  { name: 'a settling of the last batch by its position alone', invariants: ['I16'], target: { settles: 'by_position_alone' } },
];

const laneBreakages: readonly KnownBreakage[] = [
  {
    name: 'a lane that reads again from the shard’s start',
    invariants: ['internal'],
    lane: (lane) => ({ ...lane, source: { read: (shard, _from, options) => lane.source.read(shard, start, options) } }),
  },
  {
    name: 'a source that ends before its shard does',
    invariants: ['I12'],
    lane: (lane, { random }) => ({
      ...lane,
      source: { read: (shard, from, options) => endEarly(lane.source.read(shard, from, options), () => random.chance(0.2)) },
    }),
  },
  {
    name: 'a source that drops a stretch in silence',
    invariants: ['internal', 'I12', 'I11', 'I10'],
    lane: (lane, { random }) => ({
      ...lane,
      source: { read: (shard, from, options) => dropSome(lane.source.read(shard, from, options), () => random.chance(0.2)) },
    }),
  },
  {
    name: 'a builder that drops the rows that do not fit',
    invariants: ['internal'],
    lane: (lane) => ({ ...lane, builder: dropRejects(lane.builder) }),
  },
  {
    name: 'a turn that lets every lane in',
    invariants: ['I8', 'I13', 'I17'],
    lane: (lane, { world }) =>
      world.scenario.policy === 'free' ? lane : { ...lane, turn: { ...lane.turn, take: () => Promise.resolve('taken') } },
  },
  {
    name: 'a turn that is never given back',
    invariants: ['I15'],
    lane: (lane) => ({ ...lane, turn: forgetRelease(lane.turn) }),
  },
  {
    name: 'a turn that passes a shard that was left',
    invariants: ['I8'],
    lane: (lane) => ({ ...lane, turn: { ...lane.turn, release: (end) => lane.turn.release(end === 'left' ? 'done' : end) } }),
  },
  {
    name: 'a stop that does not reach the lanes',
    invariants: ['I10', 'I12', 'I16'],
    lane: (lane) => ({ ...lane, stopping: new AbortController().signal, source: watchStop(lane) }),
  },
  {
    name: 'a link that is not mended',
    invariants: ['I6'],
    lane: (lane) => ({ ...lane, reconnect: () => Promise.resolve() }),
  },
  {
    name: 'a lane without limits',
    invariants: ['I11'],
    lane: (lane) => ({ ...lane, limits: { maxBatchBytes: 2 ** 30, maxBatchRows: 2 ** 30, maxRejectBytes: 2 ** 30 } }),
  },
  {
    name: 'a stage that gives a row its neighbour’s vector',
    invariants: ['I9'],
    lane: (lane) => shiftVectors(lane),
  },
  {
    name: 'a lane that does not tell of a batch that landed',
    invariants: ['I11', 'I16'],
    lane: (lane) => ({ ...lane, observe: (event) => (event.kind === 'landed' ? undefined : lane.observe(event)) }),
  },
];

export const breakages: readonly KnownBreakage[] = [...targetBreakages, ...laneBreakages];

async function* endEarly(records: AsyncIterable<Stretch>, isOver: () => boolean): AsyncGenerator<Stretch> {
  for await (const stretch of records) {
    yield stretch;
    if (isOver()) return;
  }
}

async function* dropSome(records: AsyncIterable<Stretch>, isDropped: () => boolean): AsyncGenerator<Stretch> {
  for await (const stretch of records) if (!isDropped()) yield stretch;
}

function dropRejects(builder: Lane['builder']): Lane['builder'] {
  return {
    get rowCount() {
      return builder.rowCount;
    },
    get byteCount() {
      return builder.byteCount;
    },
    add: (records) => builder.add(records).slice(1),
    take: () => builder.take(),
    reuse: (batch) => builder.reuse(batch),
  };
}

function forgetRelease(turn: Turn): Turn {
  return { take: (signal) => turn.take(signal), release: () => undefined };
}

/** The source still hears of the stop, so that it notices who asks it for more. */
function watchStop(lane: Lane): Lane['source'] {
  return { read: (shard, from, options) => lane.source.read(shard, from, { ...options, signal: lane.stopping }) };
}

function shiftVectors(lane: Lane): Lane {
  if (lane.embed === undefined) return lane;
  const { stage } = lane.embed;
  const embed: typeof stage.embed = async (texts, signal) => {
    const answer = await stage.embed(texts, signal);
    const { length } = answer.vectors;
    const step = length / texts.length;
    const vectors = answer.vectors.map((_, index) => answer.vectors[(index + step) % length] ?? 0);
    return { ...answer, vectors };
  };
  return { ...lane, embed: { ...lane.embed, stage: { ...stage, embed } } };
}
