/** The messages of many statements as one piece of memory: a statement is parsed once for as long as its text repeats, and one Sync ends them all. */
import type { PipelineStep, StepValue } from '../link.ts';

/** Types that a value has by its form: bytes are bytea, texts are what the server infers. */
const byteaOid = 17;

/** Memory that grows by doubling. */
interface Frames {
  bytes: Buffer;
  length: number;
}

/** What a chunk of a pipeline usually fits into. */
const firstBytes = 65_536;

const describePortal = Buffer.from([0x44, 0, 0, 0, 6, 0x50, 0]);
const sync = Buffer.from([0x53, 0, 0, 0, 4]);

function reserve(frames: Frames, byteCount: number): void {
  const needed = frames.length + byteCount;
  if (needed <= frames.bytes.length) return;
  const grown = Buffer.allocUnsafe(Math.max(needed, frames.bytes.length * 2));
  frames.bytes.copy(grown, 0, 0, frames.length);
  frames.bytes = grown;
}

function putBytes(frames: Frames, bytes: Uint8Array): void {
  reserve(frames, bytes.length);
  frames.bytes.set(bytes, frames.length);
  frames.length += bytes.length;
}

function putInt16(frames: Frames, value: number): void {
  reserve(frames, 2);
  frames.length = frames.bytes.writeUInt16BE(value, frames.length);
}

function putInt32(frames: Frames, value: number): void {
  reserve(frames, 4);
  frames.length = frames.bytes.writeInt32BE(value, frames.length);
}

/** Up to this length of a text its bytes are not counted first: a UTF-16 unit takes three at most. */
const shortText = 4096;

/** Answers how many bytes it took. */
function putText(frames: Frames, text: string): number {
  reserve(frames, text.length <= shortText ? text.length * 3 : Buffer.byteLength(text));
  const byteCount = frames.bytes.write(text, frames.length);
  frames.length += byteCount;
  return byteCount;
}

/** Begins a message and answers where its length stands. */
function beginMessage(frames: Frames, letter: number): number {
  reserve(frames, 5);
  frames.bytes[frames.length] = letter;
  frames.length += 5;
  return frames.length - 4;
}

function endMessage(frames: Frames, lengthAt: number): void {
  frames.bytes.writeInt32BE(frames.length - lengthAt, lengthAt);
}

function findTypes({ values, types }: PipelineStep): readonly number[] {
  return types ?? values.map((value) => (value instanceof Uint8Array ? byteaOid : 0));
}

function putParse(frames: Frames, sql: string, types: readonly number[]): void {
  const at = beginMessage(frames, 0x50);
  // The statement without a name: a pooler has nothing to keep.
  putBytes(frames, Buffer.from([0]));
  putText(frames, sql);
  putBytes(frames, Buffer.from([0]));
  putInt16(frames, types.length);
  for (const oid of types) putInt32(frames, oid);
  endMessage(frames, at);
}

function putValue(frames: Frames, value: StepValue): void {
  if (value === null) return putInt32(frames, -1);
  if (value instanceof Uint8Array) {
    putInt32(frames, value.length);
    return putBytes(frames, value);
  }
  const at = frames.length;
  putInt32(frames, 0);
  const byteCount = putText(frames, value);
  frames.bytes.writeInt32BE(byteCount, at);
}

function putBind(frames: Frames, values: readonly StepValue[]): void {
  const at = beginMessage(frames, 0x42);
  putInt16(frames, 0);
  putInt16(frames, values.length);
  for (const value of values) putInt16(frames, value instanceof Uint8Array ? 1 : 0);
  putInt16(frames, values.length);
  for (const value of values) putValue(frames, value);
  // No formats of results: all come as text.
  putInt16(frames, 0);
  endMessage(frames, at);
}

function putExecute(frames: Frames, maxRows: number): void {
  const at = beginMessage(frames, 0x45);
  putBytes(frames, Buffer.from([0]));
  putInt32(frames, maxRows);
  endMessage(frames, at);
}

/** Whether a step is sent as another execution of the statement before it: its rows have the same fields, and they are not described again. */
export function repeatsStatement(step: PipelineStep, before: PipelineStep | undefined): boolean {
  if (before === undefined || before.sql !== step.sql || before.values.length !== step.values.length) return false;
  const [types, typesBefore] = [findTypes(step), findTypes(before)];
  return types.every((oid, index) => oid === typesBefore[index]);
}

/** Parse, Bind, Describe and Execute of each step, then one Sync. */
export function writePipeline(steps: readonly PipelineStep[]): Buffer {
  const frames: Frames = { bytes: Buffer.allocUnsafe(firstBytes), length: 0 };
  let before: PipelineStep | undefined;
  for (const step of steps) {
    const isRepeated = repeatsStatement(step, before);
    if (!isRepeated) putParse(frames, step.sql, findTypes(step));
    putBind(frames, step.values);
    if (!isRepeated) putBytes(frames, describePortal);
    putExecute(frames, step.maxRows);
    before = step;
  }
  putBytes(frames, sync);
  return frames.bytes.subarray(0, frames.length);
}
