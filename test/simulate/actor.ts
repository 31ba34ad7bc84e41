/** One lane of a simulated process: everything that it awaits is an event of the scheduler, and at every wait it may die. */
import { SluiceError } from '../../src/errors.ts';
import type { TurnWait } from '../../src/load/lane/turn.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface Actor {
  isDead: boolean;
  /** Rows that the source gave it and that are not committed yet. */
  heldRows: number;
  /** Waits up to `maxMs`. Never comes back when the actor dies meanwhile. */
  pause(maxMs: number): Promise<void>;
  /** The same, and throws SLUICE_CANCELLED when `signal` is aborted by then. */
  pauseUnless(maxMs: number, signal: AbortSignal | undefined): Promise<void>;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  readonly waitForChange: TurnWait;
}

export interface ActorOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly deathRate: number;
  readonly slowRate: number;
  onDeath(): void;
}

export function createActor(options: ActorOptions): Actor {
  const { random, scheduler } = options;
  const wake = (ms: number, resolve: () => void): void => {
    if (random.chance(options.deathRate)) scheduler.schedule(random.between(0, ms), () => killActor(actor, options));
    scheduler.schedule(ms, () => {
      if (!actor.isDead) resolve();
    });
  };
  const pause = (maxMs: number): Promise<void> => {
    const ms = random.between(0, random.chance(options.slowRate) ? maxMs * 40 : maxMs);
    return new Promise((resolve) => wake(ms, resolve));
  };
  const actor: Actor = {
    isDead: false,
    heldRows: 0,
    pause,
    pauseUnless: async (maxMs, signal) => {
      await pause(maxMs);
      if (signal?.aborted === true)
        throw new SluiceError('SLUICE_CANCELLED', 'The simulated wait was cancelled.', { cause: signal.reason });
    },
    sleep: (ms, signal) => sleepUntil(signal, (resolve) => wake(signal.aborted ? 0 : ms, resolve)),
    waitForChange: ({ index, value, view }, ms) => watchWord(actor, options, { isChanged: () => view[index] !== value, ms }),
  };
  return actor;
}

export function killActor(actor: Actor, options: Pick<ActorOptions, 'onDeath'>): void {
  if (actor.isDead) return;
  actor.isDead = true;
  options.onDeath();
}

function sleepUntil(signal: AbortSignal, start: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    start(resolve);
  });
}

/** A wait without a change lasts this many times longer than asked for: fewer events for the same interleavings, since a change ends it at once. */
const waitStretch = 20;

/** Looks after every event whether the word has changed, as the notification of another thread would tell. */
function watchWord(
  actor: Actor,
  { scheduler }: ActorOptions,
  watch: { isChanged: () => boolean; ms: number },
): Promise<'ok' | 'timed-out'> {
  return new Promise((resolve) => {
    const end = (answer: 'ok' | 'timed-out'): void => {
      stopWatching();
      cancel();
      if (!actor.isDead) resolve(answer);
    };
    const cancel = scheduler.schedule(watch.ms * waitStretch, () => end('timed-out'));
    const stopWatching = scheduler.watch(() => {
      if (actor.isDead || watch.isChanged()) end('ok');
    });
  });
}
