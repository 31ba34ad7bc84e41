/** Cuts a stretch of records in two between rows, so that a load can stop after an exact row or go on slowly. No row is lost or doubled by a cut. */
import type { ColumnValues, Places, Position, VectorValues } from '../rows/batch.ts';
import type { Records, Stretch } from './source.ts';

/** Rows of a stretch, refused ones included. */
export function countRecords(records: Stretch): number {
  return records.rowCount + records.rejects.length;
}

/** The first `count` rows of a stretch (refused ones included) and the others; `count` is more than 0 and less than there are. */
export function cutRecords(records: Records, count: number): readonly [Records, Records];
export function cutRecords(records: Stretch, count: number): readonly [Stretch, Stretch];
export function cutRecords(records: Stretch, count: number): readonly [Stretch, Stretch] {
  const total = countRecords(records);
  const first = records.end.row - total + count;
  const rejectsBefore = records.rejects.findIndex((reject) => reject.row >= first);
  const refused = rejectsBefore === -1 ? records.rejects.length : rejectsBefore;
  const at = count - refused;
  const middle = records.endAt?.(at) ?? findPlace(records, { at, refused, row: first });
  const begin = Math.min(records.places.offsets[0] ?? Infinity, records.rejects[0]?.offset ?? Infinity);
  // Where positions are bytes of the source, the cut is exact; of a file that is compressed or has no lines it is a share.
  const isMeasured = records.end.offset - begin === records.byteCount;
  const headBytes = isMeasured ? middle.offset - begin : Math.round((records.byteCount * count) / total);
  const head = { rejects: records.rejects.slice(0, refused), end: middle, byteCount: headBytes };
  const tail = { rejects: records.rejects.slice(refused), end: records.end, byteCount: records.byteCount - headBytes };
  return [
    { ...sliceRows(records, 0, at), ...head },
    { ...sliceRows(records, at, records.rowCount), ...tail },
  ];
}

/** Where the first row after the cut begins: it is a row that was read, or one that was refused. */
function findPlace({ places, rejects }: Stretch, cut: { readonly at: number; readonly refused: number; readonly row: number }): Position {
  const { at, refused, row } = cut;
  const reject = rejects[refused];
  if (reject?.row === row) return { offset: reject.offset, row, line: reject.line };
  return { offset: places.offsets[at] ?? 0, row, line: places.lines[at] ?? 0 };
}

/** Rows `from` to `to` over the same memory. */
function sliceRows(records: Stretch, from: number, to: number): Stretch {
  const { beside, endAt, rawBeside } = records;
  const shared = {
    rowCount: to - from,
    places: slicePlaces(records.places, from, to),
    ...(endAt === undefined ? {} : { endAt: (count: number) => endAt(from + count) }),
    ...(beside === undefined ? {} : { beside: beside.map(({ field, values }) => ({ field, values: sliceVectors(values, from, to) })) }),
    ...(rawBeside === undefined ? {} : { rawBeside: (index: number) => rawBeside(from + index) }),
  };
  if (records.kind === 'values') return { ...records, ...shared, values: records.values.slice(from, to) };
  if (records.kind === 'checked') {
    const memoryBytes = Math.round((records.memoryBytes * (to - from)) / Math.max(1, records.rowCount));
    return { ...records, ...shared, memoryBytes, values: records.values.map((values) => sliceValues(values, from, to)) };
  }
  if (records.kind === 'columns') return { ...records, ...shared, values: records.values.map((values) => sliceValues(values, from, to)) };
  const width = records.fields.length;
  const [start, end] = [from * width, to * width];
  return {
    ...records,
    ...shared,
    starts: records.starts.subarray(start, end),
    ends: records.ends.subarray(start, end),
    quoting: records.quoting.subarray(start, end),
  };
}

function slicePlaces({ offsets, rows, lines, raw }: Places, from: number, to: number): Places {
  return {
    offsets: offsets.subarray(from, to),
    rows: rows.subarray(from, to),
    lines: lines.subarray(from, to),
    raw: (index) => raw(from + index),
  };
}

/** Rows `from` to `to` of a column; vectors stay in the memory that they are in. */
export function sliceValues(column: ColumnValues, from: number, to: number): ColumnValues {
  return column.kind === 'scalar' ? { kind: 'scalar', values: column.values.slice(from, to) } : sliceVectors(column, from, to);
}

function sliceVectors({ dimensions, nulls, values }: VectorValues, from: number, to: number): VectorValues {
  return { kind: 'vector', dimensions, values: values.subarray(from * dimensions, to * dimensions), nulls: nulls?.subarray(from, to) };
}
