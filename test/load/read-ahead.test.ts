/** A thread that reads for a lane: the rows are those that the lane would have read itself, at most a batch ahead, and its end or failure is heard. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import fc from 'fast-check';
import { SluiceError } from '../../src/errors.ts';
import { readAhead, serveReads } from '../../src/load/lane/read-ahead.ts';
import { packRows, unpackRows } from '../../src/load/lane/sent-rows.ts';
import type { RunPlan } from '../../src/load/plan/run-plan.ts';
import type { Batch, Reject } from '../../src/rows/batch.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Column } from '../../src/rows/schema.ts';
import type { Records, RowReader, Shard, Source, Stretch } from '../../src/source/source.ts';
import { cutRecords } from '../../src/source/stretch-cut.ts';
import { createJsonlFormat } from '../../src/source/text/jsonl.ts';
import { chooseSeed, makeColumn } from '../rows/records.ts';

const columns: readonly Column[] = [
  makeColumn('id', 'integer', { isNullable: false }),
  makeColumn('name', 'text'),
  makeColumn('share', 'real'),
  makeColumn('blob', 'bytes'),
  makeColumn('is_new', 'boolean'),
  makeColumn('extra', 'json'),
  makeColumn('place', 'vector', { dimensions: 3 }),
  makeColumn('meaning', 'vector', { dimensions: 4, isEmbedded: true }),
];
const limits = { maxRows: 64, maxBytes: 4_096 };
const shard: Shard = { ordinal: 0, file: 0, start: 0, end: 1, head: '', tail: '' };
const start = { offset: 0, row: 0, line: 0 };

/** Stretches of JSON lines as a file gives them: their bytes are gone once the next one is asked for. */
async function* readLines(lines: readonly string[], onEnd: () => void = () => undefined): AsyncGenerator<Records, void, undefined> {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const tokenizer = createJsonlFormat(65_536).createTokenizer({ fields: undefined, byteCount: 0, lines: 0 }, limits);
  let base = start;
  try {
    while (base.offset < bytes.length) {
      const view = Buffer.from(bytes.subarray(base.offset));
      const kept = Buffer.from(view);
      const taken = tokenizer.take({ view, base, isFinal: true, readText: (from, to) => kept.toString('utf8', from, to) });
      assert.ok(typeof taken !== 'string');
      yield taken;
      view.fill(0x58);
      base = taken.end;
      await sleep(0);
    }
  } finally {
    onEnd();
  }
}

interface Taken {
  readonly batch: Batch;
  readonly rejects: readonly Reject[];
  readonly ends: readonly unknown[];
}

async function take(stretches: AsyncIterable<Stretch>): Promise<Taken> {
  const builder = createBatchBuilder(columns);
  const rejects: Reject[] = [];
  const ends: unknown[] = [];
  for await (const records of stretches) {
    const unfit = builder.add(records);
    rejects.push(...(unfit.length === 0 ? records.rejects : [...records.rejects, ...unfit].sort((a, b) => a.row - b.row)));
    ends.push([records.end, records.byteCount]);
  }
  return { batch: builder.take(), rejects, ends };
}

/** Everything of a batch that others see. */
function show({ batch, ends, rejects }: Taken): unknown {
  const { byteCount, places, rowCount, values } = batch;
  return {
    rowCount,
    byteCount,
    values: values.map((column) =>
      column.kind === 'scalar'
        ? column.values.map((value) => (value instanceof Uint8Array ? ['bytes', ...value] : value))
        : [[...column.values], column.nulls === undefined ? undefined : [...column.nulls]],
    ),
    places: Array.from({ length: rowCount }, (_, row) => [places.rows[row], places.lines[row], places.offsets[row], places.raw(row)]),
    rejects,
    ends,
  };
}

function planOf(more: Partial<RunPlan> = {}): RunPlan {
  return { fields: columns.map(({ field }) => field), table: { columns }, maxBatchBytes: 1_000_000, ...more } as unknown as RunPlan;
}

interface Link {
  readonly lane: MessagePort;
  readonly rows: RowReader;
  readonly warnings: string[];
}

function connect(context: TestContext, source: RowReader, plan: RunPlan = planOf()): Link {
  const { port1, port2 } = new MessageChannel();
  const server = serveReads(port2, { source: Promise.resolve(source as Pick<Source, 'read'>), plan });
  const warnings: string[] = [];
  const rows = readAhead(port1, { warn: (message) => void warnings.push(message), checked: () => undefined });
  context.after(async () => {
    await server.close();
    port1.close();
  });
  return { lane: port1, rows, warnings };
}

const word = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 6 }), fc.constantFrom('', 'null', '"', '\n'));
const line = fc.oneof(
  { weight: 8, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom('{"id":', '[1]', '', '{"id":1.5}', '{"name":"without a key"}', '{"id":"x"}') },
);
const row = fc.record(
  {
    id: fc.oneof(fc.integer(), fc.constantFrom(9_007_199_254_740_993n, -0)),
    name: fc.option(word),
    share: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    blob: fc.option(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('base64'))),
    is_new: fc.option(fc.boolean()),
    extra: fc.option(fc.jsonValue({ maxDepth: 1 })),
    place: fc.option(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 3, maxLength: 3 })),
    late: fc.constant(1),
  },
  { requiredKeys: ['id'] },
);
const text = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? JSON.rawJSON(String(one)) : one));
// Stretches without a refused row go by another way than those with one.
const linesOf = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(line, row), { maxLength: 200, size: 'max' }))
  .map(([isClean, lines]) => lines.map(([other, value]) => (isClean ? undefined : other) ?? text(value)));

test('rows that another thread has read and checked are the rows that the lane would have', async (context) => {
  await fc.assert(
    fc.asyncProperty(linesOf, async (lines) => {
      const link = connect(context, { read: () => readLines(lines) });
      const [own, sent] = [await take(readLines(lines)), await take(link.rows.read(shard, start, { columns }))];
      assert.deepEqual(show(sent), show(own));
      const isLate = lines.some((one) => one.startsWith('{') && one.endsWith('}') && one.includes('"late":1'));
      assert.equal(link.warnings.length, isLate ? 1 : 0, 'the field that no column takes is told of');
      link.lane.close();
    }),
    { seed: chooseSeed(context), numRuns: 60, endOnFailure: true },
  );
});

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

test('sent rows are cut between any two, as a limit or a rate cuts them', async (context) => {
  const sample = fc.tuple(linesOf, fc.nat());
  await fc.assert(
    fc.asyncProperty(sample, async ([lines, at]) => {
      for await (const records of readLines(lines)) {
        const { sent, transfer } = packRows(createBatchBuilder(columns), records);
        const whole = unpackRows(structuredClone(sent, { transfer }));
        const total = whole.rowCount + whole.rejects.length;
        if (total < 2) continue;
        const [head, tail] = cutRecords(whole, 1 + (at % (total - 1)));
        const builder = createBatchBuilder(columns);
        builder.add(head);
        builder.add(tail);
        const [cut, other] = [builder.take(), createBatchBuilder(columns)];
        other.add(whole);
        const expected = other.take();
        assert.deepEqual(
          show({ batch: { ...cut, byteCount: 0 }, rejects: [], ends: [] }),
          show({ batch: { ...expected, byteCount: 0 }, rejects: [], ends: [] }),
        );
        assert.deepEqual([...head.rejects, ...tail.rejects], whole.rejects);
      }
    }),
    { seed: chooseSeed(context), numRuns: 40, endOnFailure: true },
  );
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
