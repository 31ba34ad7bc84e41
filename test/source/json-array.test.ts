/** JSON arrays: an element is a row wherever it stands, what is broken is refused alone where its end can be told, and an array that is cut short is never taken for a whole one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { openSource } from '../../src/source/open.ts';
import { makeFolder } from './folder.ts';
import { codesOf, listShards, readAll, readShard, valuesOf, type Read } from './reading.ts';

const json = { format: 'json' } as const;

function read(text: string): Promise<Read[]> {
  return readAll([Buffer.from(text)], json);
}

const hard = fc.string({ unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', ':', '\n', 'é', '世', 'a', ' ') });
const row = fc.dictionary(hard, fc.oneof(hard, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.array(hard, { maxLength: 3 })), {
  maxKeys: 4,
});
const rows = fc.array(row, { maxLength: 30 });
const layout = fc.constantFrom(undefined, 1, '\t');

test('rows of an array are those of JSON.parse, in parts of any size, and reading goes on at every end of a stretch', async (context) => {
  const folder = makeFolder(context);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(rows, layout, fc.integer({ min: 1, max: 300 }), async (values, space, targetBytes) => {
      const path = folder.write(`${String(run++)}.json`, `${JSON.stringify(values, undefined, space)}\n`);
      const source = await openSource(path);
      const list: Read[] = [];
      let bytes = 0;
      for (const shard of await listShards(source, targetBytes)) {
        const whole = await readShard(source, shard);
        list.push(...whole.list);
        for (const end of whole.ends) {
          const rest = await readShard(source, shard, end);
          assert.deepEqual(
            rest.list,
            whole.list.filter(({ offset }) => offset >= end.offset),
          );
        }
        bytes += (shard.end ?? 0) - shard.start;
      }
      assert.deepEqual(valuesOf(list), JSON.parse(JSON.stringify(values)));
      assert.equal(bytes, source.byteCount);
      assert.ok(list.every(({ raw }) => raw !== undefined && !raw.includes('\n')));
      await source.close();
    }),
    { numRuns: 150 },
  );
});

test('an array that is cut short anywhere is an error, never fewer rows', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 6 }), layout, fc.nat(), async (values, space, at) => {
      const text = Buffer.from(JSON.stringify(values, undefined, space));
      const cut = text.subarray(0, 1 + (at % (text.length - 1)));
      await assert.rejects(readAll([cut], json), (error) => isSluiceError(error, 'SLUICE_SOURCE_INVALID'));
    }),
    { numRuns: 300 },
  );
});

test('an element that is no row is refused alone, with its place', async () => {
  const list = await read('[1,"x",null,\n[1],{"b":tru},\n{"c":1}]');
  assert.deepEqual(codesOf(list), [
    'ROW_NOT_AN_OBJECT',
    'ROW_NOT_AN_OBJECT',
    'ROW_NOT_AN_OBJECT',
    'ROW_NOT_AN_OBJECT',
    'ROW_JSON_INVALID',
    'row',
  ]);
  assert.deepEqual(list.map(({ line, offset, row: ordinal }) => [ordinal, offset, line])[4], [4, 17, 1]);
  assert.equal(list[4]?.raw, '{"b":tru}');
});

test('a string that is not closed costs the rest of its line, not its neighbours', async () => {
  const list = await read('[\n{"a":"open},\n{"a":2},\n{"a":3}\n]');
  assert.deepEqual(codesOf(list), ['ROW_JSON_INVALID', 'row', 'row']);
  assert.equal(list[0]?.raw, '{"a":"open},');
});

test('bytes that are not UTF-8 cost their element alone', async () => {
  const list = await readAll([Buffer.concat([Buffer.from('[{"a":1},{"a":"'), Buffer.of(0xff), Buffer.from('"},{"a":3}]')])], json);
  assert.deepEqual(codesOf(list), ['row', 'ROW_UTF8_INVALID', 'row']);
});

for (const text of [
  '[{"a":1} {"a":2}]',
  '[{"a":1},,{"a":2}]',
  '[{"a":1}]x',
  '[{"a":1}]\n[{"a":2}]',
  '[{"a":[1},{"a":2}]',
  '[{"a":1}}]',
  '"x"',
  '3',
]) {
  test(`${JSON.stringify(text)} is an error that says what to do`, async () => {
    await assert.rejects(read(text), (error) => isSluiceError(error, 'SLUICE_SOURCE_INVALID') && error.hint !== undefined);
  });
}

test('an object that holds the rows is refused with the command that takes them out', async () => {
  for (const text of ['{"data":[{"a":1},{"a":2}]}', '{\n  "data": [\n    {"a": 1}\n  ]\n}', '{"data":[{"a":1},{"a":2}]}\n']) {
    await assert.rejects(
      read(text),
      (error) => isSluiceError(error, 'SLUICE_SOURCE_INVALID') && error.hint?.includes("jq -c '.data[]'") === true,
    );
  }
});

test('lines of objects under the name .json are read as lines', async () => {
  assert.deepEqual(valuesOf(await read('{"a":1}\n{"a":2}\n')), [{ a: 1 }, { a: 2 }]);
  assert.deepEqual(valuesOf(await read('{"a":[1,2]}')), [{ a: [1, 2] }]);
});

test('an empty array has no rows, an empty file is an error', async () => {
  assert.deepEqual(await read(' [ ] \n'), []);
  await assert.rejects(read(' \n'), (error) => isSluiceError(error, 'SLUICE_SOURCE_EMPTY'));
});

test('an element over the limit is refused alone, in a file and in a stream', async (context) => {
  const text = `[{"a":1}, {"a":"${'x'.repeat(2_000_000)}"} ,{"a":3}]`;
  const path = makeFolder(context).write('long.json', text);
  const options = { ...json, maxRowBytes: 1000 };
  for (const input of [path, Readable.from([Buffer.from(text)], { objectMode: false })]) {
    const list = await readAll(input, options);
    assert.deepEqual(codesOf(list), ['row', 'ROW_TOO_LONG', 'row']);
  }
});

test('an array compressed by gzip is read like a plain one', async (context) => {
  const path = makeFolder(context).write('rows.json.gz', gzipSync(JSON.stringify([{ a: 1 }, { a: 2 }])));
  assert.deepEqual(valuesOf(await readAll(path)), [{ a: 1 }, { a: 2 }]);
});
