/** The inputs of the PostgreSQL trials: the same rows as binary COPY file, as CSV and as raw arrays; made once from the seed, kept with the other inputs. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { dataFolder, makeSmallRows, makeVectorRows } from './data.ts';
import type { VectorRow } from './data.ts';

/** Which rows: `wide` has no text. */
export interface VectorInput {
  readonly rows: number;
  readonly dimensions: number;
  readonly hasText: boolean;
}

export const wideInput = (rows: number): VectorInput => ({ rows, dimensions: 1536, hasText: false });
export const textInput = (rows: number): VectorInput => ({ rows, dimensions: 384, hasText: true });

/** The table of an input; `items` in every trial. */
export function declareTable({ dimensions, hasText }: VectorInput, storage = ''): string {
  return `CREATE TABLE items (id bigint PRIMARY KEY, ${hasText ? 'text text NOT NULL, ' : ''}vector vector(${dimensions}) NOT NULL)${storage}`;
}

/** Makes a file by appending pieces, whole or not at all; the server may read it. */
function provideFile(name: string, pieces: () => Iterable<Uint8Array | string>): string {
  const file = path.join(dataFolder, name);
  if (existsSync(file)) return file;
  mkdirSync(dataFolder, { recursive: true });
  const unfinished = `${file}.${process.pid}.new`;
  const handle = openSync(unfinished, 'w');
  let pending: Uint8Array[] = [];
  let size = 0;
  const flush = (): void => {
    writeSync(handle, Buffer.concat(pending));
    [pending, size] = [[], 0];
  };
  for (const piece of pieces()) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    pending.push(bytes);
    size += bytes.length;
    if (size > 1 << 22) flush();
  }
  flush();
  closeSync(handle);
  chmodSync(unfinished, 0o644);
  renameSync(unfinished, file);
  return file;
}

/** Big-endian, as the wire wants it. */
function swapVector(vector: Float32Array): Buffer {
  return Buffer.from(Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)).swap32();
}

function writeBinaryRow({ id, text, vector }: VectorRow, hasText: boolean): Buffer {
  const words = Buffer.from(hasText ? text : '');
  const row = Buffer.alloc(2 + 12 + (hasText ? 4 + words.length : 0) + 8);
  let at = row.writeInt16BE(hasText ? 3 : 2);
  at = row.writeInt32BE(8, at);
  at = row.writeBigInt64BE(BigInt(id), at);
  if (hasText) {
    at = row.writeInt32BE(words.length, at);
    at += words.copy(row, at);
  }
  at = row.writeInt32BE(4 + vector.length * 4, at);
  at = row.writeInt16BE(vector.length, at);
  row.writeInt16BE(0, at);
  return Buffer.concat([row, swapVector(vector)]);
}

const binaryHeader = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const binaryTrailer = Buffer.from([0xff, 0xff]);

function nameOf({ rows, dimensions, hasText }: VectorInput, ending: string): string {
  return `pg-${dimensions}${hasText ? '-text' : ''}-${rows}.${ending}`;
}

/** A file for COPY … (FORMAT binary). */
export function provideBinary(input: VectorInput): string {
  return provideFile(nameOf(input, 'pgcopy'), function* () {
    yield binaryHeader;
    for (const row of makeVectorRows(input.rows, input.dimensions)) yield writeBinaryRow(row, input.hasText);
    yield binaryTrailer;
  });
}

/** Numbers as a double is printed: what programs write that know no better, and what the server must parse. */
export function provideCsv(input: VectorInput): string {
  return provideFile(nameOf(input, 'csv'), function* () {
    yield input.hasText ? 'id,text,vector\n' : 'id,vector\n';
    for (const { id, text, vector } of makeVectorRows(input.rows, input.dimensions)) {
      yield `${id},${input.hasText ? `${text},` : ''}"[${vector.join(',')}]"\n`;
    }
  });
}

/** The numbers alone, float32 in the machine's order. */
export function provideFloats(input: VectorInput): string {
  return provideFile(nameOf(input, 'f32'), function* () {
    for (const { vector } of makeVectorRows(input.rows, input.dimensions))
      yield new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  });
}

/** The texts alone, one a line. */
export function provideTexts(input: VectorInput): string {
  return provideFile(nameOf(input, 'txt'), function* () {
    for (const { text } of makeVectorRows(input.rows, input.dimensions)) yield `${text}\n`;
  });
}

/** Half of a CSV file, header included, so that two programs can share it. */
export function provideCsvHalf(input: VectorInput, half: 0 | 1): string {
  return provideFile(nameOf(input, `half${half}.csv`), function* () {
    yield 'id,text,vector\n';
    for (const { id, text, vector } of makeVectorRows(input.rows, input.dimensions)) {
      if (id <= input.rows / 2 === (half === 0)) yield `${id},${text},"[${vector.join(',')}]"\n`;
    }
  });
}

/** Small rows of which `bad` have an age below zero, evenly spread. */
export function provideBadCsv(rows: number, bad: number): string {
  const every = bad === 0 ? Infinity : Math.floor(rows / bad);
  return provideFile(`pg-bad-${rows}-${bad}.csv`, function* () {
    yield 'id,name,age\n';
    for (const { id, name, age } of makeSmallRows(rows)) yield `${id},${name},${id % every === Math.floor(every / 2) ? -1 : age}\n`;
  });
}

/** Small rows with a header, as {@link makeSmallRows} makes them. */
export function provideSmallCsv(rows: number): string {
  return provideBadCsv(rows, 0);
}
