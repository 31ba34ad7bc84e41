/** COPY data as a stream: whole rows a piece, rows of any size, vectors bit by bit, pieces that come cut anywhere. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Batch, ColumnValues, VectorValues } from '../../src/rows/batch.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { createCopyDecoder } from '../../src/target/postgres/wire/decode.ts';
import { canEncode, checkBatch, createRowEncoder, hasBinaryForm } from '../../src/target/postgres/wire/encode.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import type { WireColumn, WireType } from '../../src/target/postgres/wire-column.ts';
import { chooseSeed } from '../rows/records.ts';
import type { TestDatabase } from './server.ts';
import { createDatabase, skipReason } from './server.ts';
import { createBatch, createColumn, int4Type, makeTable, takeTrip } from './wire-trip.ts';

const textType: WireType = { name: 'text', oid: 25, typmod: -1, isArray: false, elementOid: 0, kind: 'base' };
const vectorType: WireType = { ...textType, name: 'vector', oid: 99_999, typmod: 3 };
const columns: readonly WireColumn[] = [
  createColumn('i', 'integer', int4Type),
  createColumn('t', 'text', textType),
  createColumn('v', 'vector', vectorType),
];

const rowValues = fc.tuple(
  fc.integer(),
  fc.option(
    fc.oneof(
      { weight: 20, arbitrary: fc.string({ unit: 'grapheme' }) },
      fc.nat(700_000).map((length) => 'é'.repeat(length)),
    ),
  ),
  fc.option(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 3, maxLength: 3 })),
);

function gatherRows(list: readonly (readonly [number, string | null, number[] | null])[]): Batch {
  const vectors: VectorValues = {
    kind: 'vector',
    dimensions: 3,
    values: Float32Array.from(list.flatMap(([, , vector]) => vector ?? [0, 0, 0])),
    nulls: list.some(([, , vector]) => vector === null) ? Uint8Array.from(list, ([, , vector]) => (vector === null ? 1 : 0)) : undefined,
  };
  const scalars = [list.map(([one]) => one), list.map(([, one]) => one)].map((values): ColumnValues => ({ kind: 'scalar', values }));
  return createBatch(columns, [...scalars, vectors], list.length);
}

function joinPieces(batch: Batch, rows: Int32Array): Buffer {
  // Copied at once: a piece may be overwritten when the next one is asked for.
  return Buffer.concat(Array.from(createRowEncoder(columns, { format: 'binary' }).pieces(batch, rows), (piece) => Uint8Array.from(piece)));
}

function countUp(length: number): Int32Array {
  return Int32Array.from({ length }, (_, row) => row);
}

describe('a stream of COPY data', () => {
  it('comes back unchanged however it is cut, batch by batch', (context) => {
    fc.assert(
      fc.property(fc.array(rowValues, { maxLength: 40 }), fc.infiniteStream(fc.oneof(fc.nat(9), fc.nat(70_000))), (list, cuts) => {
        const batch = gatherRows(list);
        const bytes = joinPieces(batch, countUp(list.length));
        const decoder = createCopyDecoder(columns.map(({ type }) => type));
        const seen: unknown[][] = [];
        const piece = Buffer.alloc(70_001);
        for (let at = 0; at < bytes.length;) {
          const end = Math.min(bytes.length, at + (cuts.next().value as number));
          // One buffer for all pieces, as a socket may use one.
          bytes.copy(piece, 0, at, end);
          decoder.add(piece.subarray(0, end - at));
          at = end;
          if (decoder.rowCount > 3) seen.push(...takeRows(decoder.take()));
        }
        decoder.end();
        seen.push(...takeRows(decoder.take()));
        assert.deepEqual(
          seen,
          list.map(([one, two, vector]) => [one, two, vector]),
        );
      }),
      { seed: chooseSeed(context), numRuns: 40 },
    );
  });

  it('has whole rows in each piece, and a row that is larger than a block alone has a block of its own', () => {
    const long = 'x'.repeat(3_000_000);
    const batch = gatherRows([1, 2, 3, 4].map((one) => [one, one === 3 ? long : 'short', null]));
    const pieces = Array.from(createRowEncoder(columns, { format: 'binary' }).pieces(batch, countUp(4)), (piece) => Buffer.from(piece));
    const heads = pieces.map((piece, index) => piece.readInt16BE(index === 0 ? 19 : 0));
    assert.ok(pieces.length > 1);
    assert.deepEqual(
      heads.filter((count) => count !== 3 && count !== -1),
      [],
    );
    assert.ok(pieces.every((piece) => piece.length < long.length + 1000));
  });

  it('keeps an array within its block wherever its texts end and its nulls begin', () => {
    const column = createColumn('a', 'json', { ...textType, isArray: true, oid: 1009, elementOid: 25 });
    const nulls = Array.from({ length: 500 }, () => null);
    for (let length = 262_144 - 2200; length < 262_144; length += 97) {
      const batch = createBatch([column], [{ kind: 'scalar', values: [JSON.stringify(['x'.repeat(length), ...nulls])] }], 1);
      const pieces = createRowEncoder([column], { format: 'binary' }).pieces(batch, Int32Array.of(0));
      const byteCount = Array.from(pieces).reduce((sum, piece) => sum + piece.length, 0);
      // Header, count of fields, the array's length and head, its texts and nulls with a length each, trailer.
      assert.equal(byteCount, 19 + 2 + 4 + 20 + 4 + length + 500 * 4 + 2);
    }
  });

  it('that ends early is not taken for whole', () => {
    const bytes = joinPieces(gatherRows([[1, 'a', null]]), Int32Array.of(0));
    for (let end = 0; end < bytes.length; end++) {
      const decoder = createCopyDecoder(columns.map(({ type }) => type));
      decoder.add(bytes.subarray(0, end));
      assert.throws(() => decoder.end(), { code: 'SLUICE_TARGET_FAILED' });
    }
  });

  it('holds the chosen rows in the chosen order, their index and their places', () => {
    const batch = gatherRows([0, 1, 2].map((one) => [one * 10, null, null]));
    const encoder = createRowEncoder(columns, { format: 'binary', withOrdinal: true, shard: 7 });
    const int8: WireType = { ...int4Type, name: 'int8', oid: 20 };
    const decoder = createCopyDecoder([...columns.map(({ type }) => type), int4Type, int8, int8, int8, int8]);
    for (const piece of encoder.pieces(batch, Int32Array.of(2, 0))) decoder.add(piece);
    decoder.end();
    const values = decoder.take().map((column) => (column.kind === 'scalar' ? column.values : undefined));
    assert.deepEqual(
      [values[0], values[3], values[4], values[5]],
      [
        [20, 0],
        [2, 0],
        [7, 7],
        [2, 0],
      ],
    );
  });

  it('is refused before it begins where a column has no sane way, and is text where it has no binary form', () => {
    const point: WireType = { ...textType, name: 'point', oid: 600 };
    assert.equal(canEncode(createColumn('b', 'bytes', { ...textType, name: 'date', oid: 1082 })), false);
    assert.equal(canEncode(createColumn('b', 'vector', int4Type)), false);
    assert.deepEqual([canEncode(createColumn('p', 'text', point)), hasBinaryForm(createColumn('p', 'text', point))], [true, false]);
    assert.ok(columns.every((column) => canEncode(column) && hasBinaryForm(column)));
  });
});

function takeRows(values: readonly ColumnValues[]): unknown[][] {
  const [first] = values;
  const length = first?.kind === 'scalar' ? first.values.length : 0;
  return Array.from({ length }, (_, row) =>
    values.map((column) => {
      if (column.kind === 'scalar') return column.values[row];
      return column.nulls?.[row] === 1 ? null : Array.from(column.values.subarray(row * column.dimensions, (row + 1) * column.dimensions));
    }),
  );
}

describe('vectors on the wire', { skip: skipReason }, () => {
  let database: TestDatabase;
  let link: PgLink;

  before(async () => {
    database = await createDatabase();
    link = await openLink(database.url, {});
  });
  after(async () => {
    await link.close();
    await database.dispose();
  });

  const halves = fc.double({ min: -70_000, max: 70_000, noNaN: true }).map(Math.fround);
  for (const [declared, elements] of [
    ['vector(5)', fc.float({ noNaN: true, noDefaultInfinity: true })],
    [
      'halfvec(5)',
      fc.oneof(
        halves,
        fc.constantFrom(65_519, 65_520, 65_504, 2 ** -24, 2 ** -25, 3 * 2 ** -25, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -65_536).map(Math.fround),
      ),
    ],
    ['sparsevec(5)', fc.oneof(fc.constant(0), fc.float({ noNaN: true, noDefaultInfinity: true }))],
    ['float4[]', fc.float({ noNaN: true, noDefaultInfinity: true })],
    ['float8[]', fc.float({ noNaN: true, noDefaultInfinity: true })],
    ['text', fc.float({ noNaN: true, noDefaultInfinity: true })],
  ] as const) {
    it(`a vector into ${declared}: every form gives the same, and what overflows is refused as the server would`, async (context) => {
      const type = await makeTable(link, declared);
      const wire: WireColumn = { column: { name: 'v', field: 'v', type: 'vector', dimensions: 5, isNullable: true }, type };
      const property = fc.asyncProperty(
        fc.array(fc.array(elements, { minLength: 5, maxLength: 5 }), { minLength: 1, maxLength: 60 }),
        async (list) => {
          const isRefused = (vector: readonly number[]): boolean =>
            declared === 'halfvec(5)' && vector.some((one) => Math.abs(one) >= 65_520);
          const gather = (vectors: readonly (readonly number[])[]): VectorValues => ({
            kind: 'vector',
            dimensions: 5,
            values: Float32Array.from(vectors.flat()),
            nulls: undefined,
          });
          const refusals = checkBatch([wire], createBatch([wire], [gather(list)], list.length));
          assert.deepEqual(
            [...refusals.keys()],
            list.flatMap((vector, row) => (isRefused(vector) ? [row] : [])),
          );
          const kept = list.filter((vector) => !isRefused(vector));
          if (kept.length === 0) return;
          const trip = await takeTrip(link, wire, gather(kept));
          assert.deepEqual(trip.binary, trip.text);
          assert.deepEqual(trip.arrays ?? trip.binary, trip.binary);
          if (trip.decoded?.kind !== 'vector') return;
          const isHalf = declared.startsWith('half');
          assert.deepEqual(
            Array.from(trip.decoded.values),
            kept.flat().map((one) => (isHalf ? Math.f16round(one) : one)),
          );
        },
      );
      await fc.assert(property, { seed: chooseSeed(context), numRuns: 4 });
    });
  }
});
