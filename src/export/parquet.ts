/** Rows as Parquet: typed columns, vectors as list<float>, row groups of a few megabytes, so that memory stays flat and sluice reads them in parallel. */
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { SchemaElement } from 'hyparquet';
import { SluiceError } from '../errors.ts';
import type { ColumnType, Scalar } from '../rows/schema.ts';
import type { ExportColumn, RowBlock, RowWriter } from './options.ts';
import { readValue } from './value-text.ts';

/**
 * A row group is ended above this many bytes of values. hyparquet-writer holds a list as one JavaScript value, one definition and one repetition level a number:
 * 100,000 rows of 384 floats peaked at 844 MB in 18 s with 8 MiB, at 352 MB in 7 s with 2 MiB.
 */
const groupBytes = 2 * 1024 * 1024;

/** … or this many rows, for narrow ones. */
const groupRows = 100_000;

/** Types that Parquet has no exact form for, or whose values a table may hold beyond it (years before 1, more digits than a microsecond's), are text. */
const forms: Readonly<
  Record<ColumnType, { readonly element: Pick<SchemaElement, 'type' | 'converted_type' | 'logical_type'>; readonly form: string }>
> = {
  integer: { element: { type: 'INT64' }, form: 'INT64' },
  real: { element: { type: 'DOUBLE' }, form: 'DOUBLE' },
  boolean: { element: { type: 'BOOLEAN' }, form: 'BOOLEAN' },
  bytes: { element: { type: 'BYTE_ARRAY' }, form: 'BYTE_ARRAY' },
  text: { element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, form: 'STRING' },
  // As bytes under the logical type alone: with the older mark hyparquet-writer would print the text once more.
  json: { element: { type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } }, form: 'JSON' },
  timestamp: { element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, form: 'STRING (ISO 8601)' },
  date: { element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, form: 'STRING (ISO 8601)' },
  uuid: { element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, form: 'STRING' },
  decimal: { element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, form: 'STRING (every digit)' },
  vector: { element: { type: 'FLOAT' }, form: 'LIST<FLOAT>' },
};

function describeSchema(columns: readonly ExportColumn[]): SchemaElement[] {
  const fields = columns.flatMap(({ name, type }): SchemaElement[] => {
    const { element } = forms[type];
    if (type !== 'vector') return [{ name, repetition_type: 'OPTIONAL', ...element }];
    return [
      { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'REQUIRED', ...element },
    ];
  });
  return [{ name: 'root', num_children: columns.length }, ...fields];
}

/** Rows that wait for their row group to be full. */
interface Group {
  readonly values: unknown[][];
  rowCount: number;
  byteCount: number;
}

export function createParquetWriter(columns: readonly ExportColumn[], file: string): RowWriter {
  const buffer = new ByteWriter(groupBytes);
  const writer = new ParquetWriter({ writer: buffer, schema: describeSchema(columns), createdBy: 'sluice' });
  const group: Group = { values: columns.map(() => []), rowCount: 0, byteCount: 0 };
  let rowsBefore = 0;
  const flush = (): Uint8Array => {
    writeGroup(writer, columns, group);
    rowsBefore += group.rowCount;
    for (const values of group.values) values.length = 0;
    group.rowCount = 0;
    group.byteCount = 0;
    return takeBytes(buffer);
  };
  return {
    forms: columns.map(({ type }) => forms[type].form),
    write: (block) => {
      const pieces: Uint8Array[] = [];
      for (let row = 0; row < block.rowCount; row++) {
        addRow(group, columns, { block, row, place: { file, row: rowsBefore + group.rowCount } });
        if (group.byteCount >= groupBytes || group.rowCount >= groupRows) pieces.push(flush());
      }
      return pieces;
    },
    end: () => {
      const last = group.rowCount > 0 ? [flush()] : [];
      // With a writer that is all in memory nothing is waited for.
      void writer.finish();
      return [...last, takeBytes(buffer)];
    },
  };
}

/** What the writer has made so far; it goes on counting offsets from there. */
function takeBytes(buffer: ByteWriter): Uint8Array {
  const bytes = buffer.getBytes().slice();
  buffer.index = 0;
  return bytes;
}

function writeGroup(writer: ParquetWriter, columns: readonly ExportColumn[], { values, rowCount }: Group): void {
  void writer.write({
    columnData: columns.map(({ name, type }, index) => ({
      name,
      data: values[index] ?? [],
      // Floats of vectors hardly get smaller by compression, no two are equal, and nobody asks for the least of them.
      ...(type === 'vector' ? ({ encoding: 'PLAIN', codec: 'UNCOMPRESSED', statistics: false } as const) : {}),
    })),
    rowGroupSize: rowCount,
  });
}

interface Place {
  readonly file: string;
  readonly row: number;
}

function addRow(
  group: Group,
  columns: readonly ExportColumn[],
  { block, row, place }: { readonly block: RowBlock; readonly row: number; readonly place: Place },
): void {
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index]!;
    const value = readValue(block.values[index]!, row, column);
    group.values[index]!.push(value === null ? null : toParquet(value, column, place));
    group.byteCount += measure(value);
  }
  group.rowCount++;
}

function measure(value: Scalar | Float32Array): number {
  if (typeof value === 'string') return value.length;
  return value instanceof Uint8Array || value instanceof Float32Array ? value.byteLength : 8;
}

/** SQLite lets any value into any column; a typed file does not. @throws SLUICE_SOURCE_INVALID */
function toParquet(value: Exclude<Scalar, null> | Float32Array, { name, type }: ExportColumn, { file, row }: Place): unknown {
  const converted = convert(value, type);
  if (converted !== undefined) return converted;
  throw new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `Row ${String(row + 1)} has a value in the column ${name} that is not of its type ${type}, so it can't go into ${file}.`,
    { hint: 'Export to .jsonl, which takes any value, or leave the row out with --where.' },
  );
}

function convert(value: Exclude<Scalar, null> | Float32Array, type: ColumnType): unknown {
  switch (type) {
    case 'integer':
      return typeof value === 'bigint' || Number.isInteger(value) ? BigInt(value as number | bigint) : undefined;
    case 'real':
      return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'bytes':
      return value instanceof Uint8Array ? value : undefined;
    case 'json':
      return typeof value === 'string' ? Buffer.from(value) : undefined;
    case 'vector':
      return value instanceof Float32Array ? Array.from(value) : undefined;
    default:
      return value instanceof Uint8Array || value instanceof Float32Array ? undefined : String(value);
  }
}
