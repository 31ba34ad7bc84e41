/** The first rows as they would land: read, mapped and converted as a load would, every value that changes on the way marked with what it was. Nothing is written. */
import { SluiceError } from '../errors.ts';
import { refuseUnknownOptions, type NamesOf } from '../option-names.ts';
import { loadNames } from '../load/option-names.ts';
import type { LoadPlan } from '../load/options.ts';
import type { Prepared } from '../load/plan/plan.ts';
import type { Batch, Reject } from '../rows/batch.ts';
import { createBatchBuilder } from '../rows/builder.ts';
import { readCell } from '../rows/column-records.ts';
import type { Column, Scalar } from '../rows/schema.ts';
import { openTextField, readTextValue } from '../rows/text-fill.ts';
import { isTextFormat } from '../source/formats.ts';
import { prepareUnplaced, type UnplacedOptions } from './unplaced.ts';
import type { Records, Source } from '../source/source.ts';

export interface PreviewOptions extends UnplacedOptions {
  /** Rows that are looked at, rejected ones included; 1 to 10,000; 10 by default. */
  readonly rows?: number | undefined;
}

const previewNames: NamesOf<PreviewOptions> = { ...loadNames, rows: true };

/** One value. */
export interface PreviewCell {
  /** As it would be stored, as text; null for null. A vector is shown by its first numbers, one that is yet to be made by its size. */
  readonly stored: string | null;
  /** What the source has, where that is written otherwise; undefined where nothing changes. */
  readonly original: string | null | undefined;
}

/** One row of the input, numbers from 1. */
export interface PreviewRow {
  readonly row: number;
  /** Undefined where the source has no lines. */
  readonly line: number | undefined;
  /** One for each column; empty for a row that would be rejected. */
  readonly cells: readonly PreviewCell[];
  readonly reject: Pick<Reject, 'code' | 'column' | 'message'> | undefined;
}

export interface Preview {
  readonly schema: 1;
  readonly columns: readonly Column[];
  readonly rows: readonly PreviewRow[];
  readonly plan: LoadPlan;
}

const defaultRows = 10;
const maxRows = 10_000;
/** Numbers of a vector that are shown. */
const shownNumbers = 3;

/**
 * Reads the first rows of the input and shows what a load with the same options would make of them.
 * @throws SLUICE_USAGE, SLUICE_SOURCE_…, SLUICE_TARGET_… as `plan` does
 */
export async function preview(options: PreviewOptions): Promise<Preview> {
  refuseUnknownOptions('preview', options, previewNames);
  const wanted = options.rows ?? defaultRows;
  if (!(Number.isInteger(wanted) && wanted >= 1 && wanted <= maxRows))
    throw new SluiceError('SLUICE_USAGE', `rows has to be a whole number from 1 to ${String(maxRows)}.`);
  const prepared = await prepareUnplaced(options);
  try {
    const rows = await readRows(prepared, wanted, options.signal);
    return { schema: 1, columns: prepared.run.table.columns, rows, plan: prepared.plan };
  } finally {
    await prepared.close();
  }
}

async function readRows({ plan, run, source }: Prepared, wanted: number, signal: AbortSignal | undefined): Promise<readonly PreviewRow[]> {
  const { columns } = run.table;
  const rows: PreviewRow[] = [];
  for await (const records of readAll(source, { columns, shardBytes: run.shardBytes, signal })) {
    rows.push(...showStretch(records, columns));
    if (rows.length >= wanted) break;
  }
  const shown = rows.slice(0, wanted);
  return isTextFormat(plan.source.format) ? shown : shown.map((row) => ({ ...row, line: undefined }));
}

