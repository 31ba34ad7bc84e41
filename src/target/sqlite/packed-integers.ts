/** Numbers of a waiting batch in as few bytes as hold them exactly: a run of ordinals in none, small differences in one, two or four, anything else as a double. */

/** A stretch of bytes with what it takes to read them. */
export interface Part {
  readonly form: string;
  readonly base: number;
  readonly bytes: Uint8Array;
}

const asBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);

interface Extent {
  readonly least: number;
  readonly most: number;
  readonly isRun: boolean;
  readonly isWhole: boolean;
}

function measure(values: Float64Array): Extent {
  let [least, most, isRun, isWhole] = [Infinity, -Infinity, true, true];
  const first = values[0] ?? 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    if (value < least) least = value;
    if (value > most) most = value;
    if (value !== first + at) isRun = false;
    // A zero with a sign is no whole number here: a difference would lose the sign.
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) isWhole = false;
  }
  return { least, most, isRun, isWhole };
}

/** Packs the numbers; the array itself is looked at later, so it must not be changed. */
export function packIntegers(values: Float64Array): Part {
  const { least, most, isRun, isWhole } = measure(values);
  if (values.length === 0) return { form: 'run', base: 0, bytes: new Uint8Array(0) };
  if (!isWhole) return { form: 'f64', base: 0, bytes: asBytes(values) };
  if (isRun) return { form: 'run', base: least, bytes: new Uint8Array(0) };
  const spread = most - least;
  if (spread < 2 ** 8) return { form: 'u8', base: least, bytes: subtract(new Uint8Array(values.length), values, least) };
  if (spread < 2 ** 16) return { form: 'u16', base: least, bytes: subtract(new Uint16Array(values.length), values, least) };
  if (spread < 2 ** 32) return { form: 'u32', base: least, bytes: subtract(new Uint32Array(values.length), values, least) };
  return { form: 'f64', base: 0, bytes: asBytes(values) };
}

function subtract(into: Uint8Array | Uint16Array | Uint32Array, values: Float64Array, base: number): Uint8Array {
  for (let at = 0; at < values.length; at++) into[at] = (values[at] ?? 0) - base;
  return asBytes(into);
}

export function unpackIntegers({ form, base, bytes }: Part, count: number): number[] {
  const { buffer, byteOffset } = bytes;
  switch (form) {
    case 'run':
      return countUp(base, count);
    case 'u8':
      return add(bytes, base);
    case 'u16':
      return add(new Uint16Array(buffer, byteOffset, count), base);
    case 'u32':
      return add(new Uint32Array(buffer, byteOffset, count), base);
    default:
      return add(new Float64Array(buffer, byteOffset, count), undefined);
  }
}

function countUp(base: number, count: number): number[] {
  const values = Array<number>(count);
  for (let at = 0; at < count; at++) values[at] = base + at;
  return values;
}

function add(differences: Uint8Array | Uint16Array | Uint32Array | Float64Array, base: number | undefined): number[] {
  const values = Array<number>(differences.length);
  // Without a base nothing is added: a negative zero would turn into a positive one.
  for (let at = 0; at < values.length; at++) values[at] = base === undefined ? (differences[at] ?? 0) : base + (differences[at] ?? 0);
  return values;
}
