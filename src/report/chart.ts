/** What all charts share: a figure with a title, a sentence that says what it shows, the drawing, and the same values as a table. */
import { markup, type Markup } from './markup.ts';

/** The values of a chart for those who can't see it, or want the numbers. */
export interface ChartTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Figure {
  /** Unique in the page. */
  readonly id: string;
  readonly title: string;
  /** One or two sentences with the figures that matter. */
  readonly summary: string;
  readonly drawing: Markup;
  readonly table: ChartTable;
}

/** Coordinates in an SVG: tenths of a unit are below what a screen shows. */
export function place(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A table with its first column as the rows' headings; columns after it hold numbers. */
export function writeTable({ columns, rows }: ChartTable, caption: string): Markup {
  const heads = columns.map((column, index) =>
    index === 0 ? markup`<th scope="col">${column}</th>` : markup`<th scope="col" class="number">${column}</th>`,
  );
  const lines = rows.map(([first = '', ...others]) => {
    return markup`<tr><th scope="row">${first}</th>${others.map((text) => markup`<td class="number">${text}</td>`)}</tr>\n`;
  });
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption class="unseen">${caption}</caption><thead><tr>${heads}</tr></thead><tbody>${lines}</tbody></table></div>`;
}

export function writeFigure({ id, title, summary, drawing, table }: Figure): Markup {
  return markup`<figure aria-labelledby="${id}-title"><figcaption><h3 id="${id}-title">${title}</h3><p>${summary}</p></figcaption>${drawing}<details><summary>The same as a table</summary>${writeTable(table, title)}</details></figure>\n`;
}
