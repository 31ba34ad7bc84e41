/** Days, moments and times of day between text and PostgreSQL's counts since 2000-01-01; fractions are rounded to microseconds as the server rounds them. */

/** Days from 0000-03-01 to 2000-01-01, and how PostgreSQL writes what has no end. */
const epochDays = 730_425;
const dayMicroseconds = 86_400_000_000;
export const infiniteDays: readonly [number, number] = [-0x8000_0000, 0x7fff_ffff];
export const infiniteMoments: readonly [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n];

/** What the server takes: 4713 BC to 5874897 AD for dates, to 294276 AD for timestamps, as days since 2000-01-01. */
const firstDay = -2_451_545;
const lastDateDay = 2_145_031_948;
const lastMomentDay = 106_751_982;

/** `shape`: the text is none · `range`: there is no such day or time, or PostgreSQL has none. */
export type TemporalFault = 'shape' | 'range';

/** Days since 2000-01-01 of a day of the Gregorian calendar, astronomical years (0 is 1 BC). After Howard Hinnant, «chrono-compatible low-level date algorithms». */
function countDays(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - epochDays;
}

const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function hasDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1 || day > (monthDays[month - 1] as number)) return false;
  return month !== 2 || day < 29 || (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0));
}

function readTwo(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48;
}

/** Sluice's own form begins with a year of four digits; the others (`12026-01-01`, `0044-03-15 BC`) are taken apart by pattern. */
function hasPlainYear(text: string): boolean {
  return text.charCodeAt(4) === 45 && text.charCodeAt(text.length - 1) !== 67;
}

const longDatePattern = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/u;

/** Days since 2000-01-01 of `YYYY-MM-DD`, of a longer year, a year BC, or `infinity`. */
export function parseDays(text: string): number | TemporalFault {
  if (hasPlainYear(text) && text.length === 10)
    return countDays(readTwo(text, 0) * 100 + readTwo(text, 2), readTwo(text, 5), readTwo(text, 8));
  if (text === 'infinity') return infiniteDays[1];
  if (text === '-infinity') return infiniteDays[0];
  const match = longDatePattern.exec(text);
  if (match === null) return 'shape';
  const [, digits = '', month = '', day = '', era] = match;
  const year = era === undefined ? Number(digits) : 1 - Number(digits);
  if (!hasDay(year, Number(month), Number(day))) return 'range';
  const days = countDays(year, Number(month), Number(day));
  return days < firstDay || days > lastDateDay ? 'range' : days;
}

const longMomentPattern = /^(\d{4,7}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z?( BC)?$/u;

/**
 * Microseconds since 2000-01-01 of `YYYY-MM-DDTHH:MM:SS[.f…][Z]`, the clock taken as it stands; bigint beyond 53 bits (the year 2285).
 * Longer years, years BC and `infinity` are read too.
 */
export function parseMoment(text: string): number | bigint | TemporalFault {
  if (hasPlainYear(text) && text.length >= 19) {
    const days = countDays(readTwo(text, 0) * 100 + readTwo(text, 2), readTwo(text, 5), readTwo(text, 8));
    const seconds = readTwo(text, 11) * 3600 + readTwo(text, 14) * 60 + readTwo(text, 17);
    const end = text.charCodeAt(text.length - 1) === 90 ? text.length - 1 : text.length;
    return joinMoment(days, seconds * 1_000_000 + readFraction(text, 20, end));
  }
  if (text === 'infinity') return infiniteMoments[1];
  if (text === '-infinity') return infiniteMoments[0];
  const match = longMomentPattern.exec(text);
  if (match === null) return 'shape';
  const [, date = '', hour = '', minute = '', second = '', fraction = '', era = ''] = match;
  const days = parseDays(date + era);
  if (typeof days === 'string') return days;
  const time = (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1_000_000 + readFraction(fraction, 0, fraction.length);
  return days > lastMomentDay ? 'range' : joinMoment(days, time);
}

function joinMoment(days: number, microseconds: number): number | bigint {
  const total = days * dayMicroseconds + microseconds;
  return Number.isSafeInteger(total) ? total : BigInt(days) * BigInt(dayMicroseconds) + BigInt(microseconds);
}

/** Microseconds of the digits of a fraction that stand from `start` to `end`. */
function readFraction(text: string, start: number, end: number): number {
  if (end - start > 6) return roundHalfEven(Number(`0.${text.slice(start, end)}`) * 1_000_000);
  let value = 0;
  for (let index = start; index < end; index++) value = value * 10 + text.charCodeAt(index) - 48;
  for (let digits = Math.max(end - start, 0); digits < 6; digits++) value *= 10;
  return value;
}

/** As C's `rint`, by which the server rounds. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

export interface TimeOfDay {
  readonly microseconds: number;
  /** Seconds ahead of UTC; undefined where the text names no zone. */
  readonly zoneSeconds: number | undefined;
}

const timePattern = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,30}))?)?(?: ?([ap]m))?(?: ?(z|utc|[+-]\d\d(?::?\d\d(?::?\d\d)?)?))?$/iu;

