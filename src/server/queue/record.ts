/** How a request lies on the disk: a head of fixed size with its own checksum, so that a damaged body never hides the record behind it. */
import { crc32 } from 'node:zlib';

export const recordHeadBytes = 32;
export const segmentHeadBytes = 32;

/**
 * Layout of a record's head, little-endian: magic, body length, sequence (8), flags, checksum of the body, the file's salt, checksum of the 28 bytes before.
 * The salt is a random number that no client knows, so that bytes in a body are never taken for a record when a damaged place is searched through.
 */
export const recordMagic: Buffer = Buffer.from('SLQR', 'latin1');
/** Layout of a file's head: magic (8), version, salt, first sequence that may be in it (8), 0, checksum of the 28 bytes before. */
const segmentMagic: Buffer = Buffer.from('SLUICEQ\n', 'latin1');
const segmentVersion = 1;

const strictFlag = 1;

export interface RecordHead {
  readonly bodyBytes: number;
  readonly sequence: bigint;
  readonly isStrict: boolean;
  readonly bodyChecksum: number;
}

export interface LogRecord {
  readonly sequence: bigint;
  readonly isStrict: boolean;
  readonly body: Uint8Array;
}

export function writeRecordHead(record: LogRecord, salt: number): Buffer {
  const head = Buffer.alloc(recordHeadBytes);
  recordMagic.copy(head, 0);
  head.writeUInt32LE(record.body.byteLength, 4);
  head.writeBigUInt64LE(record.sequence, 8);
  head.writeUInt32LE(record.isStrict ? strictFlag : 0, 16);
  head.writeUInt32LE(crc32(record.body), 20);
  head.writeUInt32LE(salt, 24);
  head.writeUInt32LE(crc32(head.subarray(0, 28)), 28);
  return head;
}

/** undefined: these bytes are not a record's head. Without a salt (the file's own head is damaged) any is taken. */
export function readRecordHead(bytes: Buffer, salt: number | undefined): RecordHead | undefined {
  if (bytes.length < recordHeadBytes || !bytes.subarray(0, 4).equals(recordMagic)) return undefined;
  if (crc32(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) return undefined;
  if (salt !== undefined && bytes.readUInt32LE(24) !== salt) return undefined;
  return {
    bodyBytes: bytes.readUInt32LE(4),
    sequence: bytes.readBigUInt64LE(8),
    isStrict: (bytes.readUInt32LE(16) & strictFlag) !== 0,
    bodyChecksum: bytes.readUInt32LE(20),
  };
}

export function isBodyWhole(head: RecordHead, body: Uint8Array): boolean {
  return body.byteLength === head.bodyBytes && crc32(body) === head.bodyChecksum;
}

export interface SegmentHead {
  /** `newer`: of a version that this one does not know, so nothing may be done to the file. */
  readonly state: 'whole' | 'damaged' | 'newer';
  readonly salt: number | undefined;
}

export function writeSegmentHead(base: bigint, salt: number): Buffer {
  const head = Buffer.alloc(segmentHeadBytes);
  segmentMagic.copy(head, 0);
  head.writeUInt32LE(segmentVersion, 8);
  head.writeUInt32LE(salt, 12);
  head.writeBigUInt64LE(base, 16);
  head.writeUInt32LE(crc32(head.subarray(0, 28)), 28);
  return head;
}

export function readSegmentHead(bytes: Buffer): SegmentHead {
  const damaged: SegmentHead = { state: 'damaged', salt: undefined };
  if (bytes.length < segmentHeadBytes || !bytes.subarray(0, 8).equals(segmentMagic)) return damaged;
  if (crc32(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) return damaged;
  return { state: bytes.readUInt32LE(8) === segmentVersion ? 'whole' : 'newer', salt: bytes.readUInt32LE(12) };
}

/** Whether a body is `[]`: it has no statements, and only keeps its place (rqlite's barrier). */
export function isEmptyList(body: Uint8Array): boolean {
  const open = skipBlanks(body, 0);
  return body[open] === 0x5b && body[skipBlanks(body, open + 1)] === 0x5d;
}

function skipBlanks(body: Uint8Array, from: number): number {
  let at = from;
  while (body[at] === 0x20 || body[at] === 0x0a || body[at] === 0x0d || body[at] === 0x09) at++;
  return at;
}
