/** Promises of the memory that Parquet pages share: what was handed on stays as it was, however many pages and readers come after it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CompressionCodec } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { countZeros, createHybrid, readHybrid } from '../../src/source/parquet/hybrid.ts';
import type { FilePart } from '../../src/source/file-format.ts';
import type { ColumnRecords } from '../../src/source/source.ts';
import { openBytes } from './parquet-rows.ts';

const rowCount = 6000;
/** A dictionary of 1.2 MB in front of pages that do not fit into one window with it. */
const words = Array.from({ length: 300 }, (_, word) => `${String(word)} `.padEnd(4000, 'x'));
const rows = Array.from({ length: rowCount }, (_, row) => ({
  word: words[(row * 7) % words.length] ?? '',
  text: `${String(row)} is the number of a row whose text no other row has, so that it stands in a page of its own ${'-'.repeat(row % 200)}`,
  number: row / 7,
}));

function writeFile(codec: CompressionCodec): Uint8Array {
  const columnData = [
    { name: 'word', data: rows.map(({ word }) => word), type: 'STRING' as const },
    { name: 'text', data: rows.map(({ text }) => text), type: 'STRING' as const },
    { name: 'number', data: rows.map((row) => row.number), type: 'DOUBLE' as const },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, codec, pageSize: 100_000, rowGroupSize: 1301 }));
}

async function* interleave(readers: readonly AsyncIterator<unknown>[]): AsyncGenerator<ColumnRecords, void, undefined> {
  for (let open = readers; open.length > 0;) {
    const answers = await Promise.all(open.map(async (reader) => reader.next()));
    yield* answers.filter(({ done }) => done !== true).map(({ value }) => value as ColumnRecords);
    open = open.filter((_, index) => answers[index]?.done !== true);
  }
}

for (const codec of ['UNCOMPRESSED', 'SNAPPY'] as const) {
  test(`values that were read out of a file (${codec}) do not change when others are read after them, by two readers in turn`, async () => {
    const opened = await openBytes(writeFile(codec));
    const parts = await Array.fromAsync(opened.parts(200_000));
    const read = (part: FilePart): AsyncIterator<unknown> =>
      opened.read(part, { offset: part.start, row: 0, line: 0 }, { columns: [] })[Symbol.asyncIterator]();
    const stretches: ColumnRecords[] = [];
    for (const [index, part] of parts.entries()) {
      // A reader of ten rows leaves the dictionary behind, of which it has used ten words; then others use the memory that it had.
      await Array.fromAsync(interleave([read({ ...part, end: part.start + 10 })]));
      const next = parts[(index + 1) % parts.length] ?? part;
      stretches.push(
        ...(await Array.fromAsync(interleave([read(next), read(part)]))),
        ...(await Array.fromAsync(interleave([read(part)]))),
      );
    }
    const found = stretches.flatMap((stretch) => Array.from({ length: stretch.rowCount }, (_, row) => stretch.places.raw(row)));
    assert.ok(parts.length >= 4);
    assert.deepEqual(found.toSorted(), rows.flatMap((row) => Array.from({ length: 3 }, () => JSON.stringify(row))).toSorted());
  });
}

/** A run or a group as a file has it. */
const runs = fc.array(
  fc.oneof(
    fc.record({ value: fc.nat({ max: 3 }), count: fc.integer({ min: 1, max: 40 }) }),
    fc.array(fc.nat({ max: 3 }), { minLength: 8, maxLength: 32 }),
  ),
  { minLength: 1, maxLength: 12 },
);

function writeHybrid(
  parts: typeof runs extends fc.Arbitrary<infer Parts> ? Parts : never,
  width: number,
): { bytes: Uint8Array; count: number } {
  const bytes: number[] = [];
  let count = 0;
  for (const part of parts) {
    if (!Array.isArray(part)) {
      bytes.push(part.count * 2, part.value & (2 ** width - 1));
      count += part.count;
      continue;
    }
    const values = part.slice(0, part.length - (part.length % 8));
    bytes.push((values.length / 8) * 2 + 1);
    const bits = values.flatMap((value) => Array.from({ length: width }, (_, bit) => (value >> bit) & 1));
    for (let at = 0; at < bits.length; at += 8) bytes.push(bits.slice(at, at + 8).reduce((byte, bit, index) => byte | (bit << index), 0));
    count += values.length;
  }
  return { bytes: Uint8Array.from(bytes), count };
}

test('zeros are counted as they are read, from any place to any other', () => {
  fc.assert(
    fc.property(runs, fc.constantFrom(1, 2), fc.tuple(fc.nat(400), fc.nat(400)), (parts, width, [first, second]) => {
      const { bytes, count } = writeHybrid(parts, width);
      const range = { start: 0, end: bytes.length };
      const values = new Uint8Array(count);
      readHybrid(createHybrid(bytes, range, width), values, count);
      const hybrid = createHybrid(bytes, range, width);
      const [start, end] = [Math.min(first, second, count), Math.min(Math.max(first, second), count)];
      const zeros = (from: number, to: number): number => values.subarray(from, to).filter((value) => value === 0).length;
      assert.equal(countZeros(hybrid, start), zeros(0, start));
      assert.equal(countZeros(hybrid, end - start), zeros(start, end));
      assert.equal(countZeros(hybrid, count - end), zeros(end, count));
    }),
  );
});
