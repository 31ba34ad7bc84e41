/** The rows of the files in test/fixtures/parquet by their formulas, and readers of such files for the tests. */
import { readFileSync } from 'node:fs';
import type { ByteFile } from '../../src/source/files/byte-file.ts';
import type { OpenedFile } from '../../src/source/file-format.ts';
import { format } from '../../src/source/parquet/index.ts';
import type { ColumnRecords, ReadOptions } from '../../src/source/source.ts';

export const fixtureRows = 60;

export function readFixture(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/parquet/${name}`, import.meta.url));
}

/** A file in memory that notes what is read of it. */
export function holdFile(bytes: Uint8Array, reads: (readonly [number, number])[] = []): ByteFile {
  return {
    name: 'rows.parquet',
    byteCount: bytes.length,
    read: (start, end) => {
      if (start < 0 || end > bytes.length || start > end) throw new Error(`read of ${start} to ${end} in ${bytes.length} bytes`);
      reads.push([start, end]);
      return Uint8Array.prototype.slice.call(bytes, start, end);
    },
    readInto: (target, start) => {
      const end = Math.min(bytes.length, start + target.length);
      reads.push([start, end]);
      target.set(bytes.subarray(start, end));
      return end - start;
    },
    close: () => undefined,
  };
}

export function openBytes(bytes: Uint8Array, reads?: (readonly [number, number])[]): Promise<OpenedFile> {
  return format.open(holdFile(bytes, reads), {});
}

/** Stretches of all parts, in order. */
export async function listStretches(
  opened: OpenedFile,
  targetBytes = 1e9,
  options: ReadOptions = { columns: [] },
): Promise<ColumnRecords[]> {
  const stretches: ColumnRecords[] = [];
  for await (const part of opened.parts(targetBytes)) {
    for await (const records of opened.read(part, { offset: part.start, row: 0, line: 0 }, options)) {
      stretches.push(records as ColumnRecords);
    }
  }
  return stretches;
}

/** Rows as JSON text, which keeps every digit. */
export async function listRows(opened: OpenedFile, targetBytes?: number, options?: ReadOptions): Promise<string[]> {
  const stretches = await listStretches(opened, targetBytes, options);
  return stretches.flatMap(({ places, rowCount }) => Array.from({ length: rowCount }, (_, row) => places.raw(row)));
}

const dayMs = 86_400_000;

function writeScaled(whole: bigint, scale: number): string {
  const sign = whole < 0n ? '-' : '';
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0');
  return `"${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}"`;
}

function writeUuid(value: bigint): string {
  const hex = value.toString(16).padStart(32, '0');
  return `"${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')}"`;
}

function count(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

/** The text of every field of row `i`, as make.py has it. */
export function expectRow(i: number): Readonly<Record<string, string>> {
  const json = (value: unknown): string => JSON.stringify(value);
  const big = BigInt(i);
  const sign = i % 2 === 0 ? 1n : -1n;
  const part = i % 5 === 0 ? { a: i, b: '', c: null } : { a: i, b: i % 3 === 0 ? null : `x${i}`, c: { d: i * 0.5, e: [i, null] } };
  const nullable: Record<string, string> = {
    flag: json(i % 3 === 0),
    u32: String(4_294_967_295 - i),
    i64: String(sign * (2n ** 63n - 1n - big * 12_345_678_901_234_567n)),
    u64: `"${2n ** 64n - 1n - big}"`,
    f32: String(i / 4),
    name: json(`text ${i % 9} ü€😀`),
    bin: json(Buffer.from([i % 256, 0, 255]).toString('base64')),
    day: json(new Date(Date.UTC(1900, 0, 1) + i * 900 * dayMs).toISOString().slice(0, 10)),
    at_us: json(`${new Date(Date.UTC(1969, 11, 31) + i * dayMs).toISOString().slice(0, 10)}T23:59:59.999999Z`),
    at_ns: json(`2023-11-14T22:13:20.${123_456_789 + i}`),
    dec9: writeScaled(sign * big, 2),
    dec38: writeScaled(sign * (10n ** 37n + big), 10),
    vec: json(count(16).map((index) => (i + index) / 4)),
    words: json(count(i % 4).map((index) => (index === 1 ? null : `s"${index}`))),
    deep: json(count(i % 5).map((index) => (index === 2 ? null : count(index)))),
    part: json(part),
    map: json(Object.fromEntries(count(i % 3).map((index) => [`k${index}`, index === 0 ? null : index * 1.5]))),
    uuid: writeUuid(big * 12_345_678_901_234_567_890_123_456_789n),
    doc: `{"i": ${i}, "x": [1]}`,
  };
  const row = i % 7 === 3 ? Object.fromEntries(Object.keys(nullable).map((name) => [name, 'null'])) : nullable;
  return { ...row, half: json([i / 4, (i + 1) / 4, (i + 2) / 4]) };
}

/** The JSON text of row `i` with some of its fields. */
export function writeExpected(i: number, fields: readonly string[]): string {
  const row = expectRow(i);
  return `{${fields.map((field) => `${JSON.stringify(field)}:${row[field] ?? 'missing'}`).join(',')}}`;
}
