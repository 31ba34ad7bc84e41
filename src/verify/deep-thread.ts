/** The worker thread of a reader: opens the source and the target once, then compares the shards that it is given. It writes nothing. */
import { workerData } from 'node:worker_threads';
import { answerQuestions } from '../load/lane/asked-thread.ts';
import { reopenSource } from '../source/open.ts';
import type { DeepFindings, DeepShard, DeepThreadStart } from './deep-contract.ts';
import { openDeepReader } from './deep-shard.ts';

const { task, source } = workerData as DeepThreadStart;
const opening = reopenSource(source).then((opened) => openDeepReader(task, opened));
// Whoever asks first hears of a failure.
opening.catch(() => undefined);

answerQuestions<DeepShard, DeepFindings>(async (shard, signal) => (await opening).compare(shard, signal));
