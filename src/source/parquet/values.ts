/** Values of a page as they are stored, a stretch at a time: bytes of fixed width, slices of bytes, or indexes into a dictionary. No more is decoded than is asked for. */
import { readDeltas, readDeltaSlices, readPrefixed } from './delta-values.ts';
import type { Dictionary } from './dictionary.ts';
import { PageFault } from './fault.ts';
import { createHybrid, readHybrid } from './hybrid.ts';
import { skipByReading, tooFewValues, type FixedValues, type ValueReader } from './value-reader.ts';
import { encodings } from './page-header.ts';
import { fixedWidth, type SchemaNode } from './schema.ts';

/** A page's values as they are stored. */
export interface StoredValues {
  readonly values: Uint8Array;
  readonly encoding: number;
  readonly dictionary: Dictionary | undefined;
}

/** Opens the values of a page. @throws PageFault for an encoding that the type does not have */
export function openValues(page: StoredValues, leaf: SchemaNode): ValueReader {
  const { type } = leaf.element;
  const width = fixedWidth(leaf);
  switch (page.encoding) {
    case encodings.plain:
      if (type === 'BOOLEAN') return readBits(page.values);
      return width === undefined ? readPlainSlices(page.values) : readFixed(page.values, width);
    case encodings.rleDictionary:
    case encodings.plainDictionary:
      return readIndexes(page);
    case encodings.rle:
      if (type === 'BOOLEAN') return readRunsOfBits(page.values);
      break;
    case encodings.deltaBinaryPacked:
      if (type === 'INT32' || type === 'INT64') return readDeltas(page.values, type === 'INT32' ? 4 : 8);
      break;
    case encodings.deltaLengthByteArray:
      if (width === undefined) return readDeltaSlices(page.values);
      break;
    case encodings.deltaByteArray:
      if (width === undefined || type === 'FIXED_LEN_BYTE_ARRAY') return readPrefixed(page.values, width);
      break;
    case encodings.byteStreamSplit:
      if (width !== undefined && type !== 'BOOLEAN') return readSplit(page.values, width);
      break;
  }
  throw new PageFault(`its pages are encoded in a way (${String(page.encoding)}) that sluice does not read for ${String(type)}`);
}

function readFixed(bytes: Uint8Array, width: number): ValueReader {
  let offset = 0;
  const advance = (count: number): number => {
    const start = offset;
    if (count * width > bytes.length - offset) throw tooFewValues();
    offset += count * width;
    return start;
  };
  return {
    read: (count, maxBytes) => {
      const taken = Math.min(count, Math.max(1, Math.floor(maxBytes / width)));
      return { kind: 'fixed', count: taken, bytes, offset: advance(taken), width };
    },
    skip: advance,
  };
}

function readBits(bytes: Uint8Array): ValueReader {
  let bit = 0;
  const advance = (count: number): number => {
    const start = bit;
    if (bit + count > bytes.length * 8) throw tooFewValues();
    bit += count;
    return start;
  };
  return {
    read: (count, maxBytes) => {
      const values = new Uint8Array(Math.max(1, Math.min(count, maxBytes)));
      const start = advance(values.length);
      for (let index = 0; index < values.length; index++) values[index] = (bytes[(start + index) >> 3]! >> ((start + index) & 7)) & 1;
      return { kind: 'fixed', count: values.length, bytes: values, offset: 0, width: 1 };
    },
    skip: advance,
  };
}

function readRunsOfBits(bytes: Uint8Array): ValueReader {
  if (bytes.length < 4) throw tooFewValues();
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const hybrid = createHybrid(bytes, { start: 4, end }, 1);
  const read = (count: number, maxBytes: number): FixedValues => {
    const values = new Uint8Array(Math.max(1, Math.min(count, maxBytes)));
    readHybrid(hybrid, values, values.length);
    return { kind: 'fixed', count: values.length, bytes: values, offset: 0, width: 1 };
  };
  return { read, skip: skipByReading((count) => read(count, count)) };
}

function readIndexes({ dictionary, values }: StoredValues): ValueReader {
  if (dictionary === undefined) throw new PageFault('a page refers to a dictionary that is missing');
  const width = values[0] ?? 0;
  const hybrid = createHybrid(values, { start: Math.min(1, values.length), end: values.length }, width);
  const { count: size } = dictionary;
  const read = (count: number): Int32Array => {
    const indexes = new Int32Array(count);
    readHybrid(hybrid, indexes, count);
    for (let index = 0; index < count; index++)
      if (indexes[index]! >>> 0 >= size) throw new PageFault('a page refers to values that its dictionary does not have');
    return indexes;
  };
  return {
    read: (count, maxBytes) => {
      // Four bytes an index; what the values themselves take is for those to count who copy them.
      const indexes = read(Math.max(1, Math.min(count, maxBytes >> 2)));
      return { kind: 'indexed', count: indexes.length, indexes, dictionary };
    },
    skip: skipByReading((count) => ({ count: read(count).length })),
  };
}

function readPlainSlices(bytes: Uint8Array): ValueReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let offset = 0;
  const next = (): number => {
    if (offset + 4 > bytes.length) throw tooFewValues();
    const length = view.getUint32(offset, true);
    const start = offset + 4;
    if (length > bytes.length - start) throw new PageFault('a value is longer than its page');
    offset = start + length;
    return start;
  };
  return {
    read: (count, maxBytes) => {
      const starts = new Int32Array(count);
      const ends = new Int32Array(count);
      const limit = offset + maxBytes;
      let taken = 0;
      while (taken < count && (taken === 0 || offset < limit)) {
        starts[taken] = next();
        ends[taken++] = offset;
      }
      return { kind: 'sliced', count: taken, bytes, starts, ends };
    },
    skip: (count) => {
      for (let index = 0; index < count; index++) next();
    },
  };
}

/** First bytes of all values, then second bytes of all, and so on. */
function readSplit(bytes: Uint8Array, width: number): ValueReader {
  const total = Math.floor(bytes.length / width);
  let position = 0;
  const advance = (count: number): number => {
    if (position + count > total) throw tooFewValues();
    position += count;
    return position - count;
  };
  return {
    read: (count, maxBytes) => {
      const taken = Math.min(count, Math.max(1, Math.floor(maxBytes / width)));
      const first = advance(taken);
      const values = new Uint8Array(taken * width);
      for (let part = 0; part < width; part++) {
        const from = part * total + first;
        for (let index = 0; index < taken; index++) values[index * width + part] = bytes[from + index] as number;
      }
      return { kind: 'fixed', count: taken, bytes: values, offset: 0, width };
    },
    skip: advance,
  };
}
