/** Rows of a batch as COPY data, in blocks of whole rows: memory is bounded by the block, or by one row where that is larger. */
import type { Batch } from '../../../rows/batch.ts';
import type { WriteField } from './encode-field.ts';
import { countFixedBytes, findValues, openField } from './encode-field.ts';
import { openTextColumn } from './encode-text.ts';
import type { CopyPieces } from '../link.ts';
import { placeColumns } from '../settings.ts';
import type { Block, Put, Value } from './block.ts';
import { createBlock, putInt4, putInt8 } from './block.ts';
import type { WireColumn } from '../wire-column.ts';

export { checkBatch } from './encode-check.ts';
export { canEncode, hasBinaryForm } from './encode-field.ts';

export interface RowEncoderOptions {
  readonly format: 'binary' | 'text';
  /** One more column at the end: the row's index in its batch, int4. */
  readonly withOrdinal?: boolean;
  /** Four more columns at the end ({@link placeColumns}), int8: this shard, and where in it the row came from. */
  readonly shard?: number;
}

export interface RowEncoder {
  /** Those rows of the batch, in that order, header and trailer included. Rows must have passed {@link checkBatch}. One iteration at a time. */
  pieces(batch: Batch, rows: Int32Array): CopyPieces;
}

/** 64 kB to 4 MB measured the same against a server; this one stays in the second-level cache between encoding and sending. */
const blockBytes = 256 * 1024;

/** Columns behind the load's own. */
function openExtras(batch: Batch, { withOrdinal = false, shard }: RowEncoderOptions): readonly (readonly [Put, (row: number) => Value])[] {
  const { rows, offsets, lines } = batch.places;
  const extras: (readonly [Put, (row: number) => Value])[] = [];
  if (withOrdinal) extras.push([putInt4, (row) => row]);
  if (shard !== undefined) {
    extras.push([putInt8, () => shard]);
    for (const places of [rows, offsets, lines]) extras.push([putInt8, (row) => places[row] as number]);
  }
  return extras;
}

/** How rows of one format are framed and written. */
interface RowWriter {
  readonly header: Uint8Array;
  readonly trailer: Uint8Array;
  /** Answers as a {@link Put} does. */
  readonly write: WriteField;
}

/** Signature, flags, length of an extension; PostgreSQL documentation, COPY, «Binary Format». */
const binaryHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const binaryTrailer = Buffer.from([0xff, 0xff]);

function openBinaryRows(columns: readonly WireColumn[], batch: Batch, options: RowEncoderOptions): RowWriter {
  const fields = columns.map((wire) => openField(wire, findValues(batch, wire)));
  for (const [put, read] of openExtras(batch, options)) fields.push((block, at, row) => put(block, at, read(row)));
  const write: WriteField = (block, at, row) => {
    block.view.setInt16(at, fields.length);
    let to = at + 2;
    for (let index = 0; index < fields.length; index++) {
      to = (fields[index] as WriteField)(block, to, row);
      if (to < 0) return to;
    }
    return to;
  };
  return { header: binaryHeader, trailer: binaryTrailer, write };
}

function openTextRows(columns: readonly WireColumn[], batch: Batch, options: RowEncoderOptions): RowWriter {
  const fields = columns.map((wire) => openTextColumn(wire, findValues(batch, wire)));
  for (const [, read] of openExtras(batch, options)) fields.push((row) => String(read(row)));
  const write: WriteField = (block, at, row) => writeLine(block, at, fields.map((field) => field(row)).join('\t'));
  return { header: new Uint8Array(), trailer: new Uint8Array(), write };
}

function writeLine(block: Block, at: number, line: string): number {
  const bytes = Buffer.from(`${line}\n`);
  if (at + bytes.length > block.limit) return -(at + bytes.length + (block.bytes.length - block.limit));
  block.bytes.set(bytes, at);
  return at + bytes.length;
}

/** An encoder for a load's batches; its memory is used again for each piece. */
export function createRowEncoder(columns: readonly WireColumn[], options: RowEncoderOptions): RowEncoder {
  const extraBytes = (options.withOrdinal === true ? 8 : 0) + (options.shard === undefined ? 0 : placeColumns.length * 12);
  // The count of fields before, and room for the trailer behind the last row.
  const fixedBytes = columns.reduce((sum, wire) => sum + countFixedBytes(wire), 2 + extraBytes + binaryTrailer.length);
  const block = createBlock(Math.max(blockBytes, fixedBytes * 4), fixedBytes);
  return {
    pieces: (batch, rows) => {
      const writer = (options.format === 'binary' ? openBinaryRows : openTextRows)(columns, batch, options);
      return writePieces(writer, rows, { block, fixedBytes });
    },
  };
}

function* writePieces(
  writer: RowWriter,
  rows: Int32Array,
  memory: { readonly block: Block; readonly fixedBytes: number },
): Generator<Uint8Array> {
  let { block } = memory;
  block.bytes.set(writer.header);
  let at = writer.header.length;
  let next = 0;
  while (next < rows.length) {
    const filled = fillBlock(writer, rows, { block, at, next });
    ({ at, next } = filled);
    if (filled.need === 0) continue;
    if (at > 0) {
      yield block.bytes.subarray(0, at);
      block = memory.block;
      at = 0;
    } else {
      // The row is larger than the block: it gets one of its own. Doubling, for `need` speaks only of the first value that didn't fit.
      block = createBlock(Math.max(filled.need, block.bytes.length * 2), memory.fixedBytes);
    }
  }
  block.bytes.set(writer.trailer, at);
  at += writer.trailer.length;
  if (at > 0) yield block.bytes.subarray(0, at);
}

interface Filling {
  readonly block: Block;
  readonly at: number;
  readonly next: number;
}

/** Writes rows until the block is full (`need` > 0) or none are left. A function apart: V8 optimises a plain loop better than one that yields. */
function fillBlock({ write }: RowWriter, rows: Int32Array, filling: Filling): { at: number; next: number; need: number } {
  const { block } = filling;
  let { at, next } = filling;
  for (; next < rows.length; next++) {
    const end = at > block.limit ? -1 : write(block, at, rows[next] as number);
    if (end < 0) return { at, next, need: -end };
    at = end;
  }
  return { at, next, need: 0 };
}
