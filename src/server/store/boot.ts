/** `/boot`: a database file of any size takes the place of the live one when it is good. */
import type { Engine, Reply } from '../engine/contract.ts';
import { refuse } from '../http/reply.ts';
import type { BootOptions } from './contract.ts';
import { refuseFault, replaceDatabase } from './replacement.ts';
import { spool } from './spool.ts';

/** rqlite reads this much of a body before it looks at it, and calls a shorter one `EOF`. */
const headBytes = 32;
/** Beyond it a body goes to the disk as it comes. */
const memoryBytes = 1_048_576;

/** A SQLite file of any size: it goes to the disk as it comes, and is never held in memory. */
export async function boot(engine: Engine, body: AsyncIterable<Uint8Array>, options: BootOptions = {}): Promise<Reply> {
  const { path } = await engine.readFacts();
  const spooled = await spool(body, { file: path, memoryBytes, maxBytes: options.maxBytes ?? Number.MAX_SAFE_INTEGER });
  if (spooled === undefined) return refuse(413, 'request body too large');
  try {
    if (spooled.bytes < headBytes) return refuse(503, 'EOF');
    if (!spooled.isDatabase) return refuse(400, 'invalid SQLite data');
    const fault = await replaceDatabase(engine, spooled, options);
    return fault === undefined
      ? { status: 200, contentType: undefined, body: new Uint8Array(0) }
      : refuseFault(fault, 503, 'error swapping database file: ');
  } finally {
    await spooled.remove();
  }
}
