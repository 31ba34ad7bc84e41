/** The flow of one shard over a link that breaks: what is sent again, what is asked first, and when it gives up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError, SluiceError } from '../../src/errors.ts';
import { LinkLostError } from '../../src/target/link.ts';
import { makeRows, openBench, withCommit, type Bench } from './shard-bench.ts';

/** Every test ends with an audit that saw nothing wrong. */
function expectSound({ audit }: Bench): void {
  assert.deepEqual(audit.violations, []);
}

test('a commit whose answer was lost is settled: written once, and told as landed', async () => {
  const bench = openBench(makeRows(4), { maxBatchRows: 2 });
  let reconnectCount = 0;
  const lossy = withCommit(bench, (send) => async (unit) => {
    await send(unit);
    throw new LinkLostError('unknown', 'lost');
  });
  const reconnect = (): Promise<void> => Promise.resolve(void (reconnectCount += 1));
  assert.equal(await bench.run({ ...lossy, reconnect }), 'done');
  expectSound(bench);
  assert.equal(bench.marks.length, 2, 'each batch was sent once');
  assert.equal(reconnectCount, 2);
  assert.deepEqual(
    bench.told.flatMap((event) => (event.kind === 'landed' ? [event.mark.readCount] : [])),
    [2, 2],
  );
});

test('a batch that certainly did not land is sent again without asking', async () => {
  const bench = openBench(makeRows(2));
  let sendCount = 0;
  const lossy = withCommit(bench, (send) => (unit) => {
    sendCount += 1;
    return sendCount === 1 ? Promise.reject(new LinkLostError('no', 'lost')) : send(unit);
  });
  assert.equal(await bench.run(lossy), 'done');
  expectSound(bench);
  assert.equal(sendCount, 2);
  assert.deepEqual(bench.sleepsMs, [], 'the first mending is not put off');
});

test('a link that stays broken is given up after minutes, not at once and not never', async () => {
  const bench = openBench(makeRows(2));
  const lossy = withCommit(bench, () => () => Promise.reject(new LinkLostError('unknown', 'lost')));
  const reconnect = (): Promise<void> => Promise.reject(new SluiceError('SLUICE_LINK_LOST', 'out of reach'));
  await assert.rejects(bench.run({ ...lossy, reconnect }), (error) => isSluiceError(error, 'SLUICE_LINK_LOST'));
  const waitedMs = bench.sleepsMs.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waitedMs >= 100_000 && waitedMs <= 300_000, `${waitedMs} ms`);
  assert.deepEqual(bench.turnEnds, ['again'], 'the turn is free, and what becomes of the shard is for the owner of the lane to say');
});

test('a link that is refused for good is not tried again', async () => {
  const bench = openBench(makeRows(2));
  const lossy = withCommit(bench, () => () => Promise.reject(new LinkLostError('unknown', 'lost')));
  const reconnect = (): Promise<void> => Promise.reject(new SluiceError('SLUICE_TARGET_DENIED', 'wrong password'));
  await assert.rejects(bench.run({ ...lossy, reconnect }), (error) => isSluiceError(error, 'SLUICE_TARGET_DENIED'));
  assert.deepEqual(bench.sleepsMs, []);
});

test('a stop does not wait for a link that stays broken', async () => {
  const bench = openBench(makeRows(2));
  const lossy = withCommit(bench, () => () => {
    bench.stopping.abort();
    return Promise.reject(new LinkLostError('unknown', 'lost'));
  });
  const reconnect = (): Promise<void> => Promise.reject(new SluiceError('SLUICE_LINK_LOST', 'out of reach'));
  assert.equal(await bench.run({ ...lossy, reconnect }), 'stopped');
  assert.deepEqual(bench.sleepsMs, []);
});

test('a link that can be mended but breaks under every commit is given up too', async () => {
  for (const landed of ['no', 'unknown'] as const) {
    const bench = openBench(makeRows(2));
    let sendCount = 0;
    const lossy = withCommit(bench, () => () => {
      sendCount += 1;
      return Promise.reject(new LinkLostError(landed, 'lost'));
    });
    await assert.rejects(bench.run(lossy), (error) => isSluiceError(error, 'SLUICE_LINK_LOST'));
    assert.ok(sendCount > 5 && sendCount < 30, `${sendCount} sends`);
  }
});

test('losses count from the last batch that was written, so a long load outlives many of them', async () => {
  const bench = openBench(makeRows(60), { maxBatchRows: 1 });
  let sendCount = 0;
  const lossy = withCommit(bench, (send) => (unit) => {
    sendCount += 1;
    return sendCount % 2 === 1 ? Promise.reject(new LinkLostError('no', 'lost')) : send(unit);
  });
  assert.equal(await bench.run(lossy), 'done');
  expectSound(bench);
  assert.equal(sendCount, 120);
});

test('a stop while a lane waits to mend its link ends the wait without another attempt', async () => {
  const bench = openBench(makeRows(2));
  const lossy = withCommit(bench, () => () => Promise.reject(new LinkLostError('no', 'lost')));
  let attemptCount = 0;
  const reconnect = (): Promise<void> => {
    attemptCount += 1;
    return Promise.reject(new SluiceError('SLUICE_LINK_LOST', 'out of reach'));
  };
  const sleep = (): Promise<void> => Promise.resolve(bench.stopping.abort());
  assert.equal(await bench.run({ ...lossy, reconnect, clock: { ...bench.lane.clock, sleep } }), 'stopped');
  assert.equal(attemptCount, 1);
});
