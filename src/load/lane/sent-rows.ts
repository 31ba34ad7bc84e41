/** Checked rows as they cross threads: numbers and vectors change hands without a copy, texts go as one, so that a row costs a thread as little as can be. */
import type { ColumnValues, Places, Position, Reject, RowTexts } from '../../rows/batch.ts';
import type { BatchBuilder } from '../../rows/builder.ts';
import type { Scalar } from '../../rows/schema.ts';
import type { CheckedRecords, Records } from '../../source/source.ts';

/** A column on its way. `isNull[r]` is 1 where row `r` has no value; undefined where all have one. */
type SentColumn =
  | { readonly kind: 'vector'; readonly dimensions: number; readonly values: Float32Array; readonly nulls: Uint8Array | undefined }
  | { readonly kind: 'numbers'; readonly values: Float64Array; readonly isNull: Uint8Array | undefined }
  | TextColumn
  | { readonly kind: 'mixed'; readonly values: readonly Scalar[] };

/** Texts one behind the other; the text of row `r` ends at `ends[r]`. */
interface TextColumn {
  readonly kind: 'texts';
  readonly text: string;
  readonly ends: Int32Array;
  readonly isNull: Uint8Array | undefined;
}

/** The rows as they stood in the source: their bytes, or a text each. */
type SentTexts = RowTexts | readonly string[];

/** A stretch on its way. */
export interface SentRows {
  readonly columns: readonly SentColumn[];
  readonly rowCount: number;
  readonly memoryBytes: number;
  readonly offsets: Float64Array;
  readonly rows: Float64Array;
  readonly lines: Float64Array;
  readonly texts: SentTexts;
  /** Estimated memory that the texts take. */
  readonly textBytes: number;
  /** In the order of the rows. */
  readonly rejects: readonly Reject[];
  readonly end: Position;
  readonly byteCount: number;
}

/** Checks a stretch and packs what fits; `transfer` lists the memory that changes hands. */
export function packRows(builder: BatchBuilder, records: Records): { readonly sent: SentRows; readonly transfer: ArrayBuffer[] } {
  const unfit = builder.add(records);
  const { byteCount: memoryBytes, places, rowCount, values } = builder.take();
  const transfer: ArrayBuffer[] = [];
  const give = <Given extends ArrayBufferView>(view: Given): Given => {
    // Memory that is larger than what is in it stays here: it is copied as it is sent.
    if (view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength && view.byteLength > 0) transfer.push(view.buffer);
    return view;
  };
  const { offsets, rows, lines } = places;
  const texts = packTexts(unfit.length === 0 ? records.places : places, { rowCount, give });
  const sent: SentRows = {
    columns: values.map((column) => packColumn(column, give)),
    rowCount,
    memoryBytes,
    offsets: give(offsets.slice()),
    rows: give(rows.slice()),
    lines: give(lines.slice()),
    texts,
    textBytes: measureTexts(texts),
    rejects: [...records.rejects, ...unfit].sort((a, b) => a.row - b.row),
    end: records.end,
    byteCount: records.byteCount,
  };
  return { sent, transfer };
}

type Give = <Given extends ArrayBufferView>(view: Given) => Given;

function packColumn(column: ColumnValues, give: Give): SentColumn {
  if (column.kind === 'scalar') return packScalars(column.values, give);
  const { dimensions, nulls, values } = column;
  return { kind: 'vector', dimensions, values: give(trim(values)), nulls: nulls === undefined ? undefined : give(nulls.slice()) };
}

/** A view with memory of its own size. */
function trim(values: Float32Array): Float32Array {
  return values.byteLength === values.buffer.byteLength ? values : values.slice();
}

function packScalars(values: readonly Scalar[], give: Give): SentColumn {
  const first = typeof values.find((value) => value !== null);
  const packed = first === 'number' ? packNumbers(values, give) : first === 'string' ? packStrings(values, give) : undefined;
  return packed ?? { kind: 'mixed', values };
}

/** Undefined where some are neither numbers nor null. */
function packNumbers(values: readonly Scalar[], give: Give): SentColumn | undefined {
  const numbers = new Float64Array(values.length);
  let isNull: Uint8Array | undefined;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (typeof value === 'number') numbers[row] = value;
    else if (value === null) (isNull ??= new Uint8Array(values.length))[row] = 1;
    else return undefined;
  }
  return { kind: 'numbers', values: give(numbers), isNull: isNull && give(isNull) };
}

/** Undefined where some are neither texts nor null. A text that grows costs half of what joining an array does. */
function packStrings(values: readonly Scalar[], give: Give): TextColumn | undefined {
  const ends = new Int32Array(values.length);
  let text = '';
  let isNull: Uint8Array | undefined;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (typeof value === 'string') text += value;
    else if (value === null) (isNull ??= new Uint8Array(values.length))[row] = 1;
    else return undefined;
    ends[row] = text.length;
  }
  return { kind: 'texts', text, ends: give(ends), isNull: isNull && give(isNull) };
}

function packTexts(places: Places, { give, rowCount }: { readonly give: Give; readonly rowCount: number }): SentTexts {
  const copied = places.copyTexts?.();
  if (copied === undefined) return Array.from({ length: rowCount }, (_, row) => places.raw(row));
  return { ...copied, bytes: give(copied.bytes), lengths: give(copied.lengths) };
}

function measureTexts(texts: SentTexts): number {
  return 'bytes' in texts ? texts.bytes.byteLength : texts.reduce((sum, text) => sum + 2 * text.length, 0);
}

/** The rows as the lane takes them. */
export function unpackRows(sent: SentRows): CheckedRecords {
  const { byteCount, columns, end, lines, memoryBytes, offsets, rejects, rowCount, rows, texts } = sent;
  return {
    kind: 'checked',
    values: columns.map(unpackColumn),
    rowCount,
    memoryBytes,
    places: { offsets, rows, lines, raw: openTexts(texts, offsets) },
    rejects,
    end,
    byteCount,
  };
}

function openTexts(sent: SentTexts, offsets: Float64Array): Places['raw'] {
  if (!('bytes' in sent)) return (row) => sent[row] ?? '';
  const bytes = Buffer.from(sent.bytes.buffer, sent.bytes.byteOffset, sent.bytes.byteLength);
  return (row) => {
    const start = (offsets[row] ?? 0) - sent.base;
    return bytes.toString('utf8', start, start + (sent.lengths[row] ?? 0));
  };
}

function unpackColumn(column: SentColumn): ColumnValues {
  if (column.kind === 'vector') return column;
  if (column.kind === 'numbers') return { kind: 'scalar', values: unpackNumbers(column.values, column.isNull) };
  return { kind: 'scalar', values: column.kind === 'texts' ? unpackStrings(column) : column.values };
}

function unpackNumbers(numbers: Float64Array, isNull: Uint8Array | undefined): readonly Scalar[] {
  const values: Scalar[] = [];
  for (let row = 0; row < numbers.length; row++) values.push(isNull?.[row] === 1 ? null : (numbers[row] as number));
  return values;
}

function unpackStrings({ ends, isNull, text }: TextColumn): readonly Scalar[] {
  const values: Scalar[] = [];
  let start = 0;
  for (let row = 0; row < ends.length; row++) {
    const end = ends[row] as number;
    values.push(isNull?.[row] === 1 ? null : text.slice(start, end));
    start = end;
  }
  return values;
}
