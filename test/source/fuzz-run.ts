/** `node fuzz-run.ts csv|jsonl SEED INPUTS`: random bytes through a parser of text, read whole, in odd chunks and in shards, and compared with a plain model. */
import assert from 'node:assert/strict';
import { createCsvFormat } from '../../src/source/text/csv.ts';
import { createJsonlFormat } from '../../src/source/text/jsonl.ts';
import type { TextFormat } from '../../src/source/text/text-format.ts';
import { readModel } from './csv-model.ts';
import { readMemory, type Read } from './reading.ts';

// Most inputs make JSON.parse throw; the traces of those errors, which nobody reads, would take most of the time.
Error.stackTraceLimit = 0;

type Random = (below: number) => number;

/** A generator of its own, so that a printed seed replays a run on any platform. */
function createRandom(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function makeBytes(random: Random, pieces: readonly string[]): Buffer {
  const count = random(28);
  return Buffer.concat(Array.from({ length: count }, () => Buffer.from(pieces[random(pieces.length)]!, 'latin1')));
}

function checkOrder(list: readonly Read[]): void {
  for (const [at, { offset, row, line }] of list.entries()) {
    assert.equal(row, at);
    if (at === 0) continue;
    assert.ok(offset > list[at - 1]!.offset);
    assert.ok(line > list[at - 1]!.line);
  }
}

/** Reads the bytes whole, in stretches and chunks of odd sizes, and in shards. */
async function checkCuts(bytes: Buffer, format: TextFormat, random: Random): Promise<Read[]> {
  const whole = await readMemory(bytes, { format, chunkBytes: 256, maxRows: 32, maxBytes: 256 });
  checkOrder(whole.list);
  const reading = { format, chunkBytes: 1 + random(9), maxRows: 1 + random(4), maxBytes: 1 + random(12) };
  const sharded = await readMemory(bytes, reading, 1 + random(12));
  assert.equal(JSON.stringify(sharded.list), JSON.stringify(whole.list));
  return whole.list;
}

const csvPieces = ['"', '"', '""', ',', ',', '\n', '\n', '\r\n', '\r', 'a', 'bc', ' ', '\0', '\xc3\xa9', '\xff', '","', '"\n"', '1,2\n'];

async function checkCsv(bytes: Buffer, maxRowBytes: number, random: Random): Promise<void> {
  const format = createCsvFormat({ name: 'csv', columns: ['a', 'b'], delimiter: 44, quote: 34, nullText: '', maxRowBytes });
  const list = await checkCuts(bytes, format, random);
  // The model knows nothing of UTF-8.
  if (bytes.includes(0xff)) return;
  const found = list.map(({ offset, what, value }) => ({ offset, what, value: Array.isArray(value) ? value.map(toLatin1) : undefined }));
  assert.equal(JSON.stringify(found), JSON.stringify(readModel(bytes.toString('latin1'), { width: 2, maxRowBytes })));
}

function toLatin1(field: unknown): unknown {
  return typeof field === 'string' ? Buffer.from(field).toString('latin1') : field;
}

const jsonPieces = [
  '{',
  '}',
  '{"a":1}',
  '{"a":"',
  '"}',
  '\n',
  '\n',
  '\r\n',
  '"',
  ':',
  ',',
  '[1]',
  'null',
  '1e5',
  ' ',
  '\t',
  '\\u00',
  '\0',
  '\xc3\xa9',
  '\xff',
  '{}\n',
];

async function checkJsonl(bytes: Buffer, maxRowBytes: number, random: Random): Promise<void> {
  const list = await checkCuts(bytes, createJsonlFormat(maxRowBytes), random);
  assert.equal(JSON.stringify(list.map(({ line, what }) => ({ line, what }))), JSON.stringify(listLines(bytes, maxRowBytes)));
}

/** What each line is, told by the plainest means. */
function listLines(bytes: Buffer, maxRowBytes: number): { line: number; what: string }[] {
  return bytes
    .toString('latin1')
    .split('\n')
    .map((text, line) => ({ line, what: judgeLine(Buffer.from(text, 'latin1'), maxRowBytes) }))
    .filter((judged): judged is { line: number; what: string } => judged.what !== undefined);
}

function judgeLine(line: Buffer, maxRowBytes: number): string | undefined {
  if (/^\r?$/.test(line.toString('latin1'))) return undefined;
  if (line.length > maxRowBytes) return 'ROW_TOO_LONG';
  if (line.includes(0xff)) return 'ROW_UTF8_INVALID';
  if (/^[ \t\r]*$/.test(line.toString('latin1'))) return undefined;
  try {
    const value: unknown = JSON.parse(line.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? 'row' : 'ROW_NOT_AN_OBJECT';
  } catch {
    return 'ROW_JSON_INVALID';
  }
}

const [parser, seed, inputs] = process.argv.slice(2);
const random = createRandom(Number(seed));
for (let input = 0; input < Number(inputs); input++) {
  // Every third input meets a limit that its rows may go over.
  const maxRowBytes = input % 3 === 0 ? 4 + random(14) : 1_000;
  const bytes = makeBytes(random, parser === 'csv' ? csvPieces : jsonPieces);
  try {
    await (parser === 'csv' ? checkCsv : checkJsonl)(bytes, maxRowBytes, random);
  } catch (error) {
    console.error(`seed ${seed}, input ${input}, maxRowBytes ${maxRowBytes}: ${JSON.stringify(bytes.toString('latin1'))}`);
    throw error;
  }
}
console.log(`${inputs} inputs`);
