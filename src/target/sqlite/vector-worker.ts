/** The thread that builds a vector index; it is ordered by `workerData` and answers with {@link BuildNews}. */
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { runBuild } from './vector-build.ts';
import type { BuildNews, BuildOrder } from './vector-index.ts';

/** Errors lose their class on the way between threads, so code and words are sent. */
function reportFailure(error: unknown): BuildNews {
  if (error instanceof SluiceError) return { kind: 'failed', code: error.code, message: error.message, hint: error.hint };
  return { kind: 'failed', code: 'SLUICE_INTERNAL', message: error instanceof Error ? error.message : String(error), hint: undefined };
}

const stopping = new AbortController();
const tell = (news: BuildNews): void => parentPort?.postMessage(news);
parentPort?.on('message', () => stopping.abort());

try {
  const onProgress = (done: number, total: number): void => tell({ kind: 'progress', done, total });
  tell({ kind: 'done', result: await runBuild(workerData as BuildOrder, { signal: stopping.signal, onProgress }) });
} catch (error) {
  tell(reportFailure(error));
} finally {
  parentPort?.close();
}
