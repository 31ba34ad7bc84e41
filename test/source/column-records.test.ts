/** Rows by column make the same batch as the same rows as objects, in every type and whatever does not fit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ColumnValues } from '../../src/rows/batch.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import { inferSchema } from '../../src/rows/inference.ts';
import { scalarTypes, type Column, type Scalar } from '../../src/rows/schema.ts';
import type { ColumnRecords, DeclaredField, ValueRecords } from '../../src/source/source.ts';
import { chooseSeed, makeColumn, makeValueRecords } from '../rows/records.ts';

const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  fc.constant(null),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.constantFrom(Number.NaN, Infinity, -0, '2024-02-30', '2024-02-29', '2024-02-29 10:00:00+02', '1.10', 'true', '\uD800', ''),
  fc.string(),
  fc.boolean(),
  fc.uint8Array({ maxLength: 5 }),
  fc.uuid(),
);

const vectorRow = fc.option(fc.array(fc.constantFrom(0, 1, -2.5, 3e38, Number.NaN, Infinity), { minLength: 3, maxLength: 3 }), {
  nil: null,
});

interface Row {
  readonly a: Scalar;
  readonly b: Scalar;
  readonly v: readonly number[] | null;
}

const rowsOf = fc.array(fc.record<Row>({ a: scalar, b: scalar, v: vectorRow }), { maxLength: 12 });

function toColumns(rows: readonly Row[], values: ValueRecords): ColumnRecords {
  const { isJsonText: _isJsonText, kind: _kind, values: _values, ...stretch } = values;
  const vectors: ColumnValues = {
    kind: 'vector',
    dimensions: 3,
    values: Float32Array.from(rows.flatMap((row) => row.v ?? [9, 9, 9])),
    nulls: Uint8Array.from(rows, (row) => (row.v === null ? 1 : 0)),
  };
  const scalars = (name: 'a' | 'b'): ColumnValues => ({ kind: 'scalar', values: rows.map((row) => row[name]) });
  return { ...stretch, kind: 'columns', fields: ['a', 'b', 'v'], values: [scalars('a'), scalars('b'), vectors] };
}

const columnOf = fc.record({
  type: fc.constantFrom(...scalarTypes),
  isNullable: fc.boolean(),
});

test('a batch of rows by column is the batch of the same rows as objects', (context) => {
  const seed = chooseSeed(context);
  const property = fc.property(
    rowsOf,
    fc.tuple(columnOf, columnOf, fc.record({ isNullable: fc.boolean(), needsNorm: fc.boolean() })),
    (rows, [a, b, v]) => {
      const columns: readonly Column[] = [
        makeColumn('a', a.type, { isNullable: a.isNullable }),
        makeColumn('b', b.type, { isNullable: b.isNullable }),
        makeColumn('v', 'vector', { dimensions: 3, ...v }),
        makeColumn('missing', 'text'),
      ];
      const objects = makeValueRecords(rows.map((row) => ({ ...row, v: row.v === null ? null : Float32Array.from(row.v) })));
      const [byColumn, byObject] = [createBatchBuilder(columns), createBatchBuilder(columns)];
      // Twice, so that the second stretch lands behind the first.
      for (let stretch = 0; stretch < 2; stretch++) assert.deepEqual(byColumn.add(toColumns(rows, objects)), byObject.add(objects));
      const [left, right] = [byColumn.take(), byObject.take()];
      assert.deepEqual(left.values, right.values);
      assert.deepEqual([left.rowCount, left.places.rows], [right.rowCount, right.places.rows]);
    },
  );
  fc.assert(property, { seed, numRuns: 500 });
});

test('JSON of a source that knows its types stays JSON, and text that is none is refused', () => {
  const texts = ['{"a": 1.10}', '"x"', 'null', 'no json'];
  const stretch = makeValueRecords(texts.map((j) => ({ j })));
  const { isJsonText: _isJsonText, values: _values, ...rest } = stretch;
  const records: ColumnRecords = { ...rest, kind: 'columns', fields: ['j'], values: [{ kind: 'scalar', values: texts }], types: ['json'] };
  const builder = createBatchBuilder([makeColumn('j', 'json')]);
  assert.deepEqual(
    builder.add(records).map(({ code }) => code),
    ['VALUE_FORMAT'],
  );
  assert.deepEqual(builder.take().values, [{ kind: 'scalar', values: texts.slice(0, 3) }]);
});

test('a new table gets the declared types, whatever the values look like and without any', () => {
  const declared: readonly DeclaredField[] = [
    { name: 'code', type: 'text', isNullable: false },
    { name: 'amount', type: 'decimal', isNullable: true },
    { name: 'v', type: 'vector', dimensions: 7, isNullable: true },
  ];
  const fields = declared.map(({ name }) => name);
  for (const stretches of [[], [makeValueRecords([{ code: '1', amount: '2' }])]]) {
    const { columns, problems } = inferSchema({ fields, stretches, meanRowBytes: undefined, declared }, { key: ['amount'] });
    assert.deepEqual(problems, []);
    assert.deepEqual(columns, [
      { name: 'code', field: 'code', type: 'text', isNullable: false },
      { name: 'amount', field: 'amount', type: 'decimal', isNullable: false },
      { name: 'v', field: 'v', type: 'vector', dimensions: 7, isNullable: true },
    ]);
  }
});
