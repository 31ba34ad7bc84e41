/** Values side by side as a table whose second column is a bar: it reads without colours, and a screen reader reads it as it is. */
import { place } from './chart.ts';
import { markup, type Markup, type Part } from './markup.ts';

export interface BarRow {
  readonly label: Part;
  readonly value: number;
  /** Cells after the bar. */
  readonly cells: readonly Part[];
  /** A class of the style sheet that gives the bar its colour. */
  readonly tone?: string | undefined;
  /** The bar is hatched: its value is an estimate. */
  readonly isHatched?: boolean | undefined;
}

export interface BarTable {
  readonly caption: string;
  /** Titles of the label, and of the cells after the bar. */
  readonly columns: readonly string[];
  /** Columns of text among the cells, by index; others hold numbers. */
  readonly textColumns?: readonly number[] | undefined;
  readonly rows: readonly BarRow[];
}

/** Below this share of the longest a bar would not be seen at all. */
const minBar = 0.4;

export function writeBars({ caption, columns, rows, textColumns = [] }: BarTable): Markup {
  const max = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  const [first = '', ...others] = columns;
  const classOf = (index: number): string => (textColumns.includes(index) ? 'text' : 'number');
  const heads = others.map((title, index) => markup`<th scope="col" class="${classOf(index)}">${title}</th>`);
  const lines = rows.map((row) => {
    const cells = row.cells.map((cell, index) => markup`<td class="${classOf(index)}">${cell}</td>`);
    return markup`<tr><th scope="row">${row.label}</th><td class="bar">${drawBar(row, max)}</td>${cells}</tr>\n`;
  });
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table${textColumns.length > 0 ? markup` class="worded"` : undefined}><caption class="unseen">${caption}</caption><thead><tr><th scope="col">${first}</th><td class="bar"></td>${heads}</tr></thead><tbody>${lines}</tbody></table></div>`;
}

function drawBar({ value, tone = 'tone-main', isHatched = false }: BarRow, max: number): Markup {
  const share = value > 0 ? Math.max(minBar, (value / max) * 100) : 0;
  const style = `${tone} ${isHatched ? 'hatched' : 'solid'}`;
  return markup`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><line class="ground" x1="0" x2="100" y1="9.5" y2="9.5" /><rect class="${style}" x="0" y="0" width="${place(share)}" height="10" /></svg>`;
}
