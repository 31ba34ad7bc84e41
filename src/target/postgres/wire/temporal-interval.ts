/** Intervals between text and PostgreSQL's months, days and microseconds; fractions spill downwards as the server lets them. */
import type { TemporalFault } from './temporal.ts';
import { roundHalfEven } from './temporal.ts';

export interface Interval {
  readonly months: number;
  readonly days: number;
  /** Within 64 bits. */
  readonly microseconds: bigint;
}

type Unit =
  'microsecond' | 'millisecond' | 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year' | 'decade' | 'century' | 'millennium';

/** Months, days or microseconds that a unit stands for. */
const unitSizes: Readonly<Record<Unit, readonly [field: 'months' | 'days' | 'microseconds', size: number]>> = {
  microsecond: ['microseconds', 1],
  millisecond: ['microseconds', 1000],
  second: ['microseconds', 1_000_000],
  minute: ['microseconds', 60_000_000],
  hour: ['microseconds', 3_600_000_000],
  day: ['days', 1],
  week: ['days', 7],
  month: ['months', 1],
  year: ['months', 12],
  decade: ['months', 120],
  century: ['months', 1200],
  millennium: ['months', 12_000],
};

const unitWords: ReadonlyMap<string, Unit> = new Map(
  (
    [
      ['microsecond', 'us usec usecs microsecond microseconds usecond useconds'],
      ['millisecond', 'ms msec msecs millisecond milliseconds msecond mseconds'],
      ['second', 's sec secs second seconds'],
      ['minute', 'm min mins minute minutes'],
      ['hour', 'h hr hrs hour hours'],
      ['day', 'd day days'],
      ['week', 'w week weeks'],
      ['month', 'mon mons month months'],
      ['year', 'y yr yrs year years'],
      ['decade', 'dec decs decade decades'],
      ['century', 'c cent century centuries'],
      ['millennium', 'mil mils millennium millennia'],
    ] as const
  ).flatMap(([unit, words]) => words.split(' ').map((word) => [word, unit] as const)),
);

const maxLength = 256;
/** A clock, years and months of the SQL standard, or an amount and its unit: without one days before a clock, seconds at the end. */
const partPattern =
  /\s*(?:([+-]?)(\d+):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?|([+-]?)(\d+)-(\d{1,2})(?![\d:])|([+-]?\d+(?:\.\d*)?|\.\d+)(?:\s*([a-z]+)|(?=\s+[+-]?\d+:)|(?=\s*$)))/iuy;

/** An amount as the server takes it apart: the fraction is rounded on its own, so that it may not carry the error of a large whole. */
interface Amount {
  readonly whole: number;
  /** Between −1 and 1, of the whole's sign. */
  readonly fraction: number;
}

/** `-12.5` as −12 and −0.5, the fraction read from its own digits. */
function readAmount(text: string): Amount {
  const dot = text.indexOf('.');
  if (dot === -1) return { whole: Number(text), fraction: 0 };
  const fraction = Number(`0${text.slice(dot)}`);
  const whole = text.slice(0, dot);
  return { whole: /\d/u.test(whole) ? Number(whole) : 0, fraction: whole.startsWith('-') ? -fraction : fraction };
}

/** Behind an amount and its unit exactly half a microsecond is cut off; in a clock it goes to the even one. */
function roundHalfDown(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) > 0.5 ? whole + Math.sign(value) : whole;
}

class Sum implements Interval {
  months = 0;
  days = 0;
  microseconds = 0n;

  /** Adds `whole + fraction` units; what is left of a month becomes days, what is left of a day microseconds. */
  add({ whole, fraction }: Amount, unit: Unit): void {
    const [field, size] = unitSizes[unit];
    if (field === 'microseconds') this.microseconds += BigInt(whole) * BigInt(size) + BigInt(roundHalfDown(fraction * size));
    else if (field === 'days') {
      this.days += whole * size;
      this.addFractionOfDays(fraction * size);
    } else {
      this.months += whole * size;
      if (unit === 'month') this.addFractionOfDays(fraction * 30);
      else this.months += roundHalfEven(fraction * size);
    }
  }

  addWhole(whole: number, unit: Unit): void {
    this.add({ whole, fraction: 0 }, unit);
  }

  private addFractionOfDays(amount: number): void {
    const whole = Math.trunc(amount);
    this.days += whole;
    this.microseconds += BigInt(roundHalfDown((amount - whole) * 86_400_000_000));
  }

  get fits(): boolean {
    const { months, days, microseconds } = this;
    return months === (months | 0) && days === (days | 0) && BigInt.asIntN(64, microseconds) === microseconds;
  }
}

