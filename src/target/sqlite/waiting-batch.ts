/** A batch as one blob and back, value by value the same: rows that wait to be published are written later exactly as they would have been written at once. */
import type { Batch, ColumnValues, Places } from '../../rows/batch.ts';
import type { Column, Scalar } from '../../rows/schema.ts';
import { packIntegers, unpackIntegers, type Part } from './packed-integers.ts';
import { writeRowText } from './row-text.ts';

/** What stands in front of the parts: their forms and lengths. */
interface Head {
  readonly rowCount: number;
  readonly parts: readonly (readonly [form: string, base: number, byteCount: number])[];
}

/** Parts begin at multiples of this, so that they can be looked at as arrays of numbers where they are. */
const alignment = 8;

/** Lays a batch out. Columns are told by their place: the plan has them. */
export function packBatch(batch: Batch): Uint8Array {
  const { offsets, rows, lines } = batch.places;
  const places = [offsets, rows, lines].map((values) => packIntegers(values.subarray(0, batch.rowCount)));
  const parts = [...places, ...batch.values.flatMap((values) => packColumn(values, batch.rowCount))];
  const head: Head = { rowCount: batch.rowCount, parts: parts.map(({ form, base, bytes }) => [form, base, bytes.byteLength]) };
  const text = Buffer.from(JSON.stringify(head));
  const total = parts.reduce((sum, { bytes }) => sum + align(bytes.byteLength), align(4 + text.byteLength));
  const packed = Buffer.alloc(total);
  packed.writeUInt32LE(text.byteLength, 0);
  packed.set(text, 4);
  let at = align(4 + text.byteLength);
  for (const { bytes } of parts) {
    packed.set(bytes, at);
    at += align(bytes.byteLength);
  }
  return packed;
}

function align(byteCount: number): number {
  return Math.ceil(byteCount / alignment) * alignment;
}

/** The batch that a blob holds. A row's text is made anew from its values: what it looked like in the source was not kept. */
export function unpackBatch(packed: Uint8Array, columns: readonly Column[]): Batch {
  const { buffer, byteOffset, byteLength } = packed;
  const bytes = byteOffset % alignment === 0 ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(packed);
  const textLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 4, textLength).toString()) as Head;
  let at = align(4 + textLength);
  const parts = head.parts.map(([form, base, byteCount]): Part => {
    const part = { form, base, bytes: bytes.subarray(at, at + byteCount) };
    at += align(byteCount);
    return part;
  });
  const reader = { parts, next: 0 };
  const places = [take(reader), take(reader), take(reader)] as const;
  const values = columns.map(() => unpackColumn(reader, head.rowCount));
  const raw: Places['raw'] = (row) => writeRowText(columns, values, row);
  return { columns, values, rowCount: head.rowCount, byteCount: bytes.byteLength, places: openPlaces(places, head.rowCount, raw) };
}

/** Nearly always no row is refused, and nobody looks at a place. */
function openPlaces([offsets, rows, lines]: readonly [Part, Part, Part], rowCount: number, raw: Places['raw']): Places {
  const known = new Map<Part, Float64Array>();
  const read = (part: Part): Float64Array => {
    const values = known.get(part) ?? new Float64Array(unpackIntegers(part, rowCount));
    known.set(part, values);
    return values;
  };
  return {
    raw,
    get offsets(): Float64Array {
      return read(offsets);
    },
    get rows(): Float64Array {
      return read(rows);
    },
    get lines(): Float64Array {
      return read(lines);
    },
  };
}

interface Reader {
  readonly parts: readonly Part[];
  next: number;
}

function take(reader: Reader): Part {
  const part = reader.parts[reader.next++];
  if (part === undefined) throw new RangeError('a waiting batch has fewer parts than its columns need');
  return part;
}

const empty: Part = { form: 'none', base: 0, bytes: new Uint8Array(0) };

/** Each column is a part of nulls (empty without any) and the parts of its values. */
function packColumn(data: ColumnValues, rowCount: number): readonly Part[] {
  if (data.kind === 'vector') {
    const { values, nulls, dimensions } = data;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, rowCount * dimensions * 4);
    return [nulls === undefined ? empty : { ...empty, form: 'nulls', bytes: nulls }, { form: 'vector', base: dimensions, bytes }];
  }
  return [packNulls(data.values), ...packScalars(data.values)];
}

