/** The end of a sync on rqlite when two processes come to it at once: rows are deleted once, and both are told so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from '../../src/load/load.ts';
import { parseRunPlan } from '../../src/load/plan/run-plan.ts';
import { readLoads } from '../../src/ledger/reading.ts';
import { connect } from '../../src/target/registry.ts';
import { startServer } from './server.ts';

test('two processes that end the same sync at once delete what vanished once, and both have the count', async (context) => {
  const server = await startServer();
  context.after(() => server.dispose());
  const rows = Array.from({ length: 400 }, (_, id) => ({ id, name: `row ${String(id)}` }));
  const options = { to: server.url, table: 'items', key: ['id'], mode: 'sync', cache: false } as const;
  await load({ ...options, from: rows });
  // Stopped before its end: its table of keys is there, with the first 100 of them.
  const stopped = await load({ ...options, from: rows.slice(0, 200), limit: 100 });
  const connections = await Promise.all([connect(server.url), connect(server.url), connect(server.url)]);
  const [one] = connections;
  const found = (await readLoads(one)).find((each) => each.load === stopped.load);
  assert.ok(found !== undefined);
  const plan = parseRunPlan(found.plan, found.load).table;
  const ends = await Promise.all(
    connections.map((connection) => connection.finish(found.load, plan, { isComplete: true, maxDeletes: '100%' })),
  );
  assert.deepEqual(
    ends.map((decisions) => decisions.find(({ what }) => what === 'vanished rows')?.choice),
    ['300 deleted', '300 deleted', '300 deleted'],
  );
  assert.equal(await one.countRows('items'), 100);
  await Promise.all(connections.map((connection) => connection.close()));
});
