/** Rows of the first and the last batch, to see what is in a file; lists of floats are looked at for being vectors. */
import { maxDimensions } from '../../rows/column-type.ts';
import type { ColumnValues } from '../../rows/batch.ts';
import type { ColumnRecords, DeclaredField, Sample } from '../source.ts';
import { BatchReader, type ArrowSource } from './batch-reader.ts';
import type { Chunk } from './chunk.ts';
import { bytesBefore } from './parts.ts';
import { makeRecords } from './records.ts';
import { isFloatList, toColumnType, type Field } from './schema.ts';
import { findDimension } from './vector-column.ts';

const sampledRows = 100;

/** What a file says of a column's type; undefined of lists of floats, whose lengths only their rows tell. */
export function declareField(field: Field): DeclaredField | undefined {
  const { isNullable, name, type } = field;
  if (!isFloatList(field)) return { name, type: toColumnType(field), isNullable };
  if (type.kind !== 'fixed_list') return undefined;
  return type.size >= 1 && type.size <= maxDimensions
    ? { name, type: 'vector', dimensions: type.size, isNullable }
    : { name, type: 'json', isNullable };
}

interface SampledRows {
  readonly reader: BatchReader;
  readonly start: number;
  readonly end: number;
  readonly chunks: readonly Chunk[];
}

export async function sampleBatches(source: ArrowSource): Promise<Sample> {
  const { file, map } = source;
  const filled = map.batches.filter(({ rowCount }) => rowCount > 0);
  const chosen = [...new Set([filled[0], filled.at(-1)])].filter((batch) => batch !== undefined);
  const sampled: SampledRows[] = [];
  for (const batch of chosen) {
    const reader = await BatchReader.open(source, batch);
    const count = Math.min(sampledRows, batch.rowCount);
    // The last rows of a compressed batch come after all others of it.
    const first = batch === chosen[0] || !batch.isPlain ? 0 : batch.rowCount - count;
    const chunks: Chunk[] = [];
    try {
      for (const field of map.fields) chunks.push(await reader.readChunk(field.name, { start: first, end: first + count }));
    } finally {
      await reader.close();
    }
    sampled.push({ reader, start: batch.firstRow + first, end: batch.firstRow + first + count, chunks });
  }
  const declared = map.fields.map(
    (field, index) =>
      declareField(field) ??
      judgeList(
        field,
        sampled.map(({ chunks }) => chunks[index] as Chunk),
      ),
  );
  const stretches: ColumnRecords[] = [];
  for (const rows of sampled)
    stretches.push(await toRecords(rows, declared, bytesBefore(file, map, rows.end) - bytesBefore(file, map, rows.start)));
  return {
    fields: map.fields.map(({ name }) => name),
    stretches,
    meanRowBytes: map.rowCount === 0 ? undefined : file.byteCount / map.rowCount,
    declared,
    estimatedRows: map.rowCount,
  };
}

function judgeList({ isNullable, name }: Field, chunks: readonly Chunk[]): DeclaredField {
  const dimensions = findDimension(chunks);
  const isVector = dimensions !== undefined && dimensions <= maxDimensions;
  return isVector ? { name, type: 'vector', dimensions, isNullable } : { name, type: 'json', isNullable };
}

async function toRecords(
  { chunks, end, reader, start }: SampledRows,
  declared: readonly DeclaredField[],
  byteCount: number,
): Promise<ColumnRecords> {
  const values: ColumnValues[] = [];
  for (const [index, chunk] of chunks.entries()) values.push(await reader.readValues(chunk, declared[index]?.dimensions));
  return makeRecords({
    fields: declared.map(({ name }) => name),
    types: declared.map(({ type }) => type),
    values,
    start,
    end,
    partStart: 0,
    byteCount,
  });
}
