/** Files: what can be opened, what is refused and by which code, and what a sample sees of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { toSourceError } from '../../src/source/files/file-handles.ts';
import { openSource } from '../../src/source/open.ts';
import { makeFolder } from './folder.ts';
import { listShards, readAll, readShard, valuesOf } from './reading.ts';

test('what cannot be read is refused by one message that names the file and says what to do', async (context) => {
  const folder = makeFolder(context);
  const cases: [string, string, RegExp][] = [
    [join(folder.path, 'none.csv'), 'SLUICE_SOURCE_MISSING', /none\.csv does not exist/],
    [join(folder.path, '*.ndjson'), 'SLUICE_SOURCE_MISSING', /no file matches/],
    [makeFolder(context).path, 'SLUICE_SOURCE_MISSING', /there is no file to load in/],
    [folder.write('empty.jsonl', ''), 'SLUICE_SOURCE_EMPTY', /empty\.jsonl is empty/],
    [folder.write('blank.csv', '\uFEFF \r\n\n'), 'SLUICE_SOURCE_EMPTY', /blank\.csv is empty/],
    [folder.write('rows.txt', 'a\nb\n'), 'SLUICE_FORMAT_UNKNOWN', /rows\.txt/],
    [folder.write('wide.csv', Buffer.from('\uFEFFa,b\n', 'utf16le')), 'SLUICE_FORMAT_UNKNOWN', /UTF-16/],
    [folder.write('zipped.csv', Buffer.from([0x1f, 0x8b, 8, 0, 0])), 'SLUICE_SOURCE_INVALID', /gzip data does not end/],
    ['ftp://example.com/rows.csv', 'SLUICE_USAGE', /ftp URL/],
  ];
  for (const [path, code, message] of cases) {
    await assert.rejects(openSource(path), (error: Error & { code?: string; hint?: string }) => {
      assert.equal(error.code, code, path);
      assert.match(error.message, message);
      assert.ok(error.hint !== undefined && error.hint.length > 0, path);
      return true;
    });
  }
  await assert.rejects(openSource(folder.write('rows.csv', 'a\n'), { format: 'toml' }), {
    code: 'SLUICE_FORMAT_UNKNOWN',
    message: /"toml"/,
  });
});

test('a file without permission is told from one that is missing', () => {
  // Told by the system's code: the tests may run as root, who may read everything.
  const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
  assert.equal(toSourceError('a.csv', denied).code, 'SLUICE_SOURCE_DENIED');
  assert.equal(toSourceError('a.csv', denied).cause, denied);
  assert.equal(toSourceError('a.csv', Object.assign(new Error('io'), { code: 'EIO' })).code, 'SLUICE_SOURCE_READ');
});

test('a header alone is a source of no rows', async (context) => {
  const path = makeFolder(context).write('rows.csv', 'a,b\r\n');
  const source = await openSource(path);
  const sample = await source.sample();
  assert.deepEqual(sample.fields, ['a', 'b']);
  assert.equal(sample.meanRowBytes, undefined);
  assert.deepEqual(await readAll(path), []);
  await source.close();
});

test('several files, file URLs and patterns are one source, in order', async (context) => {
  const folder = makeFolder(context);
  const first = folder.write('part-1.csv', '\uFEFFa,b\n1,2\n');
  const second = folder.write('part-2.csv', 'a,b\r\n3,4');
  const all = [
    ['1', '2'],
    ['3', '4'],
  ];
  assert.deepEqual(valuesOf(await readAll([first, second])), all);
  assert.deepEqual(valuesOf(await readAll(join(folder.path, 'part-*.csv'))), all);
  assert.deepEqual(valuesOf(await readAll(pathToFileURL(second))), [all[1]]);
  assert.deepEqual(valuesOf(await readAll(pathToFileURL(second).href)), [all[1]]);
  const source = await openSource([first, second]);
  assert.equal(source.byteCount, 11 + 8);
  assert.deepEqual(source.descriptor?.files, [first, second]);
  await source.close();
});

test('files whose headers or formats differ are not loaded as one', async (context) => {
  const folder = makeFolder(context);
  const first = folder.write('a.csv', 'a,b\n1,2\n');
  await assert.rejects(openSource([first, folder.write('b.csv', 'b,a\n1,2\n')]), {
    code: 'SLUICE_SOURCES_DISAGREE',
    message: /b\.csv has the columns in another order/,
  });
  await assert.rejects(openSource([first, folder.write('b.jsonl', '{}\n')]), { code: 'SLUICE_USAGE', message: /csv .*jsonl/ });
  await assert.rejects(openSource([first, '-']), { code: 'SLUICE_USAGE', message: /alone/ });
});

test('more files than a process may hold open are read', async (context) => {
  const folder = makeFolder(context);
  const paths = Array.from({ length: 60 }, (_, file) => folder.write(`${file}.jsonl`, `{"file":${file}}\n`));
  const source = await openSource(paths);
  const shards = await listShards(source);
  const reads = await Promise.all(shards.map((shard) => readShard(source, shard)));
  assert.deepEqual(
    reads.flatMap(({ list }) => valuesOf(list)),
    paths.map((_path, file) => ({ file })),
  );
  await source.close();
});

test('a file that another one has taken the place of is noticed when it is opened again', async (context) => {
  const folder = makeFolder(context);
  const paths = Array.from({ length: 20 }, (_, file) => folder.write(`${file}.jsonl`, `{"file":${file}}\n`));
  const source = await openSource(paths);
  const [first] = await listShards(source);
  renameSync(folder.write('other', '{"file":9}\n'), paths[0]!);
  await assert.rejects(readShard(source, first!), { code: 'SLUICE_SOURCE_READ', message: /replaced/ });
  await source.close();
});

test('a pipe given by its path is a stream', async (context) => {
  const folder = makeFolder(context);
  const path = join(folder.path, 'pipe.csv');
  execFileSync('mkfifo', [path]);
  const writing = import('node:fs/promises').then(({ writeFile }) => writeFile(path, 'a,b\n1,2\n'));
  const source = await openSource(path);
  assert.equal(source.isSeekable, false);
  const [shard] = await listShards(source);
  assert.deepEqual(valuesOf((await readShard(source, shard!)).list), [['1', '2']]);
  await writing;
  await source.close();
});

test('a sample has rows of the start, the middle and the end, each whole, and the mean size of a row', async (context) => {
  const folder = makeFolder(context);
  const rows = Array.from(
    { length: 100_000 },
    (_, row) => `{"id":${row},"text":"${'x'.repeat(50)}"${row === 99_999 ? ',"last":true' : ''}}`,
  );
  const source = await openSource(folder.write('rows.jsonl', rows.join('\n')));
  const sample = await source.sample();
  assert.deepEqual(sample.fields, ['id', 'text', 'last']);
  const ids = sample.stretches.flatMap((stretch) => (stretch.kind === 'values' ? stretch.values.map(({ id }) => Number(id)) : []));
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.length >= 1_000 && ids.length <= 5_000);
  assert.ok(ids.includes(0) && ids.includes(99_999) && ids.some((id) => id > 40_000 && id < 60_000));
  assert.ok(Math.abs(sample.meanRowBytes! - 71) < 3);
  assert.ok(sample.stretches.every(({ rowCount, places }) => rowCount > 0 && JSON.parse(places.raw(0)) !== null));
  await source.close();
});

test('a sample of rows with quoted newlines has whole rows only', async (context) => {
  const folder = makeFolder(context);
  const rows = Array.from({ length: 60_000 }, (_, row) => `${row},"first line, ""q""\nsecond, line\n${row}",end`);
  const source = await openSource(folder.write('rows.csv', `id,text,mark\n${rows.join('\n')}\n`));
  const { stretches } = await source.sample();
  assert.ok(stretches.length > 4);
  for (const { kind, rowCount, places } of stretches) {
    assert.equal(kind, 'text');
    for (let row = 0; row < rowCount; row++) assert.match(places.raw(row), /^(\d+),"first line, ""q""\nsecond, line\n\1",end$/);
  }
  await source.close();
});

test('a sample of a small file sees each row once', async (context) => {
  const folder = makeFolder(context);
  mkdirSync(join(folder.path, 'parts'));
  const paths = [1, 2, 3].map((file) => folder.write(`parts/${file}.csv`, `id\n${file}0\n${file}1\n`));
  const source = await openSource(paths);
  const sample = await source.sample();
  const raws = sample.stretches.flatMap(({ rowCount, places }) => Array.from({ length: rowCount }, (_, row) => places.raw(row)));
  assert.ok(raws.includes('10') && raws.includes('31'));
  assert.equal(new Set(raws).size, raws.length);
  await source.close();
});
