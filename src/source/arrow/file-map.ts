/** Where the messages of an Arrow file or stream stand: found once, from the footer or from message to message, so that each batch can be read alone. */
import { setImmediate } from 'node:timers/promises';
import type { ByteFile } from '../files/byte-file.ts';
import { findSeam } from '../files/seam.ts';
import { openRoot, readCount, readList, readTable, type Table } from './flatbuffer.ts';
import { ArrowFault } from './fault.ts';
import { assignColumns, readMessage, type Message } from './message.ts';
import { readSchema, type Field } from './schema.ts';

/** A message in the file. */
export interface Placed {
  /** Of its first byte, of its metadata and of its body. */
  readonly start: number;
  readonly metadataStart: number;
  readonly bodyStart: number;
  readonly end: number;
}

export interface PlacedBatch extends Placed {
  /** Of its first row in the file. */
  readonly firstRow: number;
  readonly rowCount: number;
  /** It can be read from any row on; a compressed one only from its first. */
  readonly isPlain: boolean;
  /** How many dictionary messages of the file come before it, where later ones replace earlier ones. */
  readonly dictionaryCount: number;
}

export interface PlacedDictionary extends Placed {
  readonly id: number;
  readonly isDelta: boolean;
}

export interface FileMap {
  readonly fields: readonly Field[];
  readonly batches: readonly PlacedBatch[];
  readonly dictionaries: readonly PlacedDictionary[];
  readonly rowCount: number;
}

const fileMagic = Buffer.from('ARROW1', 'latin1');
const continuation = 0xff_ff_ff_ff;
/** Metadata of most messages comes with their first bytes. */
const headBytes = 1024;
/** Messages that are looked at before other events get their turn. */
const messagesAtOnce = 256;

/** @throws ArrowFault, RangeError for a file that is damaged */
export async function mapFile(file: ByteFile): Promise<FileMap> {
  const first = Buffer.from(await file.read(0, Math.min(8, file.byteCount)));
  if (first.subarray(0, 4).toString('latin1') === 'FEA1')
    throw new ArrowFault(0, 'it is Feather of version 1', 'Write it again: pyarrow.feather.write_feather(table, FILE) writes version 2.');
  return fileMagic.equals(first.subarray(0, 6)) ? mapByFooter(file) : mapByMessages(file);
}

/** What is collected while messages are looked at. */
class Collection {
  readonly batches: PlacedBatch[] = [];
  readonly dictionaries: PlacedDictionary[] = [];
  rowCount = 0;
  private readonly fields: readonly Field[];

  constructor(fields: readonly Field[]) {
    this.fields = fields;
  }

  add(placed: Placed, message: Message, dictionaryCount: number): void {
    if (message.kind === 'schema')
      throw new ArrowFault(placed.start, 'a second schema begins there', 'Write each table into a file of its own.');
    if (message.kind === 'dictionary') {
      this.dictionaries.push({ ...placed, id: message.id, isDelta: message.isDelta });
      return;
    }
    const { rowCount } = message.batch;
    assignColumns(this.fields, message.batch);
    this.batches.push({ ...placed, firstRow: this.rowCount, rowCount, isPlain: message.batch.codec === undefined, dictionaryCount });
    this.rowCount += rowCount;
  }

  finish(): FileMap {
    const { batches, dictionaries, fields, rowCount } = this;
    return { fields, batches, dictionaries, rowCount };
  }
}

export interface Found {
  readonly placed: Placed;
  readonly message: Message;
}

/** The message at a place; undefined at the end of a stream. */
export async function readPlaced(file: ByteFile, start: number): Promise<Found | undefined> {
  if (start >= file.byteCount) return undefined;
  const head = await file.read(start, Math.min(file.byteCount, start + headBytes));
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 4) throw cutShort(file, start);
  const hasMark = view.getUint32(0, true) === continuation;
  const prefixBytes = hasMark ? 8 : 4;
  if (head.length < prefixBytes) throw cutShort(file, start);
  const length = view.getUint32(prefixBytes - 4, true);
  if (length === 0) return undefined;
  const metadataStart = start + prefixBytes;
  const bodyStart = metadataStart + length;
  if (bodyStart > file.byteCount) throw cutShort(file, start);
  const metadata =
    prefixBytes + length <= head.length ? head.subarray(prefixBytes, prefixBytes + length) : await file.read(metadataStart, bodyStart);
  const message = await within(start, () => readMessage(metadata));
  const end = bodyStart + message.bodyBytes;
  if (end > file.byteCount) throw cutShort(file, start);
  return { placed: { start, metadataStart, bodyStart, end }, message };
}

