/** The durable cache of vectors, shared by threads and processes: what was paid for is kept, up to a size, and what was used longest ago goes first. */
import { existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SluiceError } from '../errors.ts';
import { CacheEntries, countStatementRows, type CacheUsage } from './cache-entries.ts';
import { defaultCachePath, describeFailure, ensureCacheFile, isDamage, openCacheDatabase, setAside, transact } from './cache-file.ts';
import { KEY_BYTES } from './cache-key.ts';

const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;
const DEFAULT_LOCK_TIMEOUT_MS = 10_000;
/** Uses are noted in memory first, so that a lookup needs no lock; written with the next vectors, at closing, or from this many on. */
const MAX_PENDING_USES = 16_384;
/** … and forgotten above this many, if the file stays locked: order is all that is lost. */
const MAX_KEPT_USES = 262_144;
/** Dropping entries after one call stops here; the next call goes on. 16 × 1,024 entries, so that lowering `maxBytes` never stalls a load. */
const MAX_EVICTIONS = 16;
/** Closing waits no longer than this to note the last uses. */
const CLOSE_TIMEOUT_MS = 200;

/** Where the cache is and how far it goes. */
export interface CacheOptions {
  /** Path of the file; `$SLUICE_CACHE`, else `$XDG_CACHE_HOME/sluice/embeddings.db`, else `~/.cache/sluice/embeddings.db` by default. */
  readonly path?: string | undefined;
  /** Bytes of the file's pages in use, indexes included; 4 GiB by default. Vectors used longest ago are dropped above it. */
  readonly maxBytes?: number | undefined;
  /** How long another writer is waited for; 10,000 ms by default. */
  readonly lockTimeoutMs?: number | undefined;
  /** Told when a damaged file was set aside. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Keys, and where their vectors go. */
export interface CacheLookup {
  /** `[count, 32]` */
  readonly keys: Uint8Array;
  readonly dimensions: number;
  readonly vectors: Float32Array;
  /** For each key the row of `vectors` that its vector is written into. */
  readonly rows: readonly number[];
}

export interface CacheStatistics extends CacheUsage {
  readonly path: string;
  readonly maxBytes: number;
}

/** An open cache. One per thread; any number of threads and processes may have the same file open. Calls may overlap. */
export interface EmbeddingCache {
  readonly path: string;
  /** Writes the vectors that are there into their rows; 1 for each key that was found. @throws SLUICE_CACHE_UNUSABLE */
  lookup(request: CacheLookup): Promise<Uint8Array>;
  /** Keeps vectors `[count, dimensions]` under `[count, 32]` keys; they are durable when it returns. @throws SLUICE_CACHE_UNUSABLE */
  store(keys: Uint8Array, vectors: Float32Array): Promise<void>;
  statistics(): Promise<CacheStatistics>;
  /** Notes the last uses and closes the file. Twice is the same as once. */
  close(): Promise<void>;
}

interface OpenFile {
  readonly database: DatabaseSync;
  readonly entries: CacheEntries;
}

class FileCache implements EmbeddingCache {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #onWarning: (message: string) => void;
  #open: OpenFile | undefined;
  #opening: Promise<OpenFile> | undefined;
  /** Which file was opened: another process may have put a new one in its place. */
  #inode = 0;
  #isClosed = false;
  #hasBeenMended = false;
  /** Ids by lookup, oldest first. */
  #pendingUses: (readonly number[])[] = [];
  #pendingCount = 0;

  constructor(path: string, options: CacheOptions) {
    this.path = path;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#timeoutMs = options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS;
    this.#onWarning = options.onWarning ?? (() => undefined);
  }

  /** Opens the file, a new one if what is there is damaged. */
  async open(): Promise<void> {
    await this.#withMending(async () => undefined);
  }

  async lookup(request: CacheLookup): Promise<Uint8Array> {
    const found = new Uint8Array(request.keys.length / KEY_BYTES);
    const step = countStatementRows(request.dimensions);
    for (let start = 0; start < found.length; start += step) {
      await this.#withMending(async ({ entries }) =>
        this.#find(entries, { ...request, start, end: Math.min(found.length, start + step), found }),
      );
    }
    if (this.#pendingCount >= MAX_PENDING_USES) await this.#noteUses(0);
    return found;
  }

  #find(entries: CacheEntries, stretch: CacheLookup & { start: number; end: number; found: Uint8Array }): void {
    const { keys, dimensions, vectors, rows, start, end, found } = stretch;
    const { indexes, ids, values } = entries.find(keys.subarray(start * KEY_BYTES, end * KEY_BYTES), dimensions);
    indexes.forEach((index, position) => {
      const row = rows[start + index] ?? 0;
      vectors.set(values.subarray(position * dimensions, (position + 1) * dimensions), row * dimensions);
      found[start + index] = 1;
    });
    if (ids.length > 0) this.#pendingUses.push(ids);
    this.#pendingCount += ids.length;
  }

