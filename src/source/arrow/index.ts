/** Arrow IPC, file (Feather 2) and stream: record batches read in pieces, columns that nobody asks for left out. Its own reader: no package, no trust in lengths. */
import { SluiceError } from '../../errors.ts';
import type { ColumnValues, Position } from '../../rows/batch.ts';
import type { ColumnType } from '../../rows/schema.ts';
import { createCancelCheck } from '../cancellation.ts';
import type { FileFormat, OpenedFile } from '../file-format.ts';
import type { ColumnRecords, ReadOptions, Shard } from '../source.ts';
import { BatchReader, refuseUnread, type ArrowSource } from './batch-reader.ts';
import { toArrowError } from './fault.ts';
import { mapFile, type PlacedBatch } from './file-map.ts';
import { bytesBefore, cutParts, digestPart, findBatch } from './parts.ts';
import { makeRecords } from './records.ts';
import { declareField, sampleBatches } from './sample.ts';
import { toColumnType, type Field } from './schema.ts';

/** A stretch is this much of the file, or this many rows. */
const stretchBytes = 512 * 1024;
const maxStretchRows = 8_192;

export const format: FileFormat = {
  name: 'arrow',
  async open(file): Promise<OpenedFile> {
    try {
      const map = await mapFile(file);
      checkNames(map.fields, file.name);
      return openMapped({ file, map, cache: new Map() });
    } catch (error) {
      throw toArrowError(file.name, error);
    }
  },
};

/** Fields are found by their names. */
function checkNames(fields: readonly Field[], name: string): void {
  const seen = new Set<string>();
  for (const field of fields) {
    if (!seen.has(field.name)) seen.add(field.name);
    else
      throw new SluiceError('SLUICE_SOURCE_INVALID', `${name} has two columns named ${JSON.stringify(field.name)}`, {
        hint: 'Give each column a name of its own, and write the file again.',
      });
  }
}

function openMapped(source: ArrowSource): OpenedFile {
  const { file, map } = source;
  return {
    fields: map.fields.map(({ name }) => name),
    declared: map.fields.flatMap((field) => declareField(field) ?? []),
    rowCount: map.rowCount,
    async sample() {
      try {
        return await sampleBatches(source);
      } catch (error) {
        throw toArrowError(file.name, error, map.batches[0]?.start);
      }
    },
    parts: (targetBytes) => cutParts(file, map, targetBytes),
    digestPart: (part) => digestPart(file, map, part),
    read: (part, from, options) => readPart(source, { part, from, options }),
    close: async () => source.cache.clear(),
  };
}

interface PartReading {
  readonly part: Pick<Shard, 'start' | 'end'>;
  readonly from: Position;
  readonly options: ReadOptions;
}

/** A column that is wanted, as the load's plan has it. */
interface Wanted {
  readonly field: Field;
  readonly type: ColumnType;
  /** Where it becomes vectors. */
  readonly dimensions: number | undefined;
}

async function* readPart(source: ArrowSource, { from, options, part }: PartReading): AsyncGenerator<ColumnRecords, void, undefined> {
  const { file, map } = source;
  const checkCancelled = createCancelCheck(file.name, options.signal);
  const wanted = listWanted(map.fields, options);
  for (const { field } of wanted) refuseUnread(field, file.name);
  const columns = { fields: wanted.map(({ field }) => field.name), types: wanted.map(({ type }) => type) };
  const end = part.end ?? map.rowCount;
  let row = part.start + from.row;
  while (row < end) {
    const placed = map.batches[findBatch(map, row)] as PlacedBatch;
    const last = Math.min(end, placed.firstRow + placed.rowCount);
    try {
      for await (const { end: rowsEnd, start, values } of readBatch(source, placed, { start: row, end: last, wanted, checkCancelled })) {
        const byteCount = bytesBefore(file, map, rowsEnd) - bytesBefore(file, map, start);
        yield makeRecords({ ...columns, values, start, end: rowsEnd, partStart: part.start, byteCount });
      }
    } catch (error) {
      throw toArrowError(file.name, error, placed.start);
    }
    row = last;
  }
}

/** Rows of the file that lie in one batch. */
interface BatchRows {
  readonly start: number;
  readonly end: number;
}

interface BatchReading extends BatchRows {
  readonly wanted: readonly Wanted[];
  readonly checkCancelled: () => void;
}

/** Stretches of a batch. What it decompresses ends with it, also where nobody wants the rest. */
async function* readBatch(
  source: ArrowSource,
  placed: PlacedBatch,
  { checkCancelled, end, start: first, wanted }: BatchReading,
): AsyncGenerator<BatchRows & { readonly values: readonly ColumnValues[] }, void, undefined> {
  const reader = await BatchReader.open(source, placed, checkCancelled);
  try {
    const stretchRows = countStretchRows(placed, wanted);
    for (let start = first; start < end; start += stretchRows) {
      checkCancelled();
      const rows = { start, end: Math.min(end, start + stretchRows) };
      const values = await readColumns(reader, wanted, { start: start - placed.firstRow, end: rows.end - placed.firstRow });
      yield { ...rows, values };
    }
  } finally {
    await reader.close();
  }
}

function listWanted(fields: readonly Field[], { columns }: ReadOptions): readonly Wanted[] {
  return fields.flatMap((field) => {
    const takers = columns.filter((column) => column.field === field.name && column.isEmbedded !== true);
    if (takers.length === 0) return [];
    const dimensions = takers.find((column) => column.type === 'vector')?.dimensions;
    return [{ field, type: dimensions === undefined ? toColumnType(field) : 'vector', dimensions }];
  });
}

/** Rows of a batch that make a stretch: by the bytes that a row has in the file or, where it is compressed, at least has as a vector. */
function countStretchRows({ bodyStart, end, rowCount }: PlacedBatch, wanted: readonly Wanted[]): number {
  const vectorBytes = wanted.reduce((sum, { dimensions = 2 }) => sum + 4 * dimensions, 0);
  const rowBytes = Math.max(vectorBytes, (end - bodyStart) / Math.max(1, rowCount));
  return Math.max(1, Math.min(maxStretchRows, Math.floor(stretchBytes / Math.max(1, rowBytes))));
}

async function readColumns(
  reader: BatchReader,
  wanted: readonly Wanted[],
  rows: { readonly start: number; readonly end: number },
): Promise<readonly ColumnValues[]> {
  const values: ColumnValues[] = [];
  for (const { dimensions, field } of wanted) values.push(await reader.readValues(await reader.readChunk(field.name, rows), dimensions));
  return values;
}
