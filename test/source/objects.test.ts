/** Rows that are objects in memory: arrays and iterables, sampled without loss, resumed by row, written as JSON when they are refused. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { openSource } from '../../src/source/open.ts';
import { writeRowText } from '../../src/source/row-text.ts';
import type { SourceInput } from '../../src/source/source.ts';
import { codesOf, listShards, readAll, readShard, valuesOf } from './reading.ts';

const rows = Array.from({ length: 20_000 }, (_, id) => ({ id, vector: new Float32Array([id, 0.5]) }));

function* giveRows(): Generator<object> {
  yield* rows;
}

async function* giveRowsLater(): AsyncGenerator<object> {
  yield* rows;
}

test('arrays, iterables, async iterables and object streams give each row once, sampled or not', async () => {
  const inputs: (() => SourceInput)[] = [
    () => rows,
    () => new Set(rows),
    giveRows,
    giveRowsLater,
    () => Readable.from(rows),
    () => ReadableStream.from(rows),
  ];
  for (const open of inputs) {
    assert.deepEqual(valuesOf(await readAll(open())), rows);
    const source = await openSource(open());
    const sample = await source.sample();
    assert.deepEqual(sample.fields, ['id', 'vector']);
    assert.ok(sample.stretches[0]!.rowCount >= 1_000);
    const [shard] = await listShards(source);
    const { list, ends } = await readShard(source, shard!);
    assert.deepEqual(valuesOf(list), rows);
    assert.deepEqual(ends.at(-1), { offset: 20_000, row: 20_000, line: 20_000 });
    await source.close();
  }
});

test('what is not an object is refused alone', async () => {
  const list = await readAll([{ a: 1 }, null, [1], 'text', 5, new Uint8Array(2), { a: 2 }]);
  assert.deepEqual(codesOf(list), ['row', ...Array.from({ length: 5 }, () => 'ROW_NOT_AN_OBJECT'), 'row']);
  assert.deepEqual(
    list.map(({ row, offset }) => row === offset),
    list.map(() => true),
  );
  assert.deepEqual(
    list.map(({ row }) => row),
    [0, 1, 2, 3, 4, 5, 6],
  );
});

test('no rows at all are a source of no rows', async () => {
  for (const input of [[], new Set<object>()]) {
    const source = await openSource(input);
    assert.deepEqual((await source.sample()).fields, []);
    assert.deepEqual(await readAll(input), []);
  }
});

test('an iterable resumes by taking past what was loaded; an array from where it stands, as often as one likes', async () => {
  for (const open of [() => rows, giveRows]) {
    const source = await openSource(open());
    const [shard] = await listShards(source);
    const from = { offset: 12_345, row: 12_345, line: 12_345 };
    assert.deepEqual(valuesOf((await readShard(source, shard!, from)).list), rows.slice(12_345));
  }
  const source = await openSource(giveRows());
  const [shard] = await listShards(source);
  await readShard(source, shard!);
  await assert.rejects(readShard(source, shard!), { code: 'SLUICE_SOURCE_READ' });
  const beyond = { offset: 30_000, row: 30_000, line: 30_000 };
  await assert.rejects(readShard(await openSource(giveRows()), shard!, beyond), { code: 'SLUICE_SOURCE_CHANGED' });
});

test('an iterable that throws ends the reading with its error as the cause', async () => {
  const cause = new Error('no more');
  const source = await openSource(
    (function* () {
      yield { a: 1 };
      throw cause;
    })(),
  );
  await assert.rejects(source.sample(), { code: 'SLUICE_SOURCE_READ', cause });
});

test('a cancelled wait loses no row', async () => {
  const wait = Promise.withResolvers<void>();
  const source = await openSource(
    (async function* () {
      yield { a: 1 };
      yield { a: 2 };
      await wait.promise;
      yield { a: 3 };
    })(),
  );
  const abort = new AbortController();
  const sampling = source.sample(abort.signal);
  setImmediate(() => abort.abort());
  await assert.rejects(sampling, { code: 'SLUICE_CANCELLED' });
  wait.resolve();
  const [shard] = await listShards(source);
  assert.deepEqual(valuesOf((await readShard(source, shard!)).list), [{ a: 1 }, { a: 2 }, { a: 3 }]);
});

test('closing ends the producer', async () => {
  let isEnded = false;
  const source = await openSource(
    (function* () {
      try {
        for (;;) yield { a: 1 };
      } finally {
        isEnded = true;
      }
    })(),
  );
  await source.close();
  assert.equal(isEnded, true);
});

test('what is neither rows nor text is refused', async () => {
  // @ts-expect-error not a source
  await assert.rejects(openSource({ rows: 1 }), { code: 'SLUICE_USAGE' });
});

test('a refused row is written with every digit and element', () => {
  const row = { big: 9007199254740993n, vector: new Float32Array([0.5, 2]), bytes: Buffer.from('hi'), at: new Date(0), text: 'é' };
  assert.equal(writeRowText(row), '{"big":9007199254740993,"vector":[0.5,2],"bytes":"aGk=","at":"1970-01-01T00:00:00.000Z","text":"é"}');
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  assert.match(writeRowText(circular), /can't be written as JSON: TypeError/);
  assert.equal(writeRowText(undefined), '"undefined"');
});
