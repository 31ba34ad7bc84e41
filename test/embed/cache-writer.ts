/** A process of its own that embeds numbered texts through the cache; it prints each group once the group is durable, and at the end what it was asked to pay for. */
import { openCache } from '../../src/embed/cache.ts';
import { createMockEmbedder } from '../../src/embed/mock.ts';
import { createEmbedStage } from '../../src/embed/stage.ts';

const [path = '', name = '', groups = '0'] = process.argv.slice(2);
const stage = createEmbedStage({
  embedder: createMockEmbedder({ dimensions: 64 }),
  cache: await openCache({ path }),
  onWarning: (message) => process.stderr.write(message),
});
let embedded = 0;
for (let group = 0; group < Number(groups); group++) {
  const { counts } = await stage.embed(Array.from({ length: 200 }, (_, index) => `${name} ${group} ${index}`));
  embedded += counts.embedded;
  process.stdout.write(`${group}\n`);
}
await stage.close();
process.stdout.write(`embedded ${embedded}\n`);
