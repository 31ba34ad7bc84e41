/** Mutated Parquet files: each gives exactly the rows that it claims, or a coded error, in bounded time and memory; never a raw exception. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import type { FilePart, OpenedFile } from '../../src/source/file-format.ts';
import { openBytes, readFixture } from './parquet-rows.ts';

const mutations = 10_400;
/** More rows than any mutated count makes of files this small, unless a run is believed that should not be. */
const maxRows = 4_000_000;

type Random = (below: number) => number;

function createRandom(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A byte changed, zeroed, filled, moved; or the end cut. Half of them in the description, where lengths and counts stand. */
function mutate(bytes: Buffer, random: Random): Buffer {
  const length = bytes.readUInt32LE(bytes.length - 8);
  const at = random(2) === 0 ? bytes.length - 8 - length + random(length + 8) : random(bytes.length);
  switch (random(6)) {
    case 0:
      bytes[at]! ^= 1 << random(8);
      break;
    case 1:
      bytes[at] = random(256);
      break;
    case 2:
      bytes[at] = [0, 255, 127, 128][random(4)]!;
      break;
    case 3:
      return random(4) === 0 ? bytes.subarray(0, at) : bytes;
    case 4:
      bytes.fill(255, at, Math.min(bytes.length, at + 1 + random(6)));
      break;
    default:
      bytes.copy(bytes, at, random(bytes.length), random(bytes.length));
  }
  return bytes;
}

/** Reads all rows of a part and counts them; every column has as many. */
async function countRows(opened: OpenedFile, part: FilePart): Promise<number> {
  let rows = 0;
  for await (const records of opened.read(part, { offset: part.start, row: 0, line: 0 }, { columns: [] })) {
    assert.ok(records.kind === 'columns');
    for (const column of records.values) {
      const count = column.kind === 'scalar' ? column.values.length : column.values.length / column.dimensions;
      assert.equal(count, records.rowCount);
    }
    rows += records.rowCount;
    assert.ok(rows < maxRows);
  }
  return rows;
}

async function readMutant(bytes: Buffer, targetBytes: number): Promise<'rows' | 'refused'> {
  try {
    const opened = await openBytes(bytes);
    let rows = 0;
    for await (const part of opened.parts(targetBytes)) rows += await countRows(opened, part);
    assert.equal(rows, opened.rowCount);
    return 'rows';
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    assert.ok(['SLUICE_SOURCE_INVALID', 'SLUICE_SOURCE_TOO_LARGE'].includes(error.code), error.code);
    return 'refused';
  }
}

/** One or two mutations of a copy. */
function makeMutant(file: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(file);
  for (let count = 1 + random(2); count > 0; count--) {
    const isFramed = bytes.length > 16 && bytes.readUInt32LE(bytes.length - 8) <= bytes.length - 12;
    if (isFramed) bytes = mutate(bytes, random);
  }
  return bytes;
}

test(`${mutations} mutated files give the rows that they claim or a coded error`, async (context) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  context.diagnostic(`seed ${seed}`);
  const random = createRandom(seed);
  // The small ones more often: the others take most of the time.
  const small = ['small-snappy-v1', 'small-zstd-v2', 'small-lz4-v1', 'small-delta-v2', 'int96'];
  const names = [...small, ...small, ...small, 'encodings-v2', 'two-levels', 'gzip-v1'];
  const files = names.map((name) => readFixture(`${name}.parquet`));
  const trace = Error.stackTraceLimit;
  // Thousands of errors are made whose traces nobody reads.
  Error.stackTraceLimit = 0;
  const ends = { rows: 0, refused: 0 };
  try {
    for (let index = 0; index < mutations; index++) {
      const bytes = makeMutant(files[random(files.length)]!, random);
      ends[await readMutant(bytes, random(4) === 0 ? 500 : 1e9)]++;
    }
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  } finally {
    Error.stackTraceLimit = trace;
  }
  assert.ok(ends.rows > 100 && ends.refused > 1000, JSON.stringify(ends));
});