function packNulls(values: readonly Scalar[]): Part {
  let nulls: Uint8Array | undefined;
  for (let row = 0; row < values.length; row++) {
    if (values[row] !== null) continue;
    nulls ??= new Uint8Array(values.length);
    nulls[row] = 1;
  }
  return nulls === undefined ? empty : { ...empty, form: 'nulls', bytes: nulls };
}

function packScalars(values: readonly Scalar[]): readonly Part[] {
  const first = values.find((value) => value !== null);
  if (first === undefined) return [empty];
  if (typeof first === 'string') return packTexts(values as readonly (string | null)[]);
  if (typeof first === 'boolean') return [{ ...empty, form: 'flags', bytes: Uint8Array.from(values, (value) => (value === true ? 1 : 0)) }];
  if (typeof first === 'object') return packBytes(values as readonly (Uint8Array | null)[]);
  return [packNumbers(values as readonly (number | bigint | null)[])];
}

function packNumbers(values: readonly (number | bigint | null)[]): Part {
  // A loop that fills an array in place: Float64Array.from with a function took ten times as long.
  const numbers = new Float64Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    if (typeof value === 'bigint') return packBigInts(values);
    numbers[row] = value;
  }
  return packIntegers(numbers);
}

function packBigInts(values: readonly (number | bigint | null)[]): Part {
  const bigs = BigInt64Array.from(values, (value) => BigInt(value ?? 0));
  return { ...empty, form: 'bigints', bytes: new Uint8Array(bigs.buffer) };
}

/** One string of all texts, in as few bytes a character as they need: one where they are Latin-1, else two, which keeps half of a surrogate pair as well. */
function packTexts(values: readonly (string | null)[]): readonly Part[] {
  const lengths = new Float64Array(values.length);
  for (let row = 0; row < values.length; row++) lengths[row] = values[row]?.length ?? 0;
  const text = values.join('');
  const form = /[^\0-\u00ff]/u.test(text) ? 'utf16le' : 'latin1';
  return [{ ...empty, form, bytes: Buffer.from(text, form) }, packIntegers(lengths)];
}

function packBytes(values: readonly (Uint8Array | null)[]): readonly Part[] {
  const lengths = Float64Array.from(values, (value) => value?.byteLength ?? 0);
  return [{ ...empty, form: 'bytes', bytes: Buffer.concat(values.filter((value) => value !== null)) }, packIntegers(lengths)];
}

function unpackColumn(reader: Reader, rowCount: number): ColumnValues {
  const nulls = take(reader);
  const part = take(reader);
  if (part.form === 'vector') {
    const { buffer, byteOffset, byteLength } = part.bytes;
    const values = new Float32Array(buffer, byteOffset, byteLength / 4);
    return { kind: 'vector', dimensions: part.base, values, nulls: nulls.form === 'nulls' ? nulls.bytes : undefined };
  }
  const values = unpackScalars(part, rowCount, () => unpackIntegers(take(reader), rowCount));
  if (nulls.form === 'nulls') for (let row = 0; row < rowCount; row++) if (nulls.bytes[row] === 1) values[row] = null;
  return { kind: 'scalar', values };
}

/** Texts and bytes have a second part, with their lengths. */
function unpackScalars(part: Part, rowCount: number, takeLengths: () => readonly number[]): Scalar[] {
  const { buffer, byteOffset, byteLength } = part.bytes;
  switch (part.form) {
    case 'none':
      return Array<Scalar>(rowCount).fill(null);
    case 'flags':
      return Array.from(part.bytes, (flag) => flag === 1);
    case 'bigints':
      return Array.from(new BigInt64Array(buffer, byteOffset, rowCount), (value) => (isSafe(value) ? Number(value) : value));
    case 'bytes':
      // Copied: what is bound to a statement must not hold a whole batch in memory.
      return cut(takeLengths(), (from, to) => part.bytes.slice(from, to));
    case 'latin1':
    case 'utf16le': {
      const text = Buffer.from(buffer, byteOffset, byteLength).toString(part.form);
      return cut(takeLengths(), (from, to) => text.slice(from, to));
    }
    default:
      return unpackIntegers(part, rowCount);
  }
}

function cut(lengths: readonly number[], read: (from: number, to: number) => Scalar): Scalar[] {
  let at = 0;
  return lengths.map((length) => {
    const from = at;
    at += length;
    return read(from, at);
  });
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}
