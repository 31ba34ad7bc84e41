/** Sends requests to an embedder: a bounded number at once, each with a deadline, and what was answered is kept even when another request fails. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isSluiceError, SluiceError } from '../errors.ts';
import { checkAnswer } from './answers.ts';
import type { Embedder } from './embedder.ts';

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
}

function cancelled(cause: unknown): SluiceError {
  return new SluiceError('SLUICE_CANCELLED', 'Embedding was stopped.', {
    cause,
    hint: 'Resume the load; vectors that were computed are in the cache.',
  });
}

function describeFailure(embedder: Embedder, error: unknown): SluiceError {
  if (isSluiceError(error)) return error;
  const { provider, model } = embedder.identity;
  const reason = error instanceof Error ? error.message : String(error);
  return new SluiceError('SLUICE_EMBEDDER_UNAVAILABLE', `The embedder ${provider}/${model} failed: ${reason}.`, {
    cause: error,
    hint: 'Resume the load when it works again.',
  });
}

/** The answer to one request, or the end of the wait for it, even if the embedder does not heed the signal. */
async function waitForAnswer(embedder: Embedder, texts: readonly string[], options: AskOptions): Promise<unknown> {
  const ending = new AbortController();
  const stop = (): void => ending.abort(cancelled(options.signal?.reason));
  const late = new SluiceError(
    'SLUICE_EMBEDDER_UNAVAILABLE',
    `The embedder ${embedder.identity.model} gave no answer within ${options.timeoutMs} ms.`,
    {
      hint: 'Resume the load when it works again.',
    },
  );
  const timer = setTimeout(() => ending.abort(late), options.timeoutMs);
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const ended = new Promise<never>((_, reject) =>
      ending.signal.addEventListener('abort', () => reject(ending.signal.reason), { once: true }),
    );
    return await Promise.race([embedder.embed(texts, ending.signal), ended]);
  } catch (error) {
    // An embedder that heeds the signal throws an error of its own for it.
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', stop);
  }
}

/**
 * Asks for the vectors of one request.
 *
 * @throws SLUICE_CANCELLED after `signal`; SLUICE_EMBEDDER_UNAVAILABLE when it fails or is late; SLUICE_EMBEDDER_ANSWER for an answer that can't be right.
 */
export async function askEmbedder(embedder: Embedder, texts: readonly string[], options: AskOptions): Promise<Float32Array> {
  if (options.signal?.aborted === true) throw cancelled(options.signal.reason);
  try {
    const answer = await waitForAnswer(embedder, texts, options);
    checkAnswer(answer, texts.length, embedder.identity);
    return answer;
  } catch (error) {
    throw describeFailure(embedder, error);
  } finally {
    // An embedder that only computes never waits: messages, signals and timers get their turn here.
    if (embedder.placement === 'lane') await nextTurn();
  }
}

/** Runs `work` on each item, `width` at a time. After a failure no other item is begun, but those under way are waited for: they are paid for. */
export async function runAbreast<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const runOne = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const item = items[next++]!;
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, runOne));
  if (failures.length > 0) throw failures[0];
}
