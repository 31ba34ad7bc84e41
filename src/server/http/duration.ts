/** Durations as Go writes them (`1h2m3.5s`, `50ms`, `1µs`): what rqlite's clients send and what they read in `/status`. */

const nanosecondsByUnit: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  // Both signs for micro: U+00B5 and U+03BC.
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

const partPattern = /(\d+\.?\d*|\.\d+)([a-zµμ]+)/gy;
/** Go keeps durations in 64 bits of nanoseconds: about 292 years. */
const maxNanoseconds = 2 ** 63;

/** Milliseconds, or undefined for a text that Go would refuse. A number without a unit is refused but for `0`. */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const rest = /^[-+]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0;
  let total = 0;
  let end = 0;
  for (const match of rest.matchAll(partPattern)) {
    const unit = nanosecondsByUnit[match[2] ?? ''];
    if (unit === undefined) return undefined;
    total += Number(match[1]) * unit;
    end = match.index + match[0].length;
  }
  if (rest === '' || end !== rest.length || total > maxNanoseconds) return undefined;
  return (sign * total) / 1e6;
}

/** `50ms`, `1m30s`, `2h0m5.5s`: the text that Go prints for so many milliseconds. */
export function formatDuration(durationMs: number): string {
  const nanoseconds = Math.round(Math.abs(durationMs) * 1e6);
  const sign = durationMs < 0 && nanoseconds > 0 ? '-' : '';
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e3) return `${sign}${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${sign}${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${sign}${nanoseconds / 1e6}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${(nanoseconds - minutes * 60e9) / 1e9}s`;
  if (minutes === 0) return `${sign}${seconds}`;
  return minutes < 60 ? `${sign}${minutes}m${seconds}` : `${sign}${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
