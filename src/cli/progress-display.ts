/** Shows a running load: a block redrawn in place, plain lines, JSON events, or nothing. Whatever happens, the cursor comes back. */
import { findBottleneck } from '../load/report/bottleneck.ts';
import type { Progress } from '../load/options.ts';
import { createProgressMeter } from '../load/report/progress-meter.ts';
import { toJsonLine } from './json-line.ts';
import { layoutBlock, layoutLine, measureShare } from './progress-block.ts';
import type { OutputOptions, ProgressWay } from './request.ts';
import type { Output, Terminal } from './terminal.ts';
import { measureWidth } from './text-width.ts';

/** 8 frames a second: smooth to the eye, and a tenth of a percent of one core. */
const frameMs = 125;
/** A log gets a line per 10 s or 5 %, whichever comes first. */
const lineMs = 10_000;
const lineShare = 0.05;
/** A short load would fill the log with twenty lines at once. */
const minLineGapMs = 1_000;
/** Programs get an event a second, and one for each new phase. */
const eventMs = 1_000;
/** How often the slow displays look whether a line is due although nothing was reported. */
const tickMs = 1_000;

/** What a display can be told. Nothing it does can fail. */
export interface ProgressDisplay {
  readonly show: (progress: Progress) => void;
  /** Something that stays: a line above whatever is redrawn, or the event that says the same. */
  readonly note: (text: string, event: Readonly<Record<string, unknown>>) => void;
  /** Looks at the time; called by a timer. */
  readonly tick: () => void;
  /** Takes away what is redrawn. Safe to call again. */
  readonly end: () => void;
}

/** The display that fits the options and the streams. `auto` is `json` with --json, else `tty` on a terminal and `plain` elsewhere. */
export function resolveProgressWay(options: Pick<OutputOptions, 'isJson' | 'progress'>, isTerminal: boolean): Exclude<ProgressWay, 'auto'> {
  if (options.progress !== 'auto') return options.progress;
  if (options.isJson) return 'json';
  return isTerminal ? 'tty' : 'plain';
}

/** Starts a display with its timer. The timer keeps no process alive. */
export function startProgressDisplay(terminal: Terminal, options: OutputOptions): ProgressDisplay {
  const way = resolveProgressWay(options, terminal.stderr.isTerminal);
  const display = createDisplay(way, terminal, options.isJson);
  const timer = setInterval(() => display.tick(), way === 'tty' ? frameMs : tickMs).unref();
  return {
    ...display,
    end: () => {
      clearInterval(timer);
      display.end();
    },
  };
}

function createDisplay(way: Exclude<ProgressWay, 'auto'>, terminal: Terminal, isJson: boolean): ProgressDisplay {
  const now = (): number => performance.now();
  if (way === 'tty') return createBlockDisplay(terminal.stderr);
  if (way === 'plain') return createLineDisplay(terminal.stderr, now);
  if (way === 'json') return createEventDisplay(isJson ? terminal.stdout : terminal.stderr, now);
  const nothing = (): void => undefined;
  return { show: nothing, note: nothing, tick: nothing, end: nothing };
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const clearBelow = '\x1b[0J';

/** What is known before the library has said anything. */
const planning: Progress = createProgressMeter({
  load: '',
  lanes: 0,
  totalBytes: undefined,
  counts: { read: 0, written: 0, skipped: 0, rejected: 0 },
  bytes: 0,
  embedding: undefined,
  rejectsByCause: [],
  nowMs: 0,
}).progress(0);

/** A block redrawn in place. Each frame is one write, so that it can't be seen half done. */
export function createBlockDisplay(output: Output): ProgressDisplay {
  let latest: { readonly progress: Progress; readonly atMs: number } | undefined = { progress: planning, atMs: performance.now() };
  let drawn: readonly string[] = [];
  const stopResize = output.onResize(() => draw());
  // An exception that nobody caught has been told below the block: that must stay, so only the cursor is put back.
  const restore = (): void => void output.write(showCursor);
  process.once('exit', restore);

  function erase(): string {
    const up = countTerminalLines(drawn, output.width() ?? 80);
    drawn = [];
    return up > 0 ? `\r\x1b[${up}A${clearBelow}` : '';
  }

  function draw(): void {
    if (!latest) return;
    const erased = drawn.length > 0 ? erase() : hideCursor;
    // The last cell of a line stays free: some terminals wrap when it is filled. The last line is the cursor's.
    const size = { width: (output.width() ?? 80) - 1, height: (output.height() ?? 24) - 1 };
    drawn = layoutBlock(advanceTime(latest.progress, performance.now() - latest.atMs), { ...size, colors: output.colors });
    output.write(`${erased}${drawn.join('\n')}\n`);
  }

  draw();
  return {
    show: (progress) => void (latest = { progress, atMs: performance.now() }),
    note: (text) => {
      output.write(`${drawn.length > 0 ? erase() + showCursor : ''}${text}\n`);
      draw();
    },
    tick: draw,
    end: () => {
      if (drawn.length > 0) output.write(erase() + showCursor);
      latest = undefined;
      drawn = [];
      stopResize();
      process.off('exit', restore);
    },
  };
}

/** Between two reports the clock goes on: a frozen clock looks like a program that hangs. */
function advanceTime(progress: Progress, ms: number): Progress {
  const etaMs = progress.etaMs === undefined ? undefined : Math.max(0, progress.etaMs - ms);
  return { ...progress, elapsedMs: progress.elapsedMs + ms, etaMs };
}

/** Lines that a block takes now: a window made narrower has wrapped what was drawn. */
export function countTerminalLines(lines: readonly string[], width: number): number {
  return lines.reduce((count, line) => count + Math.max(1, Math.ceil(measureWidth(line) / Math.max(1, width))), 0);
}

/** One line now and then, for logs. */
export function createLineDisplay(output: Pick<Output, 'write'>, now: () => number): ProgressDisplay {
  let latest: Progress | undefined;
  let line: { readonly atMs: number; readonly step: number; readonly phase: Progress['phase'] } | undefined;
  let startMs = now();

  function tick(): void {
    if (!latest || latest.phase === 'plan' || latest.phase === 'done') return;
    const step = Math.floor((measureShare(latest) ?? 0) / lineShare);
    const isNewPhase = latest.phase !== (line?.phase ?? 'load');
    const sinceMs = now() - (line?.atMs ?? startMs);
    const isNewStep = step > (line?.step ?? 0) && (line === undefined || sinceMs >= minLineGapMs);
    if (!isNewPhase && !isNewStep && sinceMs < lineMs) return;
    output.write(`${layoutLine(latest)}\n`);
    line = { atMs: now(), step, phase: latest.phase };
  }

  return {
    show: (progress) => {
      if (!latest) startMs = now();
      latest = progress;
      tick();
    },
    note: (text) => void output.write(`${text}\n`),
    tick,
    end: () => void (latest = undefined),
  };
}

/** Events for programs, one JSON object a line: `{"event":"progress","schema":1,…}`. */
export function createEventDisplay(output: Pick<Output, 'write'>, now: () => number): ProgressDisplay {
  let last: { readonly atMs: number; readonly phase: Progress['phase'] } | undefined;
  return {
    show: (progress) => {
      if (last && progress.phase === last.phase && now() - last.atMs < eventMs) return;
      last = { atMs: now(), phase: progress.phase };
      output.write(toJsonLine({ event: 'progress', schema: 1, ...progress, bottleneck: findBottleneck(progress) }));
    },
    note: (_text, event) => void output.write(toJsonLine(event)),
    tick: () => undefined,
    end: () => undefined,
  };
}
