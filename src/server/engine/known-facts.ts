/** What threads know of themselves, for probes such as `/readyz`: asked for each time, but nobody waits behind a long statement to hear it. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Probes commonly give up after a second or more. */
const patienceMs = 500;

/** Asks anew with each call; where that takes too long the answer is the last one that was heard. Only the first is waited for. */
export function keepKnown<Facts>(ask: () => Promise<Facts>): () => Promise<Facts> {
  let known: Facts | undefined;
  let asking: Promise<Facts> | undefined;
  async function askOnce(): Promise<Facts> {
    try {
      known = await ask();
      return known;
    } finally {
      asking = undefined;
    }
  }
  return () => {
    asking ??= askOnce();
    return known === undefined ? asking : Promise.race([asking, sleep(patienceMs, known, { ref: false })]);
  };
}
