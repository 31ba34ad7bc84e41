/** One line on a terminal that says how far something is, drawn anew a few times a second; off a terminal nothing. */
import type { Output } from './terminal.ts';
import { showWaiting } from './terminal.ts';

/** People read no faster. */
const redrawMs = 100;

export interface ProgressLine {
  readonly show: (text: () => string) => void;
  /** Takes the line away. Repeatable. */
  readonly end: () => void;
}

/** `ready` takes away what stands there until the first progress. */
export function createProgressLine(output: Output, ready: () => void): ProgressLine {
  let clear = ready;
  let drawnMs = Number.NEGATIVE_INFINITY;
  const end = (): void => {
    clear();
    clear = () => undefined;
  };
  return {
    end,
    show: (text) => {
      const now = performance.now();
      if (!output.isTerminal || now - drawnMs < redrawMs) return;
      drawnMs = now;
      end();
      clear = showWaiting(output, text());
    },
  };
}
