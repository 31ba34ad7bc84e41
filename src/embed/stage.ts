/** The stage between check and commit: identical texts once, the cache, requests within limits, answers checked, the cache written before it returns. */
import { isSoundVector } from './answers.ts';
import { askEmbedder, runAbreast } from './asking.ts';
import type { EmbeddingCache } from './cache.ts';
import { createCacheGuard, type CacheGuard } from './cache-guard.ts';
import { createKeyMaker, KEY_BYTES, type KeyMaker } from './cache-key.ts';
import type { Embedded, Embedder, EmbedStage, EmptyTextPolicy } from './embedder.ts';
import { needsLengths, packRequests } from './requests.ts';
import { findDistinctTexts, type DistinctTexts, type TextRules } from './texts.ts';

/** An embedder retries by itself and may be told to wait a minute a few times; after this nobody is there. */
const DEFAULT_REQUEST_TIMEOUT_MS = 600_000;

export interface EmbedStageOptions {
  readonly embedder: Embedder;
  readonly cache?: EmbeddingCache | undefined;
  /** Goes before each text; part of the cache's key. None by default. */
  readonly prefix?: string | undefined;
  /** `reject` by default. */
  readonly emptyText?: EmptyTextPolicy | undefined;
  /** Longest wait for one request, its retries included; 600,000 ms by default. */
  readonly requestTimeoutMs?: number | undefined;
  /** Told once, when the cache fails and is done without. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** What stays the same from call to call. */
interface Setup {
  readonly embedder: Embedder;
  readonly cache: CacheGuard;
  readonly makeKeys: KeyMaker;
  readonly rules: TextRules;
  readonly requestTimeoutMs: number;
}

/** One call's work. */
interface Work {
  readonly distinct: DistinctTexts;
  /** `[distinct, 32]`; undefined without a cache. */
  readonly keys: Buffer | undefined;
  readonly vectors: Float32Array;
  readonly signal: AbortSignal | undefined;
}

/** Fills in what the cache has, and returns the indexes of the distinct texts that it has not. */
async function takeCached(setup: Setup, { distinct, keys, vectors }: Work): Promise<number[]> {
  const { identity } = setup.embedder;
  const { rows } = distinct;
  const all = rows.map((_, index) => index);
  if (keys === undefined) return all;
  const found = await setup.cache.lookup({ keys, dimensions: identity.dimensions, vectors, rows });
  // A vector that the disk has damaged is asked for again.
  return all.filter((index) => found[index] === 0 || !isSoundVector(vectors, rows[index]!, identity));
}

function gatherKeys(keys: Buffer, indexes: readonly number[]): Buffer {
  const gathered = Buffer.allocUnsafe(indexes.length * KEY_BYTES);
  indexes.forEach((index, position) => keys.copy(gathered, position * KEY_BYTES, index * KEY_BYTES, (index + 1) * KEY_BYTES));
  return gathered;
}

/** One request: asked, checked, put into its rows and kept. */
async function embedRequest(setup: Setup, work: Work, request: readonly number[]): Promise<void> {
  const { embedder, cache, rules, requestTimeoutMs } = setup;
  const { distinct, keys, vectors, signal } = work;
  const { dimensions } = embedder.identity;
  const texts = request.map((index) => rules.prefix + distinct.texts[index]!);
  const answer = await askEmbedder(embedder, texts, { signal, timeoutMs: requestTimeoutMs });
  request.forEach((index, position) => {
    vectors.set(answer.subarray(position * dimensions, (position + 1) * dimensions), distinct.rows[index]! * dimensions);
  });
  if (keys !== undefined) await cache.store(gatherKeys(keys, request), answer);
}

/** Asks for the missing texts and returns how many requests it took. */
async function embedMissing(setup: Setup, work: Work, missing: readonly number[]): Promise<number> {
  const { embedder, rules } = setup;
  const { limits } = embedder;
  const prefixBytes = Buffer.byteLength(rules.prefix);
  const measure = needsLengths(limits) ? (index: number) => prefixBytes + Buffer.byteLength(work.distinct.texts[index]!) : () => 0;
  const requests = packRequests(missing.map(measure), limits);
  await runAbreast(requests, limits.maxInFlight ?? 1, (request) =>
    embedRequest(
      setup,
      work,
      request.map((position) => missing[position]!),
    ),
  );
  return requests.length;
}

function copyRepeats({ repeats }: DistinctTexts, vectors: Float32Array, dimensions: number): void {
  for (let i = 0; i < repeats.length; i += 2) {
    const from = repeats[i + 1]! * dimensions;
    vectors.copyWithin(repeats[i]! * dimensions, from, from + dimensions);
  }
}

async function embedTexts(setup: Setup, texts: readonly (string | null)[], signal: AbortSignal | undefined): Promise<Embedded> {
  const { embedder, cache, makeKeys, rules } = setup;
  const { dimensions } = embedder.identity;
  const distinct = findDistinctTexts(texts, rules);
  const keys = cache.isOpen ? makeKeys(distinct.texts) : undefined;
  const work: Work = { distinct, keys, vectors: new Float32Array(texts.length * dimensions), signal };
  const missing = await takeCached(setup, work);
  const requests = await embedMissing(setup, work, missing);
  copyRepeats(distinct, work.vectors, dimensions);
  const distinctCount = distinct.texts.length;
  return {
    vectors: work.vectors,
    nulls: distinct.nulls,
    refusals: distinct.refusals,
    counts: {
      texts: distinctCount + distinct.repeats.length / 2,
      distinct: distinctCount,
      cached: distinctCount - missing.length,
      embedded: missing.length,
      requests,
    },
  };
}

/**
 * Makes the stage. It owns embedder and cache, and closes both. Calls may overlap; each keeps to the embedder's `maxInFlight` alone. Texts without a vector
 * by policy `null` are counted nowhere.
 *
 * `embed` throws SLUICE_EMBEDDER_ANSWER, SLUICE_EMBEDDER_UNAVAILABLE or SLUICE_CANCELLED; whatever was answered before is in the cache. A failing cache never throws.
 */
export function createEmbedStage(options: EmbedStageOptions): EmbedStage {
  const { embedder, prefix = '', emptyText = 'reject' } = options;
  const setup: Setup = {
    embedder,
    cache: createCacheGuard(options.cache, options.onWarning ?? (() => undefined)),
    makeKeys: createKeyMaker(embedder.identity, prefix),
    rules: { emptyText, prefix, maxInputBytes: embedder.limits.maxInputBytes },
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
  };
  return {
    identity: embedder.identity,
    embed: (texts, signal) => embedTexts(setup, texts, signal),
    close: async () => {
      await setup.cache.close();
      await embedder.close?.();
    },
  };
}
