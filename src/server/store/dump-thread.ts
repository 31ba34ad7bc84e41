/** The thread that writes a dump: one piece for each question, so that a slow reader slows it. */
import { parentPort, workerData } from 'node:worker_threads';

import { writeDump, type DumpRequest } from './dump-text.ts';

/** undefined: the dump is whole. */
export type DumpAnswer = { readonly piece: Uint8Array | undefined } | { readonly fault: string };

const port = parentPort;
if (port === null) throw new Error('this file is started as a thread by dump.ts');

const pieces = writeDump(workerData as DumpRequest);

port.on('message', () => {
  const answer = readNext();
  if ('piece' in answer && answer.piece !== undefined) port.postMessage(answer, [answer.piece.buffer as ArrayBuffer]);
  else {
    port.postMessage(answer);
    port.close();
  }
});

function readNext(): DumpAnswer {
  try {
    const { value, done } = pieces.next();
    // A copy of its own: small pieces lie in memory that Node shares between buffers, which must not be given away.
    return { piece: done === true ? undefined : Uint8Array.from(value) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}
