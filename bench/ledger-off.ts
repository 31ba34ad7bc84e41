/**
 * The bench-only switch that shows what the ledger costs: preloaded, no commit updates its shard's row in the ledger. The table is as it always is;
 * the account is not kept, so that such a load could not be resumed or verified, which is what is paid for.
 */
import { registerHooks } from 'node:module';

/** The one place of each driver where a commit updates the ledger; `false` stands there instead. */
const places: Readonly<Record<string, string>> = {
  'target/sqlite/commit.js': 'run(writer, advanceShard(mark, counts)) !== 1',
  'target/postgres/commit-transaction.js': '(await runStatement(link, mark, { signal })) !== 1',
};

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    const place = Object.keys(places).find((ending) => url.endsWith(`/${ending}`));
    if (place === undefined) return loaded;
    const kept = places[place] ?? '';
    const source = String(loaded.source instanceof Uint8Array ? Buffer.from(loaded.source) : loaded.source);
    if (!source.includes(kept))
      throw new Error(`src/${place.replace('.js', '.ts')} no longer has the line that bench/ledger-off.ts replaces`);
    return { ...loaded, source: source.replace(kept, 'false') };
  },
});
