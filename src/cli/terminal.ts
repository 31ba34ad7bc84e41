/** The streams of the process and what they can show. A reader that went away (`| head`) ends output quietly; it is no error. */
import picocolors from 'picocolors';
import { cutText } from './text-width.ts';

export type Colors = ReturnType<typeof picocolors.createColors>;
type Environment = Readonly<Record<string, string | undefined>>;

/** One of stdout and stderr. */
export interface Output {
  readonly isTerminal: boolean;
  readonly colors: Colors;
  /** Cells of a line; undefined off a terminal. Asked anew each time: windows are resized. */
  width(): number | undefined;
  /** Lines of the window; undefined off a terminal. */
  height(): number | undefined;
  /** Hands text over; false when nobody reads any more. */
  write(text: string): boolean;
  /** Waits until everything has been handed to the system, or nobody reads. @throws the stream's error, unless its reader went away. */
  flush(): Promise<void>;
  onResize(listener: () => void): () => void;
}

export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Environment;
}

/** Opens both streams of the process. */
export function openTerminal(env: Environment = process.env): Terminal {
  return { stdout: openOutput(process.stdout, env), stderr: openOutput(process.stderr, env), env };
}

function openOutput(stream: NodeJS.WriteStream, env: Environment): Output {
  let failure: NodeJS.ErrnoException | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => (failure ??= error));
  // Off a terminal `isTTY` is undefined, which picocolors would take as leave to decide by itself: it colours wherever CI is set.
  const isTerminal = Boolean(stream.isTTY) && env['TERM'] !== 'dumb';
  return {
    isTerminal,
    colors: picocolors.createColors(hasColors(isTerminal, env)),
    // A pseudo-terminal whose size was never set says 0.
    width: () => (isTerminal ? stream.columns || 80 : undefined),
    height: () => (isTerminal ? stream.rows || 24 : undefined),
    write: (text) => {
      if (failure) return false;
      stream.write(text);
      return true;
    },
    flush: async () => {
      if (!failure && !stream.destroyed) await new Promise<void>((resolve) => stream.write('', () => resolve()));
      if (failure && !isReaderGone(failure, stream.isTTY)) throw failure;
    },
    onResize: (listener) => {
      stream.on('resize', listener);
      return () => stream.off('resize', listener);
    },
  };
}

/** `| head` has read enough, or the terminal's window was closed. */
function isReaderGone(failure: NodeJS.ErrnoException, isTerminal: boolean): boolean {
  return failure.code === 'EPIPE' || (isTerminal && failure.code === 'EIO');
}

/** NO_COLOR wins (no-color.org), then FORCE_COLOR, then what the stream is. */
export function hasColors(isTerminal: boolean, env: Environment): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return !['0', 'false'].includes(forced);
  return isTerminal;
}

/** Shows a line until the returned function is called; only on a terminal. For what takes longer than the eye waits. */
export function showWaiting(output: Output, text: string): () => void {
  if (!output.isTerminal) return () => undefined;
  let isShown = output.write(output.colors.dim(cutText(text, (output.width() ?? 80) - 1)));
  return () => {
    if (isShown) output.write('\r\x1b[2K');
    isShown = false;
  };
}

/** Writes lines as they come, no faster than they are read. Stops early, without an error, when nobody reads any more. */
export async function writeAll(output: Output, texts: AsyncIterable<string> | Iterable<string>): Promise<void> {
  let pending = 0;
  for await (const text of texts) {
    if (!output.write(text)) return;
    pending += text.length;
    if (pending < maxPendingLength) continue;
    await output.flush();
    pending = 0;
  }
  await output.flush();
}

/** Text that may wait in the stream's own buffer, in UTF-16 units; it bounds memory when the reader is slow. */
const maxPendingLength = 64 * 1024;
