/** Values of options: what is read, and that nothing ambiguous is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  parseByte,
  parseDuration,
  parseInteger,
  parseMapping,
  parseNames,
  parseRejectLimit,
  parseSize,
  parseSwitch,
  parseTypedColumn,
} from '../../src/cli/values.ts';

function check<T>(parse: (text: string) => T, cases: readonly (readonly [text: string, value: T])[]): void {
  for (const [text, value] of cases) assert.deepEqual(parse(text), value, JSON.stringify(text));
}

test('sizes are decimal or binary as they are written', () => {
  check(parseSize, [
    ['4096', 4_096],
    ['64MB', 64_000_000],
    ['16MiB', 16_777_216],
    ['1.5 GiB', 1_610_612_736],
    ['2kb', 2_000],
    ['0', 0],
    ['12x', undefined],
    ['-1', undefined],
    ['', undefined],
    ['MB', undefined],
    ['1e3', undefined],
    ['99999999TB', undefined],
    ['1 constructor', undefined],
  ]);
});

test('durations need a unit', () => {
  check(parseDuration, [
    ['500ms', 500],
    ['30s', 30_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['0.5s', 500],
    ['0', 0],
    ['30', undefined],
    ['soon', undefined],
    ['-1s', undefined],
    ['', undefined],
  ]);
});

test('whole numbers stay within their bounds', () => {
  check(
    (text) => parseInteger(text, 1, 64),
    [
      ['1', 1],
      ['64', 64],
      ['0', undefined],
      ['65', undefined],
      ['1.5', undefined],
      ['', undefined],
      ['abc', undefined],
    ],
  );
  check(
    (text) => parseInteger(text, 0, 1e9),
    [
      ['100,000', 100_000],
      ['1_000', 1_000],
      [',1', undefined],
      ['9'.repeat(400), undefined],
    ],
  );
});

test('a reject limit is a number of rows or a share of them', () => {
  check<number | string | undefined>(parseRejectLimit, [
    ['500', 500],
    ['0', 0],
    ['1%', '1%'],
    ['0.5 %', '0.5%'],
    ['100%', '100%'],
    ['101%', undefined],
    ['-1', undefined],
    ['%', undefined],
  ]);
});

test('lists of names have neither gaps nor doubles', () => {
  check(parseNames, [
    ['id', ['id']],
    ['a, b', ['a', 'b']],
    ['a,,b', undefined],
    ['', undefined],
    ['a,a', undefined],
  ]);
});

test('a column type is known and stands after the last colon', () => {
  check(parseTypedColumn, [
    ['age:integer', ['age', 'integer']],
    ['v:vector(384)', ['v', 'vector(384)']],
    ['a:b:text', ['a:b', 'text']],
    ['age', undefined],
    [':text', undefined],
    ['age:int', ['age', 'integer']],
    ['age:number', undefined],
    ['v:vector', undefined],
    ['v:vector(0)', undefined],
    ['v:vector(65537)', undefined],
    ['v:vector(x)', undefined],
  ]);
});

test('a mapping is cut at its first equals sign', () => {
  check(parseMapping, [
    ['name=full name', ['name', 'full name']],
    ['a=b=c', ['a', 'b=c']],
    ['a', undefined],
    ['=b', undefined],
    ['a=', undefined],
  ]);
});

test('a delimiter is one byte', () => {
  check(parseByte, [
    [',', ','],
    ['\\t', '\t'],
    ['tab', '\t'],
    ['\t', '\t'],
    ['', undefined],
    [';;', undefined],
    ['é', undefined],
  ]);
});

test('switches in the environment may be off', () => {
  check(parseSwitch, [
    ['1', true],
    ['TRUE', true],
    ['on', true],
    ['0', false],
    ['no', false],
    ['', false],
    ['maybe', undefined],
  ]);
});
