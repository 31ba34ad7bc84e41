/** Promises of the Parquet reader: exact values, whatever wrote the pages; parts, resume and pruning; faults with their place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parquetMetadata } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { isSluiceError } from '../../src/errors.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Column } from '../../src/rows/schema.ts';
import type { FilePart, OpenedFile } from '../../src/source/file-format.ts';
import { format } from '../../src/source/parquet/index.ts';
import { expectRow, fixtureRows, holdFile, listRows, listStretches, openBytes, readFixture, writeExpected } from './parquet-rows.ts';

const wholeFiles = ['none-v1', 'snappy-v1', 'zstd-v2', 'lz4-v2', 'gzip-v1', 'brotli-v2', 'encodings-v2', 'two-levels'];

for (const name of wholeFiles) {
  test(`every value of ${name}.parquet is read exactly, in parts of any size`, async () => {
    const bytes = readFixture(`${name}.parquet`);
    const { fields } = await openBytes(bytes);
    const expected = Array.from({ length: fixtureRows }, (_, row) => writeExpected(row, fields));
    for (const targetBytes of [1e9, 4000, 700]) assert.deepEqual(await listRows(await openBytes(bytes), targetBytes), expected);
  });
}

test('types are declared as the schema has them, and embeddings with their dimension', async () => {
  const { declared, rowCount } = await openBytes(readFixture('snappy-v1.parquet'));
  const types = Object.fromEntries(declared.map(({ dimensions, name, type }) => [name, `${type}${dimensions ?? ''}`]));
  assert.equal(rowCount, fixtureRows);
  const expected = {
    flag: 'boolean',
    u32: 'integer',
    i64: 'integer',
    f32: 'real',
    name: 'text',
    bin: 'bytes',
    day: 'date',
    at_us: 'timestamp',
  };
  const others = {
    at_ns: 'timestamp',
    dec9: 'decimal',
    dec38: 'decimal',
    vec: 'vector16',
    words: 'json',
    deep: 'json',
    part: 'json',
    map: 'json',
  };
  assert.deepEqual(types, { ...expected, ...others, uuid: 'uuid', doc: 'json' });
});

test('a file without rows has its fields, no parts and no sampled rows', async () => {
  const opened = await openBytes(readFixture('empty.parquet'));
  assert.equal(opened.fields.length, 20);
  assert.deepEqual(await listRows(opened), []);
  const sample = await opened.sample();
  assert.deepEqual(sample.stretches, []);
});

test('twelve-byte timestamps keep their nanoseconds and name no zone', async () => {
  const rows = await listRows(await openBytes(readFixture('int96.parquet')));
  const expected = expectRow(0)['at_us']!.replace('Z"', '000"');
  assert.equal(rows[0], `{"at_us":${expected}}`);
  assert.equal(rows.length, fixtureRows);
});

/** Reads a part from a row on and compares places and rows. */
async function checkRest(
  opened: OpenedFile,
  part: FilePart,
  place: { readonly row: number; readonly all: readonly string[] },
): Promise<void> {
  const { all, row } = place;
  const rest: string[] = [];
  const from = { offset: part.start + row, row, line: row };
  for await (const { end, places, rowCount } of opened.read(part, from, { columns: [] })) {
    assert.equal(places.rows[0], row + rest.length);
    assert.equal(places.offsets[0], part.start + row + rest.length);
    rest.push(...Array.from({ length: rowCount }, (_, at) => places.raw(at)));
    assert.deepEqual(end, { offset: part.start + row + rest.length, row: row + rest.length, line: row + rest.length });
  }
  assert.deepEqual(rest, all.slice(part.start + row, part.end));
}

for (const name of ['snappy-v1', 'zstd-v2', 'none-v1']) {
  test(`from every position the rest of a part of ${name}.parquet is read`, async () => {
    const opened = await openBytes(readFixture(`${name}.parquet`));
    const all = Array.from({ length: fixtureRows }, (_, row) => writeExpected(row, opened.fields));
    for await (const part of opened.parts(9000)) {
      for (let row = 0; row <= part.end! - part.start; row += 3) await checkRest(opened, part, { row, all });
    }
  });
}

