/** `/db/load`: a database file takes the place of the live one when it is good; SQL text is run as one write. */
import { readFile } from 'node:fs/promises';

import type { DataOptions, Engine, Reply } from '../engine/contract.ts';
import { refuse, textType } from '../http/reply.ts';
import type { LoadOptions } from './contract.ts';
import { refuseFault, replaceDatabase } from './replacement.ts';
import { spool } from './spool.ts';

const mebibyte = 1_048_576;

/** A SQLite file, or SQL text, told apart by the first bytes. A file that is broken is refused as rqlite does, but the live database stays. */
export async function loadBody(engine: Engine, body: AsyncIterable<Uint8Array>, options: LoadOptions): Promise<Reply> {
  const startedMs = performance.now();
  const { path } = await engine.readFacts();
  const maxScriptBytes = options.maxScriptBytes ?? 1_024 * mebibyte;
  const spooled = await spool(body, {
    file: path,
    memoryBytes: options.memoryBytes ?? 8 * mebibyte,
    maxBytes: options.maxBytes ?? Number.MAX_SAFE_INTEGER,
  });
  if (spooled === undefined) return refuse(413, 'request body too large');
  try {
    if (spooled.isDatabase) {
      const fault = await replaceDatabase(engine, spooled, options);
      return fault === undefined ? writeResults(options.data, startedMs) : refuseFault(fault, 500, 'error swapping databases: ');
    }
    if (spooled.bytes === 0) return writeResults(options.data, startedMs);
    if (spooled.bytes > maxScriptBytes) return refuse(413, 'request body too large');
    const script = spooled.content ?? (await readFile(await spooled.toFile()));
    const reply = await engine.runScript(script, options.data);
    // rqlite forgets to name the type of this answer, and Go calls it text.
    return reply.status === 200 ? { ...reply, contentType: textType } : reply;
  } finally {
    await spooled.remove();
  }
}

function writeResults({ isPretty, hasTimings }: DataOptions, startedMs: number): Reply {
  const answer = { results: [], ...(hasTimings ? { time: (performance.now() - startedMs) / 1_000 } : {}) };
  // Go's encoder writes an empty list as `[]`, also where it indents.
  return { status: 200, contentType: textType, body: Buffer.from(JSON.stringify(answer, undefined, isPretty ? 4 : undefined)) };
}
