/** The queue over a real engine whose database can't be written for a while: nothing that was acknowledged is lost, skipped or told as failed. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';

import { SluiceError } from '../../src/errors.ts';
import type { Engine } from '../../src/server/engine/contract.ts';
import { plainOptions } from '../../src/server/engine/plain-options.ts';
import type { Queue, QueueNotice } from '../../src/server/queue/contract.ts';
import { openQueue } from '../../src/server/queue/open-queue.ts';
import { insertAll, intercept, makePlace, openTestEngine, type Place } from './queue-engine.ts';

interface Running {
  readonly place: Place;
  readonly engine: Engine;
  readonly queue: Queue;
  readonly notices: QueueNotice[];
}

async function run(work: (running: Running) => Promise<void>): Promise<void> {
  const place = await makePlace();
  const engine = await openTestEngine(place.file);
  const notices: QueueNotice[] = [];
  const queue = await openQueue({ file: place.file, timeoutMs: 0, onNotice: (notice) => notices.push(notice) }, engine);
  try {
    await work({ place, engine, queue, notices });
  } finally {
    await queue.close();
    await engine.close();
    await place.remove();
  }
}

async function execute(engine: Engine, sql: string): Promise<void> {
  await engine.handle({ route: 'execute', body: Buffer.from(JSON.stringify([sql])), isPlainText: false, options: plainOptions });
}

function add(queue: Queue, value: string): Promise<bigint> {
  return queue.add({ body: insertAll(value), isStrict: false });
}

test('a full database keeps the queue waiting, and when there is room again everything is applied in order', async () => {
  await run(async ({ place, engine, queue, notices }) => {
    await execute(engine, 'PRAGMA max_page_count = 20');
    const large = await add(queue, 'x'.repeat(200_000));
    const small = await add(queue, 'small');
    assert.equal(await queue.waitFor(small, 200), 'timeout');
    assert.ok(notices.length > 0 && notices.every((notice) => notice.kind === 'retry'));
    assert.match(queue.facts().lastError ?? '', /full/);
    await execute(engine, 'PRAGMA max_page_count = 1000000');
    assert.equal(await queue.waitFor(small, 20_000), 'applied');
    assert.deepEqual(
      queue.outcomes(0n, 9).map(({ sequence, applied }) => ({ sequence, applied })),
      [
        { sequence: large, applied: 1 },
        { sequence: small, applied: 1 },
      ],
    );
    assert.deepEqual(
      place.read('SELECT length(k) AS size FROM t ORDER BY id').map((row) => row['size']),
      [200_000, 5],
    );
  });
});

test('requests that come while another process writes are applied when it has ended', async () => {
  await run(async ({ place, queue }) => {
    const other = new DatabaseSync(place.file);
    other.exec("BEGIN IMMEDIATE; INSERT INTO t(k) VALUES('other')");
    const sequences = await Promise.all(['a', 'b', 'c'].map((value) => add(queue, value)));
    assert.equal(await queue.waitFor(sequences[2] ?? 0n, 100), 'timeout');
    other.exec('COMMIT');
    other.close();
    assert.equal(await queue.waitFor(sequences[2] ?? 0n, 20_000), 'applied');
    assert.deepEqual(
      place.read('SELECT k FROM t ORDER BY id').map((row) => row['k']),
      ['other', 'a', 'b', 'c'],
    );
  });
});

test('a group that was committed although its answer was lost is not applied again', async () => {
  const place = await makePlace();
  const engine = await openTestEngine(place.file);
  let isFirst = true;
  const lossy = intercept(engine, async (requests, isOneTransaction) => {
    const outcomes = await engine.applyQueued(requests, isOneTransaction);
    if (!isFirst) return outcomes;
    isFirst = false;
    throw new SluiceError('SLUICE_TARGET_BUSY', 'the answer was lost');
  });
  const queue = await openQueue({ file: place.file, timeoutMs: 0 }, lossy);
  assert.equal(await queue.waitFor(await add(queue, 'once'), 10_000), 'applied');
  assert.deepEqual(
    place.read('SELECT k FROM t').map((row) => row['k']),
    ['once'],
  );
  await queue.close();
  await engine.close();
  await place.remove();
});
