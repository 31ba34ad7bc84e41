/** Reads sources to the end and lays what came out side by side: one line of text for each row and reject, in the order of the input. */
import { ByteWindow, type ByteInput } from '../../src/source/text/byte-window.ts';
import { openSource } from '../../src/source/open.ts';
import { toValueRecords } from '../../src/rows/column-records.ts';
import type { Position } from '../../src/rows/batch.ts';
import type { Records, Shard, Source, SourceInput, SourceOptions, TextRecords } from '../../src/source/source.ts';
import { findCuts } from '../../src/source/text/split.ts';
import { readStretches, type TextFormat } from '../../src/source/text/text-format.ts';

/** What became of one row. */
export interface Read {
  readonly offset: number;
  readonly row: number;
  readonly line: number;
  /** `row`, or the code of the reject. */
  readonly what: string;
  readonly raw: string | undefined;
  /** Fields of a CSV row (null as null), or the object of another. */
  readonly value: unknown;
}

/** The fields of a row of text as a column reader would see them. */
export function readFields(records: TextRecords, row: number): (string | null)[] {
  const quote = String.fromCharCode(Math.max(0, records.quote));
  const bytes = Buffer.from(records.bytes.buffer, records.bytes.byteOffset, records.bytes.byteLength);
  return records.fields.map((_name, field) => {
    const slot = row * records.fields.length + field;
    const text = bytes.toString('utf8', records.starts[slot], records.ends[slot]);
    if (records.quoting[slot] === 2) return text.replaceAll(quote + quote, quote);
    return records.quoting[slot] === 0 && text === records.nullText ? null : text;
  });
}

/** Rows and rejects of one stretch, by their offsets. */
export function listStretch(records: Records): Read[] {
  const { places } = records;
  const list: Read[] = records.rejects.map(({ offset, row, line, code, raw }) => ({
    offset,
    row,
    line,
    what: code,
    raw,
    value: undefined,
  }));
  const rows = records.kind === 'columns' ? toValueRecords(records).values : records.kind === 'values' ? records.values : undefined;
  for (let at = 0; at < records.rowCount; at++) {
    const value = rows?.[at] ?? (records.kind === 'text' ? readFields(records, at) : undefined);
    list.push({ offset: places.offsets[at]!, row: places.rows[at]!, line: places.lines[at]!, what: 'row', raw: places.raw(at), value });
  }
  return list.sort((a, b) => a.offset - b.offset);
}

export function startOf(shard: Shard): Position {
  return { offset: shard.start, row: 0, line: 0 };
}

export async function readShard(
  source: Source,
  shard: Shard,
  from: Position = startOf(shard),
): Promise<{ list: Read[]; ends: Position[] }> {
  const list: Read[] = [];
  const ends: Position[] = [];
  for await (const records of source.read(shard, from, { columns: [] })) {
    list.push(...listStretch(records));
    ends.push(records.end);
  }
  return { list, ends };
}

export async function listShards(source: Source, targetBytes: number = 1e9): Promise<Shard[]> {
  return Array.fromAsync(source.shards(targetBytes));
}

/** Opens, reads and closes a source in one shard a file. */
export async function readAll(input: SourceInput, options: SourceOptions = {}): Promise<Read[]> {
  const source = await openSource(input, options);
  try {
    const list: Read[] = [];
    for (const shard of await listShards(source)) list.push(...(await readShard(source, shard)).list);
    return list;
  } finally {
    await source.close();
  }
}

export function valuesOf(list: readonly Read[]): unknown[] {
  return list.filter(({ what }) => what === 'row').map(({ value }) => value);
}

export function codesOf(list: readonly Read[]): string[] {
  return list.map(({ what }) => what);
}

/** How bytes in memory are read: in chunks of `chunkBytes`, in stretches of at most `maxRows` rows. */
export interface MemoryReading {
  readonly format: TextFormat;
  readonly chunkBytes: number;
  readonly maxRows: number;
  readonly maxBytes: number;
}

function createMemoryInput(bytes: Buffer, range: { readonly start: number; readonly end: number }, chunkBytes: number): ByteInput {
  let position = range.start;
  return {
    lowBytes: 1,
    read(target, at, length) {
      const count = bytes.copy(target, at, position, Math.min(range.end, position + Math.min(length, chunkBytes)));
      position += count;
      return count;
    },
  };
}

/** Reads bytes in memory cut into shards of about `targetBytes` (one for Infinity), each by a reader of its own. */
export async function readMemory(
  bytes: Buffer,
  reading: MemoryReading,
  targetBytes: number = Infinity,
): Promise<{ list: Read[]; cuts: number[] }> {
  const { format, chunkBytes, maxRows, maxBytes } = reading;
  const { maxRowBytes } = format;
  const size = bytes.length;
  const head = { fields: ['a', 'b'], byteCount: 0, lines: 0 };
  const handles = { createInput: (_file: number, start: number, end: number) => createMemoryInput(bytes, { start, end }, chunkBytes) };
  const split = { handles, file: 0, size, start: 0, maxRowBytes, dialect: format.describeRows(head) };
  const cuts = targetBytes === Infinity ? [] : await Array.fromAsync(findCuts(split, targetBytes));
  const tokenizer = format.createTokenizer(head, { maxRows, maxBytes });
  const list: Read[] = [];
  let rows = 0;
  let lines = 0;
  for (const [shard, start] of [0, ...cuts].entries()) {
    const input = createMemoryInput(bytes, { start, end: cuts[shard] ?? size }, chunkBytes);
    const window = new ByteWindow(input, { offset: start, maxRowBytes, capacityBytes: chunkBytes });
    const stretches = readStretches(window, {
      tokenizer,
      maxRowBytes,
      from: { offset: start, row: rows, line: lines },
      headBytes: 0,
      reread: (offset, byteCount) => bytes.toString('utf8', offset, offset + byteCount),
      checkCancelled: () => undefined,
    });
    for await (const records of stretches) {
      list.push(...listStretch(records));
      rows = records.end.row;
      lines = records.end.line;
    }
  }
  return { list, cuts };
}
