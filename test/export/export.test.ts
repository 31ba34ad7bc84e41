/** Export: what is written is loaded again as the same table, value by value; what fails or is stopped leaves nothing behind. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { exportTable } from '../../src/export/export.ts';
import { load } from '../../src/load/load.ts';
import type { LoadOptions } from '../../src/load/options.ts';
import { places } from '../collection/places.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { readSql } from '../fixtures/load-target.ts';

const types: NonNullable<LoadOptions['types']> = {
  id: 'integer',
  big: 'integer',
  real: 'real',
  text: 'text',
  flag: 'boolean',
  bytes: 'bytes',
  json: 'json',
  at: 'timestamp',
  day: 'date',
  uuid: 'uuid',
  decimal: 'decimal',
  v: 'vector(3)',
};

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const maybe = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values, { freq: 4 });
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('', ' ', 'null', '1,2', '"', 'a\nb', 'a\r\nb', '\t', '\\N', 'é𝄞', "'"),
  )
  .map((value) => value.replaceAll('\0', '').toWellFormed());
const row = fc.record({
  big: maybe(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  real: maybe(finite),
  text: maybe(text),
  flag: maybe(fc.boolean()),
  bytes: maybe(fc.uint8Array({ maxLength: 8 })),
  json: maybe(fc.constantFrom('{"a": [1, 2.50]}', '[1,\n2]', '"x"', '12345678901234567890', '{}')),
  at: maybe(fc.constantFrom('2024-02-29T12:34:56.123456Z', '1999-01-01T00:00:00Z')),
  day: maybe(fc.constantFrom('2024-02-29', '1970-01-01')),
  uuid: maybe(fc.uuid()),
  decimal: maybe(fc.constantFrom('0', '-1.10', '123456789012345678901234567890.123456789', '0.000000000000000000001')),
  v: maybe(
    fc.tuple(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constant(1)),
  ),
});

const seed = Number(process.env['SLUICE_SEED'] ?? Date.now() % 1_000_000);

for (const format of ['jsonl', 'csv', 'tsv', 'parquet', 'jsonl.gz', 'csv.zst'] as const) {
  test(`a table that is exported as ${format} and loaded again is the same table (seed ${String(seed)})`, async (context) => {
    const folder = makeFolder(context);
    let count = 0;
    const property = fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), async (rows) => {
      const base = join(folder, String(count++));
      const from = rows.map((each, id) => ({ id, ...each }));
      const common = { types, key: ['id'], cache: false, lanes: 1, index: { metric: 'ip' } } as const;
      const made = await load({ from, to: `sqlite:${base}.db`, table: 'one', ...common });
      assert.equal(made.counts.written, rows.length, JSON.stringify(made.rejectsByCause));
      const report = await exportTable({ in: `sqlite:${base}.db`, table: 'one', out: `${base}.${format}` });
      assert.equal(report.written, rows.length);
      const back = await load({ from: `${base}.${format}`, to: `sqlite:${base}.db`, table: 'two', ...common });
      assert.deepEqual(back.rejectsByCause, []);
      const read = (table: string): unknown =>
        readSql(`${base}.db`, `SELECT *, typeof(real) AS kind FROM ${table} ORDER BY id`).map((each) =>
          // A line break between tokens of JSON is white space, and becomes a blank in a line.
          format.startsWith('jsonl') ? { ...each, json: String(each['json']).replaceAll('\n', ' ') } : each,
        );
      assert.deepEqual(read('two'), read('one'));
    });
    await fc.assert(property, { numRuns: 8, seed });
  });
}

for (const place of places) {
  test(`every kind of database can be exported: ${place.name}`, { skip: place.skip }, async (context) => {
    const url = await place.open(context);
    const folder = makeFolder(context);
    const rows = Array.from({ length: 2_500 }, (_, id) => ({ id, name: id % 5 === 0 ? null : `name ${String(id)}`, n: id / 8 }));
    await load({ from: rows, to: url, table: 'items', key: ['id'], cache: false });
    const out = join(folder, 'items.jsonl');
    const report = await exportTable({ in: url, table: 'items', out });
    assert.equal(report.rows, 2_500);
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
    const read = lines.map((line) => JSON.parse(line) as { readonly id: number });
    assert.deepEqual(
      read.toSorted((left, right) => left.id - right.id),
      rows,
    );
    const part = await exportTable({
      in: url,
      table: 'items',
      out: join(folder, 'part.csv'),
      where: 'id < 100',
      columns: ['name', 'id'],
      limit: 7,
    });
    assert.equal(part.rows, 7);
    assert.match(readFileSync(join(folder, 'part.csv'), 'utf8'), /^name,id\n/u);
    await assert.rejects(exportTable({ in: url, table: 'items', out: join(folder, 'x.csv'), where: 'id < 1) OR (1 = 1' }), {
      code: 'SLUICE_WHERE_INVALID',
    });
    await assert.rejects(exportTable({ in: url, table: 'itmes', out: join(folder, 'x.csv') }), { code: 'SLUICE_TABLE_UNKNOWN' });
    await assert.rejects(exportTable({ in: url, table: 'items', out: join(folder, 'x.csv'), columns: ['nmae'] }), {
      code: 'SLUICE_COLUMN_UNKNOWN',
    });
    assert.deepEqual(readdirSync(folder).toSorted(), ['items.jsonl', 'part.csv']);
  });
}

test('vectors are exported for NumPy with their keys beside them, and rows without a vector are counted out of both', async (context) => {
  const folder = makeFolder(context);
  const url = `sqlite:${join(folder, 'a.db')}`;
  await load({
    from: [1, 2, 3].map((id) => ({ id, v: id === 2 ? null : [id, 0.5, -1] })),
    to: url,
    table: 't',
    key: ['id'],
    types: { v: 'vector(3)' },
    cache: false,
  });
  for (const name of ['v.npy', 'v.npy.gz', 'v.npy.zst']) {
    const report = await exportTable({ in: url, table: 't', out: join(folder, name), ids: join(folder, `${name}.csv`) });
    assert.deepEqual([report.rows, report.written, report.withoutVector], [3, 2, 1]);
    const packed = readFileSync(join(folder, name));
    const bytes = name.endsWith('gz') ? gunzipSync(packed) : name.endsWith('zst') ? zstdDecompressSync(packed) : packed;
    assert.match(bytes.toString('latin1', 0, 128), /^\x93NUMPY.{4}\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/su);
    assert.deepEqual([...new Float32Array(new Uint8Array(bytes.subarray(128)).buffer)], [1, 0.5, -1, 3, 0.5, -1]);
    assert.equal(readFileSync(join(folder, `${name}.csv`), 'utf8'), 'id\n1\n3\n');
  }
});

test('a Parquet file is not packed as a whole, which nothing could read', async (context) => {
  const folder = makeFolder(context);
  const url = `sqlite:${join(folder, 'a.db')}`;
  await load({ from: [{ id: 1 }], to: url, table: 't', key: ['id'] });
  await assert.rejects(exportTable({ in: url, table: 't', out: join(folder, 't.parquet.gz') }), {
    code: 'SLUICE_USAGE',
    hint: /\.parquet\./u,
  });
  assert.equal(existsSync(join(folder, 't.parquet.gz')), false);
});

test('Parquet has typed columns, and row groups of bounded size', async (context) => {
  const folder = makeFolder(context);
  const url = `sqlite:${join(folder, 'a.db')}`;
  const vector = new Float32Array(1_024).fill(0.25);
  await load({
    from: Array.from({ length: 5_000 }, (_, id) => ({ id, v: vector })),
    to: url,
    table: 't',
    key: ['id'],
    cache: false,
    index: { build: 'none' },
  });
  await exportTable({ in: url, table: 't', out: join(folder, 't.parquet') });
  const file = new Uint8Array(readFileSync(join(folder, 't.parquet'))).buffer;
  const { row_groups: groups, schema } = parquetMetadata(file);
  assert.ok(groups.length >= 2, String(groups.length));
  assert.ok(groups.every((group) => Number(group.total_byte_size) < 10_000_000));
  assert.deepEqual(
    schema.map(({ name, type }) => [name, type]),
    [
      ['root', undefined],
      ['id', 'INT64'],
      ['v', undefined],
      ['list', undefined],
      ['element', 'FLOAT'],
    ],
  );
  const rows = await parquetReadObjects({ file, rowStart: 4_999, rowEnd: 5_000 });
  assert.equal(rows[0]?.['id'], 4_999n);
});

test('a file that is there is not written over unless it is asked for, and a failure leaves neither file nor temporary', async (context) => {
  const folder = makeFolder(context);
  const url = `sqlite:${join(folder, 'a.db')}`;
  await load({ from: Array.from({ length: 20_000 }, (_, id) => ({ id, t: 'x'.repeat(50) })), to: url, table: 't', cache: false });
  const out = join(folder, 't.csv');
  writeFileSync(out, 'mine');
  await assert.rejects(exportTable({ in: url, table: 't', out }), { code: 'SLUICE_USAGE', hint: /--force/u });
  const stopping = new AbortController();
  const stopped = exportTable({ in: url, table: 't', out, overwrites: true, signal: stopping.signal, onProgress: () => stopping.abort() });
  await assert.rejects(stopped, { code: 'SLUICE_CANCELLED' });
  assert.equal(readFileSync(out, 'utf8'), 'mine');
  await assert.rejects(exportTable({ in: url, table: 't', out: join(folder, 'no', 't.csv') }), { code: 'SLUICE_TARGET_MISSING' });
  await assert.rejects(exportTable({ in: url, table: 't', out: join(folder, 't.xyz') }), { code: 'SLUICE_FORMAT_UNKNOWN' });
  await exportTable({ in: url, table: 't', out, overwrites: true });
  assert.ok(readFileSync(out, 'utf8').startsWith('id,t\n0,xxx'));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test(
  'a file that can not grow is told with its path, and nothing is left of it',
  { skip: process.platform === 'win32' ? 'no ulimit' : false },
  async (context) => {
    const folder = makeFolder(context);
    const url = `sqlite:${join(folder, 'a.db')}`;
    await load({ from: Array.from({ length: 20_000 }, (_, id) => ({ id, t: 'x'.repeat(50) })), to: url, table: 't', cache: false });
    const cli = new URL('../../src/cli/main.ts', import.meta.url).pathname;
    // Files may not grow beyond 300 KiB: what a full disk does to a write, without one.
    const run = (): string =>
      execFileSync(
        'bash',
        ['-c', `ulimit -f 300; trap '' XFSZ; "${process.execPath}" "${cli}" export --in "${url}" --table t --out big.jsonl 2>&1`],
        { cwd: folder, encoding: 'utf8' },
      );
    assert.throws(run, (error: { readonly stdout?: string }) =>
      /big\.jsonl can't be written \(EFBIG\)[\s\S]*SLUICE_TARGET_FULL/u.test(error.stdout ?? ''),
    );
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('big')),
      [],
    );
  },
);

test('a value that a typed column does not take is told by its row and column, and CSV of one column refuses a null', async (context) => {
  const folder = makeFolder(context);
  const file = join(folder, 'a.db');
  const db = new DatabaseSync(file);
  db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 5), (2, 'five'), (3, NULL)`);
  db.close();
  const url = `sqlite:${file}`;
  await assert.rejects(exportTable({ in: url, table: 't', out: join(folder, 't.parquet') }), {
    code: 'SLUICE_SOURCE_INVALID',
    message: /^Row 2 .* column n /,
  });
  await assert.rejects(exportTable({ in: url, table: 't', out: join(folder, 't.csv'), columns: ['n'] }), { code: 'SLUICE_SOURCE_INVALID' });
  const stream = new PassThrough();
  await exportTable({ in: url, table: 't', out: stream, format: 'jsonl' });
  stream.end();
  assert.equal(Buffer.concat(await stream.toArray()).toString(), '{"id":1,"n":5}\n{"id":2,"n":"five"}\n{"id":3,"n":null}\n');
});