function cutShort(file: ByteFile, start: number): ArrowFault {
  return new ArrowFault(
    start,
    `the message there reaches beyond the file's end at byte ${String(file.byteCount)}`,
    'Copy or write the file again: it is cut short, or damaged.',
  );
}

/** Says where it was that metadata could not be made sense of. */
async function within<Result>(start: number, work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RangeError) throw new ArrowFault(start, error.message);
    throw error;
  }
}

async function mapByMessages(file: ByteFile): Promise<FileMap> {
  const first = await readPlaced(file, 0);
  if (first?.message.kind !== 'schema') {
    throw new ArrowFault(0, 'it begins with no schema', 'Check that it is an Arrow file or stream, or name its format with --format.');
  }
  const { table } = first.message;
  const found = new Collection(await within(0, () => readSchema(table)));
  let start = first.placed.end;
  for (let next = await readPlaced(file, start); next !== undefined; next = await readPlaced(file, start)) {
    const { placed, message } = next;
    await within(start, () => found.add(placed, message, found.dictionaries.length));
    start = placed.end;
    if (found.batches.length % messagesAtOnce === 0) await setImmediate();
  }
  await refuseRest(file, start);
  return found.finish();
}

/** Behind the end of a stream nothing follows but padding. */
async function refuseRest(file: ByteFile, start: number): Promise<void> {
  const rest = await file.read(start, Math.min(file.byteCount, start + headBytes));
  const isEnd = rest.every((byte, at) => byte === 0 || (at < 4 && byte === 0xff));
  if (!isEnd || file.byteCount - start > headBytes)
    throw new ArrowFault(start, 'the stream has ended, and more follows', 'Write each stream into a file of its own.');
}

async function mapByFooter(file: ByteFile): Promise<FileMap> {
  const size = file.byteCount;
  const tail = Buffer.from(await file.read(Math.max(0, size - 10), size));
  const length = tail.length < 10 ? 0 : tail.readInt32LE(0);
  const start = size - 10 - length;
  if (tail.length < 10 || !fileMagic.equals(tail.subarray(4)) || length <= 0 || start < 8) {
    throw new ArrowFault(
      size,
      'it does not end with the footer of an Arrow file',
      'Copy or write the file again: it is cut short, or its writer was not closed.',
    );
  }
  const footer = await within(start, async () => openRoot(await file.read(start, size - 10)));
  const schema = readTable(footer, 1);
  if (schema === undefined) throw new ArrowFault(start, 'the footer has no schema');
  await refuseSeam(file, await within(start, () => findEnd(footer)), start);
  const found = new Collection(await within(start, () => readSchema(schema)));
  // Batches of a file share its dictionaries, wherever those stand: none replaces another.
  for (const index of [2, 3]) {
    const blocks = await within(start, () => readList(footer, index, 24));
    for (let block = 0; block < blocks.length; block++) {
      const at = await within(start, () => readCount(footer.view, blocks.at + 24 * block));
      const next = at >= start ? undefined : await readPlaced(file, at);
      if (next === undefined) throw new ArrowFault(start, `the footer tells of a message at byte ${String(at)}, and there is none`);
      await within(at, () => found.add(next.placed, next.message, Number.MAX_SAFE_INTEGER));
      if (block % messagesAtOnce === 0) await setImmediate();
    }
  }
  return found.finish();
}

/** The byte behind the last message that a footer tells of: each block has its place, and the bytes of its metadata and its body. */
function findEnd(footer: Table): number {
  let end = fileMagic.length;
  for (const index of [2, 3]) {
    const blocks = readList(footer, index, 24);
    for (let block = 0; block < blocks.length; block++) {
      const at = blocks.at + 24 * block;
      end = Math.max(end, readCount(footer.view, at) + footer.view.getInt32(at + 8, true) + readCount(footer.view, at + 16));
    }
  }
  return end;
}

/** Of several files one behind the other the last footer tells of the last one alone, and its places are counted from where that begins. */
async function refuseSeam(file: ByteFile, end: number, footerStart: number): Promise<void> {
  const mark = fileMagic.toString('latin1');
  const seam = await findSeam(file, { end: mark, start: `${mark}\0\0`, upTo: footerStart - end, lengthBytes: 4 });
  if (seam === undefined) return;
  const hint = 'Arrow files can not be joined by `cat`: load the files that it was made of, all in one load or by their folder.';
  throw new ArrowFault(seam, 'another file begins', hint);
}
