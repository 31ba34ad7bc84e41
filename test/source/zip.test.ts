/** Vectors beside rows: row n has vector n over all files and in every part, whatever is refused, and unequal numbers are told before anything is written. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { load, resume, retry } from '../../src/index.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Batch, Reject } from '../../src/rows/batch.ts';
import { openSource, reopenSource } from '../../src/source/open.ts';
import type { Shard, Source } from '../../src/source/source.ts';
import { makeFolder } from './folder.ts';
import { countingVectors, writeNpy } from './npy-file.ts';
import { listShards } from './reading.ts';

interface Stored {
  readonly id: number;
  readonly vector: Uint8Array;
}

const dimensions = 4;
const columns = [
  { name: 'id', field: 'id', type: 'integer', isNullable: true },
  { name: 'v', field: 'vector', type: 'vector', dimensions, isNullable: false },
] as const;

function npyOf(rows: number): Buffer {
  return writeNpy(countingVectors(rows, dimensions), { shape: `(${String(rows)}, ${String(dimensions)})` });
}

/** Ids of the rows of a shard with the first number of each one's vector, and what was refused. */
async function readPairs(
  source: Source,
  shard: Shard,
  from = { offset: shard.start, row: 0, line: 0 },
): Promise<{ pairs: [unknown, number][]; rejects: Reject[]; ends: Batch[] }> {
  const builder = createBatchBuilder(columns);
  const rejects: Reject[] = [];
  for await (const records of source.read(shard, from, { columns })) rejects.push(...records.rejects, ...builder.add(records));
  const batch = builder.take();
  const [ids, vectors] = batch.values;
  assert.ok(ids?.kind === 'scalar' && vectors?.kind === 'vector');
  return { rejects, ends: [], pairs: ids.values.map((id, row) => [id, vectors.values[row * dimensions]!]) };
}

const lines = {
  jsonl: (ids: readonly string[]) => ids.map((id) => (id === '' ? '' : id.startsWith('!') ? id : `{"id":${id}}`)).join('\n'),
  csv: (ids: readonly string[]) =>
    `id,t\n${ids.map((id) => (id === '' ? '' : id.startsWith('!') ? `${id},"a\nb` + '",c,d' : `${id},"a\n""b"`)).join('\n')}\n`,
  json: (ids: readonly string[]) =>
    `[${ids
      .filter((id) => id !== '')
      .map((id) => (id.startsWith('!') ? `"${id}"` : `{"id":${id}}`))
      .join(',\n')}]`,
} as const;

for (const format of ['jsonl', 'csv', 'json'] as const) {
  test(`each row of ${format} files has its own vector, refused and blank lines and parts of any size notwithstanding`, async (context) => {
    const folder = makeFolder(context);
    let run = 0;
    const file = fc.array(fc.constantFrom('', '!broken', 'x'), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 3 }), fc.integer({ min: 30, max: 400 }), async (files, targetBytes) => {
        // Rows carry their number, so that a vector in the wrong place shows.
        let number = 0;
        const texts = files.map((ids) =>
          lines[format](['x', ...ids].map((id) => (id === '' ? '' : id === 'x' ? String(number++) : `!${String(number++)}`))),
        );
        const paths = texts.map((text, at) => folder.write(`${String(run)}-${String(at)}.${format}`, text));
        const zip = folder.write(`${String(run++)}.npy`, npyOf(number));
        const opened = await openSource(paths, { zip });
        await opened.sample();
        const source = await reopenSource(opened.descriptor!);
        let seen = 0;
        for (const shard of await listShards(opened, targetBytes)) {
          const { pairs, rejects } = await readPairs(source, shard);
          for (const [id, vector] of pairs) assert.equal(vector, id);
          seen += pairs.length + rejects.length;
        }
        assert.equal(seen, number);
        await opened.close();
        await source.close();
      }),
      { numRuns: 15 },
    );
  });
}

test('a part is read on from any row, each still with its vector', async (context) => {
  const folder = makeFolder(context);
  const path = folder.write('r.jsonl', Array.from({ length: 2_000 }, (_, id) => `{"id":${String(id)}}`).join('\n'));
  const wide = 1_000;
  const vectors = countingVectors(2_000, wide);
  const source = await openSource(path, { zip: folder.write('v.npy', writeNpy(vectors, { shape: `(2000, ${String(wide)})` })) });
  await source.sample();
  const [shard] = await listShards(source);
  const ends = [];
  for await (const records of source.read(shard!, { offset: 0, row: 0, line: 0 }, { columns })) {
    assert.ok((records.beside?.[0]?.values.values.byteLength ?? 0) <= 1024 * 1024);
    ends.push(records.end);
  }
  assert.ok(ends.length > 5);
  for (const end of ends.slice(0, -1)) {
    const [next] = await Array.fromAsync(source.read(shard!, end, { columns }), (records) => records.beside?.[0]?.values.values[0]);
    assert.equal(next, end.row);
  }
  await source.close();
});

