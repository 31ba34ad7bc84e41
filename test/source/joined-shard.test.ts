/** Small files share a shard: every row is read once, knows its own file and place there, and a reader goes on from any row of any of them. */
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Position } from '../../src/rows/batch.ts';
import { linesPerGap, locatePlace, packLine, readJoined } from '../../src/rows/joined-place.ts';
import { readJoinedFiles } from '../../src/source/joined-shard.ts';
import { openSource } from '../../src/source/open.ts';
import type { Records, Shard, Source } from '../../src/source/source.ts';
import { makeFolder } from '../fixtures/load-folder.ts';
import { listStretch, readAll, readShard, startOf, type Read } from './reading.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`joined shard test seed ${seed} (SLUICE_TEST_SEED=${seed} repeats it)`);

type Kind = 'jsonl' | 'csv' | 'json' | 'parquet';
type Row = 'good' | 'bad' | 'blank' | 'long';

/** A file with lines that are no rows, rows that can't be read, and rows of several lines. */
function writeText(kind: Exclude<Kind, 'parquet'>, rows: readonly Row[], file: number): string {
  const values = rows.map((row, at) => ({ id: 1_000 * file + at, note: row === 'long' ? 'x'.repeat(60) : row }));
  if (kind === 'json') return `[\n${values.map((value, at) => JSON.stringify(value) + (rows[at] === 'blank' ? '\n\n' : '')).join(', ')}]`;
  const lines = rows.map((row, at) => {
    if (kind === 'jsonl') return row === 'bad' ? '{"id":' : row === 'blank' ? '\r' : JSON.stringify(values[at]);
    return row === 'bad' ? '1,2,3' : row === 'blank' ? `${String(at)},"a\n\nb"` : `${String(at)},${row}`;
  });
  return `${kind === 'csv' ? 'id,note\n' : ''}${lines.map((line) => `${line}\n`).join('')}`;
}