interface Reading {
  readonly columns: readonly Column[];
  readonly shardBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** Rows and lines go on from shard to shard; of a second file they begin anew, as it is read. */
async function* readAll(source: Source, { columns, shardBytes, signal }: Reading): AsyncGenerator<Records & { readonly base: Base }> {
  let base: Base = { row: 0, line: 0 };
  let file = 0;
  for await (const shard of source.shards(shardBytes, signal)) {
    if (shard.file !== file) base = { row: 0, line: 0 };
    file = shard.file;
    let end: Base = { row: 0, line: 0 };
    for await (const records of source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns, signal })) {
      yield { ...records, base };
      end = records.end;
    }
    base = { row: base.row + end.row, line: base.line + end.line };
  }
}

interface Base {
  readonly row: number;
  readonly line: number;
}

type Place = Pick<Reject, 'row' | 'line'>;

function showStretch(records: Records & { readonly base: Base }, columns: readonly Column[]): readonly PreviewRow[] {
  const builder = createBatchBuilder(columns);
  const rejects = [...records.rejects, ...builder.add(records)];
  const batch = builder.take();
  const { base } = records;
  const placed = ({ row, line }: Place): Pick<PreviewRow, 'row' | 'line'> => ({ row: base.row + row + 1, line: base.line + line + 1 });
  const shown = rejects.map(({ code, column, message, ...place }): PreviewRow & { readonly at: number } => ({
    ...placed(place),
    at: place.row,
    cells: [],
    reject: { code, message, ...(column === undefined ? {} : { column }) },
  }));
  const original = createReader(records);
  const indexes = new Map(Array.from({ length: records.rowCount }, (_, index) => [records.places.rows[index] as number, index]));
  for (let index = 0; index < batch.rowCount; index++) {
    const [row, line] = [batch.places.rows[index] as number, batch.places.lines[index] as number];
    const cells = columns.map((column, at) => showCell(batch, { column, at, index }, original(column, indexes.get(row) ?? 0)));
    shown.push({ ...placed({ row, line }), at: row, cells, reject: undefined });
  }
  return shown.toSorted((left, right) => left.at - right.at).map(({ at: _at, ...row }) => row);
}

/** Reads what the source has for a column, as text; undefined for a vector, of which nothing but numbers is shown. */
function createReader(records: Records): (column: Column, row: number) => string | null | undefined {
  if (records.kind === 'text') {
    const fields = new Map(records.fields.map((name, index) => [name, openTextField(records, index)]));
    return ({ field }, row) => {
      const found = fields.get(field);
      return found === undefined ? null : readTextValue(found, row);
    };
  }
  const read = (field: string, row: number): unknown =>
    records.kind === 'values' ? records.values[row]?.[field] : readCell(records.values[records.fields.indexOf(field)], row);
  return ({ field }, row) => writeOriginal(read(field, row));
}

function writeOriginal(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return writeBytes(value);
  return value instanceof Date ? value.toISOString() : (JSON.stringify(value) ?? null);
}

interface CellPlace {
  readonly column: Column;
  readonly at: number;
  readonly index: number;
}

function showCell(batch: Batch, { column, at, index }: CellPlace, original: string | null | undefined): PreviewCell {
  if (column.isEmbedded === true) return { stored: `(${String(column.dimensions)} numbers, embedded)`, original: undefined };
  const data = batch.values[at];
  if (data?.kind === 'vector') {
    const isNull = data.nulls?.[index] === 1;
    const numbers = Array.from(data.values.subarray(index * data.dimensions, index * data.dimensions + shownNumbers), (value) =>
      value.toPrecision(4),
    );
    const more = data.dimensions > shownNumbers ? `, … ${String(data.dimensions)} numbers` : '';
    return { stored: isNull ? null : `[${numbers.join(', ')}${more}]`, original: undefined };
  }
  const stored = writeStored(data?.values[index] ?? null);
  return { stored, original: original === stored ? undefined : original };
}

function writeStored(value: Scalar): string | null {
  if (value === null) return null;
  return value instanceof Uint8Array ? writeBytes(value) : String(value);
}

function writeBytes(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}
