/** Lays rows of a batch out as JSON parameters, column by column; a value that JSON or the server would alter makes its row a refusal instead. */
import type { Batch, ColumnValues, VectorValues } from '../../rows/batch.ts';
import type { ColumnType, Scalar } from '../../rows/schema.ts';
import { findInexactDecimals } from '../sqlite/encode.ts';
import type { Refusal } from '../sqlite/errors.ts';
import { createRowPush, type ByteSink } from './row-bytes.ts';
import { isBlobLike, textPlaceholder, writeBytes, writeReal, type SqlValue } from './json.ts';

/** The rows of one batch in the form they are sent in. */
export interface RowEncoder {
  /** A row's values with commas between; only for rows that are not in `refused`. */
  writeValues(row: number): string;
  /** The same as bytes. */
  pushValues(sink: ByteSink, row: number): void;
  /** Whether any row needs {@link RowEncoder.writeDetour}. */
  readonly hasDetours: boolean;
  /** `(?,?)` with the detour for texts that look like blobs; undefined for rows that have none. */
  writeDetour(row: number): string | undefined;
  /** Rows that can't be sent as they are. */
  readonly refused: ReadonlyMap<number, Refusal>;
}

type WriteCell = (row: number) => string;

function writeVectors({ values, dimensions, nulls }: VectorValues): WriteCell {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const size = dimensions * 4;
  return (row) => (nulls?.[row] === 1 ? 'null' : writeBytes(bytes.subarray(row * size, (row + 1) * size)));
}

function writeScalar(value: Scalar, type: ColumnType): string {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'string':
      return isBlobLike(value) ? writeBytes(Buffer.from(value)) : JSON.stringify(value);
    case 'number':
      // A REAL without a fraction would be bound as an INTEGER.
      return type === 'real' ? writeReal(value) : String(value);
    case 'bigint':
      return String(value);
    case 'boolean':
      return value ? '1' : '0';
    default:
      return writeBytes(value);
  }
}

function chooseCell(data: ColumnValues | undefined, type: ColumnType): WriteCell {
  if (data === undefined) return () => 'null';
  if (data.kind === 'vector') return writeVectors(data);
  const { values } = data;
  return (row) => writeScalar(values[row] ?? null, type);
}

/** Types whose values are texts that may hold anything. */
const isFreeText = (type: ColumnType): boolean => type === 'text' || type === 'json';

interface Inspected {
  readonly refused: ReadonlyMap<number, Refusal>;
  /** Columns whose text looks like a blob, by row. */
  readonly detours: ReadonlyMap<number, ReadonlySet<number>>;
}

/** One look at every text. */
function inspect(batch: Batch, declaredTypes: readonly string[]): Inspected {
  const refused = new Map<number, Refusal>();
  const detours = new Map<number, Set<number>>();
  for (const [row, { code, column }] of findInexactDecimals(batch, declaredTypes)) {
    refused.set(row, { code, column, message: `The column keeps ${column} as a number of 15 digits, or of 64 bits; this value has more.` });
  }
  batch.columns.forEach(({ name, type }, index) => {
    const data = batch.values[index];
    if (data?.kind !== 'scalar' || !isFreeText(type)) return;
    data.values.forEach((value, row) => {
      if (typeof value !== 'string') return;
      if (!value.isWellFormed()) {
        refused.set(row, { code: 'VALUE_FORMAT', column: name, message: 'the text holds half of a surrogate pair, which UTF-8 cannot' });
      } else if (isBlobLike(value)) detours.set(row, (detours.get(row) ?? new Set()).add(index));
    });
  });
  return { refused, detours };
}

/** An encoder for one batch; `declaredTypes[i]` is what column `i` is declared as in the table. */
export function createRowEncoder(batch: Batch, declaredTypes: readonly string[]): RowEncoder {
  const cells = batch.columns.map(({ type }, index) => chooseCell(batch.values[index], type));
  const { refused, detours } = inspect(batch, declaredTypes);
  // A row is measured before it is sent, and may be sent more than once.
  const encoded: string[] = [];
  const encode = (row: number): string => {
    let json = '';
    for (const cell of cells) json += json === '' ? cell(row) : `,${cell(row)}`;
    return json;
  };
  return {
    refused,
    hasDetours: detours.size > 0,
    writeValues: (row) => (encoded[row] ??= encode(row)),
    pushValues: createRowPush(batch, (column, row) => cells[column]?.(row) ?? 'null'),
    writeDetour: (row) => {
      const columns = detours.get(row);
      if (columns === undefined) return undefined;
      return `(${cells.map((_, index) => (columns.has(index) ? textPlaceholder : '?')).join(',')})`;
    },
  };
}

/** A value of a key, for a lookup. */
export function toSqlValue(value: Scalar | undefined): SqlValue {
  return value ?? null;
}
