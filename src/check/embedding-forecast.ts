/** What embedding would take: texts and tokens from what was read, time and cache from a try on a few texts of the sample. Every figure says how it came about. */
import { existsSync } from 'node:fs';
import { openCache } from '../embed/cache.ts';
import { defaultCachePath } from '../embed/cache-file.ts';
import { createKeyMaker } from '../embed/cache-key.ts';
import { openEmbedStage } from '../embed/open.ts';
import { createEmbedder } from '../embed/registry.ts';
import type { EmbedPlan, RunPlan } from '../load/plan/run-plan.ts';
import type { ColumnFound, EmbeddingForecast } from './options.ts';

/** Providers count about four characters of English a token; without the tokenizer of the model nothing better can be said. */
const charactersPerToken = 4;
const maxTriedTexts = 256;
const tryTimeoutMs = 5_000;

export interface ForecastRequest {
  readonly embed: EmbedPlan;
  readonly cache: RunPlan['cache'];
  /** Of the column of texts. */
  readonly column: ColumnFound;
  readonly samples: readonly string[];
  readonly lanes: number;
  readonly pricePerMillionTokens: number | undefined;
}

export async function forecastEmbedding(request: ForecastRequest): Promise<EmbeddingForecast> {
  const { embed, column, pricePerMillionTokens } = request;
  const { provider, model } = embed.identity;
  const texts = column.rows - column.nulls;
  const distinct = Math.min(column.distinct ?? texts, texts);
  const tokens = Math.ceil((distinct * (column.length?.mean ?? 0)) / charactersPerToken);
  const tried = await tryEmbedder(request);
  const wanted = distinct * (1 - (tried?.cachedShare ?? 0));
  return {
    column: column.name,
    embedder: `${provider}/${model}`,
    texts,
    distinct,
    cachedShare: tried?.cachedShare,
    tokens,
    cost: pricePerMillionTokens === undefined ? undefined : ((tokens * (wanted / Math.max(1, distinct))) / 1e6) * pricePerMillionTokens,
    ms: tried?.msPerText === undefined ? undefined : (wanted * tried.msPerText) / request.lanes,
  };
}

interface Tried {
  readonly cachedShare: number | undefined;
  readonly msPerText: number | undefined;
}

/** Only embedders that compute in the lane are tried: one behind an endpoint may cost money. */
async function tryEmbedder({ cache, embed, samples }: ForecastRequest): Promise<Tried | undefined> {
  const { spec } = embed;
  const embedder = await createEmbedder(spec);
  await embedder.close?.();
  const texts = [...new Set(samples)].slice(0, maxTriedTexts);
  if (embedder.placement !== 'lane' || texts.length === 0) return undefined;
  const stage = await openEmbedStage({ spec, task: 'document', emptyText: 'null', cache: false });
  try {
    const startedMs = performance.now();
    await stage.embed(texts, AbortSignal.timeout(tryTimeoutMs));
    const msPerText = (performance.now() - startedMs) / texts.length;
    return { cachedShare: await findCachedShare({ cache, embed }, texts), msPerText };
  } finally {
    await stage.close();
  }
}

/** Looks a sample up in the cache, where there is one already; none is made. */
async function findCachedShare(
  { cache, embed }: Pick<ForecastRequest, 'cache' | 'embed'>,
  texts: readonly string[],
): Promise<number | undefined> {
  if (cache === false) return undefined;
  if (!existsSync(cache.path ?? defaultCachePath())) return undefined;
  const { dimensions } = embed.identity;
  const keys = createKeyMaker(embed.identity, embed.spec.documentPrefix ?? '')(texts.map((text) => text.toWellFormed()));
  const opened = await openCache(cache);
  try {
    const vectors = new Float32Array(texts.length * dimensions);
    const found = await opened.lookup({ keys, dimensions, vectors, rows: texts.map((_, index) => index) });
    return found.reduce((sum, hit) => sum + hit, 0) / texts.length;
  } finally {
    await opened.close();
  }
}
