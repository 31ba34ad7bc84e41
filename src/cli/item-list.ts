/** Named facts as aligned lines: the part that a plan and a summary look alike in. */
import type { Decision } from '../target/driver.ts';
import type { Colors } from './terminal.ts';
import { measureWidth, padText } from './text-width.ts';

export type Item = readonly [name: string, text: string];

/** A longer name sticks out of the column of names. */
const maxNameWidth = 18;

/** One line for each item, indented, its text in a column of its own. */
export function layoutItems(items: readonly Item[]): readonly string[] {
  const width = Math.min(maxNameWidth, Math.max(0, ...items.map(([name]) => measureWidth(name))));
  return items.map(([name, text]) => `  ${padText(name, width)}  ${text}`);
}

/** Decisions with their reasons. */
export function describeDecisions(decisions: readonly Decision[], colors: Colors): readonly Item[] {
  return decisions.map(({ what, choice, why }) => [what, why === '' ? choice : `${choice} ${colors.dim(`(${why})`)}`]);
}

/** Facts that no decision speaks of already. */
export function omitDecided(items: readonly Item[], decisions: readonly Decision[]): readonly Item[] {
  return items.filter(([name]) => decisions.every(({ what }) => what !== name));
}
