/** A terminal's screen in miniature: what a person would see after a program has written its codes. Knows only the codes that sluice writes. */
import type { Output } from '../../src/cli/terminal.ts';
import picocolors from 'picocolors';

export interface Screen {
  /** The visible lines, without trailing blanks. */
  lines(): readonly string[];
  readonly isCursorShown: () => boolean;
  write(text: string): void;
}

const token = /\p{Cc}\[\?25([hl])|\p{Cc}\[(\d*)A|\p{Cc}\[0J|\p{Cc}\[2K|\p{Cc}\[[\d;]*m|[\s\S]/gu;

/** An empty screen that never wraps: a line that is too wide is a fault of the program under test. */
export function createScreen(): Screen {
  const rows: string[] = [''];
  let row = 0;
  let column = 0;
  let isShown = true;

  function put(character: string): void {
    const line = (rows[row] ?? '').padEnd(column);
    rows[row] = line.slice(0, column) + character + line.slice(column + 1);
    column++;
  }

  function obey(text: string, cursor: string | undefined, up: string | undefined): void {
    if (cursor !== undefined) isShown = cursor === 'h';
    else if (up !== undefined) row = Math.max(0, row - Number(up || 1));
    else if (text === '\x1b[0J') rows.splice(row, rows.length - row, (rows[row] ?? '').slice(0, column));
    else if (text === '\x1b[2K') rows[row] = '';
    else if (text === '\r') column = 0;
    else if (text === '\n') {
      row++;
      column = 0;
      rows[row] ??= '';
    } else if (!text.startsWith('\x1b')) put(text);
  }

  return {
    lines: () => rows.map((line) => line.trimEnd()).filter((line, index) => line !== '' || index < rows.length - 1),
    isCursorShown: () => isShown,
    write: (text) => {
      for (const [code, cursor, up] of text.matchAll(token)) obey(code, cursor, up);
    },
  };
}

/** A terminal's output that draws on a screen and can be resized. */
export function createScreenOutput(screen: Screen, size: { width: number; height: number }): Output & { resize(): void } {
  const listeners = new Set<() => void>();
  return {
    isTerminal: true,
    colors: picocolors.createColors(false),
    width: () => size.width,
    height: () => size.height,
    write: (text) => {
      screen.write(text);
      return true;
    },
    flush: async () => undefined,
    onResize: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resize: () => listeners.forEach((listener) => listener()),
  };
}
