/**
 * The bench-only switch that shows what the ledger costs: preloaded, no commit updates its shard's row in the ledger. The table is as it always is;
 * the account is not kept, so that such a load could not be resumed or verified, which is what is paid for.
 */
import { registerHooks } from 'node:module';

/** The one place where a commit updates the ledger, and what stands there instead. */
const kept = 'run(writer, advanceShard(mark, counts)) !== 1';
const left = 'false';

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/target/sqlite/commit.js')) return loaded;
    const source = String(loaded.source instanceof Uint8Array ? Buffer.from(loaded.source) : loaded.source);
    if (!source.includes(kept)) throw new Error('src/target/sqlite/commit.ts no longer has the line that bench/ledger-off.ts replaces');
    return { ...loaded, source: source.replace(kept, left) };
  },
});
