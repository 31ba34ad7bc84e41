/** What JSON lines mean, and what a line that is none is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeJsonFault } from '../../src/source/text/json-fault.ts';
import { openSource } from '../../src/source/open.ts';
import type { SourceOptions } from '../../src/source/source.ts';
import { codesOf, listShards, readAll, startOf, valuesOf } from './reading.ts';

function readJsonl(content: string | Uint8Array, options: SourceOptions = {}): ReturnType<typeof readAll> {
  return readAll([Buffer.from(content)], { format: 'jsonl', ...options });
}

test('BOM, CRLF, blank lines and a missing last newline are no data, and the text of a row is exact', async () => {
  const list = await readJsonl('\uFEFF\n{"a": 1.10}\r\n \t\r\n\n{"a":9007199254740993}');
  assert.deepEqual(
    list.map(({ offset, row, line, raw }) => ({ offset, row, line, raw })),
    [
      { offset: 4, row: 0, line: 1, raw: '{"a": 1.10}' },
      { offset: 22, row: 1, line: 4, raw: '{"a":9007199254740993}' },
    ],
  );
});

test('a line that is no object, broken or not UTF-8 is refused alone', async () => {
  const list = await readJsonl(Buffer.from('{"a":1}\n[1]\nnull\n5\n{"a":\n{"a":"\xff"}\n{"a":"\xc3\xa9"}\n', 'latin1'));
  const refused = ['ROW_NOT_AN_OBJECT', 'ROW_NOT_AN_OBJECT', 'ROW_NOT_AN_OBJECT', 'ROW_JSON_INVALID', 'ROW_UTF8_INVALID'];
  assert.deepEqual(codesOf(list), ['row', ...refused, 'row']);
  assert.deepEqual(valuesOf(list), [{ a: 1 }, { a: 'é' }]);
  assert.equal(list[4]?.raw, '{"a":');
});

test('a line over the limit is refused without its text, and reading goes on after it', async () => {
  const list = await readJsonl(`{"a":1}\n{"a":"${'x'.repeat(3_000_000)}"}\n{"a":2}\n{"a":"${'y'.repeat(200)}"}\n{"a":3}`, {
    maxRowBytes: 100,
  });
  assert.deepEqual(codesOf(list), ['row', 'ROW_TOO_LONG', 'row', 'ROW_TOO_LONG', 'row']);
  assert.deepEqual(
    list.map(({ row, line }) => [row, line]),
    [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ],
  );
  assert.equal(list[1]?.raw, undefined);
});

test('a line of many megabytes is read whole', async () => {
  const text = 'é'.repeat(4_000_000);
  assert.deepEqual(valuesOf(await readJsonl(`{"a":"${text}"}\n{"a":"b"}\n`)), [{ a: text }, { a: 'b' }]);
});

test('the last of two equal keys counts, and a key named __proto__ is a key like any other', async () => {
  const [first, second] = valuesOf(await readJsonl('{"a":1,"a":2}\n{"__proto__":{"polluted":true}}\n'));
  assert.deepEqual(first, { a: 2 });
  assert.ok(Object.hasOwn(Object(second), '__proto__'));
  assert.equal(Reflect.get({}, 'polluted'), undefined);
});

test('a NUL stays in a text and refuses a line that it stands in unescaped', async () => {
  const list = await readJsonl('{"a":"\\u0000"}\n{"a":"\0"}\n');
  assert.deepEqual(codesOf(list), ['row', 'ROW_JSON_INVALID']);
  assert.deepEqual(valuesOf(list), [{ a: '\0' }]);
});

test('a broken line is told where it breaks, and nothing of what is in it', () => {
  assert.equal(describeJsonFault('{"secret":1 "b":2}'), "invalid JSON at column 13: ',' or the closing bracket is expected");
  assert.equal(describeJsonFault('{secret:1}'), "invalid JSON at column 2: a key in double quotes or '}' is expected");
  assert.equal(describeJsonFault('{"a":secret}'), 'invalid JSON at column 6: a value is expected');
  assert.equal(describeJsonFault('{"a":[1,2'), "invalid JSON: the row ends early, at column 10; ',' or the closing bracket is expected");
  assert.equal(describeJsonFault('{"a":"secret'), 'invalid JSON at column 6: the string that begins here is not closed');
  assert.equal(describeJsonFault('{"a":"\\x"}'), 'invalid JSON at column 7: not an escape that JSON knows');
  assert.equal(describeJsonFault('{"a":1}{"b":2}'), 'invalid JSON at column 8: nothing more is expected');
  assert.equal(describeJsonFault('[1,]'), 'invalid JSON at column 4: a value is expected');
  assert.equal(describeJsonFault('{"a":1,}'), 'invalid JSON at column 8: a key in double quotes is expected');
});

test('every text that JSON.parse refuses has its fault found, and no other', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '"a"',
    '1',
    '-',
    '0',
    '.5',
    'e3',
    'true',
    'nul',
    ' ',
    '\\n',
    '\u0001',
    'é',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 9 }), (parts) => {
      const text = parts.join('');
      const isValid = isJson(text);
      assert.equal(describeJsonFault(text) === 'invalid JSON', isValid);
    }),
    { numRuns: 5_000 },
  );
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('the text of a row can be read after its stretch has gone, of files and of streams', async () => {
  const rows = Array.from({ length: 30_000 }, (_, row) => `{"row":${row},"é":"ü"}`);
  const source = await openSource([Buffer.from(rows.join('\n'))], { format: 'jsonl' });
  const [shard] = await listShards(source);
  const stretches = await Array.fromAsync(source.read(shard!, startOf(shard!), { columns: [] }));
  assert.ok(stretches.length > 2);
  assert.deepEqual(
    stretches.flatMap(({ rowCount, places }) => Array.from({ length: rowCount }, (_, row) => places.raw(row))),
    rows,
  );
});
