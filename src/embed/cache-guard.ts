/** A cache that may fail and a stage that must not: the first failure is told once, and the work goes on without the cache. */
import { isSluiceError } from '../errors.ts';
import type { CacheLookup, EmbeddingCache } from './cache.ts';

/** The cache as the stage sees it; nothing of it throws. */
export interface CacheGuard {
  readonly isOpen: boolean;
  /** As {@link EmbeddingCache.lookup}; nothing found, when there is no cache. */
  lookup(request: CacheLookup): Promise<Uint8Array>;
  store(keys: Uint8Array, vectors: Float32Array): Promise<void>;
  close(): Promise<void>;
}

/** Guards a cache, or its absence. `onWarning` is called at most once. */
export function createCacheGuard(cache: EmbeddingCache | undefined, onWarning: (message: string) => void): CacheGuard {
  let current = cache;
  const guard = async <T>(fallback: T, action: (open: EmbeddingCache) => Promise<T>): Promise<T> => {
    const used = current;
    if (used === undefined) return fallback;
    try {
      return await action(used);
    } catch (error) {
      // Overlapping calls may fail together; only the first speaks.
      if (current === undefined) return fallback;
      current = undefined;
      const reason = isSluiceError(error) ? error.message : String(error);
      onWarning(`${reason} Embedding goes on without the cache; what is embedded from here on is not kept in it.`);
      await used.close();
      return fallback;
    }
  };
  return {
    get isOpen() {
      return current !== undefined;
    },
    lookup: (request) => guard(new Uint8Array(request.rows.length), (open) => open.lookup(request)),
    store: (keys, vectors) => guard(undefined, (open) => open.store(keys, vectors)),
    close: () => guard(undefined, (open) => open.close()),
  };
}
