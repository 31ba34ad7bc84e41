/** What a cluster answers that a single node never does, as it was recorded of a real one: followers that redirect, a leader that is lost and found. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, it } from 'node:test';
import { load } from '../../src/load/load.ts';
import { connect } from '../../src/target/registry.ts';
import { pass, startRelay, type Fault } from './relay.ts';
import { shareServer } from './server.ts';

const shared = shareServer();
after(() => shared.close());

interface Recorded {
  readonly name: string;
  readonly path: string;
  readonly status: number;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly response: string;
}

const recordings = readFileSync(new URL('../server/recordings/recordings.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.includes('"cluster-follower/'))
  .map((line) => JSON.parse(line) as Recorded);

/** A recorded answer; where it names the leader, that is the one at `port`. */
function play(step: string, asked: string, port: number): Fault {
  const recorded = recordings.find(({ name }) => name === `cluster-follower/${step}`);
  assert.ok(recorded !== undefined, `step ${step} is among the recordings`);
  const headers = { ...recorded.responseHeaders };
  if (headers['location'] !== undefined) headers['location'] = `http://127.0.0.1:${String(port)}${asked}`;
  return { kind: 'answer', status: recorded.status, text: recorded.response, headers };
}

const from = Array.from({ length: 500 }, (_, id) => ({ id, name: `row ${String(id)}` }));

it('a follower names the leader, and everything after the first request goes there', async () => {
  const leader = await shared.take();
  const follower = await startRelay(
    () => leader.port,
    ({ path }) => (path.includes('redirect') ? play('03', path, leader.port) : pass),
  );
  const connection = await connect(follower.url);
  await connection.transact([{ sql: 'CREATE TABLE a (x)', parameters: [] }]);
  await connection.close();
  assert.equal(follower.seen.length, 1);
  const report = await load({ from, to: follower.url, table: 'items', key: ['id'], cache: false });
  assert.equal(report.counts.written, from.length);
  await follower.close();
  await leader.dispose();
});

for (const step of ['23', '24', '25', '26']) {
  it(`a lost leader is waited for, and nothing is lost or doubled (recorded answer ${step})`, async () => {
    const leader = await shared.take();
    let lost = 0;
    const node = await startRelay(
      () => leader.port,
      ({ path, body }) => (body.includes('INSERT INTO') && lost++ % 3 === 0 ? play(step, path, leader.port) : pass),
    );
    const report = await load({ from, to: node.url, table: 'items', key: ['id'], maxBatchRows: 100, cache: false });
    assert.deepEqual(report.counts, { read: 500, written: 500, skipped: 0, rejected: 0 });
    assert.equal(report.verification?.isOk, true);
    await node.close();
    await leader.dispose();
  });
}

it('a cluster that stays without a leader is given up after the deadline, with a next step', async () => {
  const node = await startRelay(
    () => 1,
    ({ path }) => play('24', path, 1),
  );
  await assert.rejects(connect(node.url, { lockTimeoutMs: 400 }), (error: { code?: string; hint?: string }) => {
    assert.equal(error.code, 'SLUICE_TARGET_UNREACHABLE');
    assert.ok(error.hint !== undefined);
    return true;
  });
  await node.close();
});

it('with several hosts the one that leads is found whatever its place in the list', async () => {
  const leader = await shared.take();
  const lonely = await startRelay(
    () => 1,
    ({ path }) => play('24', path, 1),
  );
  const connection = await connect(`rqlite://127.0.0.1:${String(lonely.port)},127.0.0.1:${String(leader.port)}`);
  assert.deepEqual(await connection.query({ sql: 'SELECT 9007199254740993 AS n', parameters: [] }), [{ n: 9_007_199_254_740_993n }]);
  await connection.close();
  await lonely.close();
  await leader.dispose();
});
