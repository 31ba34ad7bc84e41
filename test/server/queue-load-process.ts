/** A process that is killed: fills the queue over a real engine as fast as it can, and tells on stdout what was acknowledged. Started by queue-crash.test.ts. */
import { writeSync } from 'node:fs';

import { openQueue } from '../../src/server/queue/open-queue.ts';
import { insertAll, openTestEngine } from './queue-engine.ts';

const [, , file = '', round = '0'] = process.argv;
const engine = await openTestEngine(file);
// Small files and groups, so that a kill may come while one is made, written, applied or removed.
const queue = await openQueue({ file, segmentBytes: 4_096, batchSize: 5, timeoutMs: 1, capacity: 24 }, engine);
writeSync(1, 'open\n');
if (round === 'warm') {
  await queue.close();
  await engine.close();
  process.exit(0);
}

let next = 0;
async function fill(): Promise<void> {
  for (;;) {
    const key = `${round}-${String(next++)}`;
    const keys = Array.from({ length: 1 + (next % 3) }, (_, index) => `${key}-${String(index)}`);
    // Every seventh request is large enough to fill a file on its own.
    const body = Buffer.concat([insertAll(...keys), Buffer.alloc(next % 7 === 0 ? 5_000 : 0, ' ')]);
    const sequence = await queue.add({ body, isStrict: false });
    writeSync(1, `${String(sequence)} ${keys.join(' ')}\n`);
  }
}
await Promise.all(Array.from({ length: 8 }, () => fill()));