for (const rows of [99, 101]) {
  test(`${String(rows)} rows and 100 vectors: both counts are told and no table is made`, async (context) => {
    const folder = makeFolder(context);
    const from = folder.write('r.jsonl', Array.from({ length: rows }, (_, id) => `{"id":${String(id)}}`).join('\n'));
    const to = `sqlite:${folder.path}/t.db`;
    const zip = folder.write('v.npy', npyOf(100));
    const isTold = (error: unknown): boolean =>
      isSluiceError(error, 'SLUICE_SOURCES_DISAGREE') &&
      error.message.includes(`${String(rows)} rows`) &&
      error.message.includes('100 vectors');
    await assert.rejects(load({ from, to, table: 't', zip }), isTold);
    const good = folder.write('g.jsonl', '{"id":1}\n');
    const report = await load({ from: good, to, table: 't' });
    assert.equal(report.counts.written, 1);
  });

  test(`a stream of ${String(rows)} rows and 100 vectors fails at its end, with the rows so far accounted for`, async (context) => {
    const folder = makeFolder(context);
    const from = Readable.from([Buffer.from(Array.from({ length: rows }, (_, id) => `{"id":${String(id)}}`).join('\n'))], {
      objectMode: false,
    });
    const to = `sqlite:${folder.path}/t.db`;
    const zip = folder.write('v.npy', npyOf(100));
    await assert.rejects(load({ from, format: 'jsonl', to, table: 't', zip }), (error) => isSluiceError(error, 'SLUICE_SOURCES_DISAGREE'));
  });
}

test('compressed rows are joined as well', async (context) => {
  const folder = makeFolder(context);
  const paths = [0, 1].map((file) =>
    folder.write(
      `r${String(file)}.jsonl.gz`,
      gzipSync(Array.from({ length: 50 }, (_, id) => `{"id":${String(file * 50 + id)}}`).join('\n')),
    ),
  );
  const source = await openSource(paths, { zip: folder.write('v.npy', npyOf(100)) });
  await source.sample();
  for (const shard of await listShards(source)) for (const [id, vector] of (await readPairs(source, shard)).pairs) assert.equal(vector, id);
  await source.close();
});

test('a row that is refused keeps its vector, and a retry lands both', async (context) => {
  const folder = makeFolder(context);
  const to = `sqlite:${folder.path}/t.db`;
  for (const [table, from] of [
    ['j', folder.write('r.jsonl', '{"id":0,"n":"a"}\n{"id":1,"n":"b"}\n{"id":1,"n":"c"}\n{"id":3,"n":"d"}\n')],
    ['c', folder.write('r.csv', 'id,n\n0,a\n1,b\n1,c\n3,d\n')],
  ] as const) {
    const zip = folder.write(`${table}.npy`, npyOf(4));
    const report = await load({ from, to, table, key: ['id'], zip, index: { build: 'none', metric: 'l2' } });
    assert.deepEqual([report.counts.written, report.counts.rejected], [3, 1]);
    const database = new DatabaseSync(`${folder.path}/t.db`);
    database.exec(`delete from ${table} where id = 1`);
    const again = await retry({ in: to, load: report.load });
    assert.equal(again.counts.written, 1);
    const [kept] = database.prepare(`select n, vector from ${table} where id = 1`).all() as { n: string; vector: Uint8Array }[];
    assert.equal(kept?.n, 'c');
    assert.equal(Buffer.from(kept.vector).readFloatLE(0), 2);
    database.close();
  }
});

test('a load is resumed only with the vectors that it began with', async (context) => {
  const folder = makeFolder(context);
  const to = `sqlite:${folder.path}/t.db`;
  const from = folder.write('r.jsonl', Array.from({ length: 400 }, (_, id) => `{"id":${String(id)}}`).join('\n'));
  const zip = folder.write('v.npy', npyOf(400));
  const limited = await load({ from, to, table: 't', zip, limit: 100, maxBatchRows: 50, shardBytes: 512 });
  assert.equal(limited.state, 'limit');
  const bytes = npyOf(400);
  const broken = Buffer.from(bytes);
  broken.writeFloatLE(77, bytes.length - 16);
  writeFileSync(zip, broken);
  await assert.rejects(resume({ in: to, load: limited.load }), (error) => isSluiceError(error, 'SLUICE_SOURCE_CHANGED'));
  writeFileSync(zip, bytes);
  const report = await resume({ in: to, load: limited.load });
  assert.deepEqual([report.state, report.counts.written], ['done', 400]);
  const database = new DatabaseSync(`${folder.path}/t.db`);
  for (const { id, vector } of database.prepare('select id, vector from t').all() as unknown as Stored[])
    assert.equal(Buffer.from(vector).readFloatLE(0), id);
  database.close();
});

for (const [what, options, code] of [
  ['a field of the same name', { vectorField: 'id' }, 'SLUICE_USAGE'],
  ['rows as the file of vectors', { zip: 'r.jsonl' }, 'SLUICE_USAGE'],
  ['a file that is not there', { zip: 'none.npy' }, 'SLUICE_SOURCE_MISSING'],
] as const) {
  test(`${what}: refused with what to do`, async (context) => {
    const folder = makeFolder(context);
    const from = folder.write('r.jsonl', '{"id":1}\n');
    folder.write('v.npy', npyOf(1));
    const zip = `${folder.path}/${'zip' in options ? options.zip : 'v.npy'}`;
    const open = async (): Promise<void> => {
      const source = await openSource(from, { ...options, zip });
      try {
        await source.sample();
      } finally {
        await source.close();
      }
    };
    await assert.rejects(open(), (error) => isSluiceError(error, code) && error.hint !== undefined);
  });
}
