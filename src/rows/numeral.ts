/** Numerals as text: integers and decimals to the last digit, reals to the nearest double. Nothing here throws or rounds in silence. */
import type { Unfit } from './unfit.ts';

/** Longest numeral that is looked at; PostgreSQL's numeric ends at 147,456 digits. Keeps the regular expressions off megabytes of digits. */
const maxNumeralLength = 100_000;
/** Largest exponent that is written out as digits. A double's is 308; the bound keeps `1e999999` from growing into a megabyte. */
const maxExponent = 1_000;
const minInteger = -(2n ** 63n);
const maxInteger = 2n ** 63n - 1n;

// Each quantifier is followed by a character that it can't match itself, so a failure is found in linear time.
const numeralPattern = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?$/;
const plainDecimalPattern = /^(?:0|-?[1-9]\d*)(?:\.\d+)?$/;
const notFinitePattern = /^[+-]?(?:nan|inf|infinity)$/i;

const noInteger: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no integer' };
const noReal: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no number' };
const noDecimal: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no decimal number' };
const notIntegral: Unfit = { code: 'VALUE_INEXACT', message: 'the number has a fraction, the column takes integers' };
const notFinite: Unfit = { code: 'VALUE_RANGE', message: 'the number is not finite' };
const integerTooLarge: Unfit = { code: 'VALUE_RANGE', message: 'the integer is beyond 64 bits' };
const realTooLarge: Unfit = { code: 'VALUE_RANGE', message: 'the number is beyond the range of a double' };
const decimalTooLong: Unfit = {
  code: 'VALUE_RANGE',
  message: `the decimal has an exponent beyond ${maxExponent} or more than ${maxNumeralLength} characters`,
};

/** A numeral taken apart: its value is `whole.fraction` × 10^exponent. */
interface Numeral {
  readonly isNegative: boolean;
  readonly whole: string;
  readonly fraction: string;
  readonly exponent: number;
}

function readNumeral(text: string): Numeral | undefined {
  const match = numeralPattern.exec(text);
  if (match === null) return undefined;
  return {
    isNegative: match[1] === '-',
    whole: match[2] ?? '',
    fraction: match[3] ?? match[4] ?? '',
    exponent: Number(match[5] ?? 0),
  };
}

/**
 * Reads an integer of 64 bits exactly: a `number` where it is safe, else a `bigint`. Takes white space around, a sign, leading zeros, and a fraction or
 * an exponent as long as the number is integral (`1.0`, `1e3`). Answers VALUE_FORMAT, VALUE_INEXACT or VALUE_RANGE.
 */
export function parseInteger(text: string): number | bigint | Unfit {
  const trimmed = text.trim();
  if (trimmed.length > maxNumeralLength) return noInteger;
  const numeral = readNumeral(trimmed);
  if (numeral === undefined) return notFinitePattern.test(trimmed) ? notFinite : noInteger;
  const { isNegative, whole, fraction, exponent } = numeral;
  const digits = trimZeros(whole + fraction);
  if (digits.text === '') return 0;
  // Zeros to add to the significant digits; fewer than none means that digits stand behind the point.
  const zeros = exponent - fraction.length + digits.trailing;
  if (zeros < 0) return notIntegral;
  if (digits.text.length + zeros > 19) return integerTooLarge;
  return narrowInteger(BigInt((isNegative ? '-' : '') + digits.text + '0'.repeat(zeros)));
}

/** The in-memory form of an integer: `number` if safe, else `bigint`; VALUE_RANGE beyond 64 bits. */
export function narrowInteger(value: bigint): number | bigint | Unfit {
  if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  return value < minInteger || value > maxInteger ? integerTooLarge : value;
}

/** Digits without the zeros at both ends, and how many stood at the end. By loop: a regular expression for the end would be quadratic. */
function trimZeros(digits: string): { readonly text: string; readonly trailing: number } {
  let start = 0;
  let end = digits.length;
  while (start < end && digits.charCodeAt(start) === 48) start++;
  while (end > start && digits.charCodeAt(end - 1) === 48) end--;
  return { text: digits.slice(start, end), trailing: digits.length - end };
}

