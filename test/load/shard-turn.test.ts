/** Turns: one lane at a time, in the order of the shards where asked, over real threads, and nobody waits for a lane that is gone. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isSluiceError } from '../../src/errors.ts';
import { openTurns } from '../../src/load/lane/turn.ts';

const turnUrl = new URL('../../src/load/lane/turn.ts', import.meta.url).href;

/** A thread that takes its turn for each of its places, a few batches each, and writes down when it had it. */
const laneText = `
  const { workerData, parentPort } = require('node:worker_threads');
  const { places, batches, policy, buffer, log } = workerData;
  import(${JSON.stringify(turnUrl)}).then(async ({ openTurns }) => {
    const turns = openTurns({ policy, buffer });
    const words = new Int32Array(log);
    for (const place of places) {
      for (let batch = 1; batch <= batches; batch += 1) {
        const turn = turns.at(place);
        await turn.take(undefined);
        if (Atomics.add(words, 0, 1) !== 0) Atomics.add(words, 1, 1);
        words[Atomics.add(words, 2, 1) + 3] = place;
        for (let spin = 0; spin < (place % 3) * 2000; spin += 1) Atomics.load(words, 0);
        Atomics.sub(words, 0, 1);
        turn.release(batch === batches ? 'done' : 'again');
      }
    }
    parentPort.postMessage('end');
  });
`;

interface Record {
  readonly overlapCount: number;
  readonly places: readonly number[];
}

async function runThreads(policy: 'ordered' | 'exclusive', shape: { lanes: number; placeCount: number; batches: number }): Promise<Record> {
  const { batches, lanes, placeCount } = shape;
  const { buffer } = openTurns({ policy });
  const log = new SharedArrayBuffer(4 * (3 + placeCount * batches));
  const workers = Array.from({ length: lanes }, (_, lane) => {
    const places = Array.from({ length: Math.ceil((placeCount - lane) / lanes) }, (_item, index) => lane + index * lanes);
    return new Worker(laneText, { eval: true, workerData: { places, batches, policy, buffer, log } });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  await Promise.all(workers.map((worker) => worker.terminate()));
  const words = new Int32Array(log);
  return { overlapCount: words[1] ?? -1, places: [...words.subarray(3)] };
}

test('threads commit one at a time and in the order of their shards', async () => {
  const { overlapCount, places } = await runThreads('ordered', { lanes: 4, placeCount: 120, batches: 2 });
  assert.equal(overlapCount, 0);
  assert.deepEqual(
    places,
    Array.from({ length: 240 }, (_, index) => index >> 1),
  );
});

test('threads of an exclusive target commit one at a time, in any order', async () => {
  const { overlapCount, places } = await runThreads('exclusive', { lanes: 4, placeCount: 120, batches: 2 });
  assert.equal(overlapCount, 0);
  assert.deepEqual(
    places.toSorted((a, b) => a - b),
    Array.from({ length: 240 }, (_, index) => index >> 1),
  );
});

test('a free turn is always there', async () => {
  const turns = openTurns({ policy: 'free' });
  assert.deepEqual(await Promise.all([turns.at(1).take(undefined), turns.at(0).take(undefined)]), ['taken', 'taken']);
});

test('places that are done ahead are passed when their turn comes', async () => {
  const turns = openTurns({ policy: 'ordered' });
  for (const place of [1, 3, 2]) turns.at(place).release('done');
  const waiting = turns.at(4).take(undefined);
  assert.equal(await turns.at(0).take(undefined), 'taken');
  turns.at(0).release('done');
  assert.equal(await waiting, 'taken');
});

test('a turn that is given back twice stays given back once', async () => {
  const turns = openTurns({ policy: 'ordered' });
  assert.equal(await turns.at(0).take(undefined), 'taken');
  turns.at(0).release('done');
  assert.equal(await turns.at(1).take(undefined), 'taken');
  turns.at(0).release('done');
  turns.at(0).release('again');
  const stop = new AbortController();
  const second = turns.at(2).take(stop.signal);
  stop.abort();
  assert.equal(await second, 'closed', 'place 1 still holds the turn');
});

test('the memory of places is used again: a place long done does not stand for a later one', async () => {
  const turns = openTurns({ policy: 'ordered' });
  const lap = 2 ** 17;
  for (let place = 0; place < lap; place += 1) turns.at(place).release('done');
  turns.at(0).release('done');
  const later = turns.at(lap + 1).take(AbortSignal.timeout(1));
  assert.equal(await later, 'closed', 'place 0, done again, must not pass for the place that shares its bit');
  assert.equal(await turns.at(lap).take(undefined), 'taken');
});

test('a place that is left closes those after it, and not those before', async () => {
  const turns = openTurns({ policy: 'ordered' });
  const after = turns.at(2).take(undefined);
  turns.at(1).release('left');
  assert.equal(await after, 'closed');
  assert.equal(await turns.at(0).take(undefined), 'taken');
});

test('the turn of a lane that died is given to the lane that stands in for it', async () => {
  for (const policy of ['ordered', 'exclusive'] as const) {
    const turns = openTurns({ policy });
    assert.equal(await turns.at(0).take(undefined), 'taken');
    const standIn = openTurns({ policy, buffer: turns.buffer }).at(0).take(undefined);
    turns.at(0).release('again');
    assert.equal(await standIn, 'taken');
  }
});

test('an aborted wait and closed turns answer closed', async () => {
  const turns = openTurns({ policy: 'exclusive' });
  assert.equal(await turns.at(0).take(undefined), 'taken');
  assert.equal(await turns.at(1).take(AbortSignal.timeout(5)), 'closed');
  const waiting = turns.at(2).take(undefined);
  turns.close();
  assert.equal(await waiting, 'closed');
  assert.equal(await openTurns({ policy: 'free', buffer: turns.buffer }).at(3).take(undefined), 'closed');
});

test('a wait in which nothing moves ends with SLUICE_LANE_DIED', async () => {
  const turns = openTurns({ policy: 'ordered', stallMs: 100 });
  await assert.rejects(turns.at(1).take(undefined), (error) => isSluiceError(error, 'SLUICE_LANE_DIED'));
});
