/** Compressed text: every row of every member, whatever the name says, and an error where the data ends early or goes on behind its end. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { openSource, reopenSource } from '../../src/source/open.ts';
import type { SourceOptions } from '../../src/source/source.ts';
import { makeFolder } from './folder.ts';
import { listShards, readAll, readShard, valuesOf } from './reading.ts';

const rows = Array.from({ length: 3_000 }, (_, id) => ({ id, text: `row ${String(id * 7919)}` }));
const jsonl = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
const compress = { gzip: gzipSync, zstd: zstdCompressSync, brotli: brotliCompressSync } as const;
const endings = { gzip: 'gz', zstd: 'zst', brotli: 'br' } as const;
const names = Object.keys(compress) as (keyof typeof compress)[];

test('a compressed file is read by its name, and gzip and zstd by their first bytes too', async (context) => {
  const folder = makeFolder(context);
  for (const name of names) {
    const packed = compress[name](jsonl);
    assert.deepEqual(valuesOf(await readAll(folder.write(`rows.ndjson.${endings[name]}`, packed))), rows, name);
    const other = folder.write(`${name}.data`, packed);
    const options: SourceOptions = name === 'brotli' ? { compression: 'brotli' } : {};
    const source = await openSource(other, options);
    assert.equal(source.format, 'jsonl');
    assert.match(JSON.stringify(source.decisions), new RegExp(`first bytes.*${name}`, 'u'));
    await source.close();
    assert.deepEqual(valuesOf(await readAll(other, options)), rows, name);
  }
});

test('all members of a gzip file and all frames of a zstd file are read, and padding behind them is none', async (context) => {
  const folder = makeFolder(context);
  const [first, second] = [jsonl.subarray(0, 40_000), jsonl.subarray(40_000)];
  for (const name of ['gzip', 'zstd'] as const) {
    const packed = Buffer.concat([compress[name](first), compress[name](Buffer.alloc(0)), compress[name](second), Buffer.alloc(512)]);
    assert.deepEqual(valuesOf(await readAll(folder.write(`rows.jsonl.${endings[name]}`, packed))), rows, name);
  }
});

test('what is truncated, corrupt or goes on behind its end is an error with the file and the byte', async (context) => {
  const folder = makeFolder(context);
  for (const name of names) {
    const packed = compress[name](jsonl);
    const damaged: [string, Buffer, RegExp][] = [
      ['short', packed.subarray(0, packed.length - 9), /truncated.*near byte \d/],
      ['half', packed.subarray(0, packed.length >> 1), /truncated.*near byte \d/],
      ['long', Buffer.concat([packed, Buffer.from('more')]), /corrupt|after the end/],
    ];
    if (name === 'gzip') damaged.push(['hole', Buffer.concat([packed, Buffer.alloc(9), packed]), /after the end/]);
    for (const [what, bytes, message] of damaged) {
      const path = folder.write(`${what}.jsonl.${endings[name]}`, bytes);
      await assert.rejects(readAll(path), (error: unknown) => {
        assert.ok(isSluiceError(error, 'SLUICE_SOURCE_INVALID'), `${name} ${what}: ${String(error)}`);
        assert.match(error.message, message);
        assert.match(error.message, new RegExp(`${what}\\.jsonl`, 'u'));
        assert.match(error.hint ?? '', /--again/);
        return true;
      });
    }
  }
});

test('what is no compressed data, or is followed by something else, is told from damage', async (context) => {
  const folder = makeFolder(context);
  const noise = Buffer.concat([gzipSync(jsonl).subarray(0, 40), Buffer.alloc(90_000, 0xa5)]);
  const cases: [string, Buffer, RegExp, RegExp][] = [
    ['plain.jsonl.gz', jsonl, /is no gzip data: its first bytes are others/u, /--compression none --format/u],
    ['zstd.jsonl.gz', zstdCompressSync(jsonl), /is no gzip data: it is zstd/u, /--compression zstd/u],
    ['tail.jsonl.gz', Buffer.concat([gzipSync(jsonl), Buffer.from('garbage garbage')]), /more bytes after the end/u, /--again/u],
    ['noise.jsonl.gz', noise, /corrupt.*between bytes 0 and 90,040 of/u, /--again/u],
    ['double.jsonl.gz', gzipSync(gzipSync(jsonl)), /is compressed by gzip/u, /compressed twice.*gzip -dc/u],
  ];
  for (const [name, bytes, message, hint] of cases) {
    await assert.rejects(readAll(folder.write(name, bytes)), (error: unknown) => {
      assert.ok(isSluiceError(error), name);
      assert.match(error.message, message);
      assert.match(error.hint ?? '', hint);
      return true;
    });
  }
});

test('damaged gzip never gives a wrong row: what is read before the error is the beginning of the rows', async (context) => {
  const folder = makeFolder(context);
  const packed = gzipSync(jsonl);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: packed.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const bytes = Buffer.from(packed);
      bytes[at]! ^= change;
      const path = folder.write('rows.jsonl.gz', bytes);
      try {
        // The time and name of the header may change without harm.
        assert.deepEqual(valuesOf(await readAll(path)), rows);
      } catch (error) {
        assert.ok(isSluiceError(error), String(error));
      }
    }),
    { numRuns: 150 },
  );
});

test('a resume passes over what was committed, in another thread, and notices another file', async (context) => {
  const folder = makeFolder(context);
  const path = folder.write('rows.jsonl.zst', zstdCompressSync(jsonl));
  const source = await openSource(path);
  const [shard, ...others] = await listShards(source, 1_000);
  assert.equal(others.length, 0);
  assert.equal(source.wholeShards, 1);
  const all = await readShard(source, shard!);
  const lane = await reopenSource(structuredClone(source.descriptor!));
  for (const count of [0, 1, 1_234, rows.length]) {
    const offset = Buffer.byteLength(
      rows
        .slice(0, count)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(''),
    );
    assert.deepEqual(valuesOf((await readShard(lane, shard!, { offset, row: count, line: count })).list), rows.slice(count));
  }
  assert.equal(valuesOf(all.list).length, rows.length);
  await lane.close();
  await source.close();
  folder.write('rows.jsonl.zst', zstdCompressSync(jsonl.subarray(0, 50_000)));
  const later = await reopenSource(structuredClone(source.descriptor!));
  assert.deepEqual(await later.changed([shard!]), [shard]);
  await assert.rejects(readShard(later, shard!), { code: 'SLUICE_SOURCE_CHANGED' });
  await later.close();
});

test('compressed and plain files are one load, a shard or more each, and progress adds up to their sizes', async (context) => {
  const folder = makeFolder(context);
  const csv = Buffer.from(`id,text\n${rows.map(({ id, text }) => `${String(id)},${text}\n`).join('')}`);
  const paths = [folder.write('a.csv', csv), folder.write('b.csv.gz', gzipSync(csv)), folder.write('c.csv.br', brotliCompressSync(csv))];
  const source = await openSource(paths);
  const shards = await listShards(source, 10_000);
  let [count, bytes] = [0, 0];
  for (const shard of shards) {
    for await (const records of source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns: [] })) {
      count += records.rowCount;
      bytes += records.byteCount;
    }
  }
  assert.equal(count, 3 * rows.length);
  assert.equal(bytes, source.byteCount);
  await source.close();
});

test('a stream is known by its first bytes: its compression and its format', async () => {
  for (const name of ['gzip', 'zstd'] as const) {
    const chunks = Array.from(compress[name](jsonl), (byte) => Buffer.from([byte]));
    const source = await openSource(Readable.from(chunks, { objectMode: false }));
    const [shard] = await listShards(source);
    assert.deepEqual(valuesOf((await readShard(source, shard!)).list), rows, name);
    await source.close();
  }
  const named = await openSource(Readable.from([brotliCompressSync(jsonl)], { objectMode: false }), {
    format: 'jsonl',
    compression: 'brotli',
  });
  const [shard] = await listShards(named);
  assert.deepEqual(valuesOf((await readShard(named, shard!)).list), rows);
  await assert.rejects(
    openSource([], { compression: 'gzip', format: 'jsonl' })
      .then((source) => source.close())
      .then(() => openSource('x', { compression: 'lzma' as 'gzip' })),
    {
      code: /SLUICE_(?:USAGE|SOURCE_MISSING)/u,
    },
  );
});