/**
 * Reads a number as the nearest double. A real is approximate by nature: an integer that no double holds and a number below the smallest double are
 * taken as the nearest one. `NaN`, `Infinity` and numbers beyond the largest double answer VALUE_RANGE, other text VALUE_FORMAT.
 */
export function parseReal(text: string): number | Unfit {
  const trimmed = text.trim();
  if (trimmed.length > maxNumeralLength) return noReal;
  if (!numeralPattern.test(trimmed)) return notFinitePattern.test(trimmed) ? notFinite : noReal;
  return checkReal(Number(trimmed));
}

/** A finite double as it is; VALUE_RANGE for the others. */
export function checkReal(value: number): number | Unfit {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? notFinite : realTooLarge;
}

/**
 * Reads a decimal, every digit kept: `1.10` stays `1.10`. Leading zeros, a plus sign and the sign of zero go; an exponent of up to ±1,000 becomes digits
 * (`1.50e1` → `15.0`). Answers VALUE_FORMAT or VALUE_RANGE.
 */
export function parseDecimal(text: string): string | Unfit {
  const trimmed = text.trim();
  if (trimmed.length > maxNumeralLength) return decimalTooLong;
  if (plainDecimalPattern.test(trimmed)) return trimmed;
  const numeral = readNumeral(trimmed);
  if (numeral === undefined) return notFinitePattern.test(trimmed) ? notFinite : noDecimal;
  return Math.abs(numeral.exponent) > maxExponent ? decimalTooLong : printDecimal(numeral);
}

function printDecimal({ isNegative, whole, fraction, exponent }: Numeral): string {
  let digits = whole + fraction;
  let point = whole.length + exponent;
  if (point < 0) {
    digits = '0'.repeat(-point) + digits;
    point = 0;
  }
  if (point > digits.length) digits += '0'.repeat(point - digits.length);
  const wholeDigits = digits.slice(0, point).replace(/^0+(?=\d)/, '') || '0';
  const printed = point < digits.length ? `${wholeDigits}.${digits.slice(point)}` : wholeDigits;
  return isNegative && /[1-9]/.test(printed) ? `-${printed}` : printed;
}

/** How a numeral would be kept without loss; the smallest type that does. */
export type NumeralType = 'integer' | 'real' | 'decimal';

/**
 * The type that keeps a numeral: integer within 64 bits, real where the nearest double, printed with as many digits, gives the same digits back, else decimal.
 * Undefined for text that is no numeral, or one whose writing carries more than its value (a plus sign, leading zeros: telephone numbers, postcodes).
 */
export function classifyNumeral(text: string): NumeralType | undefined {
  const trimmed = text.trim();
  if (trimmed.length > maxNumeralLength) return undefined;
  const numeral = readNumeral(trimmed);
  if (numeral === undefined || trimmed.startsWith('+') || /^0\d/.test(numeral.whole)) return undefined;
  if (/^-?\d+$/.test(trimmed)) return typeof parseInteger(trimmed) === 'object' ? 'decimal' : 'integer';
  return isHeldByDouble(trimmed, numeral) ? 'real' : 'decimal';
}

function isHeldByDouble(text: string, { whole, fraction }: Numeral): boolean {
  const value = Number(text);
  const digits = (whole + fraction).replace(/^0+/, '');
  // Any 15 significant digits come back from a double (DBL_DIG); `toPrecision` prints at most 100.
  if (!Number.isFinite(value)) return false;
  if (digits.length <= 15) return true;
  if (digits.length > 100) return false;
  const printed = readNumeral(value.toPrecision(digits.length));
  return printed !== undefined && (printed.whole + printed.fraction).replace(/^0+/, '') === digits;
}