/** Reads `HH:MM[:SS[.f…]] [AM|PM] [zone]`; 24:00 is the end of the day. */
export function parseTime(text: string): TimeOfDay | TemporalFault {
  const match = text.length > 64 ? null : timePattern.exec(text.trim());
  if (match === null) return 'shape';
  const [, hourText = '', minute = '', second = '0', fraction = '', half, zone] = match;
  let hour = Number(hourText);
  if (half !== undefined) {
    if (hour < 1 || hour > 12) return 'range';
    hour = (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
  }
  const microseconds = (hour * 3600 + Number(minute) * 60 + Number(second)) * 1_000_000 + readFraction(fraction, 0, fraction.length);
  // The server takes a sixtieth second and carries it over.
  if (Number(minute) > 59 || Number(second) > 60 || microseconds > dayMicroseconds) return 'range';
  const zoneSeconds = zone === undefined ? undefined : readZone(zone);
  return zoneSeconds !== undefined && Math.abs(zoneSeconds) >= 16 * 3600 ? 'range' : { microseconds, zoneSeconds };
}

function readZone(zone: string): number {
  if (!/^[+-]/u.test(zone)) return 0;
  const digits = zone.slice(1).replaceAll(':', '');
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2, 4)) * 60 + Number(digits.slice(4, 6));
  return zone.startsWith('-') ? -seconds : seconds;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

/** The day as `YYYY-MM-DD`; ` BC` behind a year before 1. */
export function printDays(days: number): string {
  if (days === infiniteDays[1]) return 'infinity';
  if (days === infiniteDays[0]) return '-infinity';
  const { date, era } = splitDays(days);
  return date + era;
}

function splitDays(sinceEpoch: number): { readonly date: string; readonly era: string } {
  const days = sinceEpoch + epochDays;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  return { date: `${pad(year > 0 ? year : 1 - year, 4)}-${pad(month, 2)}-${pad(day, 2)}`, era: year > 0 ? '' : ' BC' };
}

/** Microseconds since 2000-01-01, given in 32-bit words, as `YYYY-MM-DDTHH:MM:SS[.f…]` and `zone` behind. */
export function printMoment(high: number, low: number, zone: '' | 'Z'): string {
  if (high === 0x7fff_ffff && low === 0xffff_ffff) return 'infinity';
  if (high === -0x8000_0000 && low === 0) return '-infinity';
  const total = high * 0x1_0000_0000 + low;
  if (!Number.isSafeInteger(total)) {
    const exact = (BigInt(high) << 32n) + BigInt(low);
    const rest = ((exact % BigInt(dayMicroseconds)) + BigInt(dayMicroseconds)) % BigInt(dayMicroseconds);
    return joinText(Number((exact - rest) / BigInt(dayMicroseconds)), Number(rest), zone);
  }
  const days = Math.floor(total / dayMicroseconds);
  return joinText(days, total - days * dayMicroseconds, zone);
}

function joinText(days: number, microseconds: number, zone: string): string {
  const { date, era } = splitDays(days);
  return `${date}T${printTime(microseconds)}${zone}${era}`;
}

/** A time of day as `HH:MM:SS[.f…]`, the fraction without zeros at its end. */
export function printTime(microseconds: number): string {
  const seconds = Math.floor(microseconds / 1_000_000);
  const fraction = microseconds - seconds * 1_000_000;
  const clock = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return fraction === 0 ? clock : `${clock}.${pad(fraction, 6).replace(/0+$/u, '')}`;
}

/** A zone as PostgreSQL prints it: `+05:30`. */
export function printZone(secondsAhead: number): string {
  const seconds = Math.abs(secondsAhead);
  const parts = [pad(Math.floor(seconds / 3600), 2)];
  if (seconds % 3600 !== 0) parts.push(pad(Math.floor(seconds / 60) % 60, 2));
  if (seconds % 60 !== 0) parts.push(pad(seconds % 60, 2));
  return (secondsAhead < 0 ? '-' : '+') + parts.join(':');
}
