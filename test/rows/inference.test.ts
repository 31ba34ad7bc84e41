/** Schemas inferred from samples, and schemas fitted to tables that are there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatColumnType, parseColumnType } from '../../src/rows/column-type.ts';
import { fitSchema } from '../../src/rows/fit.ts';
import { inferSchema } from '../../src/rows/inference.ts';
import type { Records, Sample } from '../../src/source/source.ts';
import type { ColumnDescription, TableDescription } from '../../src/target/driver.ts';
import { makeJsonRecords, makeSample, makeTextRecords, makeValueRecords, repeat } from './records.ts';

function inferText(texts: readonly string[]): string {
  const [column] = inferSchema(
    makeSample(
      ['c'],
      makeTextRecords(
        texts.map((text) => [{ quoted: text }]),
        { fields: ['c'] },
      ),
    ),
  ).columns;
  return column === undefined ? 'none' : formatColumnType(column);
}

function inferJson(values: readonly string[]): string {
  const half = Math.ceil(values.length / 2);
  const lines = values.map((value) => `{"c":${value}}`);
  const sample = makeSample(['c'], makeJsonRecords(lines.slice(0, half)), makeJsonRecords(lines.slice(half)));
  const [column] = inferSchema(sample).columns;
  return column === undefined ? 'none' : formatColumnType(column);
}

test('the type of a delimited field is the narrowest that holds every sampled text without loss', () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['1', '-2', '9223372036854775807'], 'integer'],
    [['1', '0'], 'integer'],
    [['1', '9223372036854775808'], 'decimal'],
    [['1', '1.5', '1e3'], 'real'],
    [['0.30000000000000004', '0.1'], 'real'],
    [['0.10000000000000001'], 'real'],
    [['0.1234567890123456789'], 'decimal'],
    [['12345678901234.567'], 'decimal'],
    [['00123', '12345'], 'text'],
    [['+4915112345678'], 'text'],
    [['true', 'FALSE'], 'boolean'],
    [['t', 'f'], 'text'],
    [['123e4567-e89b-12d3-a456-426614174000'], 'uuid'],
    [['123E4567-E89B-12D3-A456-426614174000'], 'text'],
    [['2024-01-01', '2024-12-31'], 'date'],
    [['2024-01-01', '2024-12-31T10:00:00Z'], 'timestamp'],
    [['2023-02-29'], 'text'],
    [['[1,2,3]', '[4,5,6]'], 'vector(3)'],
    [['[1,2,3]', '[4,5]'], 'json'],
    [['1', 'one'], 'text'],
    [[], 'text'],
  ];
  for (const [texts, type] of cases) assert.equal(inferText(texts), type, texts.join(' | '));
});

test('the type of a JSON member is the narrowest that holds every sampled value without loss', () => {
  const embedding = (length: number): string => JSON.stringify(repeat(0.5, length));
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['1', '2', 'null'], 'integer'],
    [['1.0', '2.0'], 'real'],
    [['9007199254740993'], 'integer'],
    [['1', '18446744073709551615'], 'decimal'],
    [['0.1234567890123456789', '1'], 'decimal'],
    [['true', 'false'], 'boolean'],
    [['true', '1'], 'text'],
    [['"1"', '"2"'], 'text'],
    [['"2024-01-01T00:00:00Z"'], 'timestamp'],
    [['[1,2]', '[3,4]'], 'vector(2)'],
    [['[1]', '[2]'], 'json'],
    [['[1,2]', '[3]'], 'json'],
    [['[1,2]', '["a","b"]'], 'json'],
    [['{}', '[1,2]'], 'json'],
    [['{}', '"x"'], 'json'],
    [['null', 'null'], 'text'],
    [[...repeat(embedding(32), 19), embedding(31)], 'vector(32)'],
    [[embedding(32), embedding(31)], 'json'],
  ];
  for (const [values, type] of cases) assert.equal(inferJson(values), type, values.join(' | ').slice(0, 80));
});

test('objects in memory bring types that text has not', () => {
  const row = { when: new Date(0), raw: new Uint8Array(2), v: new Float32Array(8), big: 2n ** 70n, long: 2n ** 60n };
  const { columns } = inferSchema(makeSample(Object.keys(row), makeValueRecords([row])));
  assert.deepEqual(columns.map(formatColumnType), ['timestamp', 'bytes', 'vector(8)', 'decimal', 'integer']);
});

const sample = makeSample(
  ['id', 'name', 'tags', 'v'],
  makeJsonRecords(['{"id":1,"name":"ann","tags":{"a":1},"v":[1,2,3]}', '{"id":2,"name":"bob","v":[4,5,6]}']),
);

test('overrides map, skip, type and key columns; the plan is told why and shown values', () => {
  const { columns, notes, ignoredFields, problems } = inferSchema(sample, {
    map: { person: 'name', alias: 'name' },
    skipColumns: ['tags'],
    types: { id: 'decimal' },
    key: ['id'],
    needsNorm: true,
  });
  assert.deepEqual(columns, [
    { name: 'id', field: 'id', type: 'decimal', isNullable: false },
    { name: 'person', field: 'name', type: 'text', isNullable: true },
    { name: 'alias', field: 'name', type: 'text', isNullable: true },
    { name: 'v', field: 'v', type: 'vector', dimensions: 3, isNullable: true, needsNorm: true },
  ]);
  assert.deepEqual(notes[0], { samples: ['1', '2'], why: 'given' });
  assert.match(notes[3]?.why ?? '', /3 numbers in 2 of 2/);
  assert.deepEqual(ignoredFields, []);
  assert.deepEqual(problems, []);
});

test('all problems of a schema are told at once', () => {
  const { problems } = inferSchema(makeSample(['id', 'ID', 'x'], makeJsonRecords([])), {
    map: { a: 'nope' },
    skipColumns: ['gone'],
    types: { x: 'vektor', y: 'text', id: 'vector(0)' },
    key: ['missing'],
  });
  const wanted = [
    /a=nope.*unknown field/,
    /"gone".*unknown/,
    /"id" and "ID"/,
    /"vektor".*no type/,
    /"vector\(0\)"/,
    /unknown column "y"/,
    /key column "missing"/,
  ];
  for (const pattern of wanted) assert.equal(problems.filter((problem) => pattern.test(problem)).length, 1, String(pattern));
  assert.equal(problems.length, wanted.length);
});

test('a source of which nothing can be read is told by its first row, and a name with a zero byte is refused', () => {
  const reject = { code: 'ROW_JSON_INVALID', message: 'a value is expected', row: 0, offset: 0, line: 2 } as const;
  const stretch = { kind: 'values', rowCount: 0, byteCount: 9, rejects: [reject, { ...reject, row: 1, line: 3 }] } as unknown as Records;
  const nothing: Sample = { fields: [], stretches: [stretch], meanRowBytes: 9 };
  const [problem, ...others] = inferSchema(nothing).problems;
  assert.deepEqual(others, []);
  assert.match(problem ?? '', /none of the first 2 rows can be read \(line 3: ROW_JSON_INVALID, a value is expected\); check --format/);
  assert.match(inferSchema({ ...nothing, stretches: [] }).problems.join(), /the source has no rows/);
  const named = inferSchema({ ...nothing, fields: ['a\0b'], stretches: [] });
  assert.deepEqual(named.problems, ['field "a\\u0000b" holds a zero byte, which no column\'s name can; map or skip it']);
});

test('column types are printed as they are read', () => {
  for (const text of ['integer', 'json', 'vector(384)']) assert.equal(formatColumnType(parseColumnType(text) ?? { type: 'text' }), text);
  assert.deepEqual(parseColumnType(' BigInt '), { type: 'integer' });
  for (const text of ['', 'vector', 'vector(0)', 'vector(65537)', 'vector(1.5)', 'toString'])
    assert.equal(parseColumnType(text), undefined);
});

function makeTable(columns: readonly (Partial<ColumnDescription> & Pick<ColumnDescription, 'name'>)[]): TableDescription {
  const all = columns.map((column) => ({
    declaredType: '',
    type: 'text' as const,
    isNullable: true,
    hasDefault: false,
    isGenerated: false,
    ...column,
  }));
  return { name: 't', columns: all, key: [], uniqueKeys: [], indexes: [], triggers: [], isEmpty: true };
}

test('a table decides types and nulls; names match without regard to case; generated and defaulted columns need no field', () => {
  const table = makeTable([
    { name: 'ID', type: 'integer', isNullable: false },
    { name: 'name', declaredType: 'VARCHAR(9)' },
    { name: 'v', type: 'bytes' },
    { name: 'made', isGenerated: true, isNullable: false },
    { name: 'at', hasDefault: true, isNullable: false },
    { name: 'name_vector', isNullable: false },
  ]);
  const { columns, ignoredFields, problems } = fitSchema(table, sample, { key: ['ID'], filledColumns: ['name_vector'] });
  assert.deepEqual(columns, [
    { name: 'ID', field: 'id', type: 'integer', isNullable: false },
    { name: 'name', field: 'name', type: 'text', isNullable: true },
    { name: 'v', field: 'v', type: 'vector', dimensions: 3, isNullable: true },
  ]);
  assert.deepEqual(ignoredFields, ['tags']);
  assert.deepEqual(problems, []);
});

test('what keeps a source out of a table is told at once: dimension, missing values, mappings, keys', () => {
  const table = makeTable([
    { name: 'name' },
    { name: 'v', type: 'vector', dimensions: 4 },
    { name: 'must', isNullable: false },
    { name: 'made', isGenerated: true },
  ]);
  const { problems } = fitSchema(table, sample, { map: { made: 'id', nowhere: 'tags' }, key: ['id'], types: { w: 'text' } });
  const wanted = [
    /"v" takes vectors of 4 numbers, the source has 3/,
    /"must".*needs a value/,
    /made=id.*generated/,
    /nowhere=tags.*unknown column/,
    /unknown column "w"/,
    /key column "id" is missing/,
  ];
  for (const pattern of wanted) assert.equal(problems.filter((problem) => pattern.test(problem)).length, 1, String(pattern));
  assert.equal(problems.length, wanted.length);
  const given = fitSchema(table, sample, { types: { v: 'vector(3)' }, filledColumns: ['must'] });
  assert.deepEqual(given.problems, ['column "v" is a vector(4) in the table, not vector(3)']);
});

test('a table and a source without a common column are refused', () => {
  assert.match(fitSchema(makeTable([{ name: 'other' }]), sample).problems.join(), /no field of the source is a column of table "t"/);
});
