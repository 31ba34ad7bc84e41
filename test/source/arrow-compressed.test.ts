/** Promises of compressed Arrow: batches larger than any memory that is taken for them, every value exact from any row on, and no frame believed. */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { mock, test } from 'node:test';
import zlib from 'node:zlib';
import { Bool, Field, FixedSizeList, Float32, Int32, makeData, makeVector, Table, Utf8, type Vector, vectorFromArray } from 'apache-arrow';
import { isSluiceError } from '../../src/errors.ts';
import type { Column } from '../../src/rows/schema.ts';
import { format } from '../../src/source/arrow/index.ts';
import type { FilePart, OpenedFile } from '../../src/source/file-format.ts';
import type { ByteFile } from '../../src/source/files/byte-file.ts';
import type { ColumnRecords } from '../../src/source/source.ts';
import { openSource } from '../../src/source/open.ts';
import { createRandom, fuzzFormat, memoryFile } from './binary-fuzz.ts';
import { serve } from './http-server.ts';
import { codecs, stored, writeCompressed, type ArrowCodec, type Encode } from './arrow-codecs.ts';

const rowCount = 24_000;
const dimensions = 96;
const seed = 20_251;

/** Half of each vector is noise: a file of them is megabytes, and is compressed all the same. */
function makeTable(rows: number): { readonly table: Table; readonly floats: Float32Array } {
  const random = createRandom(seed);
  const floats = Float32Array.from({ length: rows * dimensions }, (_, at) => (at % dimensions < dimensions / 2 ? random(2 ** 24) : 0.5));
  const ids = Array.from({ length: rows }, (_, id) => id);
  const columns: Record<string, Vector> = {
    id: vectorFromArray(ids, new Int32()),
    text: vectorFromArray(ids.map(textOf), new Utf8()),
    flag: vectorFromArray(
      ids.map((id) => (id % 5 === 0 ? null : id % 3 === 0)),
      new Bool(),
    ),
    v: makeVector(
      makeData({
        type: new FixedSizeList(dimensions, new Field('item', new Float32(), true)),
        length: rows,
        nullCount: 0,
        child: makeData({ type: new Float32(), data: floats }),
      }),
    ),
  };
  return { table: new Table(columns), floats };
}

function textOf(id: number): string | null {
  return id % 7 === 0 ? null : `row ${String(id)}: ${'a text of some length, '.repeat(3 + (id % 3))}`;
}

const { floats, table } = makeTable(rowCount);

/** Two batches, of which the first has most rows. */
function writeBatches(codec: Pick<ArrowCodec, 'encode' | 'kind'>): Buffer {
  return writeCompressed(table.slice(0, rowCount - 1000).concat(table.slice(rowCount - 1000)), codec);
}

const files = new Map([...codecs, stored].map((codec) => [codec.name, writeBatches(codec)]));

async function open(file: ByteFile): Promise<{ opened: OpenedFile; columns: Column[]; parts: FilePart[] }> {
  const opened = await format.open(file, {});
  const { declared = [] } = await opened.sample();
  const columns = declared.map(({ name, ...rest }) => ({ name, field: name, ...rest }));
  return { opened, columns, parts: await Array.fromAsync(opened.parts(1)) };
}

async function openBytes(bytes: Buffer): ReturnType<typeof open> {
  return open(memoryFile(bytes, 't.arrow'));
}

type Reading = Pick<Awaited<ReturnType<typeof open>>, 'opened' | 'columns'>;

function read({ columns, opened }: Reading, part: FilePart, row = 0): AsyncGenerator<ColumnRecords, void, undefined> {
  return opened.read(part, { offset: part.start + row, row, line: row }, { columns }) as AsyncGenerator<ColumnRecords, void, undefined>;
}