function writeBytes(kind: Kind, rows: readonly Row[], file: number): Uint8Array {
  if (kind !== 'parquet') return Buffer.from(writeText(kind, rows, file));
  const columnData = [
    { name: 'id', data: rows.map((_, at) => 1_000 * file + at), type: 'INT32' as const },
    { name: 'note', data: [...rows], type: 'STRING' as const },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

interface Input {
  readonly kind: Kind;
  readonly files: readonly (readonly Row[])[];
  readonly compressed: 'no' | 'some' | 'all';
}

function writeFiles(folder: string, { compressed, files, kind }: Input): string[] {
  return files.map((rows, file) => {
    const bytes = writeBytes(kind, rows, file);
    const isPacked = kind !== 'parquet' && (compressed === 'all' || (compressed === 'some' && file % 2 === 0));
    const name = path.join(folder, `f${String(file).padStart(2, '0')}.${kind}${isPacked ? (file % 3 === 0 ? '.zst' : '.gz') : ''}`);
    writeFileSync(name, isPacked ? (file % 3 === 0 ? zstdCompressSync(bytes) : gzipSync(bytes)) : bytes);
    return name;
  });
}

/** A file of nothing but blanks is refused as empty, so each begins with a row. */
const someRows = fc
  .array(fc.constantFrom<Row>('good', 'good', 'good', 'bad', 'blank', 'long'), { maxLength: 12 })
  .map((rows): Row[] => ['good', ...rows]);
const someInput = fc.record({
  kind: fc.constantFrom<Kind>('jsonl', 'csv', 'json', 'parquet'),
  files: fc.array(someRows, { minLength: 1, maxLength: 9 }),
  compressed: fc.constantFrom<Input['compressed']>('no', 'some', 'all'),
});

/** A row with its file, and with its place there. */
type Placed = Omit<Read, 'row'> & { readonly file: number; readonly row: number | undefined };

function place(shard: Shard, read: Read): Placed {
  return { ...read, ...locatePlace(shard, read) };
}

async function listJoined(source: Source, targetBytes: number): Promise<Shard[]> {
  await source.sample();
  return Array.fromAsync(source.joinedShards?.(targetBytes) ?? []);
}

test('each row of files that share shards has the place in its file that it has where the file is read alone', async (context) => {
  const folder = makeFolder(context);
  await fc.assert(
    fc.asyncProperty(someInput, fc.constantFrom(1, 150, 600, 100_000), async (input, targetBytes) => {
      const names = writeFiles(folder, input);
      const alone: Placed[] = [];
      for (const [file, name] of names.entries()) alone.push(...(await readAll(name)).map((read) => ({ ...read, file })));
      const source = await openSource(names);
      try {
        const shards = await listJoined(source, targetBytes);
        assert.deepEqual(
          shards.map(({ ordinal }) => ordinal),
          shards.map((_, at) => at),
        );
        if (targetBytes === 100_000) assert.equal(shards.length, 1);
        const together: Placed[] = [];
        for (const shard of shards) {
          const { list } = await readShard(source, shard);
          assert.deepEqual(
            list.map(({ row }) => row),
            list.map((_, at) => at),
          );
          // A part of a file that was cut counts from its part's start, as it always did.
          const before = together.filter(({ file }) => file === shard.file).length;
          together.push(...list.map((read) => place(shard, read)).map((read) => ({ ...read, row: (read.row ?? NaN) + before })));
        }
        const bare = (list: readonly Placed[]): unknown[] => list.map(({ line: _line, ...read }) => read);
        assert.deepEqual(targetBytes === 100_000 ? together : bare(together), targetBytes === 100_000 ? alone : bare(alone));
      } finally {
        await source.close();
      }
    }),
    { seed, numRuns: 60 },
  );
});

test('a reader goes on from every row and from the end of every stretch, in whichever file it is', async (context) => {
  const folder = makeFolder(context);
  await fc.assert(
    fc.asyncProperty(someInput, async (input) => {
      const source = await openSource(writeFiles(folder, input));
      try {
        for (const shard of await listJoined(source, 100_000)) {
          const { list, ends } = await readShard(source, shard);
          const starts: readonly Position[] = [startOf(shard), ...list, ...ends];
          for (const { line, offset, row } of starts) {
            const rest = await readShard(source, shard, { offset, row, line });
            assert.deepEqual(rest.list, list.slice(row), `from row ${String(row)}`);
          }
        }
      } finally {
        await source.close();
      }
    }),
    { seed, numRuns: 30 },
  );
});

test('a file that is another one now is told of, wherever it stands in its shard', async (context) => {
  for (const compressed of ['no', 'all'] as const) {
    const folder = makeFolder(context);
    const names = writeFiles(folder, { kind: 'jsonl', compressed, files: [['good'], ['long'], ['good', 'bad'], ['good']] });
    const source = await openSource(names);
    const [shard] = await listJoined(source, 100_000);
    assert.ok(shard !== undefined && readJoined(shard)?.length === 4);
    assert.deepEqual(await source.changed([shard]), []);
    for (const name of names) {
      const bytes = writeBytes('jsonl', ['good', 'good', 'long'], 7);
      writeFiles(folder, { kind: 'jsonl', compressed, files: [['good'], ['long'], ['good', 'bad'], ['good']] });
      writeFileSync(name, compressed === 'no' ? bytes : name.endsWith('.zst') ? zstdCompressSync(bytes) : gzipSync(bytes));
      const later = await openSource(names);
      assert.deepEqual(await later.changed([shard]), [shard], name);
      await later.close();
    }
    await source.close();
  }
});

test('rows that are added to a file while it waits to be read are no part of the load', async (context) => {
  const names = writeFiles(makeFolder(context), { kind: 'jsonl', compressed: 'no', files: [['good'], ['good', 'long'], ['good']] });
  const source = await openSource(names);
  const [shard] = await listJoined(source, 100_000);
  assert.ok(shard !== undefined);
  const { list } = await readShard(source, shard);
  appendFileSync(names[1] ?? '', '{"id":99,"note":"late"}\n');
  const reader = await openSource(names);
  assert.deepEqual((await readShard(reader, shard)).list, list);
  await reader.close();
  await source.close();
});

test('after a stop within a file nothing of the next one is read', async () => {
  const stop = new AbortController();
  const shard: Shard = { ordinal: 0, file: 0, start: 0, end: 9, head: '', tail: 'files a b' };
  const makeRow = (row: number): Records => ({
    kind: 'values',
    isJsonText: true,
    values: [{}],
    rowCount: 1,
    rejects: [],
    places: { offsets: Float64Array.of(row), rows: Float64Array.of(row), lines: Float64Array.of(row), raw: () => '{}' },
    end: { offset: row + 1, row: row + 1, line: row + 1 },
    byteCount: 1,
  });
  async function* readFile(): AsyncGenerator<Records> {
    yield makeRow(0);
    // As readers of databases and servers do: no error, and no more rows.
    if (stop.signal.aborted) return;
    yield makeRow(1);
  }
  const rows: Read[] = [];
  for await (const records of readJoinedFiles(shard, { from: startOf(shard), readFile, signal: stop.signal })) {
    rows.push(...listStretch(records));
    stop.abort();
  }
  assert.equal(rows.length, 1);
});

test('line and row of a place come back, and a row that can not be told is not made up', () => {
  fc.assert(
    fc.property(fc.nat({ max: 3_000_000 }), fc.nat({ max: 3_000_000 }), fc.nat({ max: 4_000 }), (line, row, file) => {
      const shard: Shard = { ordinal: 0, file: 5, start: 0, head: '', tail: 'files a b' };
      const packed = packLine(line, row, true);
      assert.ok(Number.isSafeInteger(packed) && packed % linesPerGap === line);
      const found = locatePlace(shard, { offset: file * 2 ** 40 + 17, row: 0, line: packed });
      assert.deepEqual(found, { file: 5 + file, offset: 17, line, row: Math.abs(line - row) < 2 ** 20 ? row : undefined });
      assert.equal(locatePlace(shard, { offset: 0, row: 0, line: packLine(line, row, false) }).row, undefined);
    }),
    { seed },
  );
});
