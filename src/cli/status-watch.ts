/** `sluice status --watch`: redraws the loads that run, once a second, until none does; plain lines off a terminal, JSON lines for programs. */
import type { WatchedLoad } from '../load/control/watch-status.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatBytes, formatCount, formatDuration, formatRate, formatShare } from './quantity.ts';
import { layoutTable } from './table.ts';
import { cutText } from './text-width.ts';
import type { Colors, Output } from './terminal.ts';

interface WatchRequest {
  readonly selection: { readonly in: string; readonly load?: string };
  readonly isJson: boolean;
}

/** Runs until no load runs any more, or Ctrl-C: both are an end without an error. */
export async function runStatusWatch(invocation: Invocation, { isJson, selection }: WatchRequest): Promise<number> {
  const { stdout } = invocation.terminal;
  const { watchStatus } = await openLibrary();
  const interrupts = watchInterrupts(
    () => undefined,
    () => undefined,
  );
  const screen = isJson || !stdout.isTerminal ? undefined : openScreen(stdout);
  let isFirst = true;
  try {
    for await (const loads of watchStatus({ ...selection, signal: interrupts.signal })) {
      if (isFirst) invocation.ready();
      if (isJson) stdout.write(toJsonLine({ schema: 1, at: new Date().toISOString(), loads }));
      else if (loads.length === 0) stdout.write(isFirst ? 'no load is running\n' : '');
      else if (screen === undefined) stdout.write(loads.map((load) => `${layoutLine(load)}\n`).join(''));
      else screen.draw(layoutLoads(loads, stdout.width() ?? 80, stdout.colors));
      isFirst = false;
    }
  } finally {
    interrupts.release();
  }
  return 0;
}

/** Draws lines over those that were drawn before. */
function openScreen(output: Output): { readonly draw: (lines: readonly string[]) => void } {
  let drawn = 0;
  return {
    draw: (lines) => {
      const height = Math.max(1, (output.height() ?? 24) - 1);
      const shown = lines.slice(0, height);
      const up = drawn > 0 ? `\x1b[${String(drawn)}A` : '';
      output.write(`${up}\r\x1b[J${shown.map((line) => `${line}\n`).join('')}`);
      drawn = shown.length;
    },
  };
}

const titles = ['load', 'state', 'table', 'read', 'written', 'rejected', 'done', 'rate', 'left'];
const numbers: ReadonlySet<string> = new Set(['read', 'written', 'rejected', 'done', 'rate', 'left']);

/** The table of running loads, cut to the width of the window: a line that wraps could not be drawn over. */
export function layoutLoads(loads: readonly WatchedLoad[], width: number, colors: Colors): readonly string[] {
  const table = layoutTable({
    columns: titles.map((title) => ({ title, align: numbers.has(title) ? 'right' : 'left' })),
    rows: loads.map(describeLoad),
    width,
    styleTitle: colors.dim,
  });
  return table.map((line) => cutText(line, width));
}

function describeLoad(load: WatchedLoad): readonly string[] {
  const { counts, etaMs, rowsPerSecond } = load;
  return [
    load.label ?? load.load,
    load.state.replace('_', ' '),
    load.table,
    ...[counts.read, counts.written, counts.rejected].map(formatCount),
    describeShare(load),
    rowsPerSecond === undefined ? '' : `${formatRate(rowsPerSecond)} rows/s`,
    etaMs === undefined ? '' : formatDuration(Math.max(1_000, etaMs)),
  ];
}

/** By bytes of the source, else by shards. */
function describeShare({ bytes, shards, totalBytes }: WatchedLoad): string {
  if (totalBytes !== undefined && totalBytes > 0) return formatShare(bytes / totalBytes);
  return shards.total > 1 ? `${formatCount(shards.done)}/${formatCount(shards.total)}` : formatBytes(bytes);
}

/** One line a load and second, for a log. */
export function layoutLine(load: WatchedLoad): string {
  const { counts, etaMs, label, rowsPerSecond, state } = load;
  return [
    label === undefined ? load.load : `${load.load} ${label}`,
    state.replace('_', ' '),
    describeShare(load),
    `${formatCount(counts.read)} rows`,
    ...(counts.rejected > 0 ? [`${formatCount(counts.rejected)} rejected`] : []),
    ...(rowsPerSecond === undefined ? [] : [`${formatRate(rowsPerSecond)} rows/s`]),
    ...(etaMs === undefined ? [] : [`${formatDuration(Math.max(1_000, etaMs))} left`]),
  ].join(' · ');
}
