/** `bench` on rqlite: every way is counted, a node that holds anything is never replaced, and nothing stays behind. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { bench } from '../../src/index.ts';
import { load } from '../../src/load/load.ts';
import { connect } from '../../src/target/registry.ts';
import { startServer, type TestServer } from '../rqlite/server.ts';

/** A server that a failing test leaves running would keep the process alive. */
async function takeServer(context: TestContext): Promise<TestServer> {
  const server = await startServer();
  context.after(() => server.dispose());
  return server;
}

async function readNames(url: string): Promise<readonly unknown[]> {
  const connection = await connect(url);
  const rows = await connection.query({ sql: 'SELECT name FROM sqlite_schema ORDER BY name', parameters: [] });
  await connection.close();
  // The table that the server itself keeps for its queue.
  return rows.map((row) => row['name']).filter((name) => name !== 'sluice_queue');
}

test('every way into an empty node is counted, the boot among them, and the node is empty again', { timeout: 30_000 }, async (context) => {
  const server = await takeServer(context);
  const report = await bench({ to: server.url, rows: 1_500, dims: 4 });
  const names = report.results.map(({ name }) => name);
  assert.deepEqual(names.slice(0, 6), ['singles', 'bulk', 'transaction', 'multi-row', 'boot', 'queue']);
  assert.ok(names.length >= 9, 'sluice load is one of them');
  for (const result of report.results) assert.ok(result.rows > 0 && (result.isSample || result.rows === 1_500), result.name);
  assert.deepEqual(report.skipped, []);
  assert.ok(report.facts['SQLite'] !== undefined);
  assert.deepEqual(await readNames(server.url), []);
});

test(
  'a node with a table is not booted and one with a ledger not loaded into, with the reason; leftovers are named',
  { timeout: 30_000 },
  async (context) => {
    const server = await takeServer(context);
    await load({ from: [{ id: 1 }], to: server.url, table: 'precious', cache: false });
    const connection = await connect(server.url);
    await connection.transact([{ sql: 'CREATE TABLE sluice_bench_0123abcd (x)', parameters: [] }]);
    await connection.close();
    const before = await readNames(server.url);
    const report = await bench({ to: server.url, rows: 200, dims: 0 });
    const skipped = new Map(report.skipped.map(({ name, why }) => [name, why]));
    assert.match(skipped.get('boot') ?? '', /replaces the whole database, and .* has tables/);
    assert.match(skipped.get('load, from memory') ?? '', /ledger/);
    assert.ok(report.notes.some((note) => note.includes('DROP TABLE "sluice_bench_0123abcd"')));
    assert.deepEqual(await readNames(server.url), before);
  },
);

test('a bench that is stopped between requests leaves nothing behind', { timeout: 30_000 }, async (context) => {
  const server = await takeServer(context);
  const controller = new AbortController();
  const stopped = bench({
    to: server.url,
    rows: 50_000,
    dims: 4,
    only: ['bulk'],
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await assert.rejects(stopped, { code: 'SLUICE_CANCELLED' });
  assert.deepEqual(await readNames(server.url), []);
});
