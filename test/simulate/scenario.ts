/** What a seed stands for: the rows, the way they are loaded, and the faults. Plain data. */
import type { TurnPolicy } from '../../src/load/lane/turn.ts';
import type { RejectCode } from '../../src/rows/batch.ts';
import { createRandom, type Random } from './random.ts';

/** One row of the simulated input and what must become of it, keys apart. */
export interface InputRow {
  readonly id: number;
  readonly text: string;
  readonly fate: 'fits' | 'unreadable' | 'unfit' | 'refused' | 'unembeddable';
}

/** How likely each fault is, 0 to 1, at each chance it has. */
export interface Faults {
  readonly slow: number;
  /** The link breaks and the commit is not written, and the lane knows. */
  readonly cutBefore: number;
  /** The answer is lost; the commit is written, is not written, or is written later. */
  readonly unknownLanded: number;
  readonly unknownNotLanded: number;
  readonly unknownLate: number;
  /** The request is carried out and, later, once more. */
  readonly doubled: number;
  /** A transient failure of target, source or embedder that ends the session. */
  readonly failing: number;
  readonly unreachable: number;
  /** A lane dies, at any wait. */
  readonly laneDeath: number;
}

/** One process that works on the load. Times are simulated milliseconds after its start; undefined: never. */
export interface Session {
  readonly laneCount: number;
  /** After the start of the session before, or after all earlier sessions have ended. */
  readonly startsAfterMs: number | undefined;
  readonly cancelsAtMs: number | undefined;
  readonly abortsAtMs: number | undefined;
  readonly diesAtMs: number | undefined;
  readonly maxRejects: number;
}

export interface Scenario {
  readonly seed: number;
  readonly shards: readonly (readonly InputRow[])[];
  readonly isSeekable: boolean;
  readonly stretchRows: number;
  readonly maxBatchRows: number;
  readonly policy: TurnPolicy;
  readonly mode: 'insert' | 'skip' | 'upsert' | 'sync';
  /** Rows of the table before the load; only mode sync has some. */
  readonly stored: readonly { readonly id: number; readonly text: string }[];
  readonly isEmbedded: boolean;
  readonly faults: Faults;
  readonly sessions: readonly Session[];
}

export const noFaults: Faults = {
  slow: 0,
  cutBefore: 0,
  unknownLanded: 0,
  unknownNotLanded: 0,
  unknownLate: 0,
  doubled: 0,
  failing: 0,
  unreachable: 0,
  laneDeath: 0,
};

/** Codes of the simulated refusals, by fate; a key that is there already is REFUSED_UNIQUE. */
export const fateCodes: Readonly<Record<Exclude<InputRow['fate'], 'fits'>, RejectCode>> = {
  unreadable: 'ROW_JSON_INVALID',
  unfit: 'VALUE_NULL',
  refused: 'REFUSED_CHECK',
  unembeddable: 'TEXT_EMPTY',
};

/** The scenario of a seed. */
export function createScenario(seed: number): Scenario {
  const random = createRandom(seed);
  const isEmbedded = random.chance(0.4);
  const keySpace = random.pick([6, 40, 1000]);
  const shardCount = random.between(1, 4);
  const mode = random.pick(['insert', 'skip', 'upsert', 'sync'] as const);
  return {
    seed,
    shards: Array.from({ length: shardCount }, () => createRows(random, { keySpace, isEmbedded })),
    isSeekable: random.chance(0.75),
    stretchRows: random.between(1, 3),
    maxBatchRows: random.between(1, 4),
    policy: random.pick(['ordered', 'ordered', 'exclusive', 'free']),
    mode,
    stored: mode === 'sync' ? createStored(random, keySpace) : [],
    isEmbedded,
    faults: createFaults(random),
    sessions: createSessions(random),
  };
}

/** The same input, loaded by one lane without any fault. */
export function calm(scenario: Scenario): Scenario {
  const session: Session = { ...plainSession, laneCount: 1 };
  return { ...scenario, policy: 'ordered', faults: noFaults, sessions: [session] };
}

export const plainSession: Session = {
  laneCount: 2,
  startsAfterMs: undefined,
  cancelsAtMs: undefined,
  abortsAtMs: undefined,
  diesAtMs: undefined,
  maxRejects: Number.POSITIVE_INFINITY,
};

function createRows(random: Random, options: { keySpace: number; isEmbedded: boolean }): InputRow[] {
  const badFates: [InputRow['fate'], ...InputRow['fate'][]] = [
    'unreadable',
    'unfit',
    'refused',
    options.isEmbedded ? 'unembeddable' : 'refused',
  ];
  return Array.from({ length: random.between(0, 7) }, () => {
    const id = random.between(1, options.keySpace);
    const fate = random.chance(0.75) ? 'fits' : random.pick(badFates);
    return { id, text: fate === 'unembeddable' ? '' : `text ${random.between(1, 9)}`, fate };
  });
}

/** Half of the texts are those that rows of the input may have, so that some rows are equal. */
function createStored(random: Random, keySpace: number): { readonly id: number; readonly text: string }[] {
  const ids = new Set(Array.from({ length: random.between(0, 12) }, () => random.between(1, Math.min(keySpace, 40))));
  return [...ids].map((id) => ({ id, text: `text ${random.between(1, 9)}` }));
}

/** Most schedules have few kinds of fault, so that each kind also meets a world that is otherwise whole. */
function createFaults(random: Random): Faults {
  const rate = (): number => (random.chance(0.3) ? random.pick([0.03, 0.1, 0.3]) : 0);
  return {
    slow: rate(),
    cutBefore: rate(),
    unknownLanded: rate(),
    unknownNotLanded: rate(),
    unknownLate: rate(),
    doubled: rate(),
    failing: rate() / 4,
    unreachable: rate(),
    laneDeath: rate() / 6,
  };
}

function createSessions(random: Random): Session[] {
  return Array.from({ length: random.between(1, 3) }, () => {
    const cancelsAtMs = random.chance(0.25) ? random.between(0, 150) : undefined;
    return {
      laneCount: random.between(1, 3),
      startsAfterMs: random.chance(0.4) ? random.between(0, 120) : undefined,
      cancelsAtMs,
      abortsAtMs: cancelsAtMs !== undefined && random.chance(0.3) ? cancelsAtMs + random.between(0, 60) : undefined,
      diesAtMs: random.chance(0.25) ? random.between(0, 150) : undefined,
      maxRejects: random.chance(0.15) ? random.between(0, 3) : Number.POSITIVE_INFINITY,
    };
  });
}
