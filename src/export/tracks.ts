/** The files of an export: what each is called, in which form, and which part of the rows it gets. */
import path from 'node:path';
import { SluiceError } from '../errors.ts';
import type { ColumnValues } from '../rows/batch.ts';
import type { ExportChoice } from './columns.ts';
import { createCsvWriter } from './csv.ts';
import { createJsonlWriter } from './jsonl.ts';
import { createNpyWriter, findVectors } from './npy.ts';
import { exportFormats, type ExportColumn, type ExportFormat, type ExportOptions, type RowBlock, type RowWriter } from './options.ts';
import { openFileOutput, openStreamOutput, type Compression, type Output } from './output.ts';

/** A writer with the place that its bytes go to. */
export interface Track {
  readonly writer: RowWriter;
  readonly output: Output;
  /** The part of a block that this file gets. */
  readonly pick: (block: RowBlock) => RowBlock;
}

export interface Form {
  readonly format: ExportFormat;
  readonly compression: Compression;
}

const compressions: Readonly<Record<string, Compression>> = { '.gz': 'gzip', '.zst': 'zstd' };
const otherNames: Readonly<Record<string, string>> = { pq: 'parquet', ndjson: 'jsonl' };

/** By the name of the file, where it is not said. @throws SLUICE_FORMAT_UNKNOWN, SLUICE_USAGE */
export function readForm({ out, format, compression, ids }: Pick<ExportOptions, 'out' | 'format' | 'compression' | 'ids'>): Form {
  const file = typeof out === 'string' ? out.toLowerCase() : '';
  const packed = compressions[path.extname(file)];
  const plain = packed === undefined ? file : file.slice(0, -path.extname(file).length);
  const ending = path.extname(plain).slice(1);
  const found = format ?? exportFormats.find((each) => each === (otherNames[ending] ?? ending));
  if (found === undefined) {
    const what = typeof out === 'string' ? `The name ${out} does not tell a format.` : 'A stream needs a format.';
    throw new SluiceError('SLUICE_FORMAT_UNKNOWN', what, { hint: `Name one with --format: ${exportFormats.join(', ')}.` });
  }
  if (typeof out !== 'string' && found === 'npy') {
    throw new SluiceError('SLUICE_USAGE', 'An .npy file says at its start how many rows follow, which a stream can not.', {
      hint: 'Export into a file.',
    });
  }
  if (ids !== undefined && found !== 'npy')
    throw new SluiceError('SLUICE_USAGE', `A file of ids goes with .npy alone, not with ${found}.`, { hint: 'Leave --ids out.' });
  const chosen = compression ?? packed ?? 'none';
  if (found === 'parquet' && chosen !== 'none') {
    throw new SluiceError(
      'SLUICE_USAGE',
      `A Parquet file compresses its columns itself; compressed as a whole by ${chosen} no reader could open it.`,
      {
        hint: 'End its name with .parquet.',
      },
    );
  }
  return { format: found, compression: chosen };
}

/** Opens what is written; nothing has its name yet. */
export async function openTracks(options: ExportOptions, form: Form, choice: ExportChoice): Promise<readonly Track[]> {
  const overwrites = options.overwrites === true;
  const { out, ids } = options;
  const idForm = ids === undefined ? undefined : readForm({ out: ids });
  if (idForm !== undefined && typeof out === 'string' && path.resolve(ids ?? '') === path.resolve(out))
    throw new SluiceError('SLUICE_USAGE', 'Vectors and ids would go into the same file.', { hint: 'Name another one with --ids.' });
  const output =
    typeof out === 'string'
      ? await openFileOutput({ file: out, compression: form.compression, overwrites, needsStart: form.format === 'npy' })
      : openStreamOutput(out);
  const width = choice.columns.length;
  const opened: Output[] = [output];
  try {
    const main: Track = {
      writer: await createWriter(form.format, choice.columns, output.name),
      output,
      pick: (block) => ({ ...block, values: block.values.slice(0, width) }),
    };
    if (ids === undefined || idForm === undefined) return [main];
    const idOutput = await openFileOutput({ file: ids, compression: idForm.compression, overwrites, needsStart: false });
    opened.push(idOutput);
    const writer = await createWriter(idForm.format, choice.ids, idOutput.name);
    const pick = (block: RowBlock): RowBlock =>
      pickRows({ ...block, values: block.values.slice(width) }, findVectors(block, 0, choice.columns[0]!));
    return [main, { writer, output: idOutput, pick }];
  } catch (error) {
    for (const each of opened) await each.discard();
    throw error;
  }
}

async function createWriter(format: ExportFormat, columns: readonly ExportColumn[], file: string): Promise<RowWriter> {
  switch (format) {
    case 'jsonl':
      return createJsonlWriter(columns);
    case 'csv':
      return createCsvWriter(columns, ',');
    case 'tsv':
      return createCsvWriter(columns, '\t');
    case 'parquet':
      return (await import('./parquet.ts')).createParquetWriter(columns, file);
    case 'npy':
      return createNpyWriter(columns[0]!, 0);
  }
}

/** Some rows of a block. */
function pickRows({ values, rowCount }: RowBlock, rows: readonly number[]): RowBlock {
  if (rows.length === rowCount) return { values, rowCount };
  const pick = (column: ColumnValues): ColumnValues => {
    if (column.kind === 'scalar') return { kind: 'scalar', values: rows.map((row) => column.values[row] ?? null) };
    const { dimensions, nulls } = column;
    const picked = new Float32Array(rows.length * dimensions);
    rows.forEach((row, at) => picked.set(column.values.subarray(row * dimensions, (row + 1) * dimensions), at * dimensions));
    return {
      kind: 'vector',
      dimensions,
      values: picked,
      nulls: nulls === undefined ? undefined : Uint8Array.from(rows, (row) => nulls[row] ?? 0),
    };
  };
  return { rowCount: rows.length, values: values.map(pick) };
}
