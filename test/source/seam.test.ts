/** Files one behind the other, as `cat` makes them: refused where the last footer would hide the rows of the others; a gap alone is no fault. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Int32, Table, tableToIPC, vectorFromArray, type Vector } from 'apache-arrow';
import { isSluiceError } from '../../src/errors.ts';
import { format } from '../../src/source/arrow/index.ts';
import { memoryFile } from './binary-fuzz.ts';
import { listRows, openBytes, readFixture } from './parquet-rows.ts';

const fixtures = ['snappy-v1', 'zstd-v2', 'brotli-v2', 'encodings-v2', 'int96', 'two-levels', 'empty', 'small-snappy-v1'].map(
  (name) => `${name}.parquet`,
);

test('several files one behind the other are refused, and told where the last one begins', async () => {
  for (const first of fixtures) {
    for (const second of fixtures) {
      const [one, two] = [readFixture(first), readFixture(second)];
      const refused = { code: 'SLUICE_SOURCE_INVALID', message: new RegExp(`several Parquet files.* at byte ${String(one.length)}$`, 'u') };
      await assert.rejects(openBytes(Buffer.concat([one, two])), refused, `${first} and ${second}`);
    }
  }
  const [one, two, three] = [readFixture('snappy-v1.parquet'), readFixture('int96.parquet'), readFixture('zstd-v2.parquet')];
  await assert.rejects(openBytes(Buffer.concat([one, two, three])), new RegExp(`at byte ${String(one.length + two.length)}$`, 'u'));
});

/** The same file with other bytes between its data and its description, as writers of indexes that nobody else knows leave them. */
function withGap(bytes: Buffer, gap: Buffer): Buffer {
  const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  return Buffer.concat([bytes.subarray(0, footer), gap, bytes.subarray(footer)]);
}

test('a gap before the description is no second file, whatever stands in it', async () => {
  const description = (bytes: Buffer): Buffer => bytes.subarray(bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8));
  for (const name of fixtures) {
    const bytes = readFixture(name);
    const rows = await listRows(await openBytes(bytes));
    // Nothing; text that holds the marks; the description of before, as a writer that adds row groups at the end of a file leaves it behind.
    for (const gap of [Buffer.alloc(5_000), Buffer.from('PAR1PAR1'.repeat(4)), description(bytes)]) {
      assert.deepEqual(await listRows(await openBytes(withGap(bytes, gap))), rows, name);
    }
  }
});

function writeArrow(columns: Readonly<Record<string, Vector>>, kind: 'file' | 'stream'): Buffer {
  return Buffer.from(tableToIPC(new Table(columns), kind));
}

test('files and streams one behind the other are refused, never read in part', async () => {
  const tables = [
    { id: vectorFromArray([1, 2, 3], new Int32()) },
    { id: vectorFromArray([4, 5, 6, 7], new Int32()) },
    { id: vectorFromArray([], new Int32()) },
  ];
  const written = tables.flatMap((columns) => [writeArrow(columns, 'file'), writeArrow(columns, 'stream')]);
  for (const first of written) {
    for (const second of written) {
      await assert.rejects(format.open(memoryFile(Buffer.concat([first, second]), 'rows.arrow'), {}), (error) =>
        isSluiceError(error, 'SLUICE_SOURCE_INVALID'),
      );
      // A stream may end without a mark.
      const cut = first.subarray(0, 6).toString('latin1') === 'ARROW1' ? first : first.subarray(0, -8);
      await assert.rejects(format.open(memoryFile(Buffer.concat([cut, second]), 'rows.arrow'), {}), (error) =>
        isSluiceError(error, 'SLUICE_SOURCE_INVALID'),
      );
    }
  }
});
