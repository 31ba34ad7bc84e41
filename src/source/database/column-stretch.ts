/** Stretches of rows by column, of databases: their places, and the digest that tells on a resume whether the rows before a position are still the same. */
import { crc32 } from 'node:zlib';
import type { ColumnValues, Position } from '../../rows/batch.ts';
import { readCell } from '../../rows/column-records.ts';
import type { ColumnType } from '../../rows/schema.ts';
import { checkJson } from '../../rows/text-value.ts';
import { SluiceError } from '../../errors.ts';
import { writeRowText } from '../row-text.ts';
import type { ColumnRecords } from '../source.ts';

/** A stretch is about this much of the source, or this many rows. */
export const stretchBytes: number = 256 * 1024;
export const maxStretchRows = 8_192;

/** Values of consecutive rows, as a database gave them. */
export interface ColumnBlock {
  readonly values: readonly ColumnValues[];
  readonly rowCount: number;
  readonly byteCount: number;
}

/** What the columns of the blocks are. */
export interface BlockLayout {
  readonly fields: readonly string[];
  readonly types: readonly (ColumnType | undefined)[];
  /** Indexes of the columns that a row is told from others by: its key, else all of its scalars. */
  readonly identifying: readonly number[];
  /** Columns behind the fields that are read for the digest alone are not handed on. */
  readonly width: number;
}

/** Where a reader begins, and what it says when the rows before are not what they were. */
export interface BlockReading {
  readonly name: string;
  readonly layout: BlockLayout;
  readonly from: Position;
  readonly checkCancelled: () => void;
}

/**
 * The records of a shard from a position on. A database has no place to seek to: rows before the position are read again and passed over, and their digest
 * must be the one that the position holds as its `offset`. So rows that were added, dropped or sorted otherwise are never skipped or loaded twice in silence.
 *
 * @throws SLUICE_SOURCE_CHANGED
 */
export async function* readBlocks(
  blocks: AsyncIterable<ColumnBlock> | Iterable<ColumnBlock>,
  { checkCancelled, from, layout, name }: BlockReading,
): AsyncGenerator<ColumnRecords, void, undefined> {
  let at: Position = { offset: 0, row: 0, line: 0 };
  for await (const block of blocks) {
    checkCancelled();
    const passed = Math.min(block.rowCount, Math.max(0, from.row - at.row));
    if (passed > 0) at = advance(at, cutBlock(block, 0, passed), layout);
    if (passed > 0 && at.row === from.row && at.offset !== from.offset) throw changedError(name, from.row);
    if (passed === block.rowCount) continue;
    const rest = passed === 0 ? block : cutBlock(block, passed, block.rowCount);
    const end = advance(at, rest, layout);
    const before = at;
    yield {
      ...makeRecords(rest, layout, { start: at.row, end }),
      endAt: (rowCount) => advance(before, cutBlock(rest, 0, rowCount), layout),
    };
    at = end;
  }
  if (at.row < from.row) throw changedError(name, from.row);
}

function changedError(name: string, row: number): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCE_CHANGED',
    `the first ${String(row)} rows of a shard of ${name} are no longer those that were loaded`,
    {
      hint: 'Rows came, went or have another order: give the query an ORDER BY over a unique key, or load anew with --again.',
    },
  );
}

function advance(at: Position, block: ColumnBlock, layout: BlockLayout): Position {
  const row = at.row + block.rowCount;
  return { offset: digestBlock(at.offset, block, layout), row, line: row };
}

/** Characters of a value that count; its length does too. */
const digestedLength = 64;

/** Row after row, so that the digest does not depend on where stretches end. About 0.3 µs a row with one key column. */
function digestBlock(seed: number, { rowCount, values }: ColumnBlock, { identifying }: BlockLayout): number {
  let digest = seed;
  const columns = identifying.map((index) => values[index]);
  for (let row = 0; row < rowCount; row++) {
    let text = '';
    for (const column of columns) text += `${writeBrief(readCell(column, row))}\u0000`;
    digest = crc32(text, digest);
  }
  return digest;
}

function writeBrief(value: unknown): string {
  if (typeof value === 'string')
    return value.length <= digestedLength ? value : `${value.slice(0, digestedLength)}…${String(value.length)}`;
  if (value instanceof Uint8Array) return `${String(value.length)}:${Buffer.from(value.subarray(0, digestedLength)).toString('latin1')}`;
  return ArrayBuffer.isView(value) ? `${String(value.byteLength)}` : String(value);
}

/** Rows `from` to `to` of a block. */
function cutBlock({ byteCount, rowCount, values }: ColumnBlock, from: number, to: number): ColumnBlock {
  const cut = values.map((column): ColumnValues => {
    if (column.kind === 'scalar') return { kind: 'scalar', values: column.values.slice(from, to) };
    const { dimensions, nulls } = column;
    return { ...column, values: column.values.subarray(from * dimensions, to * dimensions), nulls: nulls?.subarray(from, to) };
  });
  return { values: cut, rowCount: to - from, byteCount: Math.round((byteCount * (to - from)) / Math.max(1, rowCount)) };
}

/** Records of a block whose first row has the ordinal `start` in its shard. */
export function makeRecords(
  block: ColumnBlock,
  layout: BlockLayout,
  place: { readonly start: number; readonly end: Position },
): ColumnRecords {
  const { byteCount, rowCount } = block;
  const { fields, types, width } = layout;
  const values = block.values.slice(0, width);
  const ordinals = Float64Array.from({ length: rowCount }, (_, row) => place.start + row);
  return {
    kind: 'columns',
    fields,
    values,
    types,
    rowCount,
    rejects: [],
    places: { offsets: ordinals, rows: ordinals, lines: ordinals, raw: (row) => writeRow(layout, values, row) },
    end: place.end,
    byteCount,
  };
}

/** A row as JSON, from which a retry reads it again: JSON stands in it as JSON. */
function writeRow({ fields, types }: BlockLayout, values: readonly ColumnValues[], row: number): string {
  const members = fields.map((field, index) => {
    const value = readCell(values[index], row);
    const isJson = types[index] === 'json' && typeof value === 'string' && typeof checkJson(value) === 'string';
    // Line ends in JSON can only stand between its parts; the row is to be one line.
    return `${JSON.stringify(field)}:${isJson ? value.replaceAll(/[\r\n]/gu, ' ') : writeRowText(value)}`;
  });
  return `{${members.join(',')}}`;
}
