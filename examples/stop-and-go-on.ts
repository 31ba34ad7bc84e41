/** A load is stopped half-way and finished by the same call, each row once: node examples/stop-and-go-on.ts */
import { load, verify } from 'sluice';

function* makeRows(): Generator<{ id: number; square: number }> {
  for (let id = 1; id <= 50_000; id++) yield { id, square: id * id };
}

const to = 'sqlite:squares.db';
const stop = new AbortController();
const job = { to, table: 'squares', key: ['id'], label: 'squares', maxBatchRows: 1_000 } as const;

const first = await load({
  ...job,
  from: makeRows(),
  signal: stop.signal,
  onProgress: ({ counts }) => {
    if (counts.written > 0) stop.abort();
  },
});
console.log(`${first.state}; balanced: ${first.isBalanced}`);

const second = await load({ ...job, from: makeRows() });
console.log(`${second.counts.written} written in all`);

const { isOk } = await verify({ in: to, table: 'squares' });
console.log(`verified: ${isOk}`);
