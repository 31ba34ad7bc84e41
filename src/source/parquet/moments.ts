/** Dates and times of Parquet, counted in days, milli-, micro- or nanoseconds, as text with every digit that the unit has. */

const dayMs = 86_400_000;
/** Julian day of 1970-01-01. */
const julianEpoch = 2_440_588n;
const dayNanoseconds = 86_400_000_000_000n;

/** Digits behind the point, and units a second, by unit. */
export interface TimeUnit {
  readonly digits: 3 | 6 | 9;
  readonly perSecond: bigint;
}

export const milliseconds: TimeUnit = { digits: 3, perSecond: 1_000n };
export const microseconds: TimeUnit = { digits: 6, perSecond: 1_000_000n };
export const nanoseconds: TimeUnit = { digits: 9, perSecond: 1_000_000_000n };

/** `YYYY-MM-DD` of a count of days since 1970. A year beyond 9999 is written with its sign, which no date of sluice takes: the row is refused, not altered. */
export function writeDate(days: number): string {
  const day = new Date(days * dayMs);
  return Number.isNaN(day.getTime()) ? `day ${String(days)}` : day.toISOString().split('T', 1)[0]!;
}

/** `YYYY-MM-DDTHH:MM:SS.fff…`, with `Z` for a moment in UTC. */
export function writeTimestamp(count: bigint, unit: TimeUnit, isUtc: boolean): string {
  const { seconds, fraction } = split(count, unit);
  const moment = new Date(Number(seconds) * 1000);
  if (Number.isNaN(moment.getTime())) return `second ${String(seconds)}`;
  return `${moment.toISOString().slice(0, -5)}.${fraction}${isUtc ? 'Z' : ''}`;
}

/** `HH:MM:SS.fff…` of a count since midnight. */
export function writeTime(count: bigint, unit: TimeUnit): string {
  const { seconds, fraction } = split(count, unit);
  const hours = seconds / 3600n;
  const two = (value: bigint): string => String(value).padStart(2, '0');
  return `${two(hours)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}.${fraction}`;
}

/** Nanoseconds since 1970 of the twelve bytes that Impala and old Spark write: nanoseconds of the day, Julian day. */
export function readInt96(view: DataView, offset: number): bigint {
  const days = BigInt(view.getUint32(offset + 8, true)) - julianEpoch;
  return days * dayNanoseconds + view.getBigInt64(offset, true);
}

/** Rounded down, so that the fraction of a time before 1970 counts forward too. */
function split(count: bigint, { digits, perSecond }: TimeUnit): { readonly seconds: bigint; readonly fraction: string } {
  const rest = ((count % perSecond) + perSecond) % perSecond;
  return { seconds: (count - rest) / perSecond, fraction: String(rest).padStart(digits, '0') };
}

/** ISO 8601 duration of the twelve bytes of an interval: months, days, milliseconds. */
export function writeInterval(view: DataView, offset: number): string {
  const [months, days, ms] = [0, 4, 8].map((at) => view.getUint32(offset + at, true)) as [number, number, number];
  return `P${String(months)}M${String(days)}DT${String(Math.floor(ms / 1000))}.${String(ms % 1000).padStart(3, '0')}S`;
}
