/** Builds stretches of records for tests: delimited text from rows of fields, objects in memory, and lines of JSON. */
import type { TestContext } from 'node:test';
import type { Batch, ColumnValues, Places } from '../../src/rows/batch.ts';
import type { Column, Scalar } from '../../src/rows/schema.ts';
import type { Records, Sample, TextRecords, ValueRecords } from '../../src/source/source.ts';

/** A seed for a property, printed with the test; `SEED` in the environment replays one. */
export function chooseSeed(context: TestContext): number {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  context.diagnostic(`seed ${seed}`);
  return seed;
}

function makePlaces(rowCount: number, raw: Places['raw']): Places {
  const ordinals = Float64Array.from({ length: rowCount }, (_, row) => row);
  return { offsets: ordinals.map((row) => row * 10), rows: ordinals, lines: ordinals.map((row) => row + 1), raw };
}

const stretchEnd = { rejects: [], end: { offset: 0, row: 0, line: 0 }, byteCount: 0 };

/** A field of delimited text: `{ quoted }` stood in quotes; its text is as between them, quotes doubled. */
export type Field = string | { readonly quoted: string };

export interface TextOptions {
  readonly fields: readonly string[];
  readonly nullText?: string;
}

export function makeTextRecords(rows: readonly (readonly Field[])[], { fields, nullText = '' }: TextOptions): TextRecords {
  const starts: number[] = [];
  const ends: number[] = [];
  const quoting: number[] = [];
  const pieces: Buffer[] = [];
  let length = 0;
  for (const field of rows.flat()) {
    const text = typeof field === 'string' ? field : field.quoted.replaceAll('"', '""');
    const piece = Buffer.from(typeof field === 'string' ? `${text},` : `"${text}",`, 'utf8');
    const inset = typeof field === 'string' ? 0 : 1;
    starts.push(length + inset);
    ends.push(length + piece.length - 1 - inset);
    quoting.push(typeof field === 'string' ? 0 : field.quoted.includes('"') ? 2 : 1);
    pieces.push(piece);
    length += piece.length;
  }
  const buffer = Buffer.concat(pieces);
  return {
    ...stretchEnd,
    kind: 'text',
    fields,
    bytes: buffer,
    isAscii: buffer.every((byte) => byte < 128),
    starts: Int32Array.from(starts),
    ends: Int32Array.from(ends),
    quoting: Uint8Array.from(quoting),
    quote: 34,
    nullText,
    rowCount: rows.length,
    places: makePlaces(rows.length, (row) => JSON.stringify(rows[row])),
  };
}

/** Objects in memory. */
export function makeValueRecords(values: readonly Record<string, unknown>[]): ValueRecords {
  const places = makePlaces(values.length, (row) => `row ${row}`);
  return { ...stretchEnd, kind: 'values', values, isJsonText: false, rowCount: values.length, places };
}

/** Lines of JSON. */
export function makeJsonRecords(lines: readonly string[]): ValueRecords {
  const values = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const places = makePlaces(lines.length, (row) => lines[row] ?? '');
  return { ...stretchEnd, kind: 'values', values, isJsonText: true, rowCount: lines.length, places };
}

export function makeSample(fields: readonly string[], ...stretches: readonly Records[]): Sample {
  return { fields, stretches, meanRowBytes: undefined };
}

/** A nullable column that is filled by the field of its name. */
export function makeColumn(name: string, type: Column['type'], more: Partial<Column> = {}): Column {
  return { name, field: name, type, isNullable: true, ...more };
}

/** `count` times the same value. */
export function repeat<T>(value: T, count: number): T[] {
  return Array.from({ length: count }, () => value);
}

/** The values of a scalar column. */
export function scalars(values: ColumnValues | undefined): readonly Scalar[] {
  if (values?.kind !== 'scalar') throw new TypeError('no scalar column');
  return values.values;
}

/** The vectors of a column as arrays, null where a row has none. */
export function vectors(values: ColumnValues | undefined): (number[] | null)[] {
  if (values?.kind !== 'vector') throw new TypeError('no vector column');
  const { dimensions, nulls } = values;
  const rowCount = values.values.length / dimensions;
  return Array.from({ length: rowCount }, (_, row) =>
    nulls?.[row] === 1 ? null : [...values.values.subarray(row * dimensions, (row + 1) * dimensions)],
  );
}

/** Rows of a batch with scalar columns. */
export function batchRows(batch: Batch): Scalar[][] {
  return Array.from({ length: batch.rowCount }, (_, row) => batch.values.map((values) => scalars(values)[row] as Scalar));
}
