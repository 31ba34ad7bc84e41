/** The queue over a real engine: order, groups, back-pressure, faults of the engine, outcomes, closing, and another database put in place. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { isSluiceError, SluiceError } from '../../src/errors.ts';
import type { Engine, QueuedRequest } from '../../src/server/engine/contract.ts';
import type { Queue, QueueNotice, QueueOptions } from '../../src/server/queue/contract.ts';
import { openQueue } from '../../src/server/queue/open-queue.ts';
import { readSegment } from '../../src/server/queue/segment.ts';
import { listSegments } from '../../src/server/queue/folder.ts';
import { createGate, insertAll, intercept, makePlace, openTestEngine, type Place } from './queue-engine.ts';

const hour = 3_600_000;

function add(queue: Queue, ...values: readonly (string | number)[]): Promise<bigint> {
  return queue.add({ body: insertAll(...values), isStrict: false });
}

function readText(request: QueuedRequest): string {
  return Buffer.from(request.body).toString();
}

describe('the durable queue', () => {
  let place: Place;
  let engine: Engine;
  let queues: Queue[];
  let notices: QueueNotice[];
  let groups: (readonly bigint[])[];

  beforeEach(async () => {
    place = await makePlace();
    engine = await openTestEngine(place.file);
    queues = [];
    notices = [];
    groups = [];
  });

  afterEach(async () => {
    for (const queue of queues) await queue.close();
    await engine.close();
    await place.remove();
  });

  /** Opens the queue over the engine, with `before` in front of every group; groups are noted. */
  async function open(
    options: Partial<QueueOptions> = {},
    before?: (requests: readonly QueuedRequest[]) => Promise<void> | void,
  ): Promise<Queue> {
    const watched = intercept(engine, async (requests, isOneTransaction) => {
      await before?.(requests);
      groups.push(requests.map((request) => request.sequence));
      return engine.applyQueued(requests, isOneTransaction);
    });
    const queue = await openQueue({ file: place.file, onNotice: (notice) => notices.push(notice), ...options }, watched);
    queues.push(queue);
    return queue;
  }

  function readKeys(): unknown[] {
    return place.read('SELECT k FROM t ORDER BY id').map((row) => row['k']);
  }

  test('a request is on the disk before its number is told', async () => {
    const gate = createGate();
    const queue = await open({ timeoutMs: 0 }, () => gate.pass());
    const sequence = await queue.add({ body: insertAll('first'), isStrict: true });
    const [segment] = await listSegments(place.folder);
    const parts = await Array.fromAsync(readSegment(segment?.path ?? ''));
    assert.deepEqual(parts, [{ kind: 'record', record: { sequence, isStrict: true, body: Uint8Array.from(insertAll('first')) } }]);
    assert.deepEqual(readKeys(), []);
    gate.open();
  });

  test('requests of one moment share a sync and keep the order of their calls', async () => {
    const queue = await open();
    const sequences = await Promise.all(Array.from({ length: 200 }, (_, index) => add(queue, index)));
    assert.deepEqual(
      sequences.map((sequence) => sequence - (sequences[0] ?? 0n)),
      Array.from({ length: 200 }, (_, index) => BigInt(index)),
    );
    assert.ok(queue.facts().syncs <= 3, `${queue.facts().syncs} syncs`);
    assert.equal(await queue.waitFor(sequences.at(-1) ?? 0n, 10_000), 'applied');
    assert.deepEqual(
      readKeys(),
      Array.from({ length: 200 }, (_, index) => index),
    );
  });

  test('a group is applied when it is full, and after the time-out of its first request when it is not', async () => {
    const queue = await open({ batchSize: 4, timeoutMs: hour });
    const sequences = await Promise.all([1, 2, 3, 4, 5].map((value) => add(queue, value)));
    assert.equal(await queue.waitFor(sequences[3] ?? 0n, 10_000), 'applied');
    assert.deepEqual(groups, [sequences.slice(0, 4)]);
    assert.equal(await queue.waitFor(sequences[4] ?? 0n, 50), 'timeout');
    await queue.close();
    assert.deepEqual(groups[1], sequences.slice(4));
    queues = [];
    const quick = await open({ batchSize: 4, timeoutMs: 1 });
    assert.equal(await quick.waitFor(await add(quick, 6), 10_000), 'applied');
  });

  test('a group has no more bytes than it may, but always one request', async () => {
    const body = insertAll('x'.repeat(1_000));
    const queue = await open({ batchBytes: 2_500, timeoutMs: 20 });
    const sequences = await Promise.all(Array.from({ length: 5 }, () => queue.add({ body, isStrict: false })));
    const large = await add(queue, 'y'.repeat(9_000));
    assert.equal(await queue.waitFor(large, 10_000), 'applied');
    assert.deepEqual(
      groups.map((group) => group.length),
      [2, 2, 1, 1],
    );
    assert.deepEqual(groups.flat(), [...sequences, large]);
  });

  test('an empty list has a number, is applied after all before it, and comes to no engine', async () => {
    const queue = await open({ timeoutMs: 10 });
    const before = await add(queue, 'before');
    const barrier = await queue.add({ body: Buffer.from(' [\n] '), isStrict: false });
    assert.equal(barrier, before + 1n);
    assert.equal(await queue.waitFor(barrier, 10_000), 'applied');
    assert.deepEqual(readKeys(), ['before']);
    assert.deepEqual(groups, [[before]]);
    assert.deepEqual(queue.outcomes(before, 10), [{ sequence: barrier, applied: 0, errors: [] }]);
  });

  test('a statement that fails is told in its outcome and harms no other, in its request or beside it', async () => {
    const queue = await open({ timeoutMs: 10 });
    const good = await add(queue, 'a');
    const bad = await queue.add({
      body: Buffer.from('["INSERT INTO t(k) VALUES(1)", "INSERT INTO nope VALUES(1)", "INSERT INTO t(k) VALUES(2)"]'),
      isStrict: false,
    });
    const last = await add(queue, 'b');
    await queue.waitFor(last, 10_000);
    assert.deepEqual(queue.outcomes(0n, 10), [
      { sequence: good, applied: 1, errors: [] },
      { sequence: bad, applied: 2, errors: [{ index: 1, message: 'no such table: nope' }] },
      { sequence: last, applied: 1, errors: [] },
    ]);
    assert.deepEqual(queue.outcomes(good, 1), queue.outcomes(0n, 10).slice(1, 2));
    assert.deepEqual(readKeys(), ['a', 1, 2, 'b']);
  });

  test('a full queue makes callers wait in line, refuses them after the deadline, and what was refused is never applied', async () => {
    const gate = createGate();
    const queue = await open({ capacity: 2, fullTimeoutMs: 100, timeoutMs: 0 }, () => gate.pass());
    await add(queue, 'a');
    await add(queue, 'b');
    await assert.rejects(add(queue, 'refused'), (error) => isSluiceError(error, 'SLUICE_TARGET_BUSY') && error.isTransient);
    const waiting = [add(queue, 'c'), add(queue, 'd')];
    assert.equal(queue.facts().waiting, 2);
    await assert.rejects(add(queue, 'one too many'), (error) => isSluiceError(error, 'SLUICE_TARGET_BUSY'));
    gate.open();
    const sequences = await Promise.all(waiting);
    await queue.waitFor(sequences[1] ?? 0n, 10_000);
    assert.deepEqual(readKeys(), ['a', 'b', 'c', 'd']);
    assert.equal(queue.facts().refusedRequests, 2);
    assert.equal(queue.facts().depth, 0);
  });

  test('the bytes that wait are bounded too, but a request larger than the bound is let in alone', async () => {
    const gate = createGate();
    const queue = await open({ capacityBytes: 3_000, fullTimeoutMs: 100, timeoutMs: 0 }, () => gate.pass());
    await add(queue, 'x'.repeat(2_000));
    await assert.rejects(add(queue, 'y'.repeat(2_000)), (error) => isSluiceError(error, 'SLUICE_TARGET_BUSY'));
    await add(queue, 'z');
    gate.open();
    const large = await add(queue, 'w'.repeat(20_000));
    assert.equal(await queue.waitFor(large, 10_000), 'applied');
    assert.equal(queue.facts().depthBytes, 0);
  });

  test('while the engine is locked, requests are kept, tried again, and applied in order at last', async () => {
    let failures = 3;
    const queue = await open({ timeoutMs: 0 }, () => {
      if (failures-- > 0) throw new SluiceError('SLUICE_TARGET_LOCKED', 'the database is locked');
    });
    const first = await add(queue, 'a');
    const last = await add(queue, 'b');
    assert.equal(await queue.waitFor(last, 10_000), 'applied');
    assert.deepEqual(readKeys(), ['a', 'b']);
    assert.equal(queue.facts().retries, 3);
    assert.equal(queue.facts().lastError, undefined);
    assert.equal(notices.filter((notice) => notice.kind === 'retry').length, 3);
    assert.deepEqual(
      queue.outcomes(0n, 9).map((outcome) => outcome.sequence),
      [first, last],
    );
  });

  test('one request that makes the engine fail is found among many and passed over; all others are applied in order', async () => {
    const queue = await open({ timeoutMs: 50 }, (requests) => {
      if (requests.some((request) => readText(request).includes('poison'))) throw new Error('the engine can not do this');
    });
    const values = ['a', 'b', 'poison', 'c', 'd', 'e'];
    const sequences = await Promise.all(values.map((value) => add(queue, value)));
    assert.equal(await queue.waitFor(sequences.at(-1) ?? 0n, 10_000), 'applied');
    assert.deepEqual(readKeys(), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(queue.outcomes((sequences[2] ?? 0n) - 1n, 1), [
      { sequence: sequences[2], applied: 0, errors: [{ index: 0, message: 'the engine can not do this' }] },
    ]);
    assert.equal(notices.filter((notice) => notice.kind === 'buried').length, 1);
  });

  test('an engine that can do nothing loses nothing: what it did not take is applied at the next start', async () => {
    const queue = await open({ timeoutMs: 0, flushTimeoutMs: 50 }, () => {
      throw new Error('the engine is gone');
    });
    const sequences = await Promise.all(['a', 'b', 'c'].map((value) => add(queue, value)));
    assert.equal(await queue.waitFor(sequences[0] ?? 0n, 50), 'timeout');
    await queue.close();
    assert.deepEqual(readKeys(), []);
    const again = await open();
    assert.deepEqual(readKeys(), ['a', 'b', 'c']);
    assert.equal(await again.waitFor(sequences[2] ?? 0n, 0), 'applied');
    assert.equal(again.facts().isReplaying, false);
    assert.ok((await add(again, 'd')) > (sequences[2] ?? 0n));
  });

  test('closing applies what is queued, leaves nothing of it behind, and refuses what comes after', async () => {
    const queue = await open({ timeoutMs: hour });
    const sequences = await Promise.all(Array.from({ length: 20 }, (_, index) => add(queue, index)));
    await Promise.all([queue.close(), queue.close()]);
    assert.equal(readKeys().length, 20);
    assert.equal(await queue.waitFor(sequences[19] ?? 0n, 0), 'applied');
    const [segment, ...others] = await listSegments(place.folder);
    assert.deepEqual(others, []);
    assert.deepEqual(await Array.fromAsync(readSegment(segment?.path ?? '')), []);
    await assert.rejects(add(queue, 'late'), (error) => isSluiceError(error, 'SLUICE_CLOSED'));
  });

  test('outcomes are bounded by count and size, and a restart still knows them', async () => {
    const queue = await open({ timeoutMs: 0, outcomeCapacity: 5 });
    const long = Buffer.from(JSON.stringify(Array.from({ length: 1_500 }, () => `INSERT INTO ${'n'.repeat(400)} VALUES(1)`)));
    const last = await queue.add({ body: long, isStrict: false });
    await queue.waitFor(last, 10_000);
    const [outcome] = queue.outcomes(0n, 10);
    assert.equal(outcome?.errors.length, 1_000);
    assert.equal(outcome?.omittedErrors, 500);
    assert.equal(outcome?.errors[0]?.message.length, 300);
    for (let index = 0; index < 8; index++) await queue.waitFor(await add(queue, index), 10_000);
    const kept = queue.outcomes(0n, 100);
    assert.equal(kept.length, 5);
    assert.equal(queue.facts().oldestOutcome, kept[0]?.sequence);
    await queue.close();
    const again = await open({ outcomeCapacity: 5 });
    assert.deepEqual(again.outcomes(0n, 100), kept);
    assert.deepEqual(again.outcomes(0n, 2), kept.slice(0, 2));
  });

  test('while another database is put in place the queue is empty, and its numbers go on above the new position', async () => {
    const queue = await open({ timeoutMs: hour });
    const before = await add(queue, 'before');
    let late: Promise<bigint> | undefined;
    const answer = await queue.whileEmpty(async () => {
      assert.deepEqual(readKeys(), ['before']);
      late = add(queue, 'after');
      const files = await listSegments(place.folder);
      assert.equal(files.length, 1);
      assert.deepEqual(await Array.fromAsync(readSegment(files[0]?.path ?? '')), []);
      // As a file from a server whose clock is years ahead would have it.
      await engine.applyQueued([{ sequence: before + 10n ** 18n, body: Buffer.from('[""]'), isStrict: false }], false);
      return 'done';
    });
    assert.equal(answer, 'done');
    const after = (await late) ?? 0n;
    assert.ok(after > before + 10n ** 18n);
    await queue.close();
    assert.deepEqual(readKeys(), ['before', 'after']);
  });

  test('a database is not replaced while queued requests can not be applied', async () => {
    const gate = createGate();
    const queue = await open({ timeoutMs: 0, flushTimeoutMs: 50 }, () => gate.pass());
    await add(queue, 'kept');
    await assert.rejects(
      queue.whileEmpty(() => Promise.reject(new Error('must not run'))),
      (error) => isSluiceError(error, 'SLUICE_TARGET_BUSY'),
    );
    gate.open();
    assert.equal(await queue.waitFor(await add(queue, 'more'), 10_000), 'applied');
    assert.deepEqual(readKeys(), ['kept', 'more']);
  });

  test('a second server on the same database is refused', async () => {
    await open();
    await assert.rejects(openQueue({ file: place.file }, engine), (error) => isSluiceError(error, 'SLUICE_TARGET_LOCKED'));
  });
});
