/** Readers of the encodings that hold differences: integers, lengths of bytes, and bytes that share their start with the value before. */
import { createDelta, endDelta, readDelta, type Delta } from './delta.ts';
import { PageFault } from './fault.ts';
import { skipByReading, tooFewValues, type FixedValues, type SlicedValues, type ValueReader } from './value-reader.ts';

/** Integers by their differences. */
export function readDeltas(bytes: Uint8Array, width: 4 | 8): ValueReader {
  const delta = createDelta(bytes, 0);
  const read = (count: number, maxBytes: number): FixedValues => {
    const taken = Math.max(1, Math.min(count, Math.floor(maxBytes / width)));
    const numbers = new BigInt64Array(taken);
    readDelta(delta, numbers);
    const values = width === 8 ? numbers : Int32Array.from(numbers, (value) => Number(BigInt.asIntN(32, value)));
    return { kind: 'fixed', count: taken, bytes: new Uint8Array(values.buffer), offset: 0, width };
  };
  return { read, skip: skipByReading((count) => read(count, count * width)) };
}

/** Lengths of values, that stand before all of them. */
function readLengths(delta: Delta, count: number): Int32Array {
  const numbers = new BigInt64Array(count);
  readDelta(delta, numbers);
  return Int32Array.from(numbers, (value) => {
    if (value < 0n || value > 0x7f_ff_ff_ffn) throw new PageFault('a value is longer than its page');
    return Number(value);
  });
}

/** Lengths that are read ahead. */
const lengthSlab = 1024;

/** Bytes whose lengths, by their differences, stand before all of them. */
export function readDeltaSlices(bytes: Uint8Array): ValueReader {
  const delta = createDelta(bytes, 0);
  let offset = endDelta(bytes, 0);
  let lengths: Int32Array = new Int32Array(0);
  let used = 0;
  const next = (): number => {
    if (used === lengths.length) {
      lengths = readLengths(delta, Math.min(lengthSlab, delta.left));
      used = 0;
    }
    const length = lengths[used++];
    if (length === undefined) throw tooFewValues();
    if (length > bytes.length - offset) throw new PageFault('a value is longer than its page');
    offset += length;
    return offset - length;
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

/** Each value is the start of the one before and bytes of its own. */
export function readPrefixed(bytes: Uint8Array, width: number | undefined): ValueReader {
  const prefixes = createDelta(bytes, 0);
  const suffixStart = endDelta(bytes, 0);
  const suffixes = createDelta(bytes, suffixStart);
  let offset = endDelta(bytes, suffixStart);
  let previous: Uint8Array = new Uint8Array(0);
  const next = (): Uint8Array => {
    const [prefix] = readLengths(prefixes, 1);
    const [suffix] = readLengths(suffixes, 1);
    if (prefix === undefined || suffix === undefined) throw tooFewValues();
    if (prefix > previous.length || suffix > bytes.length - offset) throw new PageFault('a value is longer than its page');
    if (width !== undefined && prefix + suffix !== width) throw new PageFault('a value does not have the length of its column');
    const value = new Uint8Array(prefix + suffix);
    value.set(previous.subarray(0, prefix));
    value.set(bytes.subarray(offset, offset + suffix), prefix);
    offset += suffix;
    previous = value;
    return value;
  };
  return {
    read: (count, maxBytes) => {
      const values: Uint8Array[] = [];
      let size = 0;
      while (values.length < count && (values.length === 0 || size < maxBytes)) {
        const value = next();
        values.push(value);
        size += value.length;
      }
      return joinSlices(values);
    },
    skip: (count) => {
      for (let index = 0; index < count; index++) next();
    },
  };
}

function joinSlices(values: readonly Uint8Array[]): SlicedValues {
  const bytes = Buffer.concat(values);
  const starts = new Int32Array(values.length);
  const ends = new Int32Array(values.length);
  let offset = 0;
  for (const [index, { length }] of values.entries()) {
    starts[index] = offset;
    offset += length;
    ends[index] = offset;
  }
  return { kind: 'sliced', count: values.length, bytes, starts, ends };
}
