/** A load that boots an empty node leaves the same database as one over the API; anything else in the node is never replaced. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { load } from '../../src/load/load.ts';
import { plan } from '../../src/load/plan.ts';
import { connect } from '../../src/target/registry.ts';
import { verify } from '../../src/verify/verify.ts';
import { startServer } from './server.ts';

const from = Array.from({ length: 3000 }, (_, id) => ({ id: id % 2990, name: `row ${String(id)}` }));

it('a booted node has the rows, the rejects and the ledger', async () => {
  const server = await startServer();
  const options = { from, to: server.url, table: 'items', key: ['id'], target: { isBoot: true }, cache: false } as const;
  const planned = await plan(options);
  assert.ok(planned.decisions.some(({ what }) => what === 'boot'));
  const report = await load(options);
  assert.deepEqual(report.counts, { read: 3000, written: 2990, skipped: 0, rejected: 10 });
  assert.equal(report.verification?.isOk, true);
  const connection = await connect(server.url);
  assert.equal(await connection.countRows('items'), 2990);
  await connection.close();
  assert.equal((await verify({ in: server.url, table: 'items' })).isOk, true);
  await load({ from: [{ id: 9000, name: 'over the API' }], to: server.url, table: 'items', key: ['id'], cache: false });
  await server.dispose();
});

it('a node that holds a table is not booted', async () => {
  const server = await startServer();
  const connection = await connect(server.url);
  await connection.transact([{ sql: 'CREATE TABLE precious (x)', parameters: [] }]);
  const options = { from, to: server.url, table: 'items', key: ['id'], target: { isBoot: true }, cache: false } as const;
  await assert.rejects(load(options), { code: 'SLUICE_PLAN_REFUSED' });
  assert.notEqual(await connection.describe('precious'), undefined);
  await connection.close();
  await server.dispose();
});
