/** Dates as Go prints them: what a column declared as date, datetime or timestamp holds, in RFC 3339. */

const textPattern = /^(\d{4})-(\d\d)-(\d\d)(?:([ T])(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?([-+]\d\d:\d\d)?$/;

/** What an unreadable text becomes: Go's zero time. */
export const zeroTime = '0001-01-01T00:00:00Z';

function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return day <= days;
}

/** The part behind the seconds: nanoseconds without closing zeros. */
function printFraction(digits: string): string {
  const kept = digits.slice(0, 9).replace(/0+$/, '');
  return kept === '' ? '' : `.${kept}`;
}

function isOffset(offset: string): boolean {
  return Number(offset.slice(1, 3)) <= 24 && Number(offset.slice(4)) < 60;
}

/** A text of such a column; one with an offset keeps it, one that is no date becomes the zero time. */
export function printDateText(text: string): string {
  const match = textPattern.exec(text.replace(/Z$/, ''));
  if (match === null) return zeroTime;
  const [, year = '', month = '', day = '', , hour = '00', minute = '00', second, fraction = '', offset] = match;
  // An offset only goes with seconds: the shorter formats of the list have none.
  if (offset !== undefined && (second === undefined || !isOffset(offset))) return zeroTime;
  if (!isDay(Number(year), Number(month), Number(day)) || Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59)
    return zeroTime;
  const zone = offset === undefined || offset.endsWith('00:00') ? 'Z' : offset;
  return `${year}-${month}-${day}T${hour.padStart(2, '0')}:${minute}:${second ?? '00'}${printFraction(fraction)}${zone}`;
}

/** Values beyond this are milliseconds (go-sqlite3's rule). */
const largestSeconds = 1_000_000_000_000n;
const nanosPerSecond = 1_000_000_000n;

/** The last second of the year 9999, and the first of the year 0, in seconds since 1970. */
const latest = 253_402_300_799n;
const earliest = -62_167_219_200n;

/** An integer of such a column: seconds, or milliseconds where it is large; undefined where the year has no four digits, which Go can't print. */
export function printDateNumber(value: bigint): string | undefined {
  const isMillis = value > largestSeconds || value < -largestSeconds;
  // Go multiplies in 64 bits and lets them overflow.
  const nanos = isMillis ? BigInt.asIntN(64, value * 1_000_000n) : 0n;
  const fraction = ((nanos % nanosPerSecond) + nanosPerSecond) % nanosPerSecond;
  const seconds = isMillis ? (nanos - fraction) / nanosPerSecond : value;
  if (seconds < earliest || seconds > latest) return undefined;
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${text}${printFraction(String(fraction).padStart(9, '0'))}Z`;
}
