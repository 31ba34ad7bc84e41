/** Arrow, written by the reference's own library: every row once in parts of any size, every type exact, no length believed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Bool,
  DateDay,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int32,
  Int64,
  Int8,
  LargeUtf8,
  List,
  makeData,
  makeVector,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  TimestampMicrosecond,
  TimestampNanosecond,
  Uint64,
  Utf8,
  type Vector,
  vectorFromArray,
  type DataType,
} from 'apache-arrow';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/index.ts';
import { readCell } from '../../src/rows/column-records.ts';
import type { Column } from '../../src/rows/schema.ts';
import { format } from '../../src/source/arrow/index.ts';
import { writeDecimal, writeTimestamp } from '../../src/source/arrow/moment.ts';
import type { OpenedFile } from '../../src/source/file-format.ts';
import { fuzzFormat, memoryFile } from './binary-fuzz.ts';
import { makeFolder } from './folder.ts';

type Kind = 'file' | 'stream';
const kinds: readonly Kind[] = ['file', 'stream'];

function write(columns: Readonly<Record<string, Vector>>, kind: Kind, batches = 1): Buffer {
  const whole = new Table(columns);
  const size = Math.ceil(whole.numRows / batches);
  const cut = Array.from(
    { length: batches },
    (_, at) =>
      new Table(Object.fromEntries(Object.entries(columns).map(([name, vector]) => [name, vector.slice(at * size, (at + 1) * size)]))),
  );
  const table = batches === 1 ? whole : cut.reduce((sum, part) => sum.concat(part));
  return Buffer.from(tableToIPC(table, kind));
}

async function open(bytes: Buffer): Promise<{ opened: OpenedFile; columns: Column[] }> {
  const opened = await format.open(memoryFile(bytes, 't.arrow'), {});
  const { declared = [] } = await opened.sample();
  return { opened, columns: declared.map(({ name, ...rest }) => ({ name, field: name, ...rest })) };
}

async function readRows(bytes: Buffer, targetBytes = 1e9, wanted?: readonly string[]): Promise<Record<string, unknown>[]> {
  const { columns, opened } = await open(bytes);
  const rows: Record<string, unknown>[] = [];
  let total = 0;
  for await (const part of opened.parts(targetBytes)) {
    total += part.byteCount;
    const asked = wanted === undefined ? columns : columns.filter(({ name }) => wanted.includes(name));
    for await (const records of opened.read(part, { offset: part.start, row: 0, line: 0 }, { columns: asked })) {
      assert.ok(records.kind === 'columns');
      assert.equal(records.places.offsets[0], rows.length);
      for (let row = 0; row < records.rowCount; row++)
        rows.push(Object.fromEntries(records.fields.map((field, at) => [field, readCell(records.values[at], row)])));
    }
  }
  assert.equal(total, bytes.length);
  return rows;
}

const vectorOf = (type: DataType, values: readonly unknown[]): Vector => vectorFromArray(values as unknown[], type);

function list(name: string, type: DataType): Field {
  return new Field(name, type, true);
}

const typed: Readonly<Record<string, { readonly vector: Vector; readonly wanted: readonly unknown[] }>> = {
  int8: { vector: vectorOf(new Int8(), [1, null, -3]), wanted: [1, null, -3] },
  int64: { vector: vectorOf(new Int64(), [1n, 2n ** 62n, null]), wanted: [1, 2n ** 62n, null] },
  uint64: { vector: vectorOf(new Uint64(), [0n, 2n ** 64n - 1n, 5n]), wanted: [0, 2n ** 64n - 1n, 5] },
  float16: { vector: vectorOf(new Float16(), [0.5, -2, 0]), wanted: [0.5, -2, 0] },
  float64: { vector: vectorOf(new Float64(), [0.1, null, -1e300]), wanted: [0.1, null, -1e300] },
  bool: { vector: vectorOf(new Bool(), [true, null, false]), wanted: [true, null, false] },
  utf8: { vector: vectorOf(new Utf8(), ['a', '世界', null]), wanted: ['a', '世界', null] },
  large: { vector: vectorOf(new LargeUtf8(), ['', 'b', 'c']), wanted: ['', 'b', 'c'] },
  bytes: {
    vector: vectorOf(new FixedSizeBinary(2), [Uint8Array.of(1, 2), null, Uint8Array.of(3, 4)]),
    wanted: [Buffer.of(1, 2), null, Buffer.of(3, 4)],
  },
  day: { vector: vectorOf(new DateDay(), [new Date(0), new Date('1969-12-31'), null]), wanted: ['1970-01-01', '1969-12-31', null] },
  micro: {
    vector: makeVector(makeData({ type: new TimestampMicrosecond(), data: BigInt64Array.of(0n, 1_700_000_000_123_456n, -1n) })),
    wanted: ['1970-01-01T00:00:00', '2023-11-14T22:13:20.123456', '1969-12-31T23:59:59.999999'],
  },
  nano: {
    vector: makeVector(makeData({ type: new TimestampNanosecond('Europe/Berlin'), data: BigInt64Array.of(1n, 0n, 5_000_000n) })),
    wanted: ['1970-01-01T00:00:00.000000001Z', '1970-01-01T00:00:00Z', '1970-01-01T00:00:00.005Z'],
  },
  decimal: {
    vector: makeVector(
      makeData({
        type: new Decimal(3, 20, 128),
        data: Uint32Array.of(12_345, 0, 0, 0, 0xff_ff_ff_ff, 0xff_ff_ff_ff, 0xff_ff_ff_ff, 0xff_ff_ff_ff, 0, 0, 0, 0),
      }),
    ),
    wanted: ['12.345', '-0.001', '0.000'],
  },
  dictionary: { vector: vectorOf(new Dictionary(new Utf8(), new Int32()), ['x', 'y', 'x']), wanted: ['x', 'y', 'x'] },
  list: { vector: vectorOf(new List(list('item', new Int32())), [[1, 2], null, []]), wanted: ['[1,2]', null, '[]'] },
  struct: {
    vector: vectorOf(new Struct([list('a', new Int64()), list('b', new Utf8())]), [
      { a: 2n ** 60n, b: 'q"' },
      { a: 1n, b: null },
      { a: null, b: '' },
    ]),
    wanted: ['{"a":1152921504606846976,"b":"q\\""}', '{"a":1,"b":null}', '{"a":null,"b":""}'],
  },
  fixed: {
    vector: vectorOf(new FixedSizeList(2, list('item', new Float32())), [
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
    wanted: [Float32Array.of(1, 2), Float32Array.of(3, 4), Float32Array.of(5, 6)],
  },
  floats: {
    vector: vectorOf(new List(list('item', new Float64())), [[1, 2], null, [5, 6]]),
    wanted: [Float32Array.of(1, 2), null, Float32Array.of(5, 6)],
  },
};

for (const kind of kinds) {
  for (const [name, { vector, wanted }] of Object.entries(typed)) {
    test(`a column of ${name} in a ${kind} has every value exact`, async () => {
      assert.deepEqual(
        (await readRows(write({ c: vector }, kind))).map(({ c }) => c),
        wanted,
      );
    });
  }

  test(`rows of a ${kind} come once each, in order, in parts of any size, with the columns that are asked for`, async () => {
    const ids = Array.from({ length: 300 }, (_, id) => id);
    const columns = {
      id: vectorOf(new Int32(), ids),
      text: vectorOf(
        new Utf8(),
        ids.map((id) => (id % 7 === 0 ? null : `text ${String(id)}`)),
      ),
      flag: vectorOf(
        new Bool(),
        ids.map((id) => id % 3 === 0),
      ),
      v: vectorOf(
        new List(list('item', new Float32())),
        ids.map((id) => [id, id + 0.5, -id]),
      ),
    };
    for (const [batches, targetBytes] of [
      [1, 1],
      [1, 700],
      [5, 1],
      [5, 900],
      [7, 1e9],
    ] as const) {
      const rows = await readRows(write(columns, kind, batches), targetBytes);
      assert.deepEqual(
        rows.map(({ id }) => id),
        ids,
      );
      assert.ok(
        rows.every(
          ({ flag, id, text, v }) =>
            flag === (Number(id) % 3 === 0) &&
            text === (Number(id) % 7 === 0 ? null : `text ${String(id)}`) &&
            (v as Float32Array)[1] === Number(id) + 0.5,
        ),
      );
    }
    const [first] = await readRows(write(columns, kind), 1e9, ['text', 'v']);
    assert.deepEqual(Object.keys(first ?? {}), ['text', 'v']);
  });

  test(`a ${kind} that is cut short anywhere is an error, or has all rows`, async () => {
    const bytes = write({ id: vectorOf(new Int32(), [1, 2, 3]), t: vectorOf(new Utf8(), ['a', 'b', 'c']) }, kind);
    for (let length = 0; length < bytes.length; length++) {
      const rows = await readRows(bytes.subarray(0, length)).catch((error: unknown) =>
        isSluiceError(error, 'SLUICE_SOURCE_INVALID') ? undefined : Promise.reject(error),
      );
      // A stream need not have its end mark; without its only batch it has no rows, which is what its writer may have meant.
      if (rows !== undefined) assert.ok(kind === 'stream' && (rows.length === 3 || rows.length === 0), String(length));
    }
  });

  test(`10,000 mutations of a ${kind} give rows or a clear error`, async () => {
    const seed = Date.now() % 1_000_000;
    const bytes = write({ t: typed['utf8']!.vector, v: typed['fixed']!.vector, d: typed['dictionary']!.vector }, kind);
    const read = await fuzzFormat(format, bytes, { count: 10_000, name: `t.${kind}`, seed });
    assert.ok(read > 100 && read < 9_900, `seed ${String(seed)}: ${String(read)} of them could be read`);
  });
}

test('a list of another length costs its row alone', async (context) => {
  const folder = makeFolder(context);
  const lists = Array.from({ length: 40 }, (_, row) =>
    row === 7
      ? [1, 2]
      : row === 9
        ? [1, null, ...Array.from({ length: 18 }, () => 1)]
        : Array.from({ length: 20 }, (_each, at) => row + at),
  );
  const bytes = write(
    {
      id: vectorOf(
        new Int32(),
        lists.map((_, id) => id),
      ),
      v: vectorOf(new List(list('item', new Float32())), lists),
    },
    'file',
  );
  const report = await load({ from: folder.write('t.arrow', bytes), to: `sqlite:${folder.path}/t.db`, table: 't' });
  assert.deepEqual([report.counts.written, report.counts.rejected], [38, 2]);
  assert.deepEqual(report.rejectsByCause.map(({ code }) => code).sort(), ['VECTOR_DIMENSION', 'VECTOR_ELEMENT']);
});

test('a column whose type can not be read does not keep the others from being loaded', async () => {
  const batch = new RecordBatch(new Schema([]), makeData({ type: new Struct([]), length: 0 }));
  const { opened } = await open(Buffer.from(tableToIPC(new Table([batch]), 'stream')));
  assert.deepEqual([opened.fields, opened.rowCount], [[], 0]);
});

test('texts that are not UTF-8 are refused, not altered', async () => {
  const bytes = write({ t: vectorOf(new Utf8(), ['aaaa', 'QQQQ', 'bbbb']) }, 'file');
  bytes.fill(0xff, bytes.indexOf('QQQQ'), bytes.indexOf('QQQQ') + 4);
  assert.deepEqual(
    (await readRows(bytes)).map(({ t }) => String(t).isWellFormed()),
    [true, false, true],
  );
});

for (const [what, bytes] of [
  ['a file of another kind', Buffer.from('{"a":1}\n{"a":2}\n')],
  ['Feather of version 1', Buffer.from('FEA1 and so on, and so on')],
  ['an empty file', Buffer.alloc(0)],
  ['a file without its footer', Buffer.concat([Buffer.from('ARROW1\0\0'), Buffer.alloc(64)])],
] as const) {
  test(`${what}: refused, with what to do`, async () => {
    await assert.rejects(
      format.open(memoryFile(bytes, 't.arrow'), {}),
      (error) => isSluiceError(error, 'SLUICE_SOURCE_INVALID') && error.hint !== undefined,
    );
  });
}

test('moments and decimals beyond what a calendar or a double has are kept digit by digit', () => {
  assert.equal(writeDecimal(-(10n ** 40n), 5), `-1${'0'.repeat(35)}.00000`);
  assert.equal(writeDecimal(12n, -3), '12000');
  assert.equal(writeTimestamp(2n ** 62n, 0, false), String(2n ** 62n));
});
