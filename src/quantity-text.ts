/** Quantities as a person reads them: counts with separators, bytes, rates, shares and durations; never a sign, a NaN or false precision. */
import { formatCount } from './count-text.ts';

export { formatCount };

/** Decimal units, as disks and networks are sold and as `--batch-bytes 64MB` is read. */
const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** A count with its noun: `1 row`, `2,000 rows`. */
export function formatCountOf(count: number, noun: string, plural: string = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** `812 B`, `7.7 kB`, `1.5 TB`: three digits at most. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value).toString() : trimDigits(value)} ${byteUnits[unit]}`;
}

/** Rows or bytes a second, kept to three meaningful digits where small. */
export function formatRate(perSecond: number): string {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return '0';
  return perSecond < 100 ? trimDigits(perSecond) : formatCount(perSecond);
}

function trimDigits(value: number): string {
  return value >= 99.95 ? Math.round(value).toString() : value.toFixed(1).replace(/\.0$/, '');
}

/** A share of 1 as a whole percent. What is not all is never shown as 100 %, what is not nothing never as 0 %. */
export function formatShare(share: number): string {
  if (!(share > 0)) return '0 %';
  if (share >= 1) return '100 %';
  if (share < 0.01) return '<1 %';
  return `${Math.min(99, Math.round(share * 100))} %`;
}

interface Unit {
  readonly symbol: string;
  readonly seconds: number;
}

const timeUnits: readonly Unit[] = [
  { symbol: 'd', seconds: 86_400 },
  { symbol: 'h', seconds: 3_600 },
  { symbol: 'm', seconds: 60 },
  { symbol: 's', seconds: 1 },
];

/** A duration rounded to two units: `1h 5m`, `2m 10s`, `45s`. Rounding carries over: 59.9 s of the 59th minute is `1h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  const index = timeUnits.findIndex((each) => Math.round(seconds) >= each.seconds);
  const unit = timeUnits[index];
  if (!unit) return '0s';
  const smaller = timeUnits[index + 1] ?? unit;
  const rounded = Math.round(seconds / smaller.seconds) * smaller.seconds;
  // 23h 59m 40s has become 24h.
  if (rounded >= (timeUnits[index - 1]?.seconds ?? Infinity)) return formatDuration(rounded * 1_000);
  const rest = (rounded % unit.seconds) / smaller.seconds;
  const first = `${Math.floor(rounded / unit.seconds)}${unit.symbol}`;
  return rest > 0 ? `${first} ${rest}${smaller.symbol}` : first;
}

/** A short time that was measured: `0.8 ms`, `312 ms`, `4.2 s`, then as {@link formatDuration}. */
export function formatElapsed(ms: number): string {
  if (ms < 999.5) return `${trimDigits(Math.max(0, ms))} ms`;
  return ms < 59_950 ? `${trimDigits(ms / 1_000)} s` : formatDuration(ms);
}
