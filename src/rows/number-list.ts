/**
 * Reads a list of numbers out of bytes straight into float32: what JSON.parse and rounding would give, or nothing. JSON.parse takes 45 ns a number and makes an
 * object of each list; half the time of a load of vectors went there.
 */

const [plus, comma, minus, point, zero, nine, openBracket, closeBracket] = [43, 44, 45, 46, 48, 57, 91, 93];
const space = 32;
const [upperE, lowerE] = [69, 101];

/** Powers of ten that a double holds exactly. */
const powers: Float64Array = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const maxPower = 22;

/** Each digit beyond 2⁵³ and the scaling round once, by 2⁻⁵³ at most: with so many digits the sum of it stays under {@link tolerance}. */
const maxDigits = 25;
/** If the numbers this much below and above round to the same float32, so does the exact one. */
const tolerance = 2 ** -47;

const exactDigits = 15;

/** Also for numbers so small that float32 has fewer bits for them. */
function isNearMiddle(value: number): boolean {
  return value !== 0 && (value < 1e-37 || Math.fround(value - value * tolerance) !== Math.fround(value + value * tolerance));
}

/** Where a list is read to. */
export interface NumberList {
  readonly into: Float32Array;
  /** First place in `into`. */
  readonly from: number;
  readonly count: number;
}

/** A list that is being read: `index` is of the number whose first byte is at `place`. */
interface Reading {
  readonly bytes: Uint8Array;
  readonly into: Float32Array;
  /** Behind the last index. */
  readonly end: number;
  index: number;
  place: number;
}

/**
 * Reads `[n,n,…]` at `at`, exactly `list.count` numbers of JSON's grammar, and answers the place behind the bracket; -1 for anything else, whatever it is: then
 * `into` holds nothing to be used, and the slow way finds out what it is. Not finite values are never written.
 */
export function readNumberList(bytes: Uint8Array, at: number, { into, from, count }: NumberList): number {
  if (bytes[at] !== openBracket) return -1;
  const reading: Reading = { bytes, into, end: from + count, index: from, place: at + 1 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  while (reading.index < reading.end) {
    readFractions(view, reading);
    if (reading.index < reading.end && !readNumber(reading)) return -1;
  }
  return reading.place;
}

/** Sign, whole digit, point and twelve digits, and a word in which the digits behind them may end. */
const fractionBytes = 20;

/**
 * Reads numbers as programs print vectors, a digit, a point and twelve digits or more, up to the first that is none. Two thirds of the time of reading digit by
 * digit are wrong guesses of the processor: whether there is a sign, and where the digits end. So neither is asked here: 16 ns a number instead of 32.
 */
function readFractions(view: DataView, reading: Reading): void {
  const { bytes, end, into } = reading;
  const last = bytes.length - fractionBytes;
  let { index, place } = reading;
  for (; index < end && place <= last; index++) {
    const sign = bytes[place] as number;
    // 1 for a minus and what is below it, which is no number and caught as such.
    const isNegative = (sign - point) >>> 31;
    let at = place + isNegative;
    const whole = (bytes[at] as number) - zero;
    if (whole >>> 0 > 9 || bytes[at + 1] !== point || (sign ^ minus) * isNegative !== 0) break;
    const first = view.getInt32(at + 2, true);
    const second = view.getInt32(at + 6, true);
    const third = view.getInt32(at + 10, true);
    if ((findOthers(first) | findOthers(second) | findOthers(third)) !== 0) break;
    const mantissa = (whole * 1e4 + sumFour(first)) * 1e8 + (Math.imul(sumFour(second), 10_000) + sumFour(third));
    // The digits behind the twelfth add less than 1 to it. If what is below and what is above round to the same float32, so does all between.
    const value = Math.fround((mantissa - 1) * 1e-12);
    if (value !== Math.fround((mantissa + 1) * 1e-12)) break;
    at += 14;
    let others = 0;
    while (at <= last && (others = findOthers(view.getInt32(at, true))) === 0) at += 4;
    at += (31 - Math.clz32(others & -others)) >>> 3;
    if (at > last || bytes[at] !== (index === end - 1 ? closeBracket : comma)) break;
    into[index] = value * (1 - 2 * isNegative);
    place = at + 1;
  }
  reading.index = index;
  reading.place = place;
}

/** Bits in those of four bytes that are no digits: a digit has 3 as its upper half, also when 6 was added. What a carry spoils lies behind the first that is none. */
function findOthers(word: number): number {
  return ((word & 0xf0f0f0f0) ^ 0x30303030) | (((word + 0x06060606) & 0xf0f0f0f0) ^ 0x30303030);
}

/** The number that four digits are, the first in the lowest byte: neighbours are added up two by two (10 a + b), then the two sums (100 a + b). */
function sumFour(word: number): number {
  const digits = word - 0x30303030;
  const pairs = Math.imul(digits, 10) + (digits >>> 8);
  return Math.imul(pairs & 0xff, 100) + ((pairs >>> 16) & 0xff);
}

/** Reads any number of JSON's grammar, with spaces around it, and what ends it; false where that is no list of such numbers, or it can't be told which float32 it is. */
function readNumber(reading: Reading): boolean {
  const { bytes, end, index, into } = reading;
  let { place } = reading;
  while (bytes[place] === space) place++;
  const isNegative = bytes[place] === minus;
  if (isNegative) place++;
  const start = place;
  let mantissa = 0;
  let byte = bytes[place] as number;
  while (byte >= zero && byte <= nine) {
    mantissa = mantissa * 10 + (byte - zero);
    byte = bytes[++place] as number;
  }
  const wholeDigits = place - start;
  if (wholeDigits === 0 || (wholeDigits > 1 && bytes[start] === zero)) return false;
  let exponent = 0;
  if (byte === point) {
    const fraction = ++place;
    byte = bytes[place] as number;
    while (byte >= zero && byte <= nine) {
      mantissa = mantissa * 10 + (byte - zero);
      byte = bytes[++place] as number;
    }
    exponent = fraction - place;
    if (exponent === 0) return false;
  }
  const digits = wholeDigits - exponent;
  if (byte === lowerE || byte === upperE) {
    const read = readExponent(bytes, place + 1);
    if (read === undefined) return false;
    exponent += read.value;
    place = read.next;
  }
  if (digits > maxDigits || exponent < -maxPower || exponent > maxPower) return false;
  const value = exponent < 0 ? mantissa / (powers[-exponent] as number) : mantissa * (powers[exponent] as number);
  const rounded = Math.fround(value);
  // Up to 15 digits are exact, and so is what they are scaled by: the value is the nearest double. Of more, the middle between two float32 is left to others.
  if (digits > exactDigits && isNearMiddle(value)) return false;
  if (rounded === Infinity) return false;
  while (bytes[place] === space) place++;
  if (bytes[place] !== (index === end - 1 ? closeBracket : comma)) return false;
  into[index] = isNegative ? -rounded : rounded;
  reading.index = index + 1;
  reading.place = place + 1;
  return true;
}

function readExponent(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } | undefined {
  const sign = bytes[at];
  const start = sign === minus || sign === plus ? at + 1 : at;
  let place = start;
  let value = 0;
  for (let byte = bytes[place] as number; byte >= zero && byte <= nine && value < 10_000; byte = bytes[++place] as number)
    value = value * 10 + (byte - zero);
  if (place === start) return undefined;
  return { value: sign === minus ? -value : value, next: place };
}
