/**
 * The bench-only switch that shows what the ledger costs: preloaded, it lets a shard's row be updated once, with its last commit, instead of with every one.
 * Counts and the end state stay right, so that everything else runs as it always does; a kill in between would lose the account, which is what is paid for.
 */
import { registerHooks } from 'node:module';
import type { Mark } from '../src/target/driver.ts';
import type { CommitCounts } from '../src/ledger/statements.ts';

/** The one place where a commit updates the ledger, and what stands there instead. */
const every = 'run(writer, advanceShard(mark, counts)) !== 1';
const lastOnly = '!advanceAtEnd(mark, counts, (sum, sums) => run(writer, advanceShard(sum, sums)) === 1)';

interface Pending {
  readonly mark: Mark;
  readonly counts: CommitCounts;
}

const pending = new Map<string, Pending>();

function addCounts(left: CommitCounts, right: CommitCounts): CommitCounts {
  return {
    written: left.written + right.written,
    skipped: left.skipped + right.skipped,
    rejected: left.rejected + right.rejected,
    added: left.added + right.added,
    digest: { high: (left.digest.high + right.digest.high) % 2 ** 32, low: (left.digest.low + right.digest.low) % 2 ** 32 },
  };
}

/** Two marks of one shard, the second after the first, as one. */
function joinMarks(first: Mark, second: Mark): Mark {
  const embedded = {
    texts: first.embedded.texts + second.embedded.texts,
    distinct: first.embedded.distinct + second.embedded.distinct,
    cached: first.embedded.cached + second.embedded.cached,
    embedded: first.embedded.embedded + second.embedded.embedded,
  };
  return {
    ...second,
    from: first.from,
    readCount: first.readCount + second.readCount,
    byteCount: first.byteCount + second.byteCount,
    embedded,
  };
}

/** Keeps the mark back until the shard's last commit, which `advance`s over all of them. */
function advanceAtEnd(mark: Mark, counts: CommitCounts, advance: (mark: Mark, counts: CommitCounts) => boolean): boolean {
  const key = `${mark.load} ${mark.shard} ${mark.epoch}`;
  const before = pending.get(key);
  const sum = before === undefined ? { mark, counts } : { mark: joinMarks(before.mark, mark), counts: addCounts(before.counts, counts) };
  pending.set(key, sum);
  if (!mark.isLast) return true;
  pending.delete(key);
  return advance(sum.mark, sum.counts);
}

Object.assign(globalThis, { advanceAtEnd });

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/target/sqlite/commit.js')) return loaded;
    const source = String(loaded.source instanceof Uint8Array ? Buffer.from(loaded.source) : loaded.source);
    if (!source.includes(every)) throw new Error('src/target/sqlite/commit.ts no longer has the line that bench/ledger-off.ts replaces');
    return { ...loaded, source: source.replace(every, lastOnly) };
  },
});
