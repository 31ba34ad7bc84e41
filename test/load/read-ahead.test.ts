/** A thread that reads for a lane: the rows are those that the lane would have read itself, at most a batch ahead, and its end or failure is heard. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { SluiceError } from '../../src/errors.ts';
import { readAhead, serveReads } from '../../src/load/lane/read-ahead.ts';
import type { Records, RowReader } from '../../src/source/source.ts';
import { columns, connect, planOf, readLines, shard, start, take } from './read-ahead-place.ts';

test('rows with an unknown field are refused on the way where none may be left out', async (context) => {
  const lines = ['{"id":1}', '{"id":2,"late":1}', '{"id":3}'];
  const link = connect(context, { read: () => readLines(lines) }, planOf({ refusesNewFields: true }));
  const { batch, rejects } = await take(link.rows.read(shard, start, { columns }));
  assert.deepEqual(
    rejects.map(({ code, raw, row: at }) => [code, at, raw]),
    [['FIELD_UNKNOWN', 1, lines[1]]],
  );
  assert.deepEqual([batch.places.raw(0), batch.places.raw(1)], [lines[0], lines[2]]);
});

test('no more than a batch is read ahead, and reading goes on as rows are taken', async (context) => {
  const lines = Array.from({ length: 40_000 }, (_, id) => JSON.stringify({ id, name: `row ${String(id)}` }));
  let read = 0;
  const counted = async function* (): AsyncGenerator<Records, void, undefined> {
    for await (const records of readLines(lines)) {
      read += records.rowCount;
      yield records;
    }
  };
  const { rows } = connect(context, { read: counted }, planOf({ maxBatchBytes: 100_000 }));
  const iterator = rows.read(shard, start, { columns })[Symbol.asyncIterator]();
  let taken = (await iterator.next()).value?.rowCount ?? 0;
  await sleep(150);
  // A row takes about 140 bytes in a batch.
  const ahead = read - taken;
  assert.ok(ahead > 300 && ahead < 1_500, `${String(ahead)} rows were read ahead`);
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) taken += next.value.rowCount;
  assert.equal(taken, lines.length);
});

test('refused rows count toward what is read ahead', async (context) => {
  let read = 0;
  const bad = async function* (): AsyncGenerator<Records, void, undefined> {
    for await (const records of readLines(Array.from({ length: 20_000 }, () => `{"id":${'x'.repeat(50)}`))) {
      read += records.rejects.length;
      yield records;
    }
  };
  const { rows } = connect(context, { read: bad }, planOf({ maxBatchBytes: 100_000 }));
  const iterator = rows.read(shard, start, { columns })[Symbol.asyncIterator]();
  const taken = (await iterator.next()).value?.rejects.length ?? 0;
  await sleep(150);
  const ahead = read - taken;
  assert.ok(ahead > 100 && ahead < 1_000, `${String(ahead)} rows were read ahead`);
});

test('a failure comes behind the rows that were read before it, with its code', async (context) => {
  const failing = async function* (): AsyncGenerator<Records, void, undefined> {
    yield* readLines(['{"id":1}', '{"id":2}']);
    throw new SluiceError('SLUICE_SOURCE_INVALID', 'the file is truncated', { hint: 'Get it again.' });
  };
  const { rows } = connect(context, { read: failing });
  const iterator = rows.read(shard, start, { columns })[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value?.rowCount, 2);
  await assert.rejects(iterator.next(), { code: 'SLUICE_SOURCE_INVALID', message: 'the file is truncated', hint: 'Get it again.' });
});

test('an end that comes behind fewer rows than were sent is no end', async (context) => {
  const { port1, port2 } = new MessageChannel();
  const rows = readAhead(port1, { warn: () => undefined, checked: () => undefined });
  context.after(() => port1.close());
  port2.postMessage({ kind: 'end', reading: 0, sentCount: 1 });
  await assert.rejects(rows.read(shard, start, { columns })[Symbol.asyncIterator]().next(), {
    code: 'SLUICE_INTERNAL',
    message: /1 stretches/u,
  });
});

test('a field that appears in rows which the lane never takes is not told of', async (context) => {
  const lines = Array.from({ length: 2_000 }, (_, id) => JSON.stringify(id < 1_000 ? { id } : { id, late: 1 }));
  const { rows, warnings } = connect(context, { read: () => readLines(lines) });
  for await (const records of rows.read(shard, start, { columns })) {
    await sleep(20);
    if (records.end.row > 500) break;
    assert.deepEqual(warnings, []);
  }
  assert.deepEqual(warnings, []);
  await take(rows.read(shard, start, { columns }));
  assert.equal(warnings.length, 1);
});

test('a source that can not be opened there fails the reading with its code', async (context) => {
  const { port1, port2 } = new MessageChannel();
  const server = serveReads(port2, { source: Promise.reject(new SluiceError('SLUICE_SOURCE_MISSING', 'it is gone')), plan: planOf() });
  context.after(() => server.close());
  const rows = readAhead(port1, { warn: () => undefined, checked: () => undefined });
  await assert.rejects(rows.read(shard, start, { columns })[Symbol.asyncIterator]().next(), { code: 'SLUICE_SOURCE_MISSING' });
});

test('when the lane is gone, its reading ends', async (context) => {
  const ended = Promise.withResolvers<void>();
  const lines = Array.from({ length: 40_000 }, (_, id) => JSON.stringify({ id }));
  const link = connect(context, { read: () => readLines(lines, ended.resolve) }, planOf({ maxBatchBytes: 50_000 }));
  await link.rows.read(shard, start, { columns })[Symbol.asyncIterator]().next();
  link.lane.close();
  await ended.promise;
});

test('a lane that stops has the reading end, whether it takes rows or waits for them', async (context) => {
  for (const isWaiting of [true, false]) {
    const ended = Promise.withResolvers<void>();
    const stopping = new AbortController();
    const lines = Array.from({ length: isWaiting ? 1 : 40_000 }, (_, id) => JSON.stringify({ id }));
    const source: RowReader = {
      read: async function* (_shard, _from, { signal }) {
        yield* readLines(lines, isWaiting ? undefined : ended.resolve);
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
        ended.resolve();
      },
    };
    const { rows } = connect(context, source, planOf({ maxBatchBytes: 50_000 }));
    const iterator = rows.read(shard, start, { columns, signal: stopping.signal })[Symbol.asyncIterator]();
    assert.ok((await iterator.next()).done !== true);
    const next = isWaiting ? iterator.next() : undefined;
    await sleep(20);
    stopping.abort();
    assert.equal((await (next ?? iterator.next())).done, true);
    await ended.promise;
  }
});

test('a reader that is given back ends the reading, and the next shard is read by itself', async (context) => {
  const ended = Promise.withResolvers<void>();
  const lines = Array.from({ length: 40_000 }, (_, id) => JSON.stringify({ id }));
  const { rows } = connect(context, { read: () => readLines(lines, ended.resolve) }, planOf({ maxBatchBytes: 50_000 }));
  for await (const records of rows.read(shard, start, { columns })) {
    assert.ok(records.rowCount > 0);
    break;
  }
  await ended.promise;
  const { batch } = await take(rows.read(shard, start, { columns }));
  assert.deepEqual([batch.rowCount, batch.places.raw(0)], [lines.length, lines[0]]);
});

test('a lane hears of the end of the thread that reads for it', async (context) => {
  const { port1, port2 } = new MessageChannel();
  const rows = readAhead(port1, { warn: () => undefined, checked: () => undefined });
  context.after(() => port1.close());
  const next = rows.read(shard, start, { columns })[Symbol.asyncIterator]().next();
  await sleep(20);
  port2.close();
  await assert.rejects(next, { code: 'SLUICE_LANE_DIED', hint: /Resume the load/u });
  await assert.rejects(rows.read(shard, start, { columns })[Symbol.asyncIterator]().next(), { code: 'SLUICE_LANE_DIED' });
});
