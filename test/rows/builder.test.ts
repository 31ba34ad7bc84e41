/** The builder as a whole: nulls, rejects, order, places, and equality with a naive oracle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Scalar } from '../../src/rows/schema.ts';
import type { Field } from './records.ts';
import { batchRows, chooseSeed, makeColumn, makeJsonRecords, makeTextRecords, makeValueRecords, scalars, vectors } from './records.ts';

const people = [makeColumn('id', 'integer', { isNullable: false }), makeColumn('name', 'text'), makeColumn('age', 'integer')];

test('a batch with one bad row holds all the others, and the reject names column, place and raw row', () => {
  const builder = createBatchBuilder(people);
  const fields = ['age', 'name', 'id'];
  const rejects = builder.add(
    makeTextRecords(
      [
        ['23', 'ann', '1'],
        ['x', 'bob', 'y'],
        ['', 'cleo', '3'],
      ],
      { fields },
    ),
  );
  assert.deepEqual(rejects, [
    { code: 'VALUE_FORMAT', message: 'the text is no integer', column: 'id', row: 1, offset: 10, line: 2, raw: '["x","bob","y"]' },
  ]);
  const batch = builder.take();
  assert.deepEqual(batchRows(batch), [
    [1, 'ann', 23],
    [3, 'cleo', null],
  ]);
  assert.deepEqual([...batch.places.rows], [0, 2]);
  assert.equal(batch.places.raw(1), '["","cleo","3"]');
});

test('a null or missing value is refused only where the column takes none', () => {
  const columns = [makeColumn('a', 'integer', { isNullable: false }), makeColumn('v', 'vector', { dimensions: 1, isNullable: false })];
  const builder = createBatchBuilder(columns);
  const rejects = builder.add(makeJsonRecords(['{"a":1,"v":[1]}', '{"a":null,"v":[1]}', '{"v":[1]}', '{"a":1}', '{"a":1,"v":null}']));
  assert.deepEqual(
    rejects.map(({ code, column, row }) => [code, column, row]),
    [1, 2, 3, 4].map((row) => ['VALUE_NULL', row < 3 ? 'a' : 'v', row]),
  );
  assert.deepEqual(vectors(builder.take().values[1]), [[1]]);
});

test('rejects come in the order of the rows, whichever column is to blame', () => {
  const builder = createBatchBuilder([
    makeColumn('a', 'integer'),
    makeColumn('b', 'integer'),
    makeColumn('v', 'vector', { dimensions: 1 }),
  ]);
  const rejects = builder.add(
    makeJsonRecords([
      '{"v":[1]}',
      '{"v":[]}',
      '{"b":"x","v":[2]}',
      '{"v":[3]}',
      '{"a":"x","v":[4]}',
      '{"a":1,"b":2,"v":[5]}',
      '{"b":"x","v":7}',
    ]),
  );
  assert.deepEqual(
    rejects.map(({ row, column }) => [row, column]),
    [
      [1, 'v'],
      [2, 'b'],
      [4, 'a'],
      [6, 'b'],
    ],
  );
  assert.deepEqual(vectors(builder.take().values[2]), [[1], [3], [5]]);
});

test('a field that the source does not have is null in every row', () => {
  const builder = createBatchBuilder([makeColumn('a', 'text'), makeColumn('v', 'vector', { dimensions: 2 })]);
  builder.add(makeTextRecords([['1'], ['2']], { fields: ['other'] }));
  const batch = builder.take();
  assert.deepEqual(scalars(batch.values[0]), [null, null]);
  assert.deepEqual(vectors(batch.values[1]), [null, null]);
});

test('an unquoted null text is null; the same text in quotes is text', () => {
  const builder = createBatchBuilder([makeColumn('t', 'text'), makeColumn('n', 'integer')]);
  const fields = ['t', 'n'];
  const first = makeTextRecords(
    [
      ['', ''],
      [{ quoted: '' }, '1'],
    ],
    { fields },
  );
  const second = makeTextRecords(
    [
      ['ña', 'ña'],
      [{ quoted: 'ña' }, '2'],
      ['', '3'],
      ['ñb', '4'],
      ['a', { quoted: '' }],
    ],
    { fields, nullText: 'ña' },
  );
  assert.deepEqual(builder.add(first), []);
  assert.deepEqual(
    builder.add(second).map(({ code, column }) => [code, column]),
    [['VALUE_FORMAT', 'n']],
  );
  assert.deepEqual(batchRows(builder.take()), [
    [null, null],
    ['', 1],
    [null, null],
    ['ña', 2],
    ['', 3],
    ['ñb', 4],
  ]);
});

test('doubled quotes and characters beyond ASCII come out as they were meant', () => {
  const builder = createBatchBuilder([makeColumn('t', 'text')]);
  builder.add(makeTextRecords([[{ quoted: 'say "hi", Jürgen 🎉' }], ['plain'], [{ quoted: '""' }]], { fields: ['t'] }));
  assert.deepEqual(scalars(builder.take().values[0]), ['say "hi", Jürgen 🎉', 'plain', '""']);
});

test('names that every object inherits are missing unless the row has them', () => {
  const builder = createBatchBuilder([makeColumn('constructor', 'text'), makeColumn('__proto__', 'text')]);
  assert.deepEqual(builder.add(makeJsonRecords(['{}', '{"constructor":"c","__proto__":"p"}'])), []);
  assert.deepEqual(batchRows(builder.take()), [
    [null, null],
    ['c', 'p'],
  ]);
});

test('a nested integer beyond 2^53 keeps its digits, whatever stands around it', () => {
  const builder = createBatchBuilder([makeColumn('j', 'json'), makeColumn('d', 'decimal'), makeColumn('k', 'integer')]);
  const line =
    '{"x":{"j":1},"j":"first", "v":[1,2,[3]],"s":"}\\"j\\":7\\\\","\\u006a" : {"big":[9007199254740993]} ,"d":0.10,"k":9007199254740993}';
  assert.deepEqual(builder.add(makeJsonRecords([line])), []);
  assert.deepEqual(batchRows(builder.take()), [['{"big":[9007199254740993]}', '0.10', 9007199254740993n]]);
});

test('the builder is empty after take, and a taken batch never changes', () => {
  const builder = createBatchBuilder(people);
  const records = makeTextRecords([['1', 'ann', '2']], { fields: ['id', 'name', 'age'] });
  builder.add(records);
  const first = builder.take();
  assert.deepEqual([builder.rowCount, builder.byteCount], [0, 0]);
  builder.add(makeTextRecords([['9', 'zoe', '8']], { fields: ['id', 'name', 'age'] }));
  records.places.rows[0] = 99;
  assert.deepEqual(batchRows(first), [[1, 'ann', 2]]);
  assert.deepEqual([...first.places.rows], [0]);
  assert.equal(builder.take().rowCount, 1);
  assert.equal(builder.take().rowCount, 0);
});

test('the estimate of bytes counts what is kept and not what was refused', () => {
  const sizes = [['1'], ['1', 'x', 'x', 'x']].map((ids) => {
    const builder = createBatchBuilder([makeColumn('id', 'integer')]);
    builder.add(
      makeTextRecords(
        ids.map((id) => [id]),
        { fields: ['id'] },
      ),
    );
    return builder.byteCount;
  });
  assert.deepEqual(sizes, [32, 32]);
});

test('thousands of stretches of one row make the batch that one stretch makes', () => {
  const builder = createBatchBuilder([makeColumn('n', 'integer')]);
  for (let n = 0; n < 2_000; n++) builder.add(makeValueRecords([{ n }, { n: 'x' }]));
  const batch = builder.take();
  assert.deepEqual(
    scalars(batch.values[0]),
    Array.from({ length: 2_000 }, (_, n) => n),
  );
  assert.equal(batch.places.raw(1_999), 'row 0');
});

const cell: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom<Field[]>('', '0', '-7', '123456789012345678', '1.5', 'x', { quoted: '' }, { quoted: '5' }, { quoted: 'a"b' }, 'é'),
  fc.integer().map(String),
);

/** The slow and plain way: one row after another, one value after another. */
function convertNaively([n, t]: readonly Field[]): Scalar[] | 'refused' {
  const text = typeof t === 'object' ? t.quoted : t === '' ? null : (t ?? null);
  if (n === '') return [null, text];
  const digits = typeof n === 'object' ? n.quoted : (n ?? '');
  if (!/^-?\d+$/.test(digits)) return 'refused';
  const value = BigInt(digits);
  return [BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value, text];
}

