/** Streams: the same rows as a file of the same bytes, whatever the chunks; what was sampled is read; waits end when they are cancelled. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { openSource } from '../../src/source/open.ts';
import { makeFolder } from './folder.ts';
import { codesOf, listShards, readAll, readShard, startOf, valuesOf } from './reading.ts';

const content = `id,text\r\n${Array.from({ length: 300 }, (_, row) => `${row},"é ""${row}""\n世😀"`).join('\r\n')}\r\n5\n6,"open\n7,end`;

async function* cutBytes(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, chunk = 0; at < bytes.length; chunk++) {
    const size = sizes[chunk % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test('a stream in chunks of any sizes gives the rows of the file', async (context) => {
  const bytes = Buffer.from(content);
  const expected = await readAll(makeFolder(context).write('rows.csv', bytes));
  assert.ok(codesOf(expected).includes('ROW_QUOTE_UNCLOSED'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }), fc.boolean(), async (sizes, isSampled) => {
      const source = await openSource(cutBytes(bytes, sizes), { format: 'csv' });
      if (isSampled) assert.deepEqual((await source.sample()).fields, ['id', 'text']);
      const [shard] = await listShards(source);
      assert.deepEqual((await readShard(source, shard!)).list, expected);
    }),
    { numRuns: 60 },
  );
});

test('strings, Node streams, web streams, arrays of buffers and a buffer are text', async () => {
  const bytes = Buffer.from('a,b\n1,😀\n');
  const rows = [['1', '😀']];
  const inputs = [
    Readable.from(['a,b\n1,\ud83d', '\ude00\n']),
    Readable.from([bytes], { objectMode: false }),
    new Blob([bytes]).stream(),
    [bytes.subarray(0, 7), bytes.subarray(7)],
    new Set(['a,b\n', '1,😀\n']),
    bytes,
  ];
  for (const input of inputs) assert.deepEqual(valuesOf(await readAll(input, { format: 'csv' })), rows);
});

test('half a character in a string refuses its row instead of changing it', async () => {
  const list = await readAll(new Set(['{"a":"x\ud83d', 'y"}\n{"a":"\ude00"}\n{"a":1}\n{"a":"\ud83d']), { format: 'jsonl' });
  assert.deepEqual(codesOf(list), ['ROW_UTF8_INVALID', 'ROW_UTF8_INVALID', 'row', 'ROW_UTF8_INVALID']);
});

test('text without a format is refused with the option to give', async () => {
  await assert.rejects(openSource(Readable.from(['a'])), { code: 'SLUICE_FORMAT_UNKNOWN', hint: /--format/ });
});

test('a format that is read in parts is refused of a stream, asked for or found', async () => {
  const refusal = { code: 'SLUICE_FORMAT_UNKNOWN', message: /can't be read as parquet: it is a stream/, hint: /as a file/ };
  await assert.rejects(openSource(Readable.from([Buffer.from('PAR1')], { objectMode: false }), { format: 'parquet' }), refusal);
  await assert.rejects(openSource(Readable.from([Buffer.from('PAR1 and so on')], { objectMode: false })), refusal);
});

test('an empty stream is told of by its sample', async () => {
  await assert.rejects(openSource(Readable.from([], { objectMode: false })), { code: 'SLUICE_SOURCE_EMPTY' });
  const source = await openSource(Readable.from([], { objectMode: false }), { format: 'csv' });
  await assert.rejects(source.sample(), { code: 'SLUICE_SOURCE_EMPTY' });
});

test('a stream resumes by reading past what was loaded, and says so if it is another or was read', async () => {
  const bytes = Buffer.from(content);
  const source = await openSource(cutBytes(bytes, [700]), { format: 'csv' });
  const [shard] = await listShards(source);
  const { list, ends } = await readShard(source, shard!);
  const middle = ends[Math.floor(ends.length / 2)]!;
  const again = await openSource(cutBytes(bytes, [311]), { format: 'csv' });
  await again.sample();
  assert.deepEqual((await readShard(again, shard!, middle)).list, list.slice(middle.row));
  await assert.rejects(readShard(again, shard!), { code: 'SLUICE_SOURCE_READ', message: /second time/ });
  const shorter = await openSource(cutBytes(bytes.subarray(0, 500), [311]), { format: 'csv' });
  await assert.rejects(readShard(shorter, shard!, ends.at(-1)), { code: 'SLUICE_SOURCE_CHANGED' });
});

test('a stream that fails ends the reading with its error as the cause, after the rows before it', async () => {
  const cause = new Error('link lost');
  const source = await openSource(
    (async function* () {
      yield Buffer.from('{"a":1}\n{"a":2}\n{"a"');
      throw cause;
    })(),
    { format: 'jsonl' },
  );
  const [shard] = await listShards(source);
  const seen: number[] = [];
  const reading = (async () => {
    for await (const records of source.read(shard!, startOf(shard!), { columns: [] })) seen.push(records.rowCount);
  })();
  await assert.rejects(reading, { code: 'SLUICE_SOURCE_READ', cause });
  assert.deepEqual(seen, [2]);
});

test('a wait for a silent stream ends when it is cancelled, and nothing that comes later is lost', async () => {
  let push: (text: string) => void = () => undefined;
  const stream = new Readable({ read: () => undefined, objectMode: false });
  push = (text) => stream.push(text);
  const source = await openSource(stream, { format: 'jsonl' });
  const [shard] = await listShards(source);
  const abort = new AbortController();
  push('{"a":1}\n');
  const reading = source.read(shard!, startOf(shard!), { columns: [], signal: abort.signal })[Symbol.asyncIterator]();
  const first = await reading.next();
  assert.equal(first.value?.rowCount, 1);
  const second = reading.next();
  setImmediate(() => abort.abort());
  await assert.rejects(second, { code: 'SLUICE_CANCELLED' });
  push('{"a":2}\n');
  stream.push(null);
  assert.deepEqual(valuesOf((await readShard(source, shard!, first.value?.end)).list), [{ a: 2 }]);
  await source.close();
});

test('a producer is held back while nobody reads', async () => {
  let given = 0;
  const source = await openSource(
    (async function* () {
      for (;;) {
        given++;
        yield Buffer.alloc(64 * 1024, '{"a":1}\n');
      }
    })(),
    { format: 'jsonl' },
  );
  await source.sample();
  const [shard] = await listShards(source);
  const reading = source.read(shard!, startOf(shard!), { columns: [] })[Symbol.asyncIterator]();
  await reading.next();
  assert.ok(given < 40, `${given} chunks were taken for one stretch`);
  await reading.return?.();
  await source.close();
});

test('stdin is read in the format that is named', async () => {
  const script = `
    import { openSource } from './src/source/open.ts';
    const source = await openSource('-', { format: 'csv' });
    const sample = await source.sample();
    let rows = 0;
    for await (const shard of source.shards(1)) for await (const records of source.read(shard, { offset: 0, row: 0, line: 0 }, { columns: [] })) rows += records.rowCount;
    console.log(source.name, sample.fields.join('+'), rows);
    await source.close();`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    cwd: new URL('../..', import.meta.url).pathname,
  });
  child.stdin.end('a,b\n1,2\n3,4\n');
  assert.equal(await new Response(Readable.toWeb(child.stdout)).text(), 'stdin a+b 2\n');
});
