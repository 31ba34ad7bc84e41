/** Opens a stage from what a plan or a ledger holds: the embedder by its name, the cache by its path. A cache that can't be opened is told of and done without. */
import { isSluiceError } from '../errors.ts';
import { openCache, type CacheOptions, type EmbeddingCache } from './cache.ts';
import type { EmbedSpec, EmbedStage, EmbedTask, EmptyTextPolicy } from './embedder.ts';
import { createEmbedder } from './registry.ts';
import { createEmbedStage } from './stage.ts';

export interface OpenEmbedStageOptions {
  readonly spec: EmbedSpec;
  /** Chooses the prefix. */
  readonly task: EmbedTask;
  /** `reject` by default. */
  readonly emptyText?: EmptyTextPolicy | undefined;
  /** The default cache when undefined; none for `false`. */
  readonly cache?: CacheOptions | false | undefined;
  readonly requestTimeoutMs?: number | undefined;
  /** Told when the cache can't be used, and when a damaged one was set aside. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

async function openCacheIfUsable(options: CacheOptions, onWarning: (message: string) => void): Promise<EmbeddingCache | undefined> {
  try {
    return await openCache({ onWarning, ...options });
  } catch (error) {
    if (!isSluiceError(error, 'SLUICE_CACHE_UNUSABLE')) throw error;
    onWarning(`${error.message} Embedding goes on without the cache.`);
    return undefined;
  }
}

/**
 * Opens a stage; close it to close embedder and cache.
 *
 * @throws SLUICE_EMBEDDER_UNKNOWN or SLUICE_USAGE for a spec that can't be met, SLUICE_USAGE for a `maxBytes` below 0.
 */
export async function openEmbedStage(options: OpenEmbedStageOptions): Promise<EmbedStage> {
  const { spec, task, emptyText, requestTimeoutMs, onWarning = () => undefined } = options;
  const embedder = await createEmbedder(spec);
  const prefix = task === 'document' ? spec.documentPrefix : spec.queryPrefix;
  try {
    const cache = options.cache === false ? undefined : await openCacheIfUsable(options.cache ?? {}, onWarning);
    return createEmbedStage({ embedder, cache, prefix, emptyText, requestTimeoutMs, onWarning });
  } catch (error) {
    await embedder.close?.();
    throw error;
  }
}