test('rows kept, rows refused and their order are those of a naive conversion, for any rows in any stretches', (context) => {
  const stretches = fc.array(fc.array(fc.tuple(cell, cell), { maxLength: 30 }), { maxLength: 5 });
  fc.assert(
    fc.property(stretches, (parts) => {
      const builder = createBatchBuilder([makeColumn('n', 'integer'), makeColumn('t', 'text')]);
      const kept: Scalar[][] = [];
      for (const rows of parts) {
        const rejects = builder.add(makeTextRecords(rows, { fields: ['n', 't'] }));
        const naive = rows.map(convertNaively);
        kept.push(...naive.filter((row) => row !== 'refused'));
        const refused = naive.flatMap((row, index) => (row === 'refused' ? [index] : []));
        assert.deepEqual(
          rejects.map(({ row }) => row),
          refused,
        );
        assert.ok(rejects.every((reject) => reject.raw === JSON.stringify(rows[reject.row])));
      }
      assert.equal(builder.rowCount, kept.length);
      const batch = builder.take();
      assert.deepEqual(batchRows(batch), kept);
      assert.equal(batch.places.rows.length, kept.length);
    }),
    { seed: chooseSeed(context), numRuns: 500 },
  );
});

test('a padded number does not lose its zeros in an integer column that was only guessed, and does in one that was asked for', () => {
  const rows = [['12'], ['00123'], ['0'], ['-7']];
  const guessed = createBatchBuilder([makeColumn('zip', 'integer', { isGuessed: true })]);
  assert.deepEqual(
    guessed.add(makeTextRecords(rows, { fields: ['zip'] })).map(({ code, row }) => [code, row]),
    [['VALUE_INEXACT', 1]],
  );
  assert.deepEqual(batchRows(guessed.take()), [[12], [0], [-7]]);
  const asked = createBatchBuilder([makeColumn('zip', 'integer')]);
  assert.deepEqual(asked.add(makeTextRecords(rows, { fields: ['zip'] })), []);
  assert.deepEqual(batchRows(asked.take()), [[12], [123], [0], [-7]]);
});
