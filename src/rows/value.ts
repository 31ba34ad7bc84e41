/** Converts one JavaScript or JSON value to a column type, exactly or not at all; text is read where a number, date or the like is usually sent as text. */
import { checkReal, narrowInteger, parseDecimal, parseInteger, parseReal } from './numeral.ts';
import type { Scalar, ScalarType } from './schema.ts';
import { formatDate, formatTimestamp, parseDate, parseTimestamp } from './temporal.ts';
import { checkText, parseBoolean, parseBytes, parseUuid } from './text-value.ts';
import type { Unfit } from './unfit.ts';
import { isUnfit, unfitType } from './unfit.ts';

/** The exact text of the value in the JSON that it was parsed from; undefined for a value that never was text. */
export type ExactText = () => string | undefined;

type Converter = (value: unknown, exactText: ExactText) => Scalar | Unfit;

/** Converts a value that is neither null nor undefined. Answers VALUE_TYPE for another kind of value, and what the parsers of the type answer. */
export function convertValue(type: ScalarType, value: unknown, exactText: ExactText): Scalar | Unfit {
  return converters[type](value, exactText);
}

const converters: Readonly<Record<ScalarType, Converter>> = {
  integer: convertInteger,
  real: convertReal,
  text: convertText,
  boolean: convertBoolean,
  bytes: convertBytes,
  json: convertJson,
  timestamp: (value) => (value instanceof Date ? formatTimestamp(value) : readText('a timestamp', value, parseTimestamp)),
  date: (value) => (value instanceof Date ? formatDate(value) : readText('a date', value, parseDate)),
  uuid: (value) => readText('a uuid', value, parseUuid),
  decimal: convertDecimal,
};

function readText(expected: string, value: unknown, parse: (text: string) => Scalar | Unfit): Scalar | Unfit {
  return typeof value === 'string' ? parse(value) : unfitType(expected, value);
}

/** 64-bit integers and decimals travel through JSON as text (so does protobuf's mapping); text that is no numeral at all is a value of the wrong kind. */
function readNumeralText(expected: string, value: unknown, parse: (text: string) => Scalar | Unfit): Scalar | Unfit {
  const read = readText(expected, value, parse);
  return isUnfit(read) && read.code === 'VALUE_FORMAT' ? unfitType(expected, value) : read;
}

function convertInteger(value: unknown, exactText: ExactText): Scalar | Unfit {
  if (typeof value === 'number') return parseInteger(exactText() ?? String(value));
  if (typeof value === 'bigint') return narrowInteger(value);
  return readNumeralText('an integer', value, parseInteger);
}

function convertReal(value: unknown): Scalar | Unfit {
  if (typeof value === 'number' || typeof value === 'bigint') return checkReal(Number(value));
  return readNumeralText('a number', value, parseReal);
}

function convertDecimal(value: unknown, exactText: ExactText): Scalar | Unfit {
  if (typeof value === 'number') return parseDecimal(exactText() ?? String(value));
  return readNumeralText('a decimal', typeof value === 'bigint' ? String(value) : value, parseDecimal);
}

function convertText(value: unknown, exactText: ExactText): Scalar | Unfit {
  if (typeof value === 'string') return checkText(value);
  const isPlain = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
  return isPlain ? (exactText() ?? String(value)) : unfitType('text', value);
}

function convertBoolean(value: unknown): Scalar | Unfit {
  if (typeof value === 'boolean') return value;
  if (value === 0 || value === 1) return value === 1;
  return readText('true or false', value, parseBoolean);
}

function convertBytes(value: unknown): Scalar | Unfit {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return readText('bytes', value, parseBytes);
}

/** JSON as it stood; for objects in memory as JSON.stringify prints them, with bigints as exact numbers. */
function convertJson(value: unknown, exactText: ExactText): Scalar | Unfit {
  const text = exactText();
  if (text !== undefined) return text;
  let unfit: Unfit | undefined;
  try {
    const printed: string | undefined = JSON.stringify(value, (_key, inner: unknown) => {
      unfit ??= findUnprintable(inner);
      return typeof inner === 'bigint' ? rawJSON(String(inner)) : inner;
    });
    return unfit ?? printed ?? unfitType('JSON', value);
  } catch {
    // A cycle, or a `toJSON` of the caller's that throws: the value stands in the way, and only its row is refused.
    return { code: 'VALUE_TYPE', message: 'the object cannot be printed as JSON' };
  }
}

/** `JSON.rawJSON` (ES2026, in Node 22 and later) prints a numeral digit by digit. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** What JSON.stringify would turn into `null` or `{}` in silence. */
function findUnprintable(value: unknown): Unfit | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return { code: 'VALUE_RANGE', message: 'a number inside is not finite' };
  return value instanceof Map || value instanceof Set ? unfitType('JSON', value) : undefined;
}