/** Reads `1 year 2 mons 3 days 04:05:06.7`, the same with `@` and `ago`, and ISO 8601 (`P1Y2M3DT4H5M6.7S`, `P2W`). */
export function parseInterval(text: string): Interval | TemporalFault {
  if (text.length > maxLength) return 'shape';
  const trimmed = text.trim().toLowerCase();
  const sum = new Sum();
  const isRead = /^[+-]?p/u.test(trimmed) ? readIso(trimmed, sum) : readParts(trimmed, sum);
  if (!isRead) return 'shape';
  return sum.fits ? { months: sum.months, days: sum.days, microseconds: sum.microseconds } : 'range';
}

function readParts(text: string, sum: Sum): boolean {
  const isAgo = text.endsWith(' ago');
  const body = text.replace(/^@\s*/u, '').replace(/\s+ago$/u, '');
  if (body === '') return false;
  let at = 0;
  while (at < body.length) {
    partPattern.lastIndex = at;
    const match = partPattern.exec(body);
    if (match === null || !addPart(match, sum)) return false;
    at = partPattern.lastIndex;
  }
  if (isAgo) Object.assign(sum, { months: -sum.months, days: -sum.days, microseconds: -sum.microseconds });
  return true;
}

function addPart(match: RegExpExecArray, sum: Sum): boolean {
  const [, sign, hours, minutes, seconds = '0', yearSign, years, months, amount, word] = match;
  if (amount !== undefined) {
    const isLast = match.index + match[0].length === match.input.trimEnd().length;
    const unit = word === undefined ? (isLast ? 'second' : 'day') : unitWords.get(word);
    if (unit !== undefined) sum.add(readAmount(amount), unit);
    return unit !== undefined;
  }
  if (years !== undefined) {
    sum.addWhole((yearSign === '-' ? -1 : 1) * (Number(years) * 12 + Number(months)), 'month');
    return Number(months) < 12;
  }
  if (Number(minutes) > 59 || Number(seconds) >= 60) return false;
  const direction = sign === '-' ? -1 : 1;
  const clockSeconds = readAmount(seconds);
  sum.addWhole(direction * Number(hours), 'hour');
  sum.addWhole(direction * Number(minutes), 'minute');
  sum.addWhole(direction * clockSeconds.whole, 'second');
  sum.addWhole(direction * roundHalfEven(clockSeconds.fraction * 1_000_000), 'microsecond');
  return true;
}

const isoPattern =
  /^p(?:(-?[\d.]+)y)?(?:(-?[\d.]+)m)?(?:(-?[\d.]+)w)?(?:(-?[\d.]+)d)?(?:t(?:(-?[\d.]+)h)?(?:(-?[\d.]+)m)?(?:(-?[\d.]+)s)?)?$/u;
const isoUnits: readonly Unit[] = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second'];

function readIso(text: string, sum: Sum): boolean {
  const match = isoPattern.exec(text);
  if (match === null || /^p$|t$/u.test(text)) return false;
  return isoUnits.every((unit, index) => {
    const amount = Number(match[index + 1] ?? 0);
    if (Number.isNaN(amount)) return false;
    const whole = Math.trunc(amount);
    sum.add({ whole, fraction: amount - whole }, unit);
    return true;
  });
}

/** As PostgreSQL prints it with `intervalstyle = postgres`. */
export function printInterval({ months, days, microseconds }: Interval): string {
  const parts: string[] = [];
  const years = Math.trunc(months / 12);
  // A field behind a negative one that is not negative itself gets a sign.
  let isAfterNegative = false;
  const add = (amount: number, word: string): void => {
    if (amount === 0) return;
    parts.push(`${isAfterNegative && amount > 0 ? '+' : ''}${amount} ${word}${amount === 1 ? '' : 's'}`);
    isAfterNegative = amount < 0;
  };
  add(years, 'year');
  add(months - years * 12, 'mon');
  add(days, 'day');
  if (microseconds !== 0n || parts.length === 0) parts.push(printClock(microseconds, isAfterNegative));
  return parts.join(' ');
}

function printClock(microseconds: bigint, isAfterNegative: boolean): string {
  const size = microseconds < 0n ? -microseconds : microseconds;
  const pad = (value: bigint, width: number): string => String(value).padStart(width, '0');
  const sign = microseconds < 0n ? '-' : isAfterNegative ? '+' : '';
  const clock = `${sign}${pad(size / 3_600_000_000n, 2)}:${pad((size / 60_000_000n) % 60n, 2)}:${pad((size / 1_000_000n) % 60n, 2)}`;
  const fraction = size % 1_000_000n;
  return fraction === 0n ? clock : `${clock}.${pad(fraction, 6).replace(/0+$/u, '')}`;
}
