/** `fmt=sql`: the dump as a stream, made on a thread of its own so that neither requests nor writes wait for it. */
import { Worker } from 'node:worker_threads';

import { SluiceError } from '../../errors.ts';
import type { DumpRequest } from './dump-text.ts';
import type { DumpAnswer } from './dump-thread.ts';

const threadUrl = new URL(import.meta.url.endsWith('.ts') ? './dump-thread.ts' : './dump-thread.js', import.meta.url);

/** @throws SLUICE_TARGET_FAILED the database can't be read; a dump that has begun is then cut off */
export async function* streamDump(request: DumpRequest): AsyncGenerator<Uint8Array> {
  const thread = new Worker(threadUrl, { workerData: request });
  const answers = listen(thread);
  try {
    // The next piece is made while the last one is on its way.
    thread.postMessage('next');
    for (;;) {
      const answer = await answers.next();
      if ('fault' in answer) throw new SluiceError('SLUICE_TARGET_FAILED', `the database could not be dumped: ${answer.fault}`);
      if (answer.piece === undefined) return;
      thread.postMessage('next');
      yield answer.piece;
    }
  } finally {
    await thread.terminate();
  }
}

/** Answers in their order, one at a time; the thread's death is a fault. */
function listen(thread: Worker): { readonly next: () => Promise<DumpAnswer> } {
  const arrived: DumpAnswer[] = [];
  let wake: (() => void) | undefined;
  const take = (answer: DumpAnswer): void => {
    arrived.push(answer);
    wake?.();
  };
  thread.on('message', take);
  thread.on('error', (error: unknown) => take({ fault: error instanceof Error ? error.message : String(error) }));
  thread.on('exit', () => take({ fault: 'its thread ended' }));
  return {
    next: async () => {
      while (arrived.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return arrived.shift() ?? { fault: 'nothing was answered' };
    },
  };
}
