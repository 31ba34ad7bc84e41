/** The worker thread of a reader: opens the source and the target once, then compares the shards that it is given. It writes nothing. */
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../errors.ts';
import { packError } from '../load/lane/news.ts';
import { reopenSource } from '../source/open.ts';
import type { DeepAnswer, DeepCommand, DeepThreadStart } from './deep-contract.ts';
import { openDeepReader } from './deep-shard.ts';

const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'deep-thread.ts was imported outside a worker thread.');

const { task, source } = workerData as DeepThreadStart;
const opening = reopenSource(source).then((opened) => openDeepReader(task, opened));
// Whoever asks first hears of a failure.
opening.catch(() => undefined);

async function answer({ shard }: DeepCommand): Promise<DeepAnswer> {
  try {
    return { kind: 'found', findings: await (await opening).compare(shard) };
  } catch (error) {
    return { kind: 'failed', error: packError(error) };
  }
}

port.on('message', (command: DeepCommand) => {
  void answer(command).then((message) => port.postMessage(message));
});
