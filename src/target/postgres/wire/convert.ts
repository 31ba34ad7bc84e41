/** Turns values of one sluice type into another where a sane user would expect it: exactly, or not at all. */
import { checkReal, parseDecimal, parseInteger, parseReal } from '../../../rows/numeral.ts';
import type { Scalar, ScalarType } from '../../../rows/schema.ts';
import { parseDate, parseTimestamp } from '../../../rows/temporal.ts';
import { checkJson, parseBoolean, parseBytes, parseUuid } from '../../../rows/text-value.ts';
import type { Unfit } from '../../../rows/unfit.ts';
import { isUnfit } from '../../../rows/unfit.ts';
import { readSpecialNumeric } from './numeric.ts';
import { parseDays, parseMoment } from './temporal.ts';
import type { Value } from './block.ts';

/** A value as the other type holds it, or why it can't be. */
export type Convert = (value: Value) => Value | Unfit;

type Conversions = Partial<Readonly<Record<ScalarType, Convert>>>;

const printValue: Convert = (value) => String(value);
const keepText: Convert = (value) => value;

/** From JavaScript's own functions, whose answers may be null by type only. */
function ofText(parse: (text: string) => Scalar | Unfit): Convert {
  return (value) => parse(String(value)) as Value | Unfit;
}

const notZeroOrOne: Unfit = { code: 'VALUE_FORMAT', message: 'the number is neither 0 nor 1' };
const timeOfDay: Unfit = { code: 'VALUE_INEXACT', message: 'the value has a time of day, the column takes dates' };
const notJson: Unfit = { code: 'VALUE_RANGE', message: 'the number is not finite, which JSON cannot tell' };

/** Conversions by the type to, then the type from; a type to itself needs none. */
const conversions: Readonly<Record<ScalarType, Conversions>> = {
  integer: { real: ofText(parseInteger), decimal: ofText(parseInteger), text: ofText(parseInteger), boolean: (value) => Number(value) },
  real: { integer: (value) => Number(value), decimal: ofText(parseReal), text: ofText(parseReal) },
  decimal: { integer: printValue, real: ofText(readDecimal), text: ofText(readDecimal) },
  text: {
    integer: printValue,
    real: printValue,
    boolean: printValue,
    json: keepText,
    timestamp: keepText,
    date: keepText,
    uuid: keepText,
    decimal: keepText,
  },
  json: {
    integer: printValue,
    real: (value) => (isUnfit(checkReal(Number(value))) ? notJson : String(value)),
    decimal: (value) => (readSpecialNumeric(String(value)) === undefined ? value : notJson),
    boolean: printValue,
    text: ofText(checkJson),
    timestamp: quoteText,
    date: quoteText,
    uuid: quoteText,
  },
  boolean: { integer: readFlag, text: ofText(parseBoolean) },
  bytes: { text: ofText(parseBytes) },
  uuid: { text: ofText(parseUuid) },
  date: { text: ofText(readDate), timestamp: cutDate },
  timestamp: { text: ofText(readMoment), date: addMidnight },
};

/** How values get from one type to the other; `same` where they need not change, undefined where no sane way leads. */
export function findConversion(from: ScalarType, to: ScalarType): Convert | 'same' | undefined {
  if (from === to) return 'same';
  const convert = conversions[to][from];
  return convert === keepText ? 'same' : convert;
}

function readDecimal(text: string): string | Unfit {
  return readSpecialNumeric(text) ?? parseDecimal(text);
}

function readFlag(value: Value): Value | Unfit {
  return value === 1 || value === 0 ? value === 1 : notZeroOrOne;
}

function quoteText(value: Value): Value {
  return JSON.stringify(value);
}

/** ISO 8601, or what PostgreSQL prints beyond it: longer years, years BC, `infinity`. */
function readDate(text: string): string | Unfit {
  const date = parseDate(text);
  const trimmed = text.trim();
  return isUnfit(date) && typeof parseDays(trimmed) === 'number' && !isUsualDate(trimmed) ? trimmed : date;
}

function readMoment(text: string): string | Unfit {
  const moment = parseTimestamp(text);
  const trimmed = text.trim();
  return isUnfit(moment) && !isUsualDate(trimmed) && typeof parseMoment(trimmed) !== 'string' ? trimmed : moment;
}

/** A year of four digits AD: what the strict parsers have refused stays refused. */
function isUsualDate(text: string): boolean {
  return /^\d{4}-/u.test(text) && !text.endsWith(' BC');
}

function cutDate(value: Value): Value | Unfit {
  const text = String(value);
  const [date = '', time] = text.split('T');
  if (time === undefined) return text;
  if (!/^00:00:00(?:\.0+)?Z?(?: BC)?$/u.test(time)) return timeOfDay;
  return time.endsWith(' BC') ? `${date} BC` : date;
}

function addMidnight(value: Value): Value {
  const text = String(value);
  if (text.endsWith('infinity')) return text;
  return text.endsWith(' BC') ? `${text.slice(0, -3)}T00:00:00 BC` : `${text}T00:00:00`;
}
