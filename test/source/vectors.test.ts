/** Files of vectors: every kind of number that NumPy writes, any rows of them alone, and no header is believed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import type { Column } from '../../src/rows/schema.ts';
import { openSource } from '../../src/source/open.ts';
import type { Records, Source } from '../../src/source/source.ts';
import { format as fvecs } from '../../src/source/vectors/fvecs.ts';
import { format as npy } from '../../src/source/vectors/npy.ts';
import { fuzzFormat, memoryFile } from './binary-fuzz.ts';
import { makeFolder } from './folder.ts';
import { countingVectors, writeFvecs, writeNpy, type NpyShape } from './npy-file.ts';
import { listShards } from './reading.ts';

const [rows, dimensions] = [13, 6];
const floats = countingVectors(rows, dimensions);
const shape = `(${String(rows)}, ${String(dimensions)})`;

/** The same numbers column by column. */
function turnRound(): Float32Array {
  return Float32Array.from({ length: floats.length }, (_, at) => floats[(at % rows) * dimensions + Math.floor(at / rows)]!);
}

function halves(): Buffer {
  // Exact in 16 bits: small multiples of an eighth.
  const bits = Uint16Array.from(floats, (value) => {
    if (value === 0) return 0;
    const exponent = Math.floor(Math.log2(value));
    return ((exponent + 15) << 10) | Math.round((value / 2 ** exponent - 1) * 1024);
  });
  return Buffer.from(bits.buffer);
}

const whole = Float32Array.from(floats, Math.floor);

const kinds: readonly {
  readonly name: string;
  readonly data: NodeJS.TypedArray | Buffer;
  readonly shape?: NpyShape;
  readonly wanted: Float32Array;
}[] = [
  { name: '<f4', data: floats, wanted: floats },
  { name: '<f8', data: Float64Array.from(floats), wanted: floats },
  { name: '>f4', data: Buffer.from(floats.slice().buffer).swap32(), wanted: floats },
  { name: '>f8', data: Buffer.from(Float64Array.from(floats).buffer).swap64(), wanted: floats },
  { name: '<f2', data: halves(), wanted: floats },
  { name: '|u1', data: Uint8Array.from(whole), wanted: whole },
  { name: '|i1', data: Int8Array.from(whole), wanted: whole },
  { name: '<i2', data: Int16Array.from(whole), wanted: whole },
  { name: '<i4', data: Int32Array.from(whole), wanted: whole },
  { name: '<i8', data: BigInt64Array.from(whole, BigInt), wanted: whole },
  { name: '<f4', data: turnRound(), shape: { shape, fortran: true }, wanted: floats },
  { name: '<f4', data: floats, shape: { shape, version: 2 }, wanted: floats },
  { name: '<f4', data: floats, shape: { shape, version: 3 }, wanted: floats },
];

for (const { name, data, shape: written, wanted } of kinds) {
  test(`an array of ${name} (${JSON.stringify(written ?? {})}) is read in any order of its rows`, async () => {
    const file = memoryFile(writeNpy(data, { shape, descr: name, ...written }), 'v.npy');
    const { vectors } = await npy.open(file, {});
    assert.ok(vectors !== undefined);
    assert.deepEqual((await vectors.read(0, rows)).values, wanted);
    assert.deepEqual((await vectors.read(5, 9)).values, wanted.slice(5 * dimensions, 9 * dimensions));
  });
}

async function* readShards(source: Source, targetBytes: number, columns: readonly Column[]): AsyncGenerator<Records> {
  for (const shard of await listShards(source, targetBytes))
    yield* source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns });
}

test('a file of vectors is a source: one field, parts of any size, every byte counted', async (context) => {
  const folder = makeFolder(context);
  for (const path of [folder.write('v.npy', writeNpy(floats, { shape })), folder.write('v.fvecs', writeFvecs(floats, dimensions))]) {
    for (const targetBytes of [1, 60, 1e6]) {
      const source = await openSource(path, { vectorField: 'embedding' });
      const sample = await source.sample();
      assert.deepEqual(sample.declared, [{ name: 'embedding', type: 'vector', dimensions, isNullable: false }]);
      const columns = [{ name: 'v', field: 'embedding', type: 'vector', dimensions, isNullable: false }] as const;
      const numbers: number[] = [];
      let bytes = 0;
      for await (const records of readShards(source, targetBytes, columns)) {
        assert.ok(records.kind === 'columns' && records.values[0]?.kind === 'vector');
        numbers.push(...records.values[0].values);
        bytes += records.byteCount;
      }
      assert.deepEqual(numbers, Array.from(floats));
      assert.equal(bytes, source.byteCount);
      await source.close();
    }
  }
});

test('a list of numbers is rows of one; an array without rows has none', async () => {
  const list = await npy.open(memoryFile(writeNpy(floats, { shape: '(78,)' }), 'v.npy'), {});
  assert.deepEqual([list.rowCount, list.vectors?.dimensions], [78, 1]);
  const empty = await npy.open(memoryFile(writeNpy(new Float32Array(0), { shape: '(0, 6)' }), 'v.npy'), {});
  assert.equal(empty.rowCount, 0);
});

for (const [what, bytes] of [
  ['a header that tells of more rows than there are', writeNpy(floats, { shape: '(99999999999, 6)' })],
  ['bytes behind the last row', Buffer.concat([writeNpy(floats, { shape }), Buffer.from('x')])],
  ['a file cut short', writeNpy(floats, { shape }).subarray(0, -1)],
  ['three dimensions', writeNpy(floats, { shape: '(13, 3, 2)' })],
  ['rows of nothing', writeNpy(new Float32Array(0), { shape: '(13, 0)' })],
  ['texts', writeNpy(Buffer.alloc(8), { shape: '(2,)', descr: '<U1' })],
  ['objects', writeNpy(Buffer.alloc(8), { shape: '(1,)', descr: '|O' })],
  ['another file', Buffer.from('PK\u0003\u0004 something else')],
  ['an empty file', Buffer.alloc(0)],
] as const) {
  test(`${what}: refused as .npy, with what to do`, async () => {
    await assert.rejects(
      npy.open(memoryFile(bytes, 'v.npy'), {}),
      (error) => isSluiceError(error, 'SLUICE_SOURCE_INVALID') && error.hint !== undefined,
    );
  });
}

test('a row of another length in .fvecs is an error that says where', async () => {
  const bytes = writeFvecs(floats, dimensions);
  bytes.writeInt32LE(5, 28 * 7);
  const { vectors } = await fvecs.open(memoryFile(bytes, 'v.fvecs'), {});
  await assert.rejects(
    vectors!.read(0, rows),
    (error) => isSluiceError(error, 'SLUICE_SOURCE_INVALID') && error.message.includes('row 8, at byte 196'),
  );
});

for (const { name, format, bytes } of [
  { name: 'v.npy', format: npy, bytes: writeNpy(floats, { shape }) },
  { name: 'v.fvecs', format: fvecs, bytes: writeFvecs(floats, dimensions) },
]) {
  test(`10,000 mutations of ${name} give rows or a clear error`, async () => {
    const seed = Date.now() % 1_000_000;
    const read = await fuzzFormat(format, bytes, { count: 10_000, name, seed });
    assert.ok(read > 100 && read < 9_900, `seed ${String(seed)}: ${String(read)} of them could be read`);
  });
}
