/** Dates and timestamps as text: checked against the calendar, told in UTC where the source names a zone, fractions kept to nine digits. */
import type { Unfit } from './unfit.ts';

/** Longer than any timestamp; keeps the pattern off long texts. */
const maxLength = 64;
const datePattern = /^(\d{4})-(\d\d)-(\d\d)$/;
const timestampPattern = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?: ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?))?)?$/;

const noDate: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no date of the form YYYY-MM-DD' };
const noTimestamp: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no ISO 8601 timestamp' };
const noSuchDay: Unfit = { code: 'VALUE_RANGE', message: 'the calendar has no such day' };
const noSuchTime: Unfit = { code: 'VALUE_RANGE', message: 'the clock has no such time or zone' };
const yearOutOfRange: Unfit = { code: 'VALUE_RANGE', message: 'the year is not between 0001 and 9999' };
const fractionTooFine: Unfit = { code: 'VALUE_INEXACT', message: 'the fraction of a second is finer than a nanosecond' };
const timeInDate: Unfit = { code: 'VALUE_INEXACT', message: 'the value has a time of day, the column takes dates' };

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function checkDay(year: number, month: number, day: number): Unfit | undefined {
  if (year === 0) return yearOutOfRange;
  const isLeap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = (monthDays[month - 1] ?? 0) + (isLeap ? 1 : 0);
  return day >= 1 && day <= days ? undefined : noSuchDay;
}

/** Reads `YYYY-MM-DD`, white space around allowed. Answers VALUE_FORMAT, or VALUE_RANGE for a day that does not exist. */
export function parseDate(text: string): string | Unfit {
  const trimmed = text.trim();
  const match = trimmed.length > maxLength ? null : datePattern.exec(trimmed);
  if (match === null) return noDate;
  return checkDay(Number(match[1]), Number(match[2]), Number(match[3])) ?? trimmed;
}

/**
 * Reads ISO 8601 / RFC 3339: a day, then optionally `T` or a space and hours and minutes, seconds, a fraction, a zone (`Z`, `UTC`, `±HH`, `±HHMM`, `±HH:MM`).
 * With a zone the answer is in UTC and ends in `Z`; without one it has none. A day alone is its midnight. No leap seconds, no 24:00.
 */
export function parseTimestamp(text: string): string | Unfit {
  const trimmed = text.trim();
  const match = trimmed.length > maxLength ? null : timestampPattern.exec(trimmed);
  if (match === null) return noTimestamp;
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00', fraction = '', zone] = match;
  const unfit = checkDay(Number(year), Number(month), Number(day));
  if (unfit !== undefined) return unfit;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return noSuchTime;
  if (/[1-9]/.test(fraction.slice(9))) return fractionTooFine;
  const rest = fraction === '' ? second : `${second}.${fraction.slice(0, 9)}`;
  if (zone === undefined) return `${year}-${month}-${day}T${hour}:${minute}:${rest}`;
  const offsetMinutes = readOffset(zone);
  if (offsetMinutes === undefined) return noSuchTime;
  if (offsetMinutes === 0) return `${year}-${month}-${day}T${hour}:${minute}:${rest}Z`;
  const utc = new Date(0);
  utc.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  utc.setUTCHours(Number(hour), Number(minute) - offsetMinutes);
  return isYearOutOfRange(utc) ? yearOutOfRange : `${utc.toISOString().slice(0, 16)}:${rest}Z`;
}

/** Minutes that the zone is ahead of UTC; undefined for one that no clock has. */
function readOffset(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z' || zone === 'UTC') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', ''));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function isYearOutOfRange(moment: Date): boolean {
  const year = moment.getUTCFullYear();
  return year < 1 || year > 9999;
}

/** A `Date` as a timestamp in UTC, with the milliseconds that it has. */
export function formatTimestamp(moment: Date): string | Unfit {
  if (Number.isNaN(moment.getTime())) return noTimestamp;
  return isYearOutOfRange(moment) ? yearOutOfRange : moment.toISOString();
}

/** A `Date` at midnight UTC as a date; one with a time of day is VALUE_INEXACT. */
export function formatDate(moment: Date): string | Unfit {
  if (Number.isNaN(moment.getTime())) return noDate;
  if (isYearOutOfRange(moment)) return yearOutOfRange;
  return moment.getTime() % 86_400_000 === 0 ? moment.toISOString().slice(0, 10) : timeInDate;
}
