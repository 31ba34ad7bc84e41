/** Shards: every row in exactly one of them, every end of a stretch a place to go on from, and digests that show a changed file. */
import assert from 'node:assert/strict';
import { appendFileSync, openSync, closeSync, truncateSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { openSource, reopenSource } from '../../src/source/open.ts';
import { makeFolder } from './folder.ts';
import { listShards, readAll, readShard, valuesOf, type Read } from './reading.ts';

const text = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r\n', 'é', '世', 'abc', ' '), maxLength: 12 });
const line = fc.oneof(
  fc.tuple(text, text).map((fields) => fields.map((value) => `"${value.replaceAll('"', '""')}"`).join(',')),
  fc.constantFrom('1,2', '', 'x', '1,"open', '"a"b,c', '1,2,3'),
);
const csv = fc.array(line, { minLength: 1, maxLength: 60 }).map((lines) => `a,b\n${lines.join('\n')}`);
const json = fc.array(
  fc.oneof(
    fc.dictionary(fc.string(), fc.string()).map((row) => JSON.stringify(row)),
    fc.constantFrom('', '[]', '{'),
  ),
  {
    minLength: 1,
    maxLength: 60,
  },
);

/** Rows without what depends on the shard. */
function withoutCounts(list: readonly Read[]): object[] {
  return list.map(({ offset, what, raw, value }) => ({ offset, what, raw, value }));
}

for (const { format, content } of [
  { format: 'csv', content: csv },
  { format: 'jsonl', content: json.map((lines) => `{}\n${lines.join('\n')}`) },
]) {
  test(`shards of a ${format} file of any size hold each row once, in order, and cover every byte`, async (context) => {
    const folder = makeFolder(context);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 1, max: 200 }), async (bytes, targetBytes) => {
        const path = folder.write(`${run++}.${format}`, bytes);
        const whole = await readAll(path);
        const source = await openSource(path);
        const shards = await listShards(source, targetBytes);
        const list: Read[] = [];
        let end = 0;
        for (const [ordinal, shard] of shards.entries()) {
          assert.equal(shard.ordinal, ordinal);
          assert.equal(shard.start, end);
          assert.ok(shard.end! > shard.start);
          end = shard.end!;
          const read = await readShard(source, shard);
          assert.deepEqual(
            read.list.map(({ row }) => row),
            [...read.list.keys()],
          );
          list.push(...read.list);
        }
        assert.equal(end, Buffer.byteLength(bytes));
        assert.deepEqual(withoutCounts(list), withoutCounts(whole));
        await source.close();
      }),
      { numRuns: 150 },
    );
  });
}

function makeRows(count: number): string {
  return Array.from({ length: count }, (_, row) => `${row},"name ${row}\n${row % 7 === 0 ? 'é""' : ''}",${row % 90}`).join('\n');
}

test('reading goes on from the end of any stretch as if it had never stopped', async (context) => {
  const folder = makeFolder(context);
  const path = folder.write('rows.csv', `id,name,age\n${makeRows(40_000)}\n1,2\n`);
  const source = await openSource(path);
  const shards = await listShards(source, 550_000);
  assert.ok(shards.length > 1);
  for (const shard of shards) {
    const { list, ends } = await readShard(source, shard);
    assert.equal(ends.at(-1)?.offset, shard.end);
    assert.ok(ends.length > 1);
    for (const end of ends) {
      const rest = await readShard(source, shard, end);
      assert.equal(JSON.stringify(rest.list), JSON.stringify(list.slice(end.row)));
    }
  }
  await source.close();
});

test('10,000 shards are cut from a file of quoted rows, and another reader opens it by the descriptor', async (context) => {
  const folder = makeFolder(context);
  const path = folder.write('rows.csv', `id,name,age\n${makeRows(30_000)}`);
  const source = await openSource(path, { nullText: 'NA' });
  const shards = await listShards(source, source.byteCount! / 10_000);
  assert.ok(shards.length > 9_000);
  const other = await reopenSource(structuredClone(source.descriptor!));
  assert.equal(other.format, 'csv');
  const last = await readShard(other, shards.at(-1)!);
  assert.equal(last.list.at(-1)?.raw, '29999,"name 29999\n",29');
  await Promise.all([source.close(), other.close()]);
});

test('a shard whose bytes have changed is found, and only that one', async (context) => {
  const folder = makeFolder(context);
  const path = folder.write('rows.jsonl', '{"a":"0123456789"}\n'.repeat(50_000));
  const source = await openSource(path);
  const shards = await listShards(source, 100_000);
  assert.deepEqual(await source.changed(shards), []);
  const file = openSync(path, 'r+');
  writeSync(file, 'X', shards[3]!.start + 7);
  closeSync(file);
  assert.deepEqual(await source.changed(shards), [shards[3]]);
  await source.close();
  truncateSync(path, shards[6]!.end! + 10);
  const again = await openSource(path);
  assert.deepEqual(await again.changed(shards), [shards[3], ...shards.slice(7)]);
  await again.close();
});

test('a file that grows is read up to the size it had, one that shrinks ends with an error', async (context) => {
  const folder = makeFolder(context);
  const path = folder.write('rows.jsonl', `${'{"a":1}\n'.repeat(100_000)}{"a":2}`);
  const source = await openSource(path);
  appendFileSync(path, '00}\n{"a":3}\n');
  const shards = await listShards(source, 100_000);
  const last = await readShard(source, shards.at(-1)!);
  assert.deepEqual(valuesOf(last.list).at(-1), { a: 2 });
  truncateSync(path, 500_000);
  await assert.rejects(readShard(source, shards.at(-1)!), { code: 'SLUICE_SOURCE_READ' });
  await source.close();
  const worker = await reopenSource(source.descriptor!);
  await assert.rejects(readShard(worker, shards.at(-1)!), { code: 'SLUICE_SOURCE_READ' });
  await worker.close();
});
