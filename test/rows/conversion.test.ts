/** Conversions of single values, by table: what each column type takes from text and from JSON, and the code of what it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { ColumnType, Scalar } from '../../src/rows/schema.ts';
import type { Records } from '../../src/source/source.ts';
import { makeColumn, makeJsonRecords, makeTextRecords, makeValueRecords, scalars } from './records.ts';

type Answer = { readonly is: Scalar } | { readonly code: string };

function convert(type: ColumnType, records: Records): Answer {
  const builder = createBatchBuilder([makeColumn('c', type)]);
  const [reject] = builder.add(records);
  if (reject !== undefined) return { code: reject.code };
  return { is: scalars(builder.take().values[0])[0] as Scalar };
}

const fromText = (type: ColumnType, text: string): Answer => convert(type, makeTextRecords([[text]], { fields: ['c'] }));
const fromJson = (type: ColumnType, json: string): Answer => convert(type, makeJsonRecords([`{"c":${json}}`]));
const fromMemory = (type: ColumnType, c: unknown): Answer => convert(type, makeValueRecords([{ c }]));

/** Text, then the value it becomes, or the code in angle brackets. */
const textCases: Readonly<Record<Exclude<ColumnType, 'vector'>, readonly (readonly [string, Scalar])[]>> = {
  integer: [
    ['42', 42],
    ['+5', 5],
    ['-0', 0],
    ['007', 7],
    [' 42\t', 42],
    ['1.0', 1],
    ['1.5e1', 15],
    ['1e3', 1000],
    ['123456789012345', 123456789012345],
    ['-999999999999999', -999999999999999],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['0000000000000000000000000000012', 12],
    ['9223372036854775808', '<VALUE_RANGE>'],
    ['-9223372036854775809', '<VALUE_RANGE>'],
    ['1e30', '<VALUE_RANGE>'],
    ['1e999999999999', '<VALUE_RANGE>'],
    ['1.5', '<VALUE_INEXACT>'],
    ['1e-1', '<VALUE_INEXACT>'],
    ['1.00000000000000000001', '<VALUE_INEXACT>'],
    ['abc', '<VALUE_FORMAT>'],
    ['1_000', '<VALUE_FORMAT>'],
    ['0x10', '<VALUE_FORMAT>'],
    ['-', '<VALUE_FORMAT>'],
    ['12 34', '<VALUE_FORMAT>'],
    ['NaN', '<VALUE_RANGE>'],
  ],
  real: [
    ['1.25', 1.25],
    ['-0.1', -0.1],
    ['.5', 0.5],
    ['5.', 5],
    ['1e300', 1e300],
    ['123456789.12345', 123456789.12345],
    ['0.000000000001', 1e-12],
    ['9007199254740993', 9007199254740992],
    ['1e999', '<VALUE_RANGE>'],
    ['Infinity', '<VALUE_RANGE>'],
    ['NaN', '<VALUE_RANGE>'],
    ['1.2.3', '<VALUE_FORMAT>'],
    ['.', '<VALUE_FORMAT>'],
    ['-', '<VALUE_FORMAT>'],
    ['one', '<VALUE_FORMAT>'],
  ],
  decimal: [
    ['1.10', '1.10'],
    ['-1.10', '-1.10'],
    ['+007.50', '7.50'],
    ['-0.00', '0.00'],
    ['-0.01', '-0.01'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1.50e1', '15.0'],
    ['12e-4', '0.0012'],
    ['1e3', '1000'],
    ['123456789012345678901234567890.123456789', '123456789012345678901234567890.123456789'],
    ['1e1001', '<VALUE_RANGE>'],
    ['NaN', '<VALUE_RANGE>'],
    ['1,5', '<VALUE_FORMAT>'],
  ],
  text: [
    ['as it is ', 'as it is '],
    ['grüße 🎉', 'grüße 🎉'],
    ['00123', '00123'],
  ],
  boolean: [
    ['true', true],
    ['F', false],
    ['YES', true],
    ['0', false],
    ['2', '<VALUE_FORMAT>'],
    ['maybe', '<VALUE_FORMAT>'],
  ],
  bytes: [
    ['\\x00ff', new Uint8Array([0, 255])],
    ['AP8=', new Uint8Array([0, 255])],
    ['AP8', new Uint8Array([0, 255])],
    ['\\x0', '<VALUE_FORMAT>'],
    ['\\x0g', '<VALUE_FORMAT>'],
    ['AP9=', '<VALUE_FORMAT>'],
    ['a b=', '<VALUE_FORMAT>'],
  ],
  json: [
    ['{"a": 1.10, "b":[9007199254740993]}', '{"a": 1.10, "b":[9007199254740993]}'],
    ['{a:1}', '<VALUE_FORMAT>'],
  ],
  timestamp: [
    ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00Z'],
    ['2024-02-29 12:00:00.123456789', '2024-02-29T12:00:00.123456789'],
    ['2024-01-01T00:30:00+01:00', '2023-12-31T23:30:00Z'],
    ['2024-01-01 00:30:00.10-0530', '2024-01-01T06:00:00.10Z'],
    ['2024-01-01 10:00 UTC', '2024-01-01T10:00:00Z'],
    ['2024-01-01', '2024-01-01T00:00:00'],
    ['0099-03-01T00:00:00+00:01', '0099-02-28T23:59:00Z'],
    ['2023-02-29T00:00:00Z', '<VALUE_RANGE>'],
    ['2024-01-01T24:00:00Z', '<VALUE_RANGE>'],
    ['2024-01-01T00:00:00+25:00', '<VALUE_RANGE>'],
    ['9999-12-31T23:59:59-01:00', '<VALUE_RANGE>'],
    ['2024-01-01T00:00:00.1234567891Z', '<VALUE_INEXACT>'],
    ['2024-1-1T00:00:00', '<VALUE_FORMAT>'],
    ['yesterday', '<VALUE_FORMAT>'],
  ],
  date: [
    ['2024-02-29', '2024-02-29'],
    ['1900-02-29', '<VALUE_RANGE>'],
    ['2024-13-01', '<VALUE_RANGE>'],
    ['0000-01-01', '<VALUE_RANGE>'],
    ['01.02.2024', '<VALUE_FORMAT>'],
  ],
  uuid: [
    ['123e4567-e89b-12d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174000'],
    ['{123E4567-E89B-12D3-A456-426614174000}', '123e4567-e89b-12d3-a456-426614174000'],
    ['123e4567e89b12d3a456426614174000', '123e4567-e89b-12d3-a456-426614174000'],
    ['123e4567e89b-12d3-a456-426614174000', '<VALUE_FORMAT>'],
    ['123e4567e89b12d3a45642661417400', '<VALUE_FORMAT>'],
    ['{123e4567e89b12d3a456426614174000', '<VALUE_FORMAT>'],
    ['123e4567e89b12d3a45642661417400-', '<VALUE_FORMAT>'],
  ],
};

function expectation(value: Scalar): Answer {
  const code = typeof value === 'string' ? /^<(\w+)>$/.exec(value)?.[1] : undefined;
  return code === undefined ? { is: value } : { code };
}

for (const [type, cases] of Object.entries(textCases)) {
  test(`delimited text becomes ${type} exactly, or is refused with a code`, () => {
    for (const [text, value] of cases) {
      const field = text.includes(',') ? makeTextRecords([[{ quoted: text }]], { fields: ['c'] }) : undefined;
      const answer = field === undefined ? fromText(type as ColumnType, text) : convert(type as ColumnType, field);
      assert.deepEqual(answer, expectation(value), text);
    }
  });
}

test('JSON values become columns exactly, or are refused with a code', () => {
  const cases: readonly (readonly [ColumnType, string, Scalar])[] = [
    ['integer', '9007199254740993', 9007199254740993n],
    ['integer', '4503599627370497.5', '<VALUE_INEXACT>'],
    ['integer', '1.0', 1],
    ['integer', '-0', 0],
    ['integer', '1e400', '<VALUE_RANGE>'],
    ['integer', '12345678901234567890', '<VALUE_RANGE>'],
    ['integer', '"42"', 42],
    ['integer', '"9223372036854775807"', 9223372036854775807n],
    ['integer', '"abc"', '<VALUE_TYPE>'],
    ['integer', '""', '<VALUE_TYPE>'],
    ['integer', 'true', '<VALUE_TYPE>'],
    ['integer', '[1]', '<VALUE_TYPE>'],
    ['integer', '{}', '<VALUE_TYPE>'],
    ['real', '1e999', '<VALUE_RANGE>'],
    ['real', '"abc"', '<VALUE_TYPE>'],
    ['real', '0.1', 0.1],
    ['decimal', '1.10', '1.10'],
    ['decimal', '"1.10"', '1.10'],
    ['decimal', '123456789.123456789123456789', '123456789.123456789123456789'],
    ['decimal', '1E2', '100'],
    ['decimal', '"x"', '<VALUE_TYPE>'],
    ['text', '1.10', '1.10'],
    ['text', 'true', 'true'],
    ['text', '9007199254740993', '9007199254740993'],
    ['text', '{}', '<VALUE_TYPE>'],
    ['text', '["a"]', '<VALUE_TYPE>'],
    ['text', '"\\ud800"', '<VALUE_FORMAT>'],
    ['text', '"\\ud83c\\udf89"', '🎉'],
    ['boolean', 'true', true],
    ['boolean', '0', false],
    ['boolean', '2', '<VALUE_TYPE>'],
    ['boolean', '"no"', false],
    ['json', '{"a" : [ 9007199254740993, 1.0 ]}', '{"a" : [ 9007199254740993, 1.0 ]}'],
    ['json', '"text"', '"text"'],
    ['json', '1.10', '1.10'],
    ['json', 'null', null],
    ['timestamp', '"2024-01-01T00:00:00Z"', '2024-01-01T00:00:00Z'],
    ['timestamp', '1704067200', '<VALUE_TYPE>'],
    ['uuid', '7', '<VALUE_TYPE>'],
    ['bytes', '"AP8="', new Uint8Array([0, 255])],
    ['bytes', '[0,255]', '<VALUE_TYPE>'],
  ];
  for (const [type, json, value] of cases) assert.deepEqual(fromJson(type, json), expectation(value), `${type} from ${json}`);
});

test('objects in memory become columns exactly, or are refused with a code', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  const cases: readonly (readonly [ColumnType, unknown, Scalar])[] = [
    ['integer', 9007199254740993n, 9007199254740993n],
    ['integer', 7n, 7],
    ['integer', 2n ** 63n, '<VALUE_RANGE>'],
    ['integer', Number.NaN, '<VALUE_RANGE>'],
    ['integer', 1e17, 100000000000000000n],
    ['real', Number.POSITIVE_INFINITY, '<VALUE_RANGE>'],
    ['real', 2n, 2],
    ['decimal', 1e-7, '0.0000001'],
    ['decimal', 10n ** 30n, `1${'0'.repeat(30)}`],
    ['text', 'a', 'a'],
    ['text', '\ud800', '<VALUE_FORMAT>'],
    ['text', () => 'a', '<VALUE_TYPE>'],
    ['bytes', new Uint8Array([1]), new Uint8Array([1])],
    ['timestamp', new Date('2024-01-01T00:00:00.500Z'), '2024-01-01T00:00:00.500Z'],
    ['timestamp', new Date(Number.NaN), '<VALUE_FORMAT>'],
    ['date', new Date('2024-01-01'), '2024-01-01'],
    ['date', new Date('2024-01-01T01:00:00Z'), '<VALUE_INEXACT>'],
    ['json', { n: 9007199254740993n, t: 'x' }, '{"n":9007199254740993,"t":"x"}'],
    ['json', { n: Number.NaN }, '<VALUE_RANGE>'],
    ['json', cyclic, '<VALUE_TYPE>'],
    ['json', new Map(), '<VALUE_TYPE>'],
    ['json', Symbol('s'), '<VALUE_TYPE>'],
  ];
  for (const [type, value, expected] of cases)
    assert.deepEqual(fromMemory(type, value), expectation(expected), `${type} from ${typeof value}`);
});
