/** What delimited text means: headers, quotes, line ends, nulls, and rows that are refused without harm to their neighbours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import type { SourceOptions } from '../../src/source/source.ts';
import { codesOf, readAll, valuesOf } from './reading.ts';

function readCsv(content: string | Uint8Array, options: SourceOptions = {}): ReturnType<typeof readAll> {
  return readAll([Buffer.from(content)], { format: 'csv', ...options });
}

test('a quoted field holds delimiters, newlines and doubled quotes', async () => {
  const list = await readCsv('id,text\n1,"a, ""b""\nc"\n"2",""\n');
  assert.deepEqual(valuesOf(list), [
    ['1', 'a, "b"\nc'],
    ['2', ''],
  ]);
  assert.deepEqual(
    list.map(({ offset, row, line, raw }) => ({ offset, row, line, raw })),
    [
      { offset: 8, row: 0, line: 1, raw: '1,"a, ""b""\nc"' },
      { offset: 23, row: 1, line: 3, raw: '"2",""' },
    ],
  );
});

test('BOM, CRLF, blank lines and a missing last newline are no data', async () => {
  const list = await readCsv('\uFEFFid,text\r\n\r\n1,a\r\n\n2,"b"\r\n3,c');
  assert.deepEqual(valuesOf(list), [
    ['1', 'a'],
    ['2', 'b'],
    ['3', 'c'],
  ]);
  assert.deepEqual(
    list.map(({ line }) => line),
    [2, 4, 5],
  );
  assert.deepEqual(valuesOf(await readCsv('a,b\r\n1,2\r')), [['1', '2']], 'a CRLF cut by the end of the file');
});

test('a blank line is no row in a file of one column, a quoted empty field is', async () => {
  assert.deepEqual(valuesOf(await readCsv('a\n1\n\n""\n2\n\n')), [['1'], [''], ['2']]);
});

test('a carriage return inside a line and a NUL are data', async () => {
  assert.deepEqual(valuesOf(await readCsv('a,b\n1\r2,x\0y\n')), [['1\r2', 'x\0y']]);
});

test('a quote inside an unquoted field is data', async () => {
  assert.deepEqual(valuesOf(await readCsv('a,b\n5" pipe,it"s"\n')), [['5" pipe', 'it"s"']]);
});

test('the null text stands for null only where it is not quoted', async () => {
  assert.deepEqual(valuesOf(await readCsv('a,b\n,""\nNA,"NA"\n')), [
    [null, ''],
    ['NA', 'NA'],
  ]);
  assert.deepEqual(valuesOf(await readCsv('a,b\n,""\nNA,"NA"\n', { nullText: 'NA' })), [
    ['', ''],
    [null, 'NA'],
  ]);
});

test('delimiter, quote and columns are options; no quote makes quotes data', async () => {
  assert.deepEqual(valuesOf(await readCsv("1;'x;''y'\n", { delimiter: ';', quote: "'", columns: ['a', 'b'] })), [['1', "x;'y"]]);
  assert.deepEqual(valuesOf(await readCsv('a,b\n"1,"2"\n', { quote: '' })), [['"1', '"2"']]);
  assert.deepEqual(valuesOf(await readAll([Buffer.from('a\tb\n1,5\t2\n')], { format: 'tsv' })), [['1,5', '2']]);
  assert.deepEqual(valuesOf(await readCsv('a\tb\n1\t2\n', { delimiter: '\\t' })), [['1', '2']]);
});

test('a row with a wrong number of fields is refused alone', async () => {
  const list = await readCsv('a,b\n1,2\n3\n4,5,6\n7,8\n');
  assert.deepEqual(codesOf(list), ['row', 'ROW_FIELD_COUNT', 'ROW_FIELD_COUNT', 'row']);
  assert.deepEqual(
    list.map(({ raw }) => raw),
    ['1,2', '3', '4,5,6', '7,8'],
  );
});

test('a quote that is never closed costs one line, wherever it stands', async () => {
  const list = await readCsv('a,b\n1,2\n3,"x\n5,6\n7,8\n');
  assert.deepEqual(codesOf(list), ['row', 'ROW_QUOTE_UNCLOSED', 'row', 'row']);
  assert.equal(list[1]?.raw, '3,"x');
});

test('an unclosed quote that meets the opening quote of a later row costs one line', async () => {
  const list = await readCsv('a,b\n1,"x\n2,"y"\n3,z\n');
  assert.deepEqual(codesOf(list), ['ROW_QUOTE_UNCLOSED', 'row', 'row']);
  assert.deepEqual(valuesOf(list), [
    ['2', 'y'],
    ['3', 'z'],
  ]);
});

test('text after a closing quote refuses its line alone', async () => {
  assert.deepEqual(codesOf(await readCsv('a,b\n1,"x"y\n"2"\r3,4\n5,6\n')), ['ROW_QUOTE_STRAY', 'ROW_QUOTE_STRAY', 'row']);
});

test('an unclosed quote is given up after the longest row allowed, and all lines after it are read', async () => {
  const rows = Array.from({ length: 2_000 }, (_, row) => `${row},text`);
  const list = await readCsv(`a,b\n0,"open\n${rows.join('\n')}\n`, { maxRowBytes: 1_000 });
  assert.deepEqual(codesOf(list), ['ROW_QUOTE_UNCLOSED', ...rows.map(() => 'row')]);
});

test('lines that each open a quote for the next are refused one by one in linear time', async () => {
  // Without the bound on fields each of these lines would be looked for to the end of the 16 MiB that a row may have: hours.
  const list = await readCsv(`a,b\n${'a","b\n'.repeat(40_000)}`);
  assert.equal(list.length, 40_000);
});

test('a row over the limit is refused without its text, and reading goes on after its newline', async () => {
  const list = await readCsv(`a,b\n1,2\n3,${'x'.repeat(2_000_000)}\n5,"${'y'.repeat(90)}"\n6,7\n`, { maxRowBytes: 1_000 });
  assert.deepEqual(codesOf(list), ['row', 'ROW_TOO_LONG', 'row', 'row']);
  assert.equal(list[1]?.raw, undefined);
  assert.deepEqual(
    list.map(({ line }) => line),
    [1, 2, 3, 4],
  );
});

test('a row of exactly the longest length is read, one byte more is not', async () => {
  assert.deepEqual(codesOf(await readCsv('a,b\n123,4567\n', { maxRowBytes: 8 })), ['row']);
  assert.deepEqual(codesOf(await readCsv('a,b\n123,45678\n', { maxRowBytes: 8 })), ['ROW_TOO_LONG']);
});

test('a row that is not UTF-8 is refused alone', async () => {
  const list = await readCsv(Buffer.from('a,b\n1,é\n2,\xff\n3,\xc3\n4,ok\n', 'latin1'));
  assert.deepEqual(codesOf(list), ['ROW_UTF8_INVALID', 'ROW_UTF8_INVALID', 'ROW_UTF8_INVALID', 'row']);
  assert.deepEqual(valuesOf(await readCsv('a,b\n1,é\n2,世界\n3,😀\n')), [
    ['1', 'é'],
    ['2', '世界'],
    ['3', '😀'],
  ]);
});

test('a field of many megabytes is read whole', async () => {
  const long = 'long, "quoted"\n'.repeat(400_000);
  const list = await readCsv(`a,b\n1,"${long.replaceAll('"', '""')}"\n2,x\n`);
  assert.deepEqual(valuesOf(list), [
    ['1', long],
    ['2', 'x'],
  ]);
});

test('a header that cannot name the fields is refused with what is wrong', async () => {
  const usage = (message: RegExp): object => ({ code: 'SLUICE_USAGE', message });
  await assert.rejects(readCsv('a,b,a\n'), usage(/two fields are named "a"/));
  await assert.rejects(readCsv('a,,b\n'), usage(/field 2 has no name/));
  await assert.rejects(readCsv('a,"b\n1,2\n'), usage(/broken quoting/));
  await assert.rejects(readCsv('a,b\r1,2\r3,4\r'), usage(/carriage return/));
  await assert.rejects(readCsv('1,2\n', { columns: ['a', 'a'] }), usage(/two fields/));
  await assert.rejects(readCsv('a,b\n', { delimiter: ';;' }), usage(/--delimiter/));
  await assert.rejects(readCsv('a,b\n', { delimiter: '"' }), usage(/same character/));
  await assert.rejects(readCsv('a,b\n', { maxRowBytes: 0 }), usage(/--max-row-bytes/));
});

test('a quoted header may hold anything', async () => {
  const list = await readCsv('\n"a, ""x""","b\nc"\r\n1,2\r\n');
  assert.deepEqual(valuesOf(list), [['1', '2']]);
  assert.equal(list[0]?.line, 3);
});

const field = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r\n', 'é', '世', '😀', 'x'), maxLength: 8 }),
);
const newline = fc.constantFrom('\n', '\r\n');

test('well-formed CSV gives the fields that csv-parse gives', async () => {
  const rows = fc.array(fc.array(field, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(rows, newline, fc.boolean(), async (values, end, isEnded) => {
      const lines = values.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(','));
      const text = `a,b,c${end}${lines.join(end)}${isEnded ? end : ''}`;
      const expected: unknown = parse(text, { from_line: 1, record_delimiter: end });
      assert.ok(Array.isArray(expected));
      assert.deepEqual(valuesOf(await readCsv(text)), expected.slice(1));
    }),
    { numRuns: 300 },
  );
});