test('parts cover every row once and have the bytes of the file among them', async () => {
  const bytes = readFixture('snappy-v1.parquet');
  const opened = await openBytes(bytes);
  for (const targetBytes of [1, 5000, 20_000, 1e9]) {
    let next = 0;
    let sum = 0;
    for await (const part of opened.parts(targetBytes)) {
      assert.equal(part.start, next);
      assert.ok(part.end! > part.start);
      assert.deepEqual(await opened.digestPart?.(part), { head: part.head, tail: part.tail });
      next = part.end!;
      sum += part.byteCount;
    }
    assert.equal(next, fixtureRows);
    assert.equal(sum, bytes.length);
  }
});

test('a part has a page of the largest column at least, and whole groups where each read is a request', async () => {
  const write = (rows: number, pageSize = 1024 * 1024): Uint8Array =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [{ name: 'n', data: Int32Array.from({ length: rows }, (_, at) => at * 7919), type: 'INT32' }],
        codec: 'UNCOMPRESSED',
        rowGroupSize: rows,
        pageSize,
      }),
    );
  const countParts = async (opened: OpenedFile): Promise<number> => (await Array.fromAsync(opened.parts(256 * 1024))).length;
  assert.equal(await countParts(await openBytes(write(200_000))), 1);
  const large = write(700_000);
  assert.equal(await countParts(await openBytes(large)), 2);
  assert.equal(await countParts(await openBytes(write(700_000, 1e9))), 1);
  const remote = await format.open({ ...holdFile(large), isRemote: true }, {});
  assert.equal(await countParts(remote), 1);
});

test('no byte of a column that is not asked for is read', async () => {
  const bytes = readFixture('none-v1.parquet');
  const reads: (readonly [number, number])[] = [];
  const opened = await openBytes(bytes, reads);
  reads.length = 0;
  const column: Column = { name: 'name', field: 'name', type: 'text', isNullable: true };
  const rows = await listRows(opened, 1e9, { columns: [column] });
  assert.equal(rows[1], writeExpected(1, ['name']));
  const group = parquetMetadata(bytes).row_groups[0]!;
  const chunk = group.columns.find(({ meta_data: meta }) => meta?.path_in_schema[0] === 'name')!.meta_data!;
  const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
  const end = start + Number(chunk.total_compressed_size);
  const digest = reads.shift();
  assert.equal(digest![1] - digest![0], 4096);
  for (const [from, to] of reads) assert.ok(from >= start && to <= end, `${from} to ${to}`);
});

const list = { listFormat: 'list' } as const;

function writeLists(rows: readonly (readonly (number | null)[] | null)[]): Uint8Array {
  const schema = [
    { name: 'root', num_children: 1 },
    { name: 'v', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'OPTIONAL' },
  ] as const;
  return new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: 'v', data: rows as unknown[] }], schema: [...schema] as never, ...list }),
  );
}

test('a list of another length, or with a null in it, is a reject of its row, and its neighbours are vectors', async () => {
  const rows = Array.from({ length: 40 }, (_, row) =>
    row === 39 ? null : Array.from({ length: 16 }, (_x, index): number | null => row + index),
  );
  rows[20] = [1, 2, 3];
  rows[30]![5] = null;
  rows[31] = [];
  const opened = await openBytes(writeLists(rows));
  assert.deepEqual(opened.declared, [{ name: 'v', type: 'vector', isNullable: true, dimensions: 16 }]);
  const builder = createBatchBuilder([{ name: 'v', field: 'v', type: 'vector', dimensions: 16, isNullable: true }]);
  const rejects = (await listStretches(opened)).flatMap((stretch) => builder.add(stretch));
  assert.deepEqual(
    rejects.map(({ code, row }) => [code, row]),
    [
      ['VECTOR_DIMENSION', 20],
      ['VECTOR_ELEMENT', 30],
      ['VECTOR_DIMENSION', 31],
    ],
  );
  const [values] = builder.take().values;
  assert.ok(values?.kind === 'vector');
  assert.equal(values.values.length, 37 * 16);
  assert.equal(values.values[20 * 16], 21);
  assert.equal(values.nulls?.[36], 1);
});

test('a list of floats is read as JSON where the table wants no vector, and as a vector of the table’s length where it wants one', async () => {
  const opened = await openBytes(writeLists([[1, 2], [3], null]));
  assert.deepEqual(opened.declared, []);
  const json: Column = { name: 'v', field: 'v', type: 'json', isNullable: true };
  assert.deepEqual(await listRows(opened, 1e9, { columns: [json] }), ['{"v":[1,2]}', '{"v":[3]}', '{"v":null}']);
  const vector: Column = { name: 'v', field: 'v', type: 'vector', dimensions: 2, isNullable: true };
  const [first] = await listStretches(opened, 1e9, { columns: [vector] });
  assert.deepEqual(first?.values[0], { kind: 'vector', dimensions: 2, values: Float32Array.of(1, 2), nulls: undefined });
});

