/** Vectors: every shape that they come in, every fault that they are refused for, and what refused rows leave behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Column } from '../../src/rows/schema.ts';
import { makeColumn, makeJsonRecords, makeTextRecords, makeValueRecords, repeat, vectors } from './records.ts';

const column: Column = makeColumn('v', 'vector', { dimensions: 3, needsNorm: true });
const base64 = Buffer.from(new Float32Array([1, 2, 3]).buffer).toString('base64');

test('a vector comes as a JSON array, base64, pgvector text, a typed array or bytes, and is the same vector', () => {
  const builder = createBatchBuilder([column]);
  const unaligned = new Uint8Array([9, ...Buffer.from(base64, 'base64')]).subarray(1);
  const inMemory = [[1, 2, 3], new Float32Array([1, 2, 3]), new Float64Array([1, 2, 3]), new Int8Array([1, 2, 3]), unaligned];
  const rejects = [
    ...builder.add(makeJsonRecords(['{"v":[1,2,3]}', `{"v":"${base64}"}`, '{"v":"[1, 2, 3]"}'])),
    ...builder.add(makeTextRecords([[{ quoted: '[1,2.0,3e0]' }], [base64], [{ quoted: '[1.,2, 3]' }]], { fields: ['v'] })),
    ...builder.add(makeValueRecords(inMemory.map((v) => ({ v })))),
  ];
  assert.deepEqual(rejects, []);
  assert.deepEqual(vectors(builder.take().values[0]), repeat([1, 2, 3], 11));
});

test('a vector with a fault is refused with the code of its fault, and the message names the element and no value', () => {
  const cases: readonly (readonly [unknown, string, RegExp])[] = [
    [[1, 2], 'VECTOR_DIMENSION', /2 elements.*takes 3/],
    [[1, 2, 3, 4], 'VECTOR_DIMENSION', /4 elements.*takes 3/],
    [new Float32Array(2), 'VECTOR_DIMENSION', /2 elements/],
    [[1, null, 3], 'VECTOR_ELEMENT', /element 1 .*null/],
    [[1, 2, 'x'], 'VECTOR_ELEMENT', /element 2 .*text where a number belongs/],
    [[[1], 2, 3], 'VECTOR_ELEMENT', /element 0 .*an array/],
    [[1, Number.NaN, 3], 'VECTOR_NOT_FINITE', /element 1/],
    [[1, 2, 1e39], 'VECTOR_NOT_FINITE', /element 2/],
    [new Float64Array([1e39, 2, 3]), 'VECTOR_NOT_FINITE', /element 0/],
    [[0, -0, 1e-60], 'VECTOR_ZERO', /zero/],
    ['[1,NaN,3]', 'VECTOR_NOT_FINITE', /element 1/],
    ['[1,two,3]', 'VECTOR_ELEMENT', /element 1/],
    ['[1,2]', 'VECTOR_DIMENSION', /2 elements/],
    ['AAAA', 'VALUE_FORMAT', /bytes/],
    ['no vector', 'VALUE_FORMAT', /text/],
    ['', 'VALUE_FORMAT', /text/],
    [7, 'VALUE_TYPE', /a number where a vector belongs/],
    [{ 0: 1, 1: 2, 2: 3 }, 'VALUE_TYPE', /an object/],
    [new BigInt64Array(3), 'VALUE_TYPE', /binary/],
  ];
  for (const [v, code, message] of cases) {
    const [reject] = createBatchBuilder([column]).add(makeValueRecords([{ v }]));
    assert.equal(reject?.code, code, String(v));
    assert.match(reject?.message ?? '', message);
    assert.equal(reject?.column, 'v');
  }
});

test('an all-zero vector is taken where no norm is needed', () => {
  const builder = createBatchBuilder([makeColumn('v', 'vector', { dimensions: 2 })]);
  assert.deepEqual(builder.add(makeValueRecords([{ v: [0, 0] }])), []);
  assert.deepEqual(vectors(builder.take().values[0]), [[0, 0]]);
});

test('refused and null vectors between others move no vector out of its row, over several stretches and batches', () => {
  const builder = createBatchBuilder([makeColumn('v', 'vector', { dimensions: 2 })]);
  const shapes = (row: number): unknown => [[row, 1], null, [row, 'x'], [row], [row, 2]][row % 5];
  for (let batch = 0; batch < 3; batch++) {
    const expected: unknown[] = [];
    for (let stretch = 0; stretch < 4; stretch++) {
      const rows = Array.from({ length: 7 + stretch * 20 }, (_, row) => shapes(row));
      expected.push(...rows.filter((row) => row === null || (Array.isArray(row) && row.length === 2 && row[1] !== 'x')));
      builder.add(makeValueRecords(rows.map((v) => ({ v }))));
    }
    const taken = builder.take();
    assert.deepEqual(vectors(taken.values[0]), expected);
    const { values, nulls } = taken.values[0] as { values: Float32Array; nulls: Uint8Array };
    assert.equal(values.length, taken.rowCount * 2);
    nulls.forEach((isNull, row) => isNull === 1 && assert.deepEqual([...values.subarray(row * 2, row * 2 + 2)], [0, 0]));
  }
});

test('an embedded column reads no field and stays empty for the embedding stage', () => {
  const builder = createBatchBuilder([makeColumn('v', 'vector', { dimensions: 3, isEmbedded: true, isNullable: false })]);
  assert.deepEqual(builder.add(makeValueRecords([{ v: 'not read' }, {}])), []);
  const batch = builder.take();
  assert.equal(batch.rowCount, 2);
  assert.deepEqual(batch.values, [{ kind: 'vector', dimensions: 3, values: new Float32Array(0), nulls: undefined }]);
});
