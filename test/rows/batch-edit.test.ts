/** Batches made from batches: rows dropped, vectors filled in, the old batch as it was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dropRows, withVectors } from '../../src/rows/batch-edit.ts';
import type { Batch } from '../../src/rows/batch.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import { chooseSeed, makeColumn, makeValueRecords, scalars, vectors } from './records.ts';

function makeBatch(rowCount: number): Batch {
  const builder = createBatchBuilder([
    makeColumn('n', 'integer'),
    makeColumn('v', 'vector', { dimensions: 2 }),
    makeColumn('e', 'vector', { dimensions: 1, isEmbedded: true }),
  ]);
  builder.add(makeValueRecords(Array.from({ length: rowCount }, (_, n) => ({ n, v: n % 3 === 0 ? null : [n, -n] }))));
  return builder.take();
}

test('dropping rows keeps the others whole: values, vectors, nulls, places, raw', (context) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 20 }), (isDropped) => {
      const batch = makeBatch(isDropped.length);
      const indexes = isDropped.flatMap((drop, row) => (drop ? [row] : []));
      const rows = isDropped.flatMap((drop, row) => (drop ? [] : [row]));
      const rest = dropRows(batch, indexes);
      assert.equal(rest.rowCount, rows.length);
      assert.deepEqual(scalars(rest.values[0]), rows);
      assert.deepEqual(
        vectors(rest.values[1]),
        rows.map((n) => (n % 3 === 0 ? null : [n, -n])),
      );
      assert.deepEqual(
        [...rest.places.lines],
        rows.map((row) => row + 1),
      );
      assert.deepEqual(
        rows.map((_, index) => rest.places.raw(index)),
        rows.map((row) => `row ${row}`),
      );
      assert.equal(batch.rowCount, isDropped.length);
      assert.deepEqual(
        scalars(batch.values[0]),
        isDropped.map((_, row) => row),
      );
    }),
    { seed: chooseSeed(context), numRuns: 300 },
  );
});

test('vectors are filled into the embedded column and counted, and can be dropped from then on', () => {
  const batch = makeBatch(3);
  const filled = withVectors(batch, 2, { vectors: new Float32Array([7, 8, 9]), nulls: new Uint8Array([0, 1, 0]) });
  assert.deepEqual(vectors(filled.values[2]), [[7], null, [9]]);
  assert.equal(filled.byteCount, batch.byteCount + 12);
  assert.deepEqual(vectors(dropRows(filled, [0]).values[2]), [null, [9]]);
  assert.deepEqual(vectors(batch.values[2]), []);
});

test('vectors of another shape than the batch are an internal error', () => {
  const batch = makeBatch(3);
  const wrong = { code: 'SLUICE_INTERNAL' };
  assert.throws(() => withVectors(batch, 2, { vectors: new Float32Array(2), nulls: undefined }), wrong);
  assert.throws(() => withVectors(batch, 0, { vectors: new Float32Array(3), nulls: undefined }), wrong);
  assert.throws(() => withVectors(batch, 2, { vectors: new Float32Array(3), nulls: new Uint8Array(2) }), wrong);
});
