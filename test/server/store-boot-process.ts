/** A process that is killed: puts one database file after the other in the place of the live one, and makes backups beside it. Started by store-crash.test.ts. */
import { createReadStream, writeSync } from 'node:fs';

import { openQueue } from '../../src/server/queue/open-queue.ts';
import { backup } from '../../src/server/store/backup.ts';
import { boot } from '../../src/server/store/boot.ts';
import { openTestEngine } from './queue-engine.ts';

const [, , file = '', ...sources] = process.argv;
const engine = await openTestEngine(file);
const queue = await openQueue({ file }, engine);
writeSync(1, 'open\n');
async function copyAgainAndAgain(): Promise<void> {
  for (;;) {
    const { body } = await backup(engine, { format: 'delete', vacuum: false, compress: false });
    if (body instanceof Uint8Array) throw new Error('no backup');
    for await (const piece of body) if (piece.byteLength === 0) throw new Error('an empty piece');
  }
}
async function bootAgainAndAgain(): Promise<void> {
  for (let index = 0; ; index++) {
    const source = sources[index % sources.length] ?? '';
    const { status } = await boot(engine, createReadStream(source), { queue });
    if (status !== 200) throw new Error(`boot was answered ${String(status)}`);
    writeSync(1, 'booted\n');
  }
}
await Promise.all([copyAgainAndAgain(), bootAgainAndAgain()]);