  async store(keys: Uint8Array, vectors: Float32Array): Promise<void> {
    const count = keys.length / KEY_BYTES;
    if (count === 0) return;
    const dimensions = vectors.length / count;
    const step = countStatementRows(dimensions);
    for (let start = 0; start < count; start += step) {
      const end = Math.min(count, start + step);
      await this.#withMending(async ({ database, entries }) => {
        await transact(database, this.#timeoutMs, () => {
          this.#writeUses(entries);
          entries.add(
            keys.subarray(start * KEY_BYTES, end * KEY_BYTES),
            vectors.subarray(start * dimensions, end * dimensions),
            dimensions,
          );
        });
        this.#forgetUses();
        await this.#trim(database, entries);
      });
    }
  }

  /** Drops what was used longest ago until the budget holds, in short transactions between which others may write. */
  async #trim(database: DatabaseSync, entries: CacheEntries): Promise<void> {
    let isLeft = true;
    for (let pass = 0; pass < MAX_EVICTIONS && isLeft && entries.usedBytes() > this.#maxBytes; pass++) {
      await transact(database, this.#timeoutMs, () => (isLeft = entries.evict()));
      await nextTurn();
    }
    // Free pages are filled by the next vectors; only a file well above its budget is made smaller.
    if (entries.fileBytes() > this.#maxBytes * 1.125) await transact(database, this.#timeoutMs, () => entries.shrink());
  }

  #writeUses(entries: CacheEntries): void {
    for (const ids of this.#pendingUses) entries.touch(ids);
  }

  #forgetUses(): void {
    this.#pendingUses = [];
    this.#pendingCount = 0;
  }

  /** Writes the noted uses if no other writer is in the way for longer than `timeoutMs`. */
  async #noteUses(timeoutMs: number): Promise<void> {
    if (this.#open === undefined || this.#pendingCount === 0) return;
    const { database, entries } = this.#open;
    try {
      await transact(database, timeoutMs, () => this.#writeUses(entries));
      this.#forgetUses();
    } catch {
      // Uses only decide what is dropped first. A file that is locked, full or damaged is met, and told of, by the calls that hold vectors.
      if (this.#pendingCount > MAX_KEPT_USES) this.#forgetUses();
    }
  }

  async statistics(): Promise<CacheStatistics> {
    return this.#withMending(async ({ entries }) => ({ path: this.path, maxBytes: this.#maxBytes, ...entries.measure() }));
  }

  async close(): Promise<void> {
    await this.#noteUses(CLOSE_TIMEOUT_MS);
    this.#shut();
    this.#isClosed = true;
  }

  #shut(): void {
    this.#forgetUses();
    this.#open?.database.close();
    this.#open = undefined;
  }

  async #ensureOpen(): Promise<OpenFile> {
    if (this.#isClosed)
      throw new SluiceError('SLUICE_CLOSED', `The embedding cache ${this.path} is closed.`, { hint: 'Open it again with openCache.' });
    if (this.#open !== undefined) return this.#open;
    this.#opening ??= this.#openFile().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #openFile(): Promise<OpenFile> {
    this.#inode = ensureCacheFile(this.path);
    const database = await openCacheDatabase(this.path, this.#timeoutMs);
    this.#open = { database, entries: new CacheEntries(database) };
    return this.#open;
  }

  /** Runs `action`; a file that turns out damaged is set aside, once, and the action run on a new one. */
  async #withMending<T>(action: (open: OpenFile) => Promise<T>): Promise<T> {
    try {
      return await action(await this.#ensureOpen());
    } catch (error) {
      if (!isDamage(error) || this.#hasBeenMended) throw describeFailure(this.path, error);
    }
    try {
      this.#replace();
      return await action(await this.#ensureOpen());
    } catch (error) {
      throw describeFailure(this.path, error);
    }
  }

  #replace(): void {
    this.#hasBeenMended = true;
    this.#shut();
    const aside = setAside(this.path, this.#inode);
    if (aside !== undefined) this.#onWarning(`The embedding cache ${this.path} was damaged; it is now ${aside}, and a new one was begun.`);
  }
}

/**
 * Opens the cache, making file and folder for the owner alone where they are missing. A damaged file is renamed and a new one made.
 *
 * @throws SLUICE_CACHE_UNUSABLE when the path can't be written or holds a database of something else; SLUICE_USAGE for a `maxBytes` below 0.
 */
export async function openCache(options: CacheOptions = {}): Promise<EmbeddingCache> {
  if (options.maxBytes !== undefined && !(options.maxBytes >= 0)) {
    throw new SluiceError('SLUICE_USAGE', 'The size of the embedding cache is not a number of bytes, 0 or more.', {
      hint: 'Leave it out for 4 GiB.',
    });
  }
  const cache = new FileCache(options.path ?? defaultCachePath(), options);
  await cache.open();
  return cache;
}

/** How full the cache is; zeros where there is no file. @throws SLUICE_CACHE_UNUSABLE */
export async function cacheStatistics(options: CacheOptions = {}): Promise<CacheStatistics> {
  const path = options.path ?? defaultCachePath();
  if (!existsSync(path)) return { path, maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES, entries: 0, usedBytes: 0, fileBytes: 0 };
  const cache = await openCache(options);
  try {
    return await cache.statistics();
  } finally {
    await cache.close();
  }
}
