/** `npm run simulate`: very many schedules of the shard protocol, or one again. Prints each seed that broke an invariant. */
import { parseArgs } from 'node:util';
import { playSchedules } from './schedules.ts';

const { values } = parseArgs({
  options: { schedules: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' }, one: { type: 'string' } },
});

const first = Number(values.one ?? values.seed);
const count = values.one === undefined ? Number(values.schedules) : 1;
const startedMs = performance.now();
console.log(`${count} schedules from seed ${first}`);

const summary = await playSchedules({
  first,
  count,
  onFailure: ({ seed, violations }) => {
    for (const { invariant, what } of violations) console.log(`seed ${seed}: ${invariant}: ${what}`);
    console.log(`again: npm run simulate -- --one ${seed}`);
  },
  onProgress: (done) => {
    if (done % 100_000 === 0) console.log(`${done} schedules, ${Math.round(done / ((performance.now() - startedMs) / 1000))} a second`);
  },
});

const seconds = (performance.now() - startedMs) / 1000;
console.log(
  `${summary.count} schedules, ${summary.eventCount} events, ${summary.failures.length} failures, ${Math.round(summary.count / seconds)} schedules/s`,
);
process.exitCode = summary.failures.length === 0 ? 0 : 1;