/** Every value of a stretch is that of its row in the file. */
function checkStretch(records: ColumnRecords): number {
  const [id, text, flag, v] = records.values;
  assert.ok(id?.kind === 'scalar' && text?.kind === 'scalar' && flag?.kind === 'scalar' && v?.kind === 'vector');
  const first = records.places.offsets[0] ?? -1;
  const ids = Array.from({ length: records.rowCount }, (_, row) => first + row);
  assert.deepEqual(id.values, ids);
  assert.deepEqual(text.values, ids.map(textOf));
  assert.deepEqual(
    flag.values,
    ids.map((row) => (row % 5 === 0 ? null : row % 3 === 0)),
  );
  assert.ok(Buffer.from(v.values.buffer, v.values.byteOffset, v.values.byteLength).equals(bytesOf(first, first + records.rowCount)));
  return records.rowCount;
}

function bytesOf(start: number, end: number): Buffer {
  return Buffer.from(floats.buffer, floats.byteOffset + start * dimensions * 4, (end - start) * dimensions * 4);
}

for (const { name } of [...codecs, stored]) {
  test(`${name}: every row once with its values, and the same from any row on`, async () => {
    const file = await openBytes(files.get(name) ?? Buffer.alloc(0));
    assert.equal(file.parts.length, 2);
    for (const part of file.parts) {
      const rows = (part.end ?? 0) - part.start;
      for (const row of [0, 1, 1365, 5000, 9999, 16_384, rows - 1].filter((each) => each < rows)) {
        let found = row;
        for await (const records of read(file, part, row)) found += checkStretch(records);
        assert.equal(found, rows, `from row ${String(row)} on`);
      }
    }
  });

  test(`${name}: a load that goes on where each of its stretches ended has every row once`, async () => {
    const file = await openBytes(files.get(name) ?? Buffer.alloc(0));
    const [part] = file.parts;
    assert.ok(part !== undefined);
    let row = 0;
    for (let stretches = 0; part.start + row < (part.end ?? 0); stretches++) {
      assert.ok(stretches < 100);
      const reader = read(file, part, row);
      const { value } = await reader.next();
      await reader.return();
      assert.ok(value !== undefined);
      assert.equal(value.places.rows[0], row);
      row += checkStretch(value);
    }
    assert.equal(row, rowCount - 1000);
  });

  test(`${name}: what two readers in turn were given stays as it was`, async () => {
    const file = await openBytes(files.get(name) ?? Buffer.alloc(0));
    const [part] = file.parts;
    assert.ok(part !== undefined);
    const given: ColumnRecords[] = [];
    for (const [one, two] = [read(file, part), read(file, part, 700)]; ;) {
      const answers = [await one.next(), await two.next()];
      given.push(...answers.flatMap(({ value }) => value ?? []));
      if (answers.every(({ done }) => done)) break;
    }
    const rows = given.reduce((sum, records) => sum + checkStretch(records), 0);
    assert.equal(rows, 2 * (rowCount - 1000) - 700);
  });

  test(`${name}: no read and no vector takes more than a fraction of its batch`, async () => {
    const bytes = files.get(name) ?? Buffer.alloc(0);
    const sizes: number[] = [];
    const whole = memoryFile(bytes, 't.arrow');
    const file = await open({
      ...whole,
      read: (start, end) => {
        sizes.push(end - start);
        return whole.read(start, end);
      },
      readInto: (target, start) => {
        sizes.push(target.length);
        return whole.readInto?.(target, start) ?? 0;
      },
    });
    let held = 0;
    const [part] = file.parts;
    assert.ok(part !== undefined);
    for await (const records of read(file, part)) {
      const v = records.values[3];
      assert.ok(v?.kind === 'vector');
      held = Math.max(held, v.values.buffer.byteLength);
    }
    // The vectors are 8.8 MB, 5 MB of them in the file. A block of 4 MiB is a piece, and its frame's own measure.
    const most = name.includes('4 MiB') ? 5 : 1.25;
    // zlib's thread is given up to 3 MiB at once.
    const mostRead = name === 'zstd' ? 3 : most;
    assert.ok(Math.max(...sizes) <= mostRead * 2 ** 20, `${String(Math.max(...sizes))} bytes were read at once`);
    assert.ok(held <= 1.2 * most * 2 ** 20, `${String(held)} bytes were held for a stretch`);
  });
}

