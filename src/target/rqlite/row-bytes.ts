/** Writes rows as the bytes of JSON parameters, without a string for each row: what a whole load spends most of its own time on. */
import type { Batch, ColumnValues } from '../../rows/batch.ts';
import type { ColumnType, Scalar } from '../../rows/schema.ts';

/** Bytes with room behind them. */
export interface ByteSink {
  bytes: Buffer;
  length: number;
}

export function createSink(capacity: number): ByteSink {
  return { bytes: Buffer.allocUnsafe(capacity), length: 0 };
}

/** Room for so many bytes more. */
function reserve(sink: ByteSink, count: number): void {
  if (sink.length + count <= sink.bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(2 * sink.bytes.length, sink.length + count));
  sink.bytes.copy(larger, 0, 0, sink.length);
  sink.bytes = larger;
}

export function pushBytes(sink: ByteSink, bytes: Uint8Array): void {
  reserve(sink, bytes.byteLength);
  sink.bytes.set(bytes, sink.length);
  sink.length += bytes.byteLength;
}

export function pushText(sink: ByteSink, text: string): void {
  reserve(sink, 3 * text.length);
  sink.length += sink.bytes.write(text, sink.length);
}

const [quote, backslash, apostrophe, comma, zero, minus] = [0x22, 0x5c, 0x27, 0x2c, 0x30, 0x2d];

/** Longer texts are quicker with the engine's own JSON.stringify: about equal at 200 characters. */
const maxShortText = 200;

/** Texts of plain ASCII without anything that JSON or rqlite reads as more than a character. `false`: nothing was written. */
function pushShortText(sink: ByteSink, text: string): boolean {
  if (text.length > maxShortText) return false;
  reserve(sink, text.length + 2);
  const { bytes } = sink;
  let at = sink.length;
  bytes[at++] = quote;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === quote || code === backslash || code === apostrophe) return false;
    bytes[at++] = code;
  }
  bytes[at++] = quote;
  sink.length = at;
  return true;
}

/** Integers of up to nine digits, digit by digit. `false`: nothing was written. */
function pushShortInteger(sink: ByteSink, value: number): boolean {
  if (!Number.isInteger(value) || value < -999_999_999 || value > 999_999_999 || Object.is(value, -0)) return false;
  reserve(sink, 10);
  const { bytes } = sink;
  let rest = value;
  if (rest < 0) {
    bytes[sink.length++] = minus;
    rest = -rest;
  }
  let digits = 1;
  for (let power = 10; rest >= power; power *= 10) digits++;
  for (let place = sink.length + digits - 1; place >= sink.length; place--) {
    const left = (rest / 10) | 0;
    bytes[place] = zero + rest - 10 * left;
    rest = left;
  }
  sink.length += digits;
  return true;
}

type PushCell = (sink: ByteSink, row: number) => boolean;

function choosePush(data: ColumnValues | undefined, type: ColumnType): PushCell {
  if (data?.kind !== 'scalar') return () => false;
  const { values } = data as { readonly values: readonly (Scalar | undefined)[] };
  // A REAL without a fraction takes one behind a point, which is the way of the encoder for strings.
  const isReal = type === 'real';
  return (sink, row) => {
    const value = values[row];
    if (typeof value === 'string') return pushShortText(sink, value);
    return typeof value === 'number' && !isReal && pushShortInteger(sink, value);
  };
}

/** Writes the values of a row with commas between; `writeCell` has those that are out of the ordinary. */
export function createRowPush(batch: Batch, writeCell: (column: number, row: number) => string): (sink: ByteSink, row: number) => void {
  const cells = batch.columns.map(({ type }, index) => choosePush(batch.values[index], type));
  return (sink, row) => {
    for (let column = 0; column < cells.length; column++) {
      if (column > 0) pushComma(sink);
      if (cells[column]?.(sink, row) !== true) pushText(sink, writeCell(column, row));
    }
  };
}

export function pushComma(sink: ByteSink): void {
  reserve(sink, 1);
  sink.bytes[sink.length++] = comma;
}