test('text that is no UTF-8 is refused by its row and not altered', async () => {
  const bytes = Buffer.from(
    parquetWriteBuffer({ columnData: [{ name: 's', data: ['good', 'evil?', 'fine'], type: 'STRING' }], codec: 'UNCOMPRESSED' }),
  );
  let at = bytes.indexOf('evil?');
  for (; at !== -1; at = bytes.indexOf('evil?', at + 1)) bytes[at + 4] = 0xff;
  const builder = createBatchBuilder([{ name: 's', field: 's', type: 'text', isNullable: true }]);
  const rejects = (await listStretches(await openBytes(bytes))).flatMap((stretch) => builder.add(stretch));
  assert.deepEqual(
    rejects.map(({ code, row }) => [code, row]),
    [['VALUE_TYPE', 1]],
  );
  assert.equal(builder.take().rowCount, 2);
});

test('a stretch stays small where a dictionary makes much of little', async () => {
  const long = ['a', 'b', 'c'].map((letter) => letter.repeat(100_000));
  const data = Array.from({ length: 3000 }, (_, row) => long[row % 3]);
  const opened = await openBytes(new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 's', data, type: 'STRING' }] })));
  let rows = 0;
  for (const { rowCount, values } of await listStretches(opened)) {
    rows += rowCount;
    const texts = values[0]?.kind === 'scalar' ? values[0].values : [];
    assert.ok(texts.reduce<number>((sum, text) => sum + String(text).length, 0) <= 512 * 1024);
  }
  assert.equal(rows, 3000);
});

const faults: readonly (readonly [string, (bytes: Buffer) => Buffer, string, RegExp])[] = [
  ['cut in the middle', (bytes) => bytes.subarray(0, bytes.length >> 1), 'SLUICE_SOURCE_INVALID', /its end is missing/],
  ['too short', () => Buffer.from('PAR1PAR1'), 'SLUICE_SOURCE_INVALID', /too short/],
  ['another kind of file', (bytes) => Buffer.concat([Buffer.from('{"a'), bytes.subarray(3)]), 'SLUICE_SOURCE_INVALID', /does not begin/],
  ['encrypted', (bytes) => Buffer.concat([bytes.subarray(0, -4), Buffer.from('PARE')]), 'SLUICE_SOURCE_INVALID', /encrypted/],
  [
    'a description that claims 4 GB',
    (bytes) => overwrite(bytes, bytes.length - 8, 'ffffffff'),
    'SLUICE_SOURCE_INVALID',
    /claims 4294967295 bytes/,
  ],
  [
    'a page whose bytes were changed',
    (bytes) => overwrite(bytes, 50, 'ff'),
    'SLUICE_SOURCE_INVALID',
    /row group 1, column flag: the checksum/,
  ],
];

function overwrite(bytes: Buffer, at: number, hex: string): Buffer {
  const copy = Buffer.from(bytes);
  copy.write(hex, at, 'hex');
  return copy;
}

for (const [what, change, code, message] of faults) {
  test(`${what}: refused with its place and the next step`, async () => {
    const bytes = change(readFixture('snappy-v1.parquet'));
    await assert.rejects(
      async () => listRows(await openBytes(bytes)),
      (error) => isSluiceError(error) && error.code === code && message.test(error.message) && error.hint !== undefined,
    );
  });
}

test('a page larger than memory allows is refused with its size', async () => {
  const bytes = Buffer.from(
    parquetWriteBuffer({ columnData: [{ name: 'n', data: [1, 2, 3], type: 'INT32', nullable: false }], codec: 'UNCOMPRESSED' }),
  );
  // The header of the first page: field 2, its size of 12 bytes as zigzag 24.
  const at = bytes.indexOf(Buffer.from('150615181518', 'hex'));
  assert.notEqual(at, -1);
  const grown = Buffer.concat([bytes.subarray(0, at + 3), Buffer.from('808080800a', 'hex'), bytes.subarray(at + 4)]);
  await assert.rejects(
    async () => listRows(await openBytes(grown)),
    (error) => isSluiceError(error, 'SLUICE_SOURCE_TOO_LARGE') && /1342177280 bytes/u.test(error.message),
  );
});