const damages: Readonly<Record<string, (encode: Encode) => Encode>> = {
  'ends early': (encode) => (bytes) => (bytes.length > 2 ** 20 ? encode(bytes.subarray(0, bytes.length - 1000)) : encode(bytes)),
  'goes on': (encode) => (bytes) => (bytes.length > 2 ** 20 ? encode(Buffer.concat([bytes, bytes.subarray(0, 8)])) : encode(bytes)),
  'is cut': (encode) => (bytes) => (bytes.length > 2 ** 20 ? encode(bytes).subarray(0, -6) : encode(bytes)),
  'is followed by something else': (encode) => (bytes) =>
    bytes.length > 2 ** 20 ? Buffer.concat([encode(bytes), Buffer.from('something')]) : encode(bytes),
};

for (const { encode, kind, name } of codecs) {
  for (const [what, damage] of Object.entries(damages)) {
    test(`${name}: a frame that ${what} is an error that names its batch, and the rows before it are exact`, async () => {
      const bytes = writeCompressed(table, { kind, encode: damage(encode) });
      let rows = 0;
      await assert.rejects(
        async () => {
          // Where a piece is most of a column, its sample is an error already.
          const file = await openBytes(bytes);
          const [part] = file.parts;
          assert.ok(part !== undefined);
          for await (const records of read(file, part)) rows += checkStretch(records);
        },
        (error) => isSluiceError(error, 'SLUICE_SOURCE_INVALID') && /^t\.arrow can't be read as Arrow: at byte \d+ /u.test(error.message),
      );
      assert.ok(rows < rowCount);
    });
  }
}

for (const { encode, kind, name } of codecs) {
  test(`500 mutations of a file of ${name} whose buffers are read in pieces give rows or a clear error`, async () => {
    const fuzzSeed = Date.now() % 1_000_000;
    const values = new Float32Array(800 * 384).fill(0.25);
    const child = makeData({ type: new Float32(), data: values });
    const type = new FixedSizeList(384, new Field('item', new Float32(), true));
    const v = makeVector(makeData({ type, length: 800, nullCount: 0, child }));
    const bytes = writeCompressed(new Table({ v }), { kind, encode });
    const count = await fuzzFormat(format, bytes, { count: 500, name: `t.${kind}`, seed: fuzzSeed });
    assert.ok(count < 500, `seed ${String(fuzzSeed)}: ${String(count)} of them could be read`);
  });
}

for (const { name } of [...codecs, stored]) {
  test(`${name}: behind a web server all rows come in few requests`, async (context) => {
    const bytes = files.get(name) ?? Buffer.alloc(0);
    const { requests, url } = await serve(context, { 't.arrow': bytes });
    const source = await openSource([`${url}/t.arrow`]);
    context.after(() => source.close());
    const { declared = [] } = await source.sample();
    const columns = declared.map(({ name: field, ...rest }) => ({ name: field, field, ...rest }));
    let rows = 0;
    for await (const shard of source.shards(1e9)) {
      for await (const records of source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns })) {
        assert.ok(records.kind === 'columns');
        rows += checkStretch(records);
      }
    }
    assert.equal(rows, rowCount);
    assert.ok(requests.length < 70, `${String(requests.length)} requests for ${String(bytes.length)} bytes`);
  });
}

test('a reader that is given up ends what it was decompressing', async (context) => {
  const streams: zlib.ZstdDecompress[] = [];
  const create = zlib.createZstdDecompress;
  mock.method(zlib, 'createZstdDecompress', (options: zlib.ZstdOptions) => {
    const stream = create(options);
    streams.push(stream);
    return stream;
  });
  syncBuiltinESMExports();
  context.after(() => {
    mock.restoreAll();
    syncBuiltinESMExports();
  });
  const file = await openBytes(files.get('zstd') ?? Buffer.alloc(0));
  const [part] = file.parts;
  assert.ok(part !== undefined);
  const sampled = streams.length;
  for await (const records of read(file, part)) {
    assert.ok(records.rowCount > 0);
    break;
  }
  assert.ok(sampled > 0 && streams.length > sampled);
  assert.ok(streams.every(({ destroyed }) => destroyed));
});
