/**
 * Reads a list of numbers out of bytes straight into float32: what JSON.parse and rounding would give, or nothing. JSON.parse takes 45 ns a number and makes an
 * object of each list; half the time of a load of vectors went there.
 */

const [comma, minus, point, zero, nine, openBracket, closeBracket] = [44, 45, 46, 48, 57, 91, 93];
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

/**
 * Reads `[n,n,…]` at `at`, exactly `list.count` numbers of JSON's grammar, and answers the place behind the bracket; -1 for anything else, whatever it is: then
 * `into` holds nothing to be used, and the slow way finds out what it is. Not finite values are never written.
 */
export function readNumberList(bytes: Uint8Array, at: number, { into, from, count }: NumberList): number {
  if (bytes[at] !== openBracket) return -1;
  let place = at + 1;
  for (let index = 0; index < count; index++) {
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
    if (wholeDigits === 0 || (wholeDigits > 1 && bytes[start] === zero)) return -1;
    let exponent = 0;
    if (byte === point) {
      const fraction = ++place;
      byte = bytes[place] as number;
      while (byte >= zero && byte <= nine) {
        mantissa = mantissa * 10 + (byte - zero);
        byte = bytes[++place] as number;
      }
      exponent = fraction - place;
      if (exponent === 0) return -1;
    }
    const digits = wholeDigits - exponent;
    if (byte === lowerE || byte === upperE) {
      const read = readExponent(bytes, place + 1);
      if (read === undefined) return -1;
      exponent += read.value;
      place = read.next;
      byte = bytes[place] as number;
    }
    if (digits > maxDigits || exponent < -maxPower || exponent > maxPower) return -1;
    const value = exponent < 0 ? mantissa / (powers[-exponent] as number) : mantissa * (powers[exponent] as number);
    const rounded = Math.fround(value);
    // Up to 15 digits are exact, and so is what they are scaled by: the value is the nearest double. Of more, the middle between two float32 is left to others.
    if (digits > exactDigits && isNearMiddle(value)) return -1;
    if (rounded === Infinity) return -1;
    into[from + index] = isNegative ? -rounded : rounded;
    while (byte === space) byte = bytes[++place] as number;
    if (byte !== (index === count - 1 ? closeBracket : comma)) return -1;
    place++;
  }
  return place;
}

function readExponent(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } | undefined {
  const sign = bytes[at];
  const start = sign === minus || sign === 43 ? at + 1 : at;
  let place = start;
  let value = 0;
  for (let byte = bytes[place] as number; byte >= zero && byte <= nine && value < 10_000; byte = bytes[++place] as number)
    value = value * 10 + (byte - zero);
  if (place === start) return undefined;
  return { value: sign === minus ? -value : value, next: place };
}
