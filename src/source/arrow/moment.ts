/** Arrow's times, dates and decimals as the text that sluice keeps them as: no digit is lost. */
import type { TimeUnit } from './schema.ts';

/** `Date` reaches this far from 1970; years that no database takes lie well inside. */
const maxSeconds = 8_640_000_000_000n;

const scales: Readonly<Record<TimeUnit, bigint>> = { 0: 1n, 3: 1_000n, 6: 1_000_000n, 9: 1_000_000_000n };

/** `2024-02-29T12:00:00.5Z`; a count that is no day of the calendar stays a number, which its column refuses. */
export function writeTimestamp(count: bigint, unit: TimeUnit, hasZone: boolean): string {
  const scale = scales[unit];
  const rest = ((count % scale) + scale) % scale;
  const seconds = (count - rest) / scale;
  if (seconds > maxSeconds || seconds < -maxSeconds) return String(count);
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, -5);
  return `${text}${writeFraction(rest, unit)}${hasZone ? 'Z' : ''}`;
}

/** In groups of three digits, as many as say something. */
function writeFraction(rest: bigint, unit: TimeUnit): string {
  if (rest === 0n) return '';
  return `.${String(rest)
    .padStart(unit, '0')
    .replace(/(?:000){1,2}$/u, '')}`;
}

/** `12:30:00.25`. */
export function writeTime(count: bigint, unit: TimeUnit): string {
  const scale = scales[unit];
  const seconds = count / scale;
  if (count < 0n || seconds >= 86_400n) return String(count);
  return new Date(Number(seconds) * 1000).toISOString().slice(11, 19) + writeFraction(count % scale, unit);
}

const dayMs = 86_400_000;

/** Of days since 1970. */
export function writeDate(days: number): string {
  return Math.abs(days) > 100_000_000 ? String(days) : new Date(days * dayMs).toISOString().split('T', 1)[0]!;
}

/** A whole number with its point put `scale` digits from the right. */
export function writeDecimal(value: bigint, scale: number): string {
  if (scale <= 0) return value === 0n ? '0' : `${String(value)}${'0'.repeat(-scale)}`;
  const sign = value < 0n ? '-' : '';
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
