/** Sends rows of a batch by INSERT, where COPY is not allowed or not wanted: a column is one binary array, or a row's values are parameters of their own. */
import type { Batch } from '../../../rows/batch.ts';
import { encodeArrays, hasArrayForm } from '../wire/arrays.ts';
import { readRunOptions } from './transaction.ts';
import type { TableWriter } from './writer.ts';
import { createRowEncoder } from '../wire/encode.ts';
import type { EncodedParameter } from '../link.ts';
import { listColumns, type Destination, type Sending, type SendRows } from './write-copy.ts';
import type { WireColumn } from '../wire-column.ts';

/**
 * A statement carries at most about this much of a batch, and this many rows. 0.8 to 1.6 MB were fastest (68–81k rows/s of 1.6 kB; 4 MB: 57–67k): the server keeps
 * what `unnest` yields in its work memory, which is 4 MB by default, and writes more to disk.
 */
const maxStatementBytes = 1024 * 1024;
const maxStatementRows = 10_000;

/** The protocol counts parameters in 16 bits. */
const maxParameters = 65_535;

/** Types by oid: int8 and its array, as they are in every PostgreSQL. */
const int8Oid = 20;
const int8ArrayOid = 1016;

export function createInsertSender(sending: Sending, into: Destination): SendRows {
  const { writer, batch } = sending;
  const send = writer.columns.every(hasArrayForm) ? createUnnestSender(sending, into) : createValuesSender(sending, into);
  return async (rows) => {
    let taken = 0;
    for (const some of cutRows(batch, rows)) taken += await send(some);
    return taken;
  };
}

/** The rows in stretches for one statement each. */
export function* cutRows(batch: Batch, rows: Int32Array): Generator<Int32Array> {
  const rowBytes = batch.byteCount / Math.max(1, batch.rowCount);
  const step = Math.max(1, Math.min(maxStatementRows, Math.floor(maxStatementBytes / Math.max(1, rowBytes))));
  for (let from = 0; from < rows.length; from += step) yield rows.subarray(from, from + step);
}

function createUnnestSender(sending: Sending, into: Destination): SendRows {
  const { writer, transaction, batch } = sending;
  return async (rows) => {
    const parameters = [...encodeArrays(writer.columns, batch, rows), ...listPlaces(sending, into, rows).map(encodeIntegers)];
    const arrays = parameters.map((_, index) => `$${index + 1}`).join(', ');
    const sql = `INSERT INTO ${into.table} (${listColumns(writer, into)}) SELECT * FROM unnest(${arrays})`;
    const { rowCount } = await writer.link.queryEncoded(sql, parameters, readRunOptions(transaction));
    return rowCount;
  };
}

/** The columns beside the load's own: each row's index, or the place it came from. */
function listPlaces({ batch: { places }, shard }: Sending, { shape }: Destination, rows: Int32Array): readonly Float64Array[] {
  const pick = (values: (row: number) => number): Float64Array => Float64Array.from(rows, values);
  if (shape === 'ordinal') return [pick((row) => row)];
  if (shape === 'plain') return [];
  return [
    pick(() => shard),
    pick((row) => places.rows[row] ?? 0),
    pick((row) => places.offsets[row] ?? 0),
    pick((row) => places.lines[row] ?? 0),
  ];
}

/** Integers up to 2⁵³ as a binary int8[]: dimensions, flags, element type, length, lower bound, then each with its size before it. */
export function encodeIntegers(values: ArrayLike<number>): EncodedParameter {
  const headBytes = 20;
  const itemBytes = 12;
  const bytes = new Uint8Array(headBytes + values.length * itemBytes);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 1);
  view.setInt32(8, int8Oid);
  view.setInt32(12, values.length);
  view.setInt32(16, 1);
  for (let index = 0; index < values.length; index++) {
    const at = headBytes + index * itemBytes;
    const value = values[index] ?? 0;
    view.setInt32(at, 8);
    view.setInt32(at + 4, Math.floor(value / 0x100000000));
    view.setUint32(at + 8, value >>> 0);
  }
  return { typeOid: int8ArrayOid, bytes };
}

/** An array of arrays is not an array of its rows, so a table with array columns gets each value as a parameter. */
function createValuesSender(sending: Sending, into: Destination): SendRows {
  const { writer, transaction, batch, shard } = sending;
  const encoder = createRowEncoder(writer.columns, {
    format: 'binary',
    withOrdinal: into.shape === 'ordinal',
    ...(into.shape === 'places' ? { shard } : {}),
  });
  const oids = listOids(writer, into);
  const step = Math.floor(maxParameters / oids.length);
  return async (rows) => {
    let taken = 0;
    for (let from = 0; from < rows.length; from += step) {
      const parameters = readFields(joinPieces(encoder.pieces(batch, rows.subarray(from, from + step))), oids);
      const sql = `INSERT INTO ${into.table} (${listColumns(writer, into)}) VALUES ${writeTuples(parameters.length, oids.length)}`;
      taken += (await writer.link.queryEncoded(sql, parameters, readRunOptions(transaction))).rowCount;
    }
    return taken;
  };
}

/** The ordinal is an int4, a place four int8 ({@link createRowEncoder}). */
function listOids({ columns }: TableWriter, { shape }: Destination): readonly number[] {
  const int4Oid = 23;
  const own = columns.map(({ type }: WireColumn) => type.oid);
  if (shape === 'ordinal') return [...own, int4Oid];
  return shape === 'places' ? [...own, int8Oid, int8Oid, int8Oid, int8Oid] : own;
}

function writeTuples(parameterCount: number, width: number): string {
  const tuples: string[] = [];
  for (let at = 1; at <= parameterCount; at += width) {
    tuples.push(`(${Array.from({ length: width }, (_, index) => `$${at + index}`).join(',')})`);
  }
  return tuples.join(',');
}

/** A piece may be overwritten once the next one is asked for, so each is copied. */
function joinPieces(pieces: Iterable<Uint8Array>): Buffer {
  const copies: Buffer[] = [];
  for (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

/** The values of a binary COPY: after the header of 19 bytes each row has its number of fields, and each field its size, -1 for null, and its bytes. */
function readFields(bytes: Buffer, oids: readonly number[]): EncodedParameter[] {
  const headerBytes = 19;
  const fields: EncodedParameter[] = [];
  let at = headerBytes;
  while (bytes.readInt16BE(at) === oids.length) {
    at += 2;
    for (const typeOid of oids) {
      const size = bytes.readInt32BE(at);
      at += 4;
      fields.push({ typeOid, bytes: size < 0 ? null : bytes.subarray(at, at + size) });
      at += Math.max(0, size);
    }
  }
  return fields;
}

/** 0, 1, 2 …, as far as any batch of this thread needed it. */
let ordinals = new Int32Array(0);

/** Rows of a batch, all of them. The array is shared: it must not be written to. */
export function listAllRows({ rowCount }: Batch): Int32Array {
  if (ordinals.length < rowCount) ordinals = Int32Array.from({ length: rowCount }, (_, row) => row);
  return ordinals.subarray(0, rowCount);
}
