/** Patterns, folders and files without telling names: which files are meant, what they are, and all disagreements at once. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { openSource } from '../../src/source/open.ts';
import { makeFolder } from './folder.ts';
import { readAll, valuesOf } from './reading.ts';

test('a folder is all files below it whose names tell a format, sorted, and the plan says what was passed over', async (context) => {
  const { path } = makeFolder(context);
  mkdirSync(join(path, 'b', 'c'), { recursive: true });
  mkdirSync(join(path, '.hidden'));
  for (const [name, id] of [
    ['b/c/2.jsonl', 2],
    ['a.jsonl', 1],
    ['z.ndjson', 3],
    ['.hidden/4.jsonl', 4],
    ['b/.5.jsonl', 5],
  ] as const) {
    writeFileSync(join(path, name), `{"id":${String(id)}}\n`);
  }
  writeFileSync(join(path, 'README.md'), 'text');
  symlinkSync('..', join(path, 'b', 'up'));
  assert.deepEqual(valuesOf(await readAll(path)), [{ id: 1 }, { id: 2 }, { id: 3 }]);
  const source = await openSource(path);
  assert.match(JSON.stringify(source.decisions), /3 below .*1 passed over.*README\.md/);
  await source.close();
  assert.deepEqual(valuesOf(await readAll(join(path, '**', '*.jsonl'))), [{ id: 1 }, { id: 2 }]);
  const twice = await openSource([join(path, 'a.jsonl'), join(path, '*.jsonl')]);
  assert.match(JSON.stringify(twice.decisions), /1 left out/);
  await twice.close();
  mkdirSync(join(path, 'empty'));
  await assert.rejects(openSource(join(path, 'empty')), { code: 'SLUICE_SOURCE_MISSING', hint: /folder is empty/ });
  await assert.rejects(openSource(join(path, '*', '*.csv')), { code: 'SLUICE_SOURCE_MISSING', message: /no file matches/ });
  await assert.rejects(openSource(join(path, 'empt*')), { code: 'SLUICE_SOURCE_MISSING', hint: /folders only/ });
});

test('all files that disagree with the first are told at once, and no more than a person reads', async (context) => {
  const folder = makeFolder(context);
  const paths = Array.from({ length: 70 }, (_, file) =>
    folder.write(`${String(file).padStart(2, '0')}.csv`, file % 7 === 6 ? 'a,c\n1,2\n' : 'a,b\n1,2\n'),
  );
  const failure = await openSource(paths).catch((error: unknown) => error);
  assert.ok(isSluiceError(failure, 'SLUICE_SOURCES_DISAGREE'));
  assert.equal(failure.problems.length, 10);
  assert.match(failure.problems[0] ?? '', /06\.csv lacks b, and has c besides/);
  const many = Array.from({ length: 80 }, (_, file) => folder.write(`m${String(file).padStart(2, '0')}.csv`, `a,b${String(file)}\n1,2\n`));
  const bounded = await openSource(many).catch((error: unknown) => error);
  assert.ok(isSluiceError(bounded));
  assert.equal(bounded.problems.length, 51);
});

test('a format is told by the content where the name says nothing, and not guessed', async (context) => {
  const folder = makeFolder(context);
  const known: [string, string | Buffer][] = [
    ['jsonl', '{"a":1}\n{"a":2}\n'],
    ['jsonl', '\uFEFF\n{"a":"x,y"}'],
    ['csv', 'a,b\n1,"x,y"\n2,z\n'],
    ['tsv', 'a\tb\r\n1\t2,3\r\n'],
    ['json', ' [ {"a":1},\n {"a":2} ]'],
    [
      'npy',
      Buffer.from(
        "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }".padEnd(79) + '\n\0\0\0\0\0\0\0\0',
        'latin1',
      ),
    ],
  ];
  for (const [format, content] of known) {
    const source = await openSource(folder.write('data.unknown', content));
    assert.equal(source.format, format);
    assert.match(JSON.stringify(source.decisions), /first bytes/);
    await source.close();
  }
  for (const content of ['a\n1\n', 'one line, of text', 'a,b\n1\n2,3,4\n', '<html></html>', '{\n "a": 1\n}', '\0\0\0\0', '"a,b']) {
    await assert.rejects(
      openSource(folder.write('data.unknown', content)),
      { code: 'SLUICE_FORMAT_UNKNOWN', hint: /--format: jsonl/ },
      content,
    );
  }
});

test('a file is loaded once by whatever links it is named, and a link that leads nowhere is told of', async (context) => {
  const folder = makeFolder(context);
  const file = folder.write('a.jsonl', '{"id":1}\n');
  const link = join(folder.path, 'b.jsonl');
  symlinkSync('a.jsonl', link);
  assert.deepEqual(valuesOf(await readAll(link)), [{ id: 1 }]);
  const both = await openSource([file, link]);
  assert.match(JSON.stringify(both.decisions), /1 left out/);
  assert.equal(both.descriptor?.files.length, 1);
  await both.close();
  assert.deepEqual(valuesOf(await readAll(folder.path)), [{ id: 1 }]);
  symlinkSync('gone.jsonl', join(folder.path, 'c.jsonl'));
  await assert.rejects(openSource(folder.path), { code: 'SLUICE_SOURCE_MISSING', message: /c\.jsonl does not exist/ });
  const circle = join(folder.path, 'circle');
  symlinkSync('circle', circle);
  await assert.rejects(openSource(circle), { code: 'SLUICE_SOURCE_MISSING', message: /leads in a circle/ });
  await assert.rejects(openSource(join(folder.path, 'x'.repeat(300))), { code: 'SLUICE_SOURCE_MISSING' });
});

test('what is passed off as text is named, with the command that makes text of it', async (context) => {
  const folder = makeFolder(context);
  const wide = Buffer.from('id,name\n1,a\n', 'utf16le');
  const tar = Buffer.concat([Buffer.from('rows.csv'.padEnd(257, '\0')), Buffer.from('ustar\0'), Buffer.alloc(300)]);
  const cases: [Buffer, RegExp, RegExp][] = [
    [wide, /UTF-16LE text/, /iconv -f UTF-16LE/],
    [Buffer.from(wide).swap16(), /UTF-16BE text/, /iconv -f UTF-16BE/],
    [Buffer.concat([Buffer.from([0xff, 0xfe, 0, 0]), wide]), /UTF-32 text/, /iconv -f UTF-32/],
    [Buffer.from('\xfd7zXZ\0rest of it', 'latin1'), /by xz, which sluice does not read/, /xz -dc/],
    [Buffer.from('BZh91AY&SY'), /by bzip2/, /bzip2 -dc/],
    [Buffer.from('PK\x03\x04rest of it'), /ZIP archive/, /unzip -p/],
    [Buffer.from('SQLite format 3\0'), /SQLite database/, /sqlite:FILE\?table=/],
    [tar, /tar archive/, /tar -xOf/],
  ];
  for (const name of ['data.csv', 'data.jsonl', 'data.unknown']) {
    for (const [bytes, message, hint] of cases)
      await assert.rejects(
        openSource(folder.write(name, bytes)).then(async (source) => source.sample()),
        {
          code: 'SLUICE_FORMAT_UNKNOWN',
          message,
          hint,
        },
      );
  }
});

test('files of text without a byte are left out of a folder or pattern, and told of; any other empty file is refused', async (context) => {
  const folder = makeFolder(context);
  folder.write('a.jsonl', '{"id":1}\n');
  const empty = folder.write('b.jsonl', '');
  folder.write('c.jsonl', '{"id":2}\n');
  for (const input of [folder.path, join(folder.path, '*.jsonl')]) {
    const source = await openSource(input);
    assert.match(JSON.stringify(source.decisions), /1 left out.*no byte in them: b\.jsonl/);
    await source.close();
    assert.deepEqual(valuesOf(await readAll(input)), [{ id: 1 }, { id: 2 }]);
  }
  for (const named of [empty, [join(folder.path, 'a.jsonl'), empty]])
    await assert.rejects(openSource(named), { code: 'SLUICE_SOURCE_EMPTY', message: /b\.jsonl/ });
  folder.write('d.jsonl.gz', '');
  await assert.rejects(readAll(folder.path), { code: 'SLUICE_SOURCE_INVALID', message: /d\.jsonl\.gz is truncated/ });
});
