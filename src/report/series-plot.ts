/** A value over time as an area of steps: the marks are an SVG that stretches with the page, the words around it stay text of their own size. */
import { formatAxisValue, formatTick, listTicks, listTimeTicks } from './axis.ts';
import { place } from './chart.ts';
import { markup, type Markup } from './markup.ts';

/** One value for each stretch of time of equal length, but the last, which ends with the axis. */
export interface Series {
  readonly values: readonly number[];
  readonly binMs: number;
  readonly endMs: number;
}

export interface SeriesPlot {
  readonly series: Series;
  /** What the drawing is, for a screen reader. */
  readonly label: string;
  /** A class of the style sheet that gives the marks their colour. */
  readonly tone: string;
  /** The reading of one stretch, e.g. `12,000 rows/s`. */
  readonly read: (value: number) => string;
  /** The axis ends here at least; above the largest value by default. */
  readonly max?: number | undefined;
  readonly formatValue?: ((value: number) => string) | undefined;
  /** A low strip among others: without ticks of time, and two values beside it. */
  readonly isStrip?: boolean | undefined;
}

const viewWidth = 1_000;
const viewHeight = 100;
const timeTicks = 6;

/** Draws the plot; arrow keys and the pointer read it value by value where scripts may run. */
export function writeSeries(plot: SeriesPlot): Markup {
  const { series, isStrip = false, formatValue = formatAxisValue } = plot;
  const largest = Math.max(plot.max ?? 0, ...series.values);
  const ticks = isStrip ? [0, largest > 0 ? largest : 1] : listTicks(largest, 4);
  const top = ticks.at(-1) ?? 1;
  const labels = ticks.map((tick) => markup`<span style="bottom:${place((tick / top) * 100)}%">${formatValue(tick)}</span>`);
  const lines = ticks.map((tick) => {
    const y = place(viewHeight * (1 - tick / top));
    return markup`<line class="grid" x1="0" x2="${viewWidth}" y1="${y}" y2="${y}" />`;
  });
  const readings = series.values.map((value, index) => `${describeStretch(series, index)}: ${plot.read(value)}`);
  return markup`<div class="plot${isStrip ? ' strip' : ''}"><div class="y-axis" aria-hidden="true">${labels}</div><div class="area" data-readings="${JSON.stringify(readings)}"><svg viewBox="0 0 ${viewWidth} ${viewHeight}" preserveAspectRatio="none" role="img" aria-label="${plot.label}">${lines}<path class="${plot.tone} fill" d="${drawArea(series, top)}" /><path class="${plot.tone} edge" d="${drawEdge(series, top)}" /></svg></div>${isStrip ? undefined : writeTimeAxis(series.endMs)}</div>`;
}

/** `2 s to 4 s`, in the unit of the axis. */
export function describeStretch(series: Series, index: number): string {
  return `${formatTick(index * series.binMs, series.endMs)} to ${formatTick(endStretch(series, index), series.endMs)}`;
}

function endStretch({ values, binMs, endMs }: Series, index: number): number {
  return index === values.length - 1 ? endMs : (index + 1) * binMs;
}

/** The ticks of time below a plot. */
export function writeTimeAxis(endMs: number): Markup {
  const ticks = listTimeTicks(endMs, timeTicks);
  const labels = ticks.map((tick) => {
    const share = (tick / endMs) * 100;
    // Centred below its place, it would stick out of the page.
    return markup`<span${share > 95 ? markup` class="last"` : undefined} style="left:${place(share)}%">${formatTick(tick, endMs)}</span>`;
  });
  return markup`<div class="x-axis" aria-hidden="true">${labels}</div>`;
}

function listCorners(series: Series, top: number): readonly (readonly [number, number])[] {
  return series.values.flatMap((value, index) => {
    const y = viewHeight * (1 - value / top);
    const x = (ms: number): number => (ms / series.endMs) * viewWidth;
    return [
      [x(index * series.binMs), y],
      [x(endStretch(series, index)), y],
    ] as const;
  });
}

function drawEdge(series: Series, top: number): string {
  return `M${listCorners(series, top)
    .map(([x, y]) => `${place(x)} ${place(y)}`)
    .join('L')}`;
}

function drawArea(series: Series, top: number): string {
  const end = listCorners(series, top).at(-1)?.[0] ?? 0;
  return `${drawEdge(series, top)}L${place(end)} ${viewHeight}L0 ${viewHeight}Z`;
}
