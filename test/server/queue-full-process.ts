/** A process whose files may not grow: fills the queue until the system refuses, and tells which requests were taken and how many refused. */
import { SluiceError } from '../../src/errors.ts';
import { openQueue } from '../../src/server/queue/open-queue.ts';
import { insertAll, intercept, openTestEngine } from './queue-engine.ts';

// Without a listener the signal ends the process; with one the write fails, as on a full disk.
process.on('SIGXFSZ', () => undefined);
const [, , file = ''] = process.argv;
const engine = await openTestEngine(file);
const idle = intercept(engine, () => Promise.reject(new SluiceError('SLUICE_TARGET_LOCKED', 'not now')));
const queue = await openQueue({ file, flushTimeoutMs: 0, capacity: 500 }, idle);
const taken: number[] = [];
let refused = 0;
let next = 0;
/** Ends at the first refusal, so that nothing is written over what it left. */
async function fill(): Promise<void> {
  while (refused === 0) {
    const key = next++;
    try {
      await queue.add({ body: insertAll(`${String(key)} ${'x'.repeat(9_000)}`), isStrict: false });
      taken.push(key);
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'SLUICE_TARGET_FULL') throw error;
      refused++;
    }
  }
}
await Promise.all(Array.from({ length: 8 }, () => fill()));
await queue.close();
await engine.close();
console.log(`${taken.join(' ')}\n${String(refused)}`);
