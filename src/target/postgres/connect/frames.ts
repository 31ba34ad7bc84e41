/** The messages that the driver sends itself, as bytes of the frontend protocol 3.0. Large values are referred to, not copied. @see https://www.postgresql.org/docs/current/protocol-message-formats.html */
import type { EncodedParameter, PgParameter } from '../link.ts';

const letter = { parse: 0x50, bind: 0x42, query: 0x51, copyData: 0x64, copyFail: 0x66 };

/** A value ready for Bind: text (0) or binary (1). */
export interface BoundValue {
  readonly typeOid: number;
  readonly isBinary: boolean;
  readonly bytes: Uint8Array | null;
}

/** Types that values without a type of their own are sent as. @see https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat */
const oids = { bool: 16, bytea: 17, int8: 20, text: 25, float8: 701, numeric: 1700 };

const isInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

/** The value as it is bound: integers as bigint (numeric beyond 64 bits), texts as text, bytes as bytea, null without a type. */
export function bindValue(value: PgParameter): BoundValue {
  if (value === null) return { typeOid: 0, isBinary: false, bytes: null };
  if (value instanceof Uint8Array) return { typeOid: oids.bytea, isBinary: true, bytes: value };
  return { typeOid: findType(value), isBinary: false, bytes: Buffer.from(String(value)) };
}

function findType(value: string | number | bigint | boolean): number {
  if (typeof value === 'string') return oids.text;
  if (typeof value === 'boolean') return oids.bool;
  if (typeof value === 'bigint') return isInt64(value) ? oids.int8 : oids.numeric;
  return Number.isSafeInteger(value) ? oids.int8 : oids.float8;
}

export function bindEncoded({ typeOid, bytes }: EncodedParameter): BoundValue {
  return { typeOid, isBinary: true, bytes };
}

function frame(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt8(type);
  head.writeInt32BE(
    parts.reduce((sum, part) => sum + part.length, 4),
    1,
  );
  return Buffer.concat([head, ...parts]);
}

const cString = (text: string): Buffer => Buffer.from(`${text}\0`);

export function writeQuery(sql: string): Buffer {
  return frame(letter.query, cString(sql));
}

export function writeCopyFail(reason: string): Buffer {
  return frame(letter.copyFail, cString(reason));
}

export const copyDone: Buffer = Buffer.from([0x63, 0, 0, 0, 4]);
export const sync: Buffer = Buffer.from([0x53, 0, 0, 0, 4]);

/** Describe the unnamed portal · Execute it without a row limit · Sync. */
const describeExecuteSync = Buffer.from([0x44, 0, 0, 0, 6, 0x50, 0, 0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, ...sync]);

/** The head of a CopyData message whose `byteCount` bytes follow on their own. */
export function writeCopyHead(byteCount: number): Buffer {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt8(letter.copyData);
  head.writeInt32BE(byteCount + 4, 1);
  return head;
}

/** Parse, Bind, Describe, Execute and Sync of an unnamed statement; its rows come back as text. */
export function writeStatement(sql: string, values: readonly BoundValue[]): readonly Uint8Array[] {
  const types = Buffer.alloc(2 + 4 * values.length);
  types.writeUInt16BE(values.length);
  values.forEach((value, index) => types.writeUInt32BE(value.typeOid, 2 + 4 * index));
  return [frame(letter.parse, cString(''), cString(sql), types), ...writeBind(values), describeExecuteSync];
}

function writeBind(values: readonly BoundValue[]): readonly Uint8Array[] {
  // Portal and statement without names, then one format a value, then the values themselves.
  const head = Buffer.alloc(5 + 2 + 2 + 2 * values.length + 2);
  head.writeUInt8(letter.bind);
  head.writeUInt16BE(values.length, 7);
  values.forEach((value, index) => head.writeUInt16BE(value.isBinary ? 1 : 0, 9 + 2 * index));
  head.writeUInt16BE(values.length, 9 + 2 * values.length);
  const pieces: Uint8Array[] = [head];
  for (const { bytes } of values) {
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(bytes?.length ?? -1);
    pieces.push(length);
    if (bytes !== null && bytes.length > 0) pieces.push(bytes);
  }
  // No formats of results: all come as text.
  pieces.push(Buffer.from([0, 0]));
  head.writeInt32BE(
    pieces.reduce((sum, piece) => sum + piece.length, -1),
    1,
  );
  return pieces;
}

/** CancelRequest of a session, sent as the only message of a connection of its own. */
export function writeCancel(processId: number, secretKey: number): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeInt32BE(16);
  bytes.writeInt32BE(80_877_102, 4);
  bytes.writeInt32BE(processId, 8);
  bytes.writeInt32BE(secretKey, 12);
  return bytes;
}

/** SSLRequest: the server answers with one byte, `S` or `N`. */
export const sslRequest: Buffer = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
