/** Axes: from values to pixels, and the round numbers that stand beside them. */

/** A step of 1, 2 or 5 times a power of ten, so that `max` takes about `count` of them. */
export function chooseStep(max: number, count: number): number {
  if (!(max > 0)) return 1;
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find((each) => each * power >= rough) ?? 10;
  return factor * power;
}

/** Round values from 0 to the first that is not below `max`. */
export function listTicks(max: number, count: number): readonly number[] {
  const step = chooseStep(max, count);
  const last = Math.max(1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: last + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** Steps of time that people count in, in seconds; beyond days, days. */
const timeSteps: readonly number[] = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600,
  43_200, 86_400,
];

/** Round moments from 0 up to `maxMs` itself at most: an axis of time ends where the session ends. */
export function listTimeTicks(maxMs: number, count: number): readonly number[] {
  const seconds = Math.max(maxMs, 1) / 1_000;
  const days = Math.max(1, Math.ceil(seconds / 86_400 / count));
  const step = timeSteps.find((each) => seconds / each <= count) ?? days * 86_400;
  return Array.from({ length: Math.floor(seconds / step + 1e-9) + 1 }, (_, index) => index * step * 1_000);
}

/** The time of a tick, all of one axis in the same unit: `0`, `30 s`, `1.5 s`, `2 min`, `3 h`. */
export function formatTick(ms: number, maxMs: number): string {
  if (ms === 0) return '0';
  const seconds = ms / 1_000;
  if (maxMs < 1_000) return `${trim(ms)} ms`;
  if (maxMs < 180_000) return `${trim(seconds)} s`;
  if (maxMs < 3 * 3_600_000) return `${trim(seconds / 60)} min`;
  return maxMs < 3 * 86_400_000 ? `${trim(seconds / 3_600)} h` : `${trim(seconds / 86_400)} d`;
}

function trim(value: number): string {
  return String(Number(value.toFixed(2)));
}

/** `1.5M`, `250k`, `0.5`: a value beside an axis. */
export function formatAxisValue(value: number): string {
  const units = [
    { size: 1e12, symbol: 'T' },
    { size: 1e9, symbol: 'G' },
    { size: 1e6, symbol: 'M' },
    { size: 1e3, symbol: 'k' },
  ] as const;
  const unit = units.find(({ size }) => value >= size);
  return unit === undefined ? trim(value) : `${trim(value / unit.size)}${unit.symbol}`;
}
