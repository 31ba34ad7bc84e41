/** Turns to commit, shared by the lanes of one process through atomics: one lane at a time, and where asked in the order of the shards. A lane that dies holds nobody up. */
import { SluiceError } from '../../errors.ts';
import type { Turn, TurnEnd } from './lane.ts';

/**
 * What a target needs of its lanes.
 * ordered: one commit at a time, shard after shard, so that the table is the one that a single lane makes · exclusive: one commit at a time ·
 * free: every lane for itself, for targets with many writers.
 */
export type TurnPolicy = 'ordered' | 'exclusive' | 'free';

/** A word of shared memory and the value that it had. */
export interface WatchedWord {
  readonly view: Int32Array<SharedArrayBuffer>;
  readonly index: number;
  readonly value: number;
}

/** Waits until the word has another value, at most `ms`; tells which. */
export type TurnWait = (watched: WatchedWord, ms: number) => Promise<'ok' | 'timed-out'>;

export interface TurnOptions {
  readonly policy: TurnPolicy;
  /** The memory of the same session's turns in another thread; made new when undefined. */
  readonly buffer?: SharedArrayBuffer | undefined;
  /** How long nothing at all may move before a waiting lane gives up, in ms; one hour by default. */
  readonly stallMs?: number | undefined;
  /** How to wait for a change; `Atomics.waitAsync` by default. */
  readonly wait?: TurnWait | undefined;
}

/** The turns of one session of a load. */
export interface Turns {
  /** To be handed to the other threads' {@link openTurns}. */
  readonly buffer: SharedArrayBuffer;
  /**
   * The turn of the shard at this place of the session's list, from 0. A resumed load lists only the shards that it still has to do; a place whose shard
   * turns out to need nothing (claimed by nobody, done elsewhere) must be released as `done`, for the ones after it wait for it.
   */
  at(place: number): Turn;
  /** Nobody gets a turn any more; whoever waits is told `closed`. */
  close(): void;
}

/** Words of the shared memory: the place whose turn it is, who holds it (place + 1), the first place that can't come any more, a count of changes. */
const word = { next: 0, holder: 1, closedFrom: 2, changes: 3 } as const;
const headWords = 4;
/**
 * Places that may be done ahead of the first unfinished one, one bit each, 16 KiB in all. A session that another process has overtaken
 * skips far ahead; ten times the shards of the largest load that the design is for (10^4) is never reached.
 */
const windowPlaces = 2 ** 17;
/** An aborted signal is seen within this time. */
const sliceMs = 50;
const defaultStallMs = 3_600_000;
const never = 2 ** 31 - 1;

/** Opens the turns of a session: the first call makes the memory, calls with its `buffer` join it. */
export function openTurns(options: TurnOptions): Turns {
  const buffer = options.buffer ?? createMemory();
  const words = new Int32Array(buffer);
  return {
    buffer,
    at: (place) => createTurn(words, place, options),
    close: () => {
      closeFrom(words, 0);
      announce(words);
    },
  };
}

function createMemory(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(4 * headWords + windowPlaces / 8);
  new Int32Array(buffer)[word.closedFrom] = never;
  return buffer;
}

function createTurn(words: Int32Array<SharedArrayBuffer>, place: number, options: TurnOptions): Turn {
  if (options.policy === 'free')
    return { take: (signal) => Promise.resolve(isClosed(words, 0, signal) ? 'closed' : 'taken'), release: () => undefined };
  return {
    take: (signal) => takeTurn(words, place, { ...options, signal }),
    release: (end) => {
      if (options.policy === 'ordered') settlePlace(words, place, end);
      Atomics.compareExchange(words, word.holder, place + 1, 0);
      announce(words);
    },
  };
}

interface TakeOptions extends TurnOptions {
  readonly signal: AbortSignal | undefined;
}

async function takeTurn(words: Int32Array<SharedArrayBuffer>, place: number, options: TakeOptions): Promise<'taken' | 'closed'> {
  const { policy, signal, stallMs = defaultStallMs, wait = waitForChange } = options;
  for (let idleMs = 0; idleMs < stallMs;) {
    // Read before the conditions, so that a change after them ends the wait at once.
    const changes = Atomics.load(words, word.changes);
    if (isClosed(words, policy === 'ordered' ? place : 0, signal)) return 'closed';
    if (isNext(words, place, policy) && Atomics.compareExchange(words, word.holder, 0, place + 1) === 0) return 'taken';
    const answer = await wait({ view: words, index: word.changes, value: changes }, sliceMs);
    idleMs = answer === 'ok' ? 0 : idleMs + sliceMs;
  }
  throw new SluiceError(
    'SLUICE_LANE_DIED',
    `No lane has committed anything for ${stallMs} ms while the shard at place ${place} waited for its turn.`,
    {
      hint: 'The load can be resumed; what was committed stays.',
    },
  );
}

function isClosed(words: Int32Array, place: number, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || place >= Atomics.load(words, word.closedFrom);
}

function isNext(words: Int32Array, place: number, policy: TurnPolicy): boolean {
  return policy !== 'ordered' || Atomics.load(words, word.next) === place;
}

/** What the end of a turn means for the places after it. */
function settlePlace(words: Int32Array, place: number, end: TurnEnd): void {
  if (end === 'left') closeFrom(words, place);
  if (end !== 'done') return;
  const next = Atomics.load(words, word.next);
  if (place < next) return;
  if (place - next >= windowPlaces)
    throw new SluiceError('SLUICE_INTERNAL', `Place ${place} is done while place ${next} is not: too far ahead.`);
  Atomics.or(words, wordOf(place), maskOf(place));
  passDonePlaces(words);
}

/** Moves `next` over every place that is done. Each move is one compare-and-swap, so two threads that release together pass a place once. */
function passDonePlaces(words: Int32Array): void {
  for (;;) {
    const next = Atomics.load(words, word.next);
    if ((Atomics.load(words, wordOf(next)) & maskOf(next)) === 0) return;
    if (Atomics.compareExchange(words, word.next, next, next + 1) === next) Atomics.and(words, wordOf(next), ~maskOf(next));
  }
}

function closeFrom(words: Int32Array, place: number): void {
  for (;;) {
    const closedFrom = Atomics.load(words, word.closedFrom);
    if (place >= closedFrom || Atomics.compareExchange(words, word.closedFrom, closedFrom, place) === closedFrom) return;
  }
}

function announce(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.add(words, word.changes, 1);
  Atomics.notify(words, word.changes);
}

function wordOf(place: number): number {
  return headWords + ((place % windowPlaces) >>> 5);
}

function maskOf(place: number): number {
  return 1 << (place & 31);
}

/** `Atomics.waitAsync`, with a timer beside it: a pending wait alone does not keep a Node process alive. */
async function waitForChange({ index, value, view }: WatchedWord, ms: number): Promise<'ok' | 'timed-out'> {
  const waiting = Atomics.waitAsync(view, index, value, ms);
  if (!waiting.async) return waiting.value === 'timed-out' ? 'timed-out' : 'ok';
  const timer = setTimeout(() => undefined, 2 * ms);
  try {
    return (await waiting.value) === 'timed-out' ? 'timed-out' : 'ok';
  } finally {
    clearTimeout(timer);
  }
}
