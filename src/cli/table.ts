/** Rows of cells as text: aligned, and on a terminal cut to its width. Elsewhere nothing is cut, so that nothing is lost in a pipe. */
import { cutText, flattenText, measureWidth, padText } from './text-width.ts';

interface TableColumn {
  readonly title: string;
  /** `right` for numbers; `left` by default. */
  readonly align?: 'left' | 'right';
}

interface TableOptions {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly string[])[];
  /** Cells of the terminal; undefined off a terminal. */
  readonly width: number | undefined;
  /** How titles are set off; by default they are left as they are. */
  readonly styleTitle?: (text: string) => string;
}

const gap = 2;
/** A column is not cut below this to make room for others. */
const minColumnWidth = 4;

/** The table's lines, titles first. Cells are flattened to one line. */
export function layoutTable(options: TableOptions): readonly string[] {
  const { columns, width } = options;
  const cells = options.rows.map((row) => row.map(flattenText));
  const titles = columns.map((column) => column.title);
  const natural = naturalWidths([titles, ...cells]);
  const style = options.styleTitle ?? ((text: string) => text);
  if (width === undefined) return layoutUncut([titles, ...cells], columns, natural);
  const widths = fitWidths(natural, width);
  // With more columns than the width can hold, the last ones are cut off: a row that wraps can't be read as a table.
  const layout = (row: readonly string[]): string => cutText(layoutRow(row, columns, widths), width);
  return [style(layout(titles)), ...cells.map(layout)];
}

/** Cells wider than this stick out of their column: one long text must not fill every other row with spaces. */
const maxPaddedWidth = 40;

function layoutUncut(rows: readonly (readonly string[])[], columns: readonly TableColumn[], natural: readonly number[]): readonly string[] {
  const widths = natural.map((width) => Math.min(width, maxPaddedWidth));
  return rows.map((row) => joinCells(row.map((cell, index) => padText(cell, widths[index] ?? 0, padSide(columns[index])))));
}

function joinCells(cells: readonly string[]): string {
  return cells.join(' '.repeat(gap)).trimEnd();
}

function naturalWidths(rows: readonly (readonly string[])[]): readonly number[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, measureWidth(cell))));
  return widths;
}

/** Takes what is too much from the widest columns first: short ones stay whole as long as a long one can give. */
function fitWidths(natural: readonly number[], width: number): readonly number[] {
  const room = width - gap * (natural.length - 1);
  let excess = sum(natural) - room;
  const widths = [...natural];
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= minColumnWidth) break;
    const next = Math.max(minColumnWidth, ...widths.filter((each) => each < widest));
    const count = widths.filter((each) => each === widest).length;
    const take = Math.min(widest - next, Math.max(1, Math.floor(excess / count)));
    for (let index = 0; index < widths.length && excess > 0; index++) {
      if (widths[index] !== widest) continue;
      widths[index] = widest - take;
      excess -= take;
    }
  }
  return widths;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function layoutRow(row: readonly string[], columns: readonly TableColumn[], widths: readonly number[]): string {
  return joinCells(row.map((cell, index) => padText(cutText(cell, widths[index] ?? 0), widths[index] ?? 0, padSide(columns[index]))));
}

function padSide(column: TableColumn | undefined): 'left' | 'right' {
  return column?.align === 'right' ? 'left' : 'right';
}

/** Packs pieces onto as few lines as the width allows, in order; a piece that is wider alone is cut. */
export function flowPieces(pieces: readonly string[], width: number, separator = '   '): readonly string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const line = lines.at(-1);
    const joined = line === undefined ? piece : line + separator + piece;
    if (line !== undefined && measureWidth(joined) <= width) lines[lines.length - 1] = joined;
    else lines.push(cutText(piece, width));
  }
  return lines;
}
